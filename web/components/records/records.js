// One tree's records, page by page in key order, kept true by the feed.
//
// Invariants: a row is always the newest version seen, whether a page or the feed brought it; a
// record the feed removed does not come back with an older page; after a break the feed fills the
// gap, so nothing is listed again.

import * as api from '../../api.js';
import { Component, link, make, notice } from '../../dom.js';
import {
    borrowsLast, brief, fieldsOf, isBorrows, keyOf, keyText, moment, person, seqOf, stateBadge,
} from '../../format.js';
import { recordAddress, treeAddress } from '../../route.js';
import { session } from '../../session.js';

const PAGE_COUNT = 100;
const COLUMN_COUNT_MAX = 4;
const AHEAD_PIXELS = 600;

class RecordsView extends Component {
    #tree;
    #prefix;
    #rows = new Map(); // key text -> { envelope, element }, in no order
    #gone = new Map(); // key text and revision -> seq of the removal
    #meanwhile = []; // commits that came while a page was under way
    #cursor = null;
    #isComplete = false;
    #isLoading = false;
    #isFailed = false;
    #goesOn = false; // more was asked for once: scrolling asks for the rest
    #last = null; // the last key of the pages so far

    #body = make('tbody');
    #head = make('thead');
    #foot = make('div', { class: 'foot' });

