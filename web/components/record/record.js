// One record: what it says, who changed it last, who holds it. Kept true by the feed.

import * as api from '../../api.js';
import { Component, link, make, notice } from '../../dom.js';
import {
    borrowsLast, brief, fieldsOf, headline, isBorrows, isReference, keyOf, keyText, moment, person,
    pretty, seqOf, stateBadge,
} from '../../format.js';
import { recordAddress, treeAddress } from '../../route.js';
import { session } from '../../session.js';

// More revisions than this are not offered as links, only the last ones.
const REVISION_COUNT_MAX = 12;

class RecordView extends Component {
    #tree;
    #key;
    #revision; // null: the latest
    #envelope = null;
    #isRemoved = false;
    #isFailed = false;

    begin() {
        this.#tree = this.getAttribute('tree');
        this.#key = this.getAttribute('key');
        const revision = this.getAttribute('revision');
        this.#revision = revision === null ? null : Number(revision);
        this.listen(session, 'trees', () => this.#show());
        this.listen(session, 'commit', (commit) => this.#take(commit));
        // The server is there again: what could not be had is asked for once more.
        this.listen(session, 'state', ({ name }) => {
            if (name === 'live' && this.#isFailed) {
                this.#load();
            }
        });
        this.replaceChildren(this.#title(), notice('Loading'));
        this.#load();
    }

    async #load() {
        this.#isFailed = false;
        try {
            const { life } = this;
            const envelope = await api.record(this.#tree, this.#key, this.#revision, life);
            if (this.#envelope === null || seqOf(envelope.version) > this.#seq) {
                this.#envelope = envelope;
            }
            this.#show();
        } catch (problem) {
            if (problem.name !== 'AbortError' && this.#envelope === null) {
                this.#isFailed = true;
                const again = make('button', { type: 'button', onclick: () => this.#load() },
                    'Try again');
                const all = link(treeAddress(this.#tree), `All of ${this.#tree}`);
                this.replaceChildren(
                    this.#title(),
                    notice(problem.message, 'error'),
                    make('p', { class: 'foot' }, again, ' ', all),
                );
            }
        }
    }

    get #seq() {
        return seqOf(this.#envelope.version);
    }

    #take(commit) {
        for (const { set, remove } of borrowsLast(commit.effects)) {
            const { tree, key, value } = set ?? remove;
            if (isBorrows(tree)) {
                this.#markBorrow(keyText(key), set ? value : null);
            } else if (this.#concerns(tree, key)) {
                this.#change(commit, set);
            }
        }
    }

    // Whether this is the record on the page, or a newer revision of it when the latest is shown.
    #concerns(tree, key) {
        if (tree !== this.#tree || keyText(key) !== this.#key) {
            return false;
        }
        const shown = this.#envelope?.key.revision ?? this.#revision ?? 0;
        return this.#revision === null ? key.revision >= shown : key.revision === shown;
    }

    #change(commit, set) {
        if (this.#envelope && commit.seq <= this.#seq) {
            return;
        }
        const modified = { at: commit.at, by: commit.by, device: commit.device };
        if (set) {
            this.#isRemoved = false;
            const isSame = this.#envelope?.key.revision === set.key.revision;
            this.#envelope = {
                tree: this.#tree,
                key: set.key,
                state: set.state,
                schema: set.schema,
                value: set.value,
                version: commit.seq,
                modified,
                created: isSame ? this.#envelope.created : modified,
                borrow: isSame ? this.#envelope.borrow : undefined,
            };
        } else {
            this.#isRemoved = true;
            this.#envelope = { ...this.#envelope, modified, version: commit.seq };
        }
        this.#show();
    }

    #markBorrow(id, value) {
        const held = this.#envelope?.borrow;
        if (value === null && held?.id === id) {
            this.#envelope.borrow = undefined;
            this.#show();
        } else if (value?.tree === this.#tree && value.state !== 'queued') {
            const key = keyOf(value.key);
            if (keyText(key) === this.#key && key.revision === this.#envelope?.key.revision) {
                this.#envelope.borrow = { ...value, id };
                this.#show();
            }
        }
    }

    #title() {
        const name = this.#envelope ? headline(this.#envelope.value) : '';
        return make(
            'header',
            { class: 'title' },
            make(
                'p',
                { class: 'path' },
                link(treeAddress(this.#tree), this.#tree),
                make('span', { 'aria-hidden': 'true' }, ' / '),
                this.#key,
            ),
            make('h1', {}, name || this.#key),
        );
    }

    #show() {
        if (!this.#envelope?.key) {
            return;
        }
        const isRawOpen = this.querySelector('details.raw')?.open ?? false;
        const { value } = this.#envelope;
        const fields = fieldsOf(session.trees.get(this.#tree));
        const types = new Map(fields.map(({ name, type }) => [name, type]));
        this.replaceChildren(
            this.#title(),
            ...(this.#isRemoved ? [this.#removal()] : []),
            this.#facts(),
            this.#revisions() ?? '',
            members(value, types),
            make(
                'details',
                { class: 'raw', open: isRawOpen },
                make('summary', {}, 'JSON'),
                make('pre', { tabindex: '0' }, pretty(value)),
            ),
        );
        this.dataset.seq = this.#seq;
    }

    #removal() {
        const { by } = this.#envelope.modified;
        return notice(`Deleted by ${by}. This is how it was.`, 'error');
    }

    #facts() {
        const { key, state, version, schema, created, modified, borrow } = this.#envelope;
        const stamp = ({ at, by, device }) => [moment(at), ' ', person({ user: by, device })];
        const facts = [
            ['State', stateBadge(state)],
            ['Revision', session.trees.get(this.#tree)?.versioned ? String(key.revision) : null],
            ['Modified', stamp(modified)],
            ['Created', stamp(created)],
            ['Borrowed by', borrow ? person(borrow.holder) : 'nobody'],
            ['Version', make('span', { class: 'seq' }, `#${seqOf(version)}`)],
            ['Schema', schema],
        ];
        return make(
            'dl',
            { class: 'facts' },
            facts.filter(([, what]) => what).flatMap(([name, what]) => {
                return [make('dt', {}, name), make('dd', {}, what)];
            }),
        );
    }

    // The way to the other revisions of the record.
    #revisions() {
        const shown = this.#envelope.key.revision;
        if (!session.trees.get(this.#tree)?.versioned || (shown === 0 && this.#revision === null)) {
            return null;
        }
        const first = Math.max(0, shown - REVISION_COUNT_MAX);
        const numbers = Array.from({ length: shown - first + 1 }, (_, index) => first + index);
        const item = (revision, text) => {
            const isCurrent = revision === this.#revision;
            const address = recordAddress(this.#tree, this.#key, revision);
            const current = isCurrent ? 'page' : null;
            return make('li', {}, link(address, text, { 'aria-current': current }));
        };
        return make(
            'nav',
            { class: 'revisions', 'aria-label': 'Revisions' },
            make('ul', {}, numbers.map((each) => item(each, String(each))), item(null, 'latest')),
        );
    }
}

// The members of an object as a table; `types` are the declared ones, where known.
function members(value, types) {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
        return content(value);
    }
    return make(
        'table',
        { class: 'members' },
        make('tbody', {}, Object.entries(value).map(([name, member]) => {
            const shown = content(member, types.get(name));
            return make('tr', {}, make('th', { scope: 'row' }, name), make('td', {}, shown));
        })),
    );
}

// A member: text, a link when it refers to a record, a table when it is a list of objects.
function content(value, type) {
    if (type?.key && isReference(value)) {
        const key = keyOf(value);
        return link(recordAddress(type.key, keyText(key), key.revision), keyText(key));
    }
    if (Array.isArray(value)) {
        if (value.length > 0 && value.every(isObject)) {
            return rows(value);
        }
        return make('span', {}, value.map((item) => brief(item)).join(', '));
    }
    if (isObject(value)) {
        return members(value, new Map());
    }
    const isLink = typeof value === 'string' && /^https?:\/\/\S+$/.test(value);
    if (isLink) {
        return link(value, value, { rel: 'noreferrer noopener', target: '_blank' });
    }
    const kind = value === null || typeof value === 'boolean' ? 'literal' : typeof value;
    return make('span', { class: kind }, String(value));
}

// A list of objects as a table, one a row; its columns are all members that occur.
function rows(items) {
    const columns = [...new Set(items.flatMap((item) => Object.keys(item)))];
    return make(
        'table',
        { class: 'items' },
        make('thead', {}, make('tr', {}, columns.map((name) => {
            return make('th', { scope: 'col' }, name);
        }))),
        make('tbody', {}, items.map((item) => {
            return make('tr', {}, columns.map((name) => make('td', {}, brief(item[name]))));
        })),
    );
}

function isObject(value) {
    return value !== null && typeof value === 'object' && !Array.isArray(value);
}

customElements.define('hf-record', RecordView);
