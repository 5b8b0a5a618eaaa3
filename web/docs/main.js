// The entry of the page of the API: it shows `/v1/openapi.json`, whatever that says.
//
// All state that matters lies in the address: `#/operation/putRecord`,
// `#/operation/putRecord/body`, `#/schema/Envelope`, `#/code/stale`, `#/group/records`,
// `#/tree/parts`, `#/schemas`, `#/codes`.

import '../components/sign-in/sign-in.js';
import * as api from '../api.js';
import { link, make, notice } from '../dom.js';
import { pretty } from '../format.js';
import * as token from '../token.js';
import './contents.js';
import { Contract } from './contract.js';
import { operationAddress, operationPage, signature } from './operations.js';
import { schemaAddress, schemaDetails } from './schemas.js';
import { blocks, line } from './text.js';

const content = document.getElementById('content');
const contents = document.querySelector('hf-contents');
const signOut = document.getElementById('sign-out');
const source = document.getElementById('source');

let contract = null;

async function load() {
    try {
        contract = new Contract(await api.contract());
    } catch (problem) {
        contract = null;
        contents.show(null);
        // A token that is missing, or not taken any more, was told of already.
        if (problem.status !== 401) {
            content.replaceChildren(notice(problem.message, 'error'));
        }
        return;
    }
    contents.show(contract);
    // A link shows no token.
    source.hidden = token.current() !== null;
    signOut.hidden = token.current() === null;
    show();
}

function askForToken() {
    token.forget();
    contract = null;
    contents.show(null);
    source.hidden = true;
    signOut.hidden = true;
    content.replaceChildren(make('hf-sign-in'));
    document.title = 'Sign in · Holdfast API';
}

// Where the address leads: the kind of page, what it is of, and which part of it.
function route() {
    const [, kind = '', name = '', part = ''] = location.hash.split('/').map((each) => {
        try {
            return decodeURIComponent(each);
        } catch {
            return each;
        }
    });
    return { kind, name, part };
}

const pages = {
    '': overview,
    operation: (id) => operationPage(contract, found(contract.operations.get(id))),
    schema: schemaPage,
    code: codePage,
    group: (name) => groupPage(name, false),
    tree: (name) => groupPage(name, true),
    schemas: () => [
        title('Schemas'),
        make('ul', { class: 'codes' }, [...contract.schemas].map(([name, schema]) => {
            const words = make('span', { class: 'quiet' }, line(schema.description));
            return make('li', {}, link(schemaAddress(name), name), ' ', words);
        })),
    ],
    codes: () => [
        title('Codes'),
        make('p', {}, 'Whatever is refused is refused with one of these; each has one status.'),
        make('ul', { class: 'codes' }, [...contract.codes].map(([code, status]) => {
            const number = make('span', { class: 'quiet' }, `${status} `);
            return make('li', {}, number, link(`#/code/${code}`, code));
        })),
    ],
};

class Missing extends Error {}

// What there is, or that there is nothing.
function found(thing) {
    if (!thing) {
        throw new Missing();
    }
    return thing;
}

function title(text, path) {
    const below = path ? make('p', { class: 'path' }, path) : null;
    return make('header', { class: 'title' }, make('h1', {}, text), below);
}

function overview() {
    const { info } = contract.document;
    return [
        title(`${info.title} API`, `version ${info.version}, OpenAPI ${contract.document.openapi}`),
        ...blocks(info.description),
        ...contract.groups.flatMap((group) => operationList(group)),
    ];
}

function operationList(group) {
    const address = `#/${group.isTree ? 'tree' : 'group'}/${group.name}`;
    const words = make('span', { class: 'quiet' }, line(group.description));
    return [
        make('h2', {}, link(address, group.name), ' ', words),
        make('ul', { class: 'operations' }, group.operations.map((operation) => make(
            'li',
            {},
            make('a', { href: operationAddress(operation.id) }, ...signature(operation)),
            ' ',
            make('span', { class: 'quiet' }, operation.summary),
        ))),
    ];
}

function groupPage(name, isTree) {
    const group = found(contract.groups.find((each) => {
        return each.name === name && each.isTree === isTree;
    }));
    const [, list] = operationList(group);
    const schema = contract.schemas.get(`${name}.Value`);
    return [
        title(name, isTree ? 'a tree of this database' : group.description),
        list,
        ...(isTree ? valueOf(name, schema) : []),
    ];
}

// What a tree's records hold.
function valueOf(name, schema) {
    return [
        make('h2', {}, link(schemaAddress(`${name}.Value`), 'Value')),
        ...schemaDetails(schema),
        example(schema),
    ];
}

function example(schema) {
    return make('pre', { class: 'example', tabindex: '0' }, pretty(contract.example(schema)));
}

function schemaPage(name) {
    const schema = found(contract.schemas.get(name));
    const users = [...contract.operations.values()].filter(({ node }) => {
        const text = JSON.stringify(node, (_, value) => {
            return typeof value === 'bigint' ? String(value) : value;
        });
        return text.includes(`"#/components/schemas/${name}"`);
    });
    return [
        title(name, schema.title),
        ...blocks(schema.description),
        ...schemaDetails(schema),
        make('h2', {}, 'Example'),
        example(schema),
        users.length > 0 ? make('h2', {}, 'Used by') : null,
        make('ul', { class: 'operations' }, users.map((operation) => {
            const address = operationAddress(operation.id);
            return make('li', {}, make('a', { href: address }, ...signature(operation)));
        })),
    ].filter(Boolean);
}

function codePage(code) {
    const status = found(contract.codes.get(code));
    const later = contract.document['x-later']?.[code];
    const common = contract.commonUse(code);
    return [
        title(code, `status ${status}`),
        common ? make('p', {}, common) : null,
        later ? make('p', {}, line(later)) : null,
        make('ul', { class: 'operations' }, contract.operationsWith(code).map((operation) => make(
            'li',
            {},
            make('a', { href: operationAddress(operation.id, 'refusals') },
                ...signature(operation)),
            ' ',
            make('span', { class: 'quiet' }, operation.summary),
        ))),
    ].filter(Boolean);
}

// Shows what the address names.
function show() {
    if (contract === null) {
        return;
    }
    const { kind, name, part } = route();
    try {
        content.replaceChildren(...found(pages[kind])(name));
        document.title = [name || kind, 'Holdfast API'].filter(Boolean).join(' · ');
    } catch (error) {
        if (!(error instanceof Missing)) {
            throw error;
        }
        content.replaceChildren(notice('There is no such place in this contract.', 'error'));
        document.title = 'Holdfast API';
    }
    window.scrollTo(0, 0);
    document.getElementById(part)?.scrollIntoView();
}

window.addEventListener('hashchange', () => {
    // The skip link is an address inside the page, not a place in the contract.
    if (location.hash === '#content') {
        content.focus();
        return;
    }
    show();
});

// The slash goes to the search, as in the viewer; not while somebody types.
window.addEventListener('keydown', (event) => {
    const isTyping = event.target.closest('input, textarea, select, [contenteditable]');
    if (event.key === '/' && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping) {
        event.preventDefault();
        contents.focusSearch();
    }
});

content.addEventListener('signin', ({ detail }) => {
    token.keep(detail);
    content.replaceChildren();
    load();
});
signOut.addEventListener('click', askForToken);
api.refusals.addEventListener('unauthorized', askForToken);

load();
