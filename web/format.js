// How values of the model are written: keys, positions, times, states, numbers.

import { make } from './dom.js';

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

// A key's own part, the id or the name, as text.
export function keyText(key) {
    return String(key.id ?? key.name);
}

// A key given as an object, or as a reference text (`"12.0"`, split at the last dot).
export function keyOf(reference) {
    if (typeof reference !== 'string') {
        return reference;
    }
    const dot = reference.lastIndexOf('.');
    const [text, revision] = [reference.slice(0, dot), Number(reference.slice(dot + 1))];
    return /^\d+$/.test(text) ? { id: Number(text), revision } : { name: text, revision };
}

// The fields a tree declares now, if it declares any.
export function fieldsOf(declaration) {
    const { schemas = [], current } = declaration ?? {};
    return schemas.find(({ version }) => version === current)?.fields ?? [];
}

// Whether a text is shaped like a reference.
export function isReference(text) {
    return typeof text === 'string' && /^.+\.\d+$/s.test(text);
}

// The sequence number of a position, given as `epoch:seq` or, inside a feed, as a number.
export function seqOf(position) {
    return typeof position === 'number' ? position : Number(String(position).split(':').pop());
}

// Whether a tree is the one of borrows, whole or of one subject tree (`_borrows/parts`).
export function isBorrows(tree) {
    return tree === '_borrows' || tree.startsWith('_borrows/');
}

// The effects of a commit, those on borrows last: a record may be made and borrowed in one.
export function borrowsLast(effects) {
    const rank = ({ set, remove }) => Number(isBorrows((set ?? remove).tree));
    return effects.toSorted((one, other) => rank(one) - rank(other));
}

// A moment: the time when it was today, else the date too; the exact one on hover.
export function moment(text) {
    const date = new Date(text);
    if (Number.isNaN(date.getTime())) {
        return make('time', {}, text ?? '');
    }
    const isToday = date.toDateString() === new Date().toDateString();
    const shown = (isToday ? clock : calendar).format(date);
    return make('time', { datetime: text, title: text }, shown);
}

// A state as a badge: colour and word.
export function stateBadge(state) {
    const [name, number] = typeof state === 'object' ? Object.entries(state)[0] : [state, null];
    const text = number ? `${name} ${number}` : name;
    return make('span', { class: `badge ${name}` }, text);
}

// Who holds or did something: the user and the device.
export function person({ user, device }) {
    return make(
        'span',
        { class: 'person' },
        make('span', { class: 'user' }, user ?? '?'),
        device ? make('span', { class: 'device' }, device) : null,
    );
}

// The member of a value that names it best for a reader, if there is one.
export function headline(value) {
    if (value === null || typeof value !== 'object') {
        return '';
    }
    const name = ['number', 'title', 'name', 'label'].find((member) => {
        return typeof value[member] === 'string';
    });
    return name ? value[name] : '';
}

// A value in one line, cut where it gets long.
export function brief(value, lengthMax = 80) {
    if (value === undefined || value === null) {
        return '';
    }
    if (Array.isArray(value)) {
        const simple = value.every((item) => typeof item !== 'object');
        return simple ? brief(value.join(', '), lengthMax) : `${value.length} items`;
    }
    const text = typeof value === 'object' ? pretty(value, 0) : String(value);
    return text.length > lengthMax ? `${text.slice(0, lengthMax - 1)}…` : text;
}

// A value as JSON text; large integers keep every digit.
export function pretty(value, indent = 2) {
    const exact = (_, member) => {
        return typeof member === 'bigint' ? JSON.rawJSON(String(member)) : member;
    };
    return JSON.stringify(value, exact, indent);
}
