// The contract as it is looked at: operations by group, schemas, codes, and examples made of
// schemas.

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const SCHEMAS = '#/components/schemas/';

// What the groups of trees begin with; the others are the contract's own.
const TREE = 'tree ';

// How deep an example of a schema goes: a type may hold itself.
const EXAMPLE_DEPTH_MAX = 8;

export class Contract {
    constructor(document) {
        this.document = document;
        this.schemas = new Map(Object.entries(document.components.schemas));
        this.operations = new Map();
        for (const [path, item] of Object.entries(document.paths)) {
            for (const method of METHODS.filter((each) => each in item)) {
                const operation = this.#operation(path, method, item);
                this.operations.set(operation.id, operation);
            }
        }
        this.groups = this.#groups();
        this.codes = new Map(Object.entries(document['x-code-status']));
    }

    // Whatever a `$ref` leads to.
    resolve(node) {
        let found = node;
        while (found?.$ref) {
            const path = found.$ref.replace(/^#\//, '').split('/');
            found = path.reduce((place, name) => place[name], this.document);
        }
        return found;
    }

    // The name of the schema a `$ref` leads to.
    static nameOf(node) {
        return node?.$ref?.startsWith(SCHEMAS) ? node.$ref.slice(SCHEMAS.length) : null;
    }

    // What an operation of one tree is of any tree.
    general(operation) {
        return this.operations.get(operation.id.split('_')[0]) ?? operation;
    }

    // The codes of an operation by status: its own, and those that any may answer besides.
    codesOf(operation) {
        const reads = operation.method === 'get';
        const tables = ['x-any-operation', reads ? 'x-any-read' : 'x-any-write'];
        return {
            own: Object.entries(this.general(operation).node['x-codes'] ?? {}),
            common: tables.flatMap((table) => Object.entries(this.document[table] ?? {})),
        };
    }

    // The operations whose own rules give a code.
    operationsWith(code) {
        return [...this.operations.values()].filter(({ node }) => {
            return Object.values(node['x-codes'] ?? {}).some((codes) => codes.includes(code));
        });
    }

    // Who may answer a code besides the operations that list it.
    commonUse(code) {
        const uses = {
            'x-any-operation': 'Any operation may answer it.',
            'x-any-read': 'Any operation that reads may answer it.',
            'x-any-write': 'Any operation that writes may answer it.',
            'x-mirror-alone': 'No server answers it: a mirror gives it to changes of its own.',
        };
        const found = Object.entries(uses).find(([table]) => {
            return Object.values(this.document[table] ?? {}).some((codes) => codes.includes(code));
        });
        return found ? found[1] : null;
    }

    // A value of a schema: the one it names, or one made of what it says.
    example(schema, depth = 0) {
        const { resolve } = this;
        if (!schema || depth > EXAMPLE_DEPTH_MAX) {
            return null;
        }
        if (schema.examples?.length > 0) {
            return schema.examples[0];
        }
        for (const name of ['const', 'default']) {
            if (name in schema && schema[name] !== null) {
                return schema[name];
            }
        }
        if (schema.enum) {
            return schema.enum[0];
        }
        if (schema.$ref) {
            return this.example(resolve.call(this, schema), depth + 1);
        }
        const choice = (schema.anyOf ?? schema.oneOf)?.[0];
        if (choice) {
            return this.example(choice, depth + 1);
        }
        switch ([schema.type].flat()[0]) {
            case 'boolean': return true;
            case 'integer': return 12;
            case 'number': return 1.5;
            case 'string': return 'text';
            case 'null': return null;
            case 'array': return [this.example(schema.items, depth + 1)];
            case 'object': return this.#exampleObject(schema, depth);
            default: return {};
        }
    }

    #exampleObject(schema, depth) {
        const { properties = {}, additionalProperties, maxProperties } = schema;
        const entries = Object.entries(properties).slice(0, maxProperties);
        if (entries.length === 0 && typeof additionalProperties === 'object') {
            return { name: this.example(additionalProperties, depth + 1) };
        }
        return Object.fromEntries(entries.map(([name, member]) => {
            return [name, this.example(member, depth + 1)];
        }));
    }

    #operation(path, method, item) {
        const node = item[method];
        const parameters = [...(item.parameters ?? []), ...(node.parameters ?? [])];
        return {
            id: node.operationId,
            group: node.tags?.[0] ?? '',
            summary: node.summary ?? '',
            parameters: parameters.map((parameter) => this.resolve(parameter)),
            path,
            method,
            node,
        };
    }

    // Groups in the order of the document, those of trees after them.
    #groups() {
        const named = new Map(this.document.tags.map(({ name, description }) => {
            return [name, { name, description, isTree: false, operations: [] }];
        }));
        for (const operation of this.operations.values()) {
            const { group: tag } = operation;
            if (!named.has(tag)) {
                const isTree = tag.startsWith(TREE);
                const name = isTree ? tag.slice(TREE.length) : tag;
                named.set(tag, { name, description: '', isTree, operations: [] });
            }
            named.get(tag).operations.push(operation);
        }
        return [...named.values()].filter(({ operations }) => operations.length > 0);
    }
}

// What a search looks through: each entry with its address, and the words it is found by.
export function entries(contract) {
    const found = [];
    for (const operation of contract.operations.values()) {
        const { id, method, path, summary, group, node, parameters } = operation;
        const names = parameters.map(({ name }) => name);
        found.push({
            kind: 'operation',
            address: `#/operation/${id}`,
            words: [id, `${method} ${path}`, summary, group, node.description ?? '', ...names],
            operation,
        });
    }
    for (const [name, schema] of contract.schemas) {
        const members = Object.keys(schema.properties ?? {});
        found.push({
            kind: 'schema',
            address: `#/schema/${encodeURIComponent(name)}`,
            words: [name, schema.description ?? '', ...members],
            name,
        });
    }
    for (const [code, status] of contract.codes) {
        const words = [code, String(status)];
        found.push({ kind: 'code', address: `#/code/${code}`, words, code, status });
    }
    for (const entry of found) {
        entry.text = entry.words.join('\n').toLowerCase();
    }
    return found;
}

// The entries that hold every word of a search; those that begin with it or are named so come
// first.
export function search(all, text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const rank = ({ words: [name, title = ''] }) => {
        const heads = [name.toLowerCase(), title.toLowerCase()];
        return heads.some((head) => words.every((word) => head.includes(word))) ? 0 : 1;
    };
    return all
        .filter((entry) => words.every((word) => entry.text.includes(word)))
        .map((entry, index) => ({ entry, index, rank: rank(entry) }))
        .sort((one, other) => one.rank - other.rank || one.index - other.index)
        .map(({ entry }) => entry);
}