    begin() {
        this.#tree = this.getAttribute('tree');
        this.#prefix = this.getAttribute('prefix') ?? '';
        this.replaceChildren(
            make('header', { class: 'title' }, make('h1', {}, this.#tree), this.#filter()),
            make('div', { class: 'scroll' }, make(
                'table', { 'aria-label': `Records of ${this.#tree}` }, this.#head, this.#body)),
            this.#foot,
        );
        this.#showHead();
        this.listen(session, 'trees', () => this.#showHead());
        this.listen(session, 'commit', (commit) => this.#take(commit));
        this.listen(session, 'state', ({ name }) => this.#retry(name));
        this.listen(window, 'scroll', () => this.#loadAhead());
        this.#load();
    }

    // The server is there again: what could not be had is asked for once more.
    #retry(state) {
        if (state === 'live' && this.#isFailed) {
            this.#load();
        }
    }

    // Whoever asked for more is given the next page when the end comes near.
    #loadAhead() {
        const isNear = this.#foot.getBoundingClientRect().top < innerHeight + AHEAD_PIXELS;
        if (this.#goesOn && isNear && !this.#isComplete && !this.#isFailed) {
            this.#load();
        }
    }

    // The search by beginning, for trees whose keys are names; the way to an id in others.
    #filter() {
        const input = make('input', {
            type: 'search',
            name: 'prefix',
            value: this.#prefix,
            spellcheck: 'false',
            autocapitalize: 'off',
        });
        const submit = (event) => {
            event.preventDefault();
            if (this.#declaration?.keys === 'name') {
                location.hash = treeAddress(this.#tree, input.value);
            } else if (/^[1-9][0-9]{0,15}$/.test(input.value.trim())) {
                location.hash = recordAddress(this.#tree, input.value.trim());
            }
        };
        return make('form', { role: 'search', onsubmit: submit, hidden: true }, input);
    }

    #showFilter() {
        const input = this.querySelector('form input');
        const hasNames = this.#declaration?.keys === 'name';
        const text = hasNames ? 'Name begins with' : 'Go to id';
        input.placeholder = text;
        input.setAttribute('aria-label', text);
        input.inputMode = hasNames ? 'search' : 'numeric';
        input.pattern = hasNames ? '.*' : '[1-9][0-9]{0,15}';
        input.title = hasNames ? '' : 'A number from 1';
        this.querySelector('form').hidden = this.#declaration === undefined;
    }

    get #declaration() {
        return session.trees.get(this.#tree);
    }

    // The members shown as columns: the first of the declaration that fit into a cell.
    get #columns() {
        return fieldsOf(this.#declaration)
            .filter(({ type }) => typeof type === 'string' || type.key)
            .slice(0, COLUMN_COUNT_MAX);
    }

    #showHead() {
        const isVersioned = this.#declaration?.versioned === true;
        const cells = [
            ['Key'],
            ...this.#columns.map(({ name, type }) => [name, isNumeric(type) ? 'number' : '']),
            ...(this.#columns.length === 0 ? [['Value']] : []),
            ...(isVersioned ? [['State', 'state']] : []),
            ['Modified', 'side'],
            ['Borrowed by', 'side'],
        ];
        this.#head.replaceChildren(
            make('tr', {}, cells.map(([text, kind]) => {
                return make('th', { scope: 'col', class: kind || null }, text);
            })),
        );
        this.#showFilter();
        for (const row of this.#rows.values()) {
            this.#draw(row);
        }
    }

    async #load() {
        if (this.#isLoading) {
            return;
        }
        this.#isLoading = true;
        this.#isFailed = false;
        this.#meanwhile = [];
        this.#showFoot();
        try {
            const page = await api.records(
                this.#tree,
                { cursor: this.#cursor, prefix: this.#prefix, limit: PAGE_COUNT },
                this.life,
            );
            this.#isLoading = false;
            this.#cursor = page.next ?? null;
            this.#isComplete = !page.next;
            this.#last = page.records.at(-1)?.key ?? this.#last;
            page.records.forEach((envelope) => this.#place(envelope));
            this.#meanwhile.forEach((commit) => this.#apply(commit));
            this.#showFoot();
        } catch (problem) {
            this.#isLoading = false;
            if (problem.name !== 'AbortError') {
                this.#isFailed = true;
                this.#showFoot(problem);
            }
        }
    }

    #take(commit) {
        if (this.#isLoading) {
            this.#meanwhile.push(commit);
        }
        this.#apply(commit);
        if (!this.#isFailed) {
            this.#showFoot();
        }
    }

    #apply(commit) {
        for (const { set, remove } of borrowsLast(commit.effects)) {
            const { tree, key, value } = set ?? remove;
            if (isBorrows(tree)) {
                this.#markBorrow(keyText(key), set ? value : null);
            } else if (tree === this.#tree && set) {
                this.#set(commit, set);
            } else if (tree === this.#tree) {
                this.#remove(commit, key);
            }
        }
    }

    #set(commit, { key, state, schema, value }) {
        const known = this.#rows.get(keyText(key))?.envelope;
        if (known && known.key.revision > key.revision) {
            return; // the list shows latest revisions
        }
        if (!known && !this.#isInside(key)) {
            return; // a later page brings it
        }
        const modified = { at: commit.at, by: commit.by, device: commit.device };
        const isSame = known?.key.revision === key.revision;
        this.#place({
            key,
            state,
            schema,
            value,
            version: commit.seq,
            modified,
            created: isSame ? known.created : modified,
            borrow: isSame ? known.borrow : undefined,
        }, true);
    }

    // Whether a key belongs among the rows that are loaded.
    #isInside(key) {
        if (this.#prefix && !keyText(key).startsWith(this.#prefix)) {
            return false;
        }
        return this.#isComplete || (this.#last !== null && compare(key, this.#last) <= 0);
    }

