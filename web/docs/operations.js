// One operation: what it takes, what it gives, what it refuses, and how it is asked by curl.

import { link, make } from '../dom.js';
import { pretty } from '../format.js';
import { schemaDetails, typeWords } from './schemas.js';
import { blocks, line } from './text.js';

// Headers that stand on every reply.
const COMMON_HEADERS = new Set(['Request-Id', 'Holdfast-Position']);

// The address of an operation, or of a part of its page.
export function operationAddress(id, part) {
    return `#/operation/${id}${part ? `/${part}` : ''}`;
}

// Method and path, as everywhere.
export function signature({ method, path }) {
    const name = make('span', { class: `method ${method}` }, method.toUpperCase());
    return [name, ' ', make('code', {}, path)];
}

// The page of an operation.
export function operationPage(contract, operation) {
    const { node, summary, id } = operation;
    const general = contract.general(operation);
    const section = (part, title, ...children) => make(
        'section',
        { id: part, 'aria-labelledby': `${part}-title` },
        make('h2', { id: `${part}-title` }, link(operationAddress(id, part), title)),
        ...children,
    );
    return [
        make('header', { class: 'title' },
            make('h1', {}, signature(operation)), make('p', { class: 'path' }, summary)),
        ...blocks(node.description),
        general === operation ? null : make(
            'p',
            { class: 'quiet' },
            'More of it stands where it is said of any tree: ',
            link(operationAddress(general.id), general.id),
            '.',
        ),
        operation.parameters.length > 0
            ? section('parameters', 'Parameters', parameterTable(operation.parameters)) : null,
        node.requestBody
            ? section('body', 'Body', bodies(contract, node.requestBody.content)) : null,
        section('replies', 'Replies', replies(contract, node)),
        section('refusals', 'Refusals', refusals(contract, operation)),
        section('curl', 'With curl', make('pre', { tabindex: '0' }, curl(contract, operation))),
    ].filter(Boolean);
}

function parameterTable(parameters) {
    const places = ['path', 'query', 'header'];
    const sorted = [...parameters].sort((one, other) => {
        return places.indexOf(one.in) - places.indexOf(other.in);
    });
    const rows = sorted.map((parameter) => make(
        'tr',
        { 'data-parameter': parameter.name },
        make(
            'th',
            { scope: 'row' },
            make('code', {}, parameter.name),
            parameter.required ? make('span', { class: 'badge draft' }, 'required') : null,
        ),
        make('td', { class: 'quiet place' }, parameter.in),
        make(
            'td',
            {},
            blocks(parameter.description),
            schemaDetails(parameter.schema),
            exampleTexts(parameter).map((text) => {
                return make('div', { class: 'words' }, 'Example: ', make('code', {}, text));
            }),
        ),
    ));
    return make(
        'table',
        {},
        make('thead', {}, make('tr', {}, ['Name', 'In', 'What it is'].map((text) => {
            return make('th', { scope: 'col' }, text);
        }))),
        make('tbody', {}, rows),
    );
}

function exampleTexts({ example, examples = {} }) {
    const values = Object.values(examples).map(({ value }) => value);
    return (example === undefined ? values : [example, ...values]).map(String);
}

// What each media type holds.
function bodies(contract, content) {
    return Object.entries(content).map(([type, { schema = {}, examples = {} }]) => {
        const given = Object.values(examples).map(({ value }) => value);
        const made = schema.$ref || schema.properties ? [contract.example(schema)] : [];
        const shown = (given.length > 0 ? given : made).map((value) => exampleText(type, value));
        return make(
            'div',
            { class: 'body', 'data-type': type },
            make('h3', {}, make('code', {}, type)),
            schemaDetails(schema),
            shown.map((text) => make('pre', { class: 'example', tabindex: '0' }, text)),
        );
    });
}

function exampleText(type, value) {
    if (typeof value === 'string' && !type.endsWith('json')) {
        return value;
    }
    return pretty(value, type.includes('ndjson') ? 0 : 2);
}

function replies(contract, node) {
    const isSuccess = ([status]) => /^[123]/.test(status);
    return Object.entries(node.responses).filter(isSuccess).flatMap(([status, response]) => {
        const { description, headers, content, ...rest } = contract.resolve(response);
        const variants = (rest['x-variants'] ?? []).map((variant) => {
            const query = Object.entries(variant.query).map(([name, value]) => `${name}=${value}`);
            return reply(contract, `${status} with ${query.join('&')}`, variant);
        });
        const condition = rest['x-body'] ? ` The body is there only ${rest['x-body']}.` : '';
        const whole = { description: `${description}${condition}`, headers, content };
        return [reply(contract, status, whole), ...variants];
    });
}

function reply(contract, status, { description, headers = {}, content = {} }) {
    const shown = Object.entries(headers).filter(([name]) => !COMMON_HEADERS.has(name));
    const facts = shown.flatMap(([name, header]) => {
        const words = contract.resolve(header).description;
        const told = words ? line(words) : typeWords(header.schema);
        return [make('dt', {}, make('code', {}, name)), make('dd', {}, told)];
    });
    return make(
        'div',
        { class: 'reply' },
        make('h3', {}, make('span', { class: 'badge released' }, status), ' ', line(description)),
        facts.length === 0 ? null : make('dl', { class: 'facts' }, facts),
        bodies(contract, content),
    );
}

function refusals(contract, operation) {
    const { own, common } = contract.codesOf(operation);
    const rows = (table) => table.flatMap(([status, codes]) => codes.map((code) => make(
        'li',
        { 'data-code': code },
        make('span', { class: 'quiet' }, `${status} `),
        link(`#/code/${code}`, code),
    )));
    const others = operation.method === 'get' ? 'any that reads' : 'any that writes';
    return [
        own.length > 0
            ? make('ul', { class: 'codes' }, rows(own))
            : make('p', {}, 'None of its own.'),
        make(
            'details',
            {},
            make('summary', {}, `What ${others} may answer besides`),
            make('ul', { class: 'codes' }, rows(common)),
        ),
    ];
}

// The operation as a command, with examples in the places of parameters.
function curl(contract, operation) {
    const { method, path, node, parameters } = operation;
    const words = ['curl'];
    if (method !== 'get') {
        words.push(`-X ${method.toUpperCase()}`);
    }
    const filled = path.replaceAll(/\{([^}]+)\}/g, (_, name) => {
        const schema = parameters.find((each) => each.name === name && each.in === 'path')?.schema;
        const fallback = { tree: 'parts', key: '12', seq: '12' }[name];
        return encodeURIComponent(fallback ?? contract.example(schema) ?? name);
    });
    words.push(quoted(`${location.origin}${filled}`));
    if (node.security === undefined) {
        words.push('-H "Authorization: Bearer $TOKEN"');
    }
    if (parameters.some(({ name }) => name === 'If-Match')) {
        words.push('-H "If-Match: $ETAG"');
    }
    const [type, body] = Object.entries(node.requestBody?.content ?? {})[0] ?? [];
    if (type && type !== '*/*') {
        const given = Object.values(body.examples ?? {})[0]?.value ?? contract.example(body.schema);
        const text = typeof given === 'string' && !type.endsWith('json') ? given : pretty(given, 0);
        words.push(`-H ${quoted(`Content-Type: ${type}`)}`, `--data-binary ${quoted(text)}`);
    } else if (type) {
        words.push('--data-binary @FILE');
    }
    return words.join(' \\\n  ');
}

// A word of the shell that is taken as it stands.
function quoted(text) {
    return `'${text.replaceAll("'", "'\\''")}'`;
}
