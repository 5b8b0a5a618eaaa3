// The server's REST interface, as far as the viewer reads it. It never writes.

import * as token from './token.js';

// Tells, as `unauthorized`, that the server wants a token, or another one.
export const refusals = new EventTarget();

// What the server refused, or that it could not be asked.
export class Problem extends Error {
    // `status` is 0 when there was no reply; `code` is the stable one of the problem document.
    constructor(status, code, detail) {
        super(detail || code);
        this.status = status;
        this.code = code;
    }
}

// What this database is: name, version, databaseID, application, epoch, head.
export function server(signal) {
    return get('/v1', signal);
}

// The trees that are declared, as far as a token opens them; by default the one that is kept.
export async function trees(signal, shown) {
    return (await get('/v1/trees', signal, shown)).trees;
}

// The contract, with the trees a token opens.
export function contract(signal) {
    return get('/v1/openapi.json', signal);
}

// A ticket that opens the feed once: a page cannot show a token with a WebSocket.
export async function ticket(signal) {
    return (await ask('POST', '/v1/feed/tickets', signal, token.current())).ticket;
}

// One page of a tree: `{ records, next? }`.
export function records(tree, { cursor, prefix, limit }, signal) {
    const query = new URLSearchParams({ limit });
    if (prefix) {
        query.set('prefix', prefix);
    }
    if (cursor) {
        query.set('cursor', cursor);
    }
    return get(`/v1/records/${encodeURIComponent(tree)}?${query}`, signal);
}

// One record as an envelope; without a revision, its latest.
export function record(tree, key, revision, signal) {
    const query = new URLSearchParams({ meta: 'true' });
    if (revision !== null && revision !== undefined) {
        query.set('revision', revision);
    }
    const path = `/v1/records/${encodeURIComponent(tree)}/${encodeURIComponent(key)}`;
    return get(`${path}?${query}`, signal);
}

// All borrows, page by page.
export async function borrows(signal) {
    const found = [];
    let cursor = null;
    do {
        const query = cursor ? `?${new URLSearchParams({ cursor })}` : '';
        const page = await get(`/v1/borrows${query}`, signal);
        found.push(...page.borrows);
        cursor = page.next;
    } while (cursor);
    return found;
}

// Parses JSON. Integers beyond 2^53 become BigInt where the browser shows us their digits, since
// a part number that is off by one is worse than none.
export function parse(text) {
    return JSON.parse(text, (_, value, context) => {
        const isInexact = typeof value === 'number' && !Number.isSafeInteger(value);
        return isInexact && /^-?\d+$/.test(context?.source) ? BigInt(context.source) : value;
    });
}

function get(path, signal, shown = token.current()) {
    return ask('GET', path, signal, shown);
}

async function ask(method, path, signal, shown) {
    const headers = { Accept: 'application/json' };
    if (shown) {
        headers.Authorization = `Bearer ${shown}`;
    }
    let reply;
    try {
        reply = await fetch(path, { method, signal, headers });
    } catch (error) {
        if (error.name === 'AbortError') {
            throw error;
        }
        throw new Problem(0, 'unreachable', 'The server cannot be reached.');
    }
    const text = await reply.text();
    let document;
    try {
        document = parse(text);
    } catch {
        throw new Problem(reply.status, 'not-json', `The server answered ${reply.status}.`);
    }
    if (!reply.ok) {
        const { code, detail, title } = document ?? {};
        if (reply.status === 401 && shown === token.current()) {
            refusals.dispatchEvent(new CustomEvent('unauthorized'));
        }
        throw new Problem(reply.status, code ?? 'refused', detail ?? title);
    }
    return document;
}