    #remove(commit, key) {
        const text = keyText(key);
        const row = this.#rows.get(text);
        if (row && (row.envelope.key.revision !== key.revision
            || seqOf(row.envelope.version) >= commit.seq)) {
            return;
        }
        this.#gone.set(`${text}.${key.revision}`, commit.seq);
        row?.element.remove();
        this.#rows.delete(text);
        if (key.revision > 0) {
            this.#showEarlier(text);
        }
    }

    // The latest revision of a record is gone: an earlier one is the latest now.
    async #showEarlier(text) {
        try {
            this.#place(await api.record(this.#tree, text, null, this.life), true);
        } catch (problem) {
            if (![0, 404, 410].includes(problem.status) && problem.name !== 'AbortError') {
                this.#showFoot(problem);
            }
        }
    }

    // Puts an envelope into its row, unless a newer one is there or it was removed since.
    #place(envelope, isNews = false) {
        const text = keyText(envelope.key);
        const seq = seqOf(envelope.version);
        const row = this.#rows.get(text);
        const gone = this.#gone.get(`${text}.${envelope.key.revision}`) ?? -1;
        if (gone >= seq || (row && seqOf(row.envelope.version) >= seq)) {
            return;
        }
        const element = row?.element ?? make('tr');
        const placed = { envelope, element };
        this.#rows.set(text, placed);
        this.#draw(placed);
        if (!row) {
            this.#body.insertBefore(element, this.#following(envelope.key));
            element.key = envelope.key;
        }
        if (isNews) {
            element.classList.remove('news');
            requestAnimationFrame(() => element.classList.add('news'));
        }
    }

    // The row a new key stands before, by halving; null at the end.
    #following(key) {
        const { rows } = this.#body;
        let [low, high] = [0, rows.length];
        while (low < high) {
            const middle = (low + high) >> 1;
            if (compare(rows[middle].key, key) < 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return rows[low] ?? null;
    }

    #draw({ envelope, element }) {
        const { key, value, state, modified, borrow } = envelope;
        const text = keyText(key);
        const revision = key.revision > 0 ? `.${key.revision}` : '';
        const address = recordAddress(this.#tree, text);
        const columns = this.#columns;
        const isVersioned = this.#declaration?.versioned === true;
        element.dataset.key = text;
        element.dataset.seq = seqOf(envelope.version);
        const cells = [
            make('th', { scope: 'row', title: text }, link(address, text + revision)),
            ...columns.map((field) => cell(field, value)),
            columns.length === 0 ? make('td', { class: 'value' }, brief(value, 160)) : '',
            isVersioned ? make('td', { class: 'state' }, stateBadge(state)) : '',
            make('td', { class: 'side' }, moment(modified.at), ' ', modified.by),
            make('td', { class: 'side' }, borrow ? person(borrow.holder) : ''),
        ];
        element.replaceChildren(...cells);
    }

    // A borrow began, passed on or ended; only its first in line holds the record.
    #markBorrow(id, value) {
        if (value === null) {
            const rows = [...this.#rows.values()];
            this.#redraw(rows.find(({ envelope }) => envelope.borrow?.id === id), undefined);
        } else if (value.tree === this.#tree && value.state !== 'queued') {
            const key = keyOf(value.key);
            const row = this.#rows.get(keyText(key));
            if (row?.envelope.key.revision === key.revision) {
                this.#redraw(row, { id, holder: value.holder });
            }
        }
    }

    #redraw(row, borrow) {
        if (row) {
            row.envelope.borrow = borrow;
            this.#draw(row);
        }
    }

    #showFoot(problem) {
        const button = (text) => {
            const onclick = () => {
                this.#goesOn = true;
                this.#load();
            };
            return make('button', { type: 'button', onclick }, text);
        };
        if (problem) {
            this.#foot.replaceChildren(notice(problem.message, 'error'), button('Try again'));
        } else if (this.#isLoading) {
            this.#foot.replaceChildren(notice('Loading'));
        } else {
            const more = button('Load more');
            const count = this.#rows.size;
            const rest = this.#isComplete ? 'all' : 'so far';
            const none = this.#prefix ? `No name begins with ${this.#prefix}.` : 'No records.';
            const text = count === 0 ? none : `${count} shown, ${rest}`;
            this.#foot.replaceChildren(notice(text), ...(this.#isComplete ? [] : [more]));
        }
    }
}

// The order of the server: ids by number, names by their UTF-8 bytes.
function compare(one, other) {
    if (one.id !== undefined) {
        return one.id - other.id;
    }
    const points = [[...one.name], [...other.name]].map((letters) => {
        return letters.map((letter) => letter.codePointAt(0));
    });
    const length = Math.min(points[0].length, points[1].length);
    for (let index = 0; index < length; index += 1) {
        if (points[0][index] !== points[1][index]) {
            return points[0][index] - points[1][index];
        }
    }
    return points[0].length - points[1].length;
}

function cell({ name, type }, value) {
    const member = value?.[name];
    if (type.key && typeof member === 'string') {
        const key = keyOf(member);
        return make('td', {}, link(recordAddress(type.key, keyText(key)), keyText(key)));
    }
    const text = brief(member, 200);
    return make('td', { class: isNumeric(type) ? 'number' : null, title: text || null }, text);
}

function isNumeric(type) {
    return /^(u?int|float|double|decimal)/.test(type);
}

customElements.define('hf-records', RecordsView);
