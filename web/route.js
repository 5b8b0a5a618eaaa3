// Reads and writes addresses. Keys are one path segment each, percent-encoded, since a name may
// hold a slash.

// The view the address names: `{ view, tree?, key?, revision?, prefix? }`.
export function route(hash = location.hash) {
    const [path, query] = hash.replace(/^#/, '').split('?');
    const [, view, tree, key] = path.split('/').map(decode);
    const parameters = new URLSearchParams(query);
    if (view === 'records' && key) {
        return { view: 'record', tree, key, revision: parameters.get('revision') };
    }
    if (view === 'records' && tree) {
        return { view: 'records', tree, prefix: parameters.get('prefix') };
    }
    return { view: view === 'borrows' ? 'borrows' : 'feed' };
}

// The address of a tree's record list, perhaps of the names with one beginning only.
export function treeAddress(tree, prefix) {
    const query = prefix ? `?${new URLSearchParams({ prefix })}` : '';
    return `#/records/${encodeURIComponent(tree)}${query}`;
}

// The address of a record; without a revision, of its latest.
export function recordAddress(tree, key, revision) {
    const query = revision == null ? '' : `?revision=${revision}`;
    return `#/records/${encodeURIComponent(tree)}/${encodeURIComponent(key)}${query}`;
}

// A segment somebody typed wrongly stays as it was typed.
function decode(segment) {
    try {
        return decodeURIComponent(segment);
    } catch {
        return segment;
    }
}
