// Who holds which record, since when, and who waits for it. Listed once, then kept by the feed.

import * as api from '../../api.js';
import { Component, link, make, notice } from '../../dom.js';
import { isBorrows, keyOf, keyText, moment, person } from '../../format.js';
import { recordAddress } from '../../route.js';
import { session } from '../../session.js';

class BorrowsView extends Component {
    #borrows = new Map(); // id -> borrow
    #ended = new Set(); // ids that ended while the list was under way
    #isLoaded = false;
    #isFailed = false;
    #contents = make('div');

    begin() {
        this.replaceChildren(
            make('header', { class: 'title' }, make('h1', {}, 'Borrows')),
            this.#contents,
        );
        this.#contents.replaceChildren(notice('Loading'));
        this.listen(session, 'commit', (commit) => this.#take(commit));
        // The server is there again: what could not be had is asked for once more.
        this.listen(session, 'state', ({ name }) => {
            if (name === 'live' && this.#isFailed) {
                this.#load();
            }
        });
        this.#load();
    }

    async #load() {
        this.#isFailed = false;
        try {
            for (const borrow of await api.borrows(this.life)) {
                // What the feed told meanwhile is newer.
                if (!this.#ended.has(borrow.id) && !this.#borrows.has(borrow.id)) {
                    this.#borrows.set(borrow.id, borrow);
                }
            }
            this.#isLoaded = true;
            this.#show();
        } catch (problem) {
            if (problem.name !== 'AbortError') {
                this.#isFailed = true;
                const again = make('button', { type: 'button', onclick: () => this.#load() },
                    'Try again');
                this.#contents.replaceChildren(notice(problem.message, 'error'), again);
            }
        }
    }

    #take(commit) {
        let isChanged = false;
        for (const { set, remove } of commit.effects) {
            const { tree, key, value } = set ?? remove;
            if (!isBorrows(tree)) {
                continue;
            }
            const id = keyText(key);
            if (set) {
                this.#borrows.set(id, { ...value, id });
            } else {
                this.#borrows.delete(id);
                this.#ended.add(id);
            }
            isChanged = true;
        }
        if (isChanged && this.#isLoaded) {
            this.#ended.clear();
            this.#show();
        }
    }

    // The line for each record: its holder first, then those who wait, in order.
    get #lines() {
        const lines = new Map();
        for (const borrow of this.#borrows.values()) {
            const key = keyOf(borrow.key);
            const name = `${borrow.tree}/${keyText(key)}.${key.revision}`;
            const line = lines.get(name) ?? { tree: borrow.tree, key, borrows: [] };
            line.borrows.push(borrow);
            lines.set(name, line);
        }
        for (const { borrows } of lines.values()) {
            borrows.sort((one, other) => {
                const waiting = Number(one.state === 'queued') - Number(other.state === 'queued');
                return waiting || new Date(one.takenAt) - new Date(other.takenAt);
            });
        }
        return [...lines.entries()].sort(([one], [other]) => (one < other ? -1 : 1));
    }

    #show() {
        const lines = this.#lines;
        if (lines.length === 0) {
            this.#contents.replaceChildren(notice('Nothing is borrowed.'));
            return;
        }
        const head = ['Record', 'Held by', 'Since', 'Note', 'In line'];
        this.#contents.replaceChildren(
            make(
                'table',
                { class: 'borrows', 'aria-label': 'Borrows' },
                make('thead', {}, make('tr', {}, head.map((text) => {
                    return make('th', { scope: 'col' }, text);
                }))),
                make('tbody', {}, lines.map(([, line]) => row(line))),
            ),
        );
    }
}

function row({ tree, key, borrows }) {
    const [holder, ...waiting] = borrows;
    const revision = key.revision > 0 ? `.${key.revision}` : '';
    const place = link(
        recordAddress(tree, keyText(key), key.revision),
        `${tree}/${keyText(key)}${revision}`,
    );
    return make(
        'tr',
        { 'data-borrow': holder.id },
        make('th', { scope: 'row' }, place),
        make(
            'td',
            {},
            person(holder.holder),
            ' ',
            make('span', { class: `badge ${holder.state}` }, standing(holder)),
        ),
        make('td', {}, moment(holder.grantedAt ?? holder.takenAt)),
        make('td', {}, holder.note ?? ''),
        make('td', {}, waiting.length === 0 ? 'nobody' : make('ol', { class: 'line' }, waiting.map(
            ({ holder: waiter }) => make('li', {}, person(waiter)),
        ))),
    );
}

// How firmly a record is held.
function standing({ state, dueAt }) {
    return state === 'held' && dueAt && new Date(dueAt) < new Date() ? 'overdue' : state;
}

customElements.define('hf-borrows', BorrowsView);
