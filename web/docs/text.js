// The descriptions of the contract: paragraphs, tables, lists, `code` and **strong** words. What is
// not one of these is shown as it stands; nothing becomes markup.

import { make } from '../dom.js';

// The blocks of a description.
export function blocks(text) {
    return (text ?? '').trim().split(/\n\s*\n/).filter(Boolean).map(block);
}

// A short description as one line.
export function line(text) {
    return inline((text ?? '').trim().replaceAll('\n', ' '));
}

function block(text) {
    const lines = text.split('\n');
    if (lines.length > 1 && /^\|[-| ]+\|$/.test(lines[1].trim())) {
        return table(lines);
    }
    if (lines.every((each) => /^(- |  )/.test(each))) {
        const items = text.split(/\n(?=- )/).map((item) => make('li', {}, line(item.slice(2))));
        return make('ul', {}, items);
    }
    return make('p', {}, line(text));
}

function table([head, , ...rows]) {
    const cells = (row) => row.trim().replace(/^\||\|$/g, '').split('|').map((cell) => cell.trim());
    return make(
        'table',
        {},
        make('thead', {}, make('tr', {}, cells(head).map((cell) => make('th', {}, line(cell))))),
        make('tbody', {}, rows.map((row) => {
            return make('tr', {}, cells(row).map((cell) => make('td', {}, line(cell))));
        })),
    );
}

function inline(text) {
    return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).filter(Boolean).map((piece) => {
        if (piece.startsWith('`') && piece.length > 2) {
            return make('code', {}, piece.slice(1, -1));
        }
        if (piece.startsWith('**') && piece.length > 4) {
            return make('strong', {}, piece.slice(2, -2));
        }
        return piece;
    });
}
