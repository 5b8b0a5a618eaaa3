// Schemas as a reader sees them: a type in a few words, the members of an object as a table.

import { link, make } from '../dom.js';
import { pretty } from '../format.js';
import { Contract } from './contract.js';
import { line } from './text.js';

// How deep members are unfolded where they stand; what has a name is linked to instead.
const DEPTH_MAX = 6;

// The address of a schema.
export function schemaAddress(name) {
    return `#/schema/${encodeURIComponent(name)}`;
}

// A type in one line: words, and links to what has a name.
export function typeWords(schema) {
    const isPlain = (name) => ['description', 'examples'].includes(name);
    if (!schema || Object.keys(schema).every(isPlain)) {
        return ['anything'];
    }
    const target = schema['x-tree'];
    if (target) {
        const { 'x-tree': _, ...reference } = schema;
        return [...typeWords(reference), ', into ', link(`#/tree/${target}`, target)];
    }
    const name = Contract.nameOf(schema);
    if (name) {
        return [link(schemaAddress(name), name)];
    }
    if ('const' in schema) {
        return [make('code', {}, pretty(schema.const, 0))];
    }
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices) {
        return choices.flatMap((choice, index) => [index > 0 ? ' or ' : '', ...typeWords(choice)]);
    }
    const types = [schema.type ?? []].flat();
    const isNullable = types.includes('null') && types.length > 1;
    const named = types.filter((type) => !isNullable || type !== 'null').join(' or ');
    const words = [schema.format ?? (schema.enum && named === '' ? 'one of' : named)];
    if (types.includes('array') && schema.items) {
        words.splice(0, 1, 'array of ', ...typeWords(schema.items));
    } else if (typeof schema.additionalProperties === 'object') {
        words.splice(0, 1, 'object of ', ...typeWords(schema.additionalProperties));
    }
    return isNullable ? [...words, ' or null'] : words;
}

// What else a schema asks for, as sentences.
function limits(schema) {
    const found = [];
    const say = (text, ...values) => found.push(make('span', { class: 'limit' }, text, ...values));
    const code = (value) => make('code', {}, pretty(value, 0));
    if (schema.enum) {
        say('', ...schema.enum.flatMap((each, index) => [index > 0 ? ', ' : '', code(each)]));
    }
    const low = schema.minimum ?? schema.exclusiveMinimum;
    const high = schema.maximum ?? schema.exclusiveMaximum;
    if (low !== undefined || high !== undefined) {
        say(`${low ?? ''} … ${high ?? ''}`);
    }
    for (const [name, word] of Object.entries({
        minLength: 'at least', maxLength: 'at most', minItems: 'at least', maxItems: 'at most',
    })) {
        if (schema[name] !== undefined) {
            say(`${word} ${schema[name]} ${name.endsWith('Items') ? 'elements' : 'characters'}`);
        }
    }
    if (schema.pattern) {
        say('pattern ', make('code', { class: 'pattern' }, schema.pattern));
    }
    if ('default' in schema) {
        say('default ', code(schema.default));
    }
    for (const [name, word] of Object.entries({
        'x-unique': 'unique', 'x-indexed': 'indexed', 'x-open': 'later versions may add cases',
    })) {
        if (schema[name]) {
            say(word);
        }
    }
    return found;
}

// Everything a schema says: its type, what it asks for, its members.
export function schemaDetails(schema, depth = 0) {
    const choices = schema.anyOf ?? schema.oneOf;
    const parts = [
        make('p', { class: 'type' }, typeWords(schema), limits(schema)),
        ...members(schema, depth),
    ];
    if (choices?.some((choice) => choice.properties)) {
        parts.push(make('ol', { class: 'choices' }, choices.map((choice) => {
            const words = choice.description ? line(choice.description) : [];
            return make('li', {}, words, schemaDetails(choice, depth + 1));
        })));
    }
    return parts;
}

// The members of an object, or of the elements of an array.
function members(schema, depth) {
    if (depth > DEPTH_MAX || !schema || schema.$ref) {
        return [];
    }
    if (!schema.properties) {
        const inner = schema.items ?? schema.additionalProperties;
        return typeof inner === 'object' ? members(inner, depth + 1) : [];
    }
    const required = new Set(schema.required ?? []);
    const rows = Object.entries(schema.properties).map(([name, member]) => make(
        'tr',
        { 'data-member': name },
        make('th', { scope: 'row' }, make('code', {}, name), required.has(name)
            ? make('span', { class: 'badge draft' }, 'required') : null),
        make(
            'td',
            {},
            typeWords(member),
            limits(member),
            member.description ? make('div', { class: 'words' }, line(member.description)) : null,
            members(member, depth + 1),
        ),
    ));
    return rows.length === 0 ? [] : [make('table', { class: 'members' }, make('tbody', {}, rows))];
}
