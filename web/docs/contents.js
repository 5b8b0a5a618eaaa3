// The contents: a search field, and everything it leaves of the contract, to be gone through by
// keys.

import { Component, link, make } from '../dom.js';
import { entries, search } from './contract.js';
import { signature } from './operations.js';

// How many entries a search shows.
const FOUND_MAX = 60;

class Contents extends Component {
    #contract = null;
    #entries = [];
    #field = make('input', {
        id: 'search',
        type: 'search',
        placeholder: 'Search  /',
        autocomplete: 'off',
        spellcheck: 'false',
        'aria-label': 'Search the API',
        'aria-controls': 'contents',
    });
    #list = make('div', { id: 'contents' });
    #count = make('p', { class: 'quiet', role: 'status' });

    begin() {
        const form = make('form', { role: 'search' }, this.#field);
        this.replaceChildren(
            make('nav', { 'aria-label': 'Contents' }, form, this.#count, this.#list));
        this.hidden = true;
        form.addEventListener('submit', (event) => {
            event.preventDefault();
            this.#list.querySelector('a')?.click();
        });
        this.#field.addEventListener('input', () => this.#show());
        this.addEventListener('keydown', (event) => this.#key(event));
        this.listen(window, 'hashchange', () => this.#mark());
    }

    // Shows a contract; null hides everything.
    show(contract) {
        this.#contract = contract;
        this.#entries = contract ? entries(contract) : [];
        this.hidden = contract === null;
        this.#show();
    }

    focusSearch() {
        this.#field.focus();
        this.#field.select();
    }

    #show() {
        const text = this.#field.value.trim();
        if (!this.#contract) {
            this.#list.replaceChildren();
            return;
        }
        this.#list.replaceChildren(...(text === '' ? this.#all() : this.#found(text)));
        this.#mark();
    }

    #all() {
        this.#count.textContent = '';
        const { groups } = this.#contract;
        const titled = (title, items) => [make('h2', {}, title), make('ul', {}, items)];
        const operations = (group) => group.operations.map((operation) => {
            return this.#item(
                `#/operation/${operation.id}`, signature(operation), operation.summary);
        });
        const general = groups.filter(({ isTree }) => !isTree);
        const trees = groups.filter(({ isTree }) => isTree);
        return [
            make('ul', {}, ['Overview', 'Schemas', 'Codes'].map((title) => {
                const address = title === 'Overview' ? '#/' : `#/${title.toLowerCase()}`;
                return this.#item(address, [title]);
            })),
            ...(trees.length > 0 ? titled('Your trees', trees.map(({ name }) => {
                return this.#item(`#/tree/${name}`, [name]);
            })) : []),
            ...general.flatMap((group) => {
                return titled(link(`#/group/${group.name}`, group.name), operations(group));
            }),
        ];
    }

    #found(text) {
        const found = search(this.#entries, text);
        this.#count.textContent = found.length === 0
            ? 'Nothing is found.' : `${found.length} found`;
        return [make('ul', {}, found.slice(0, FOUND_MAX).map((entry) => {
            const { kind, address } = entry;
            if (kind === 'operation') {
                return this.#item(address, signature(entry.operation), entry.operation.summary);
            }
            const name = kind === 'schema' ? entry.name : `${entry.status} ${entry.code}`;
            return this.#item(address, [make('span', { class: 'badge' }, kind), ' ', name]);
        }))];
    }

    #item(address, words, title = null) {
        return make('li', {}, make('a', { href: address, title }, ...words));
    }

    // Up and down go from entry to entry, Escape ends the search.
    #key(event) {
        const links = [...this.#list.querySelectorAll('a')];
        const place = links.indexOf(document.activeElement);
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (step) {
            event.preventDefault();
            const next = links[place + step];
            (next ?? (step < 0 ? this.#field : links.at(-1)))?.focus();
        } else if (event.key === 'Escape' && this.#field.value !== '') {
            this.#field.value = '';
            this.#show();
            this.#field.focus();
        }
    }

    #mark() {
        const place = location.hash.split('/').slice(0, 3).join('/') || '#/';
        for (const each of this.#list.querySelectorAll('a')) {
            const isCurrent = each.getAttribute('href') === place;
            each.toggleAttribute('aria-current', isCurrent);
            if (isCurrent) {
                each.setAttribute('aria-current', 'page');
                each.scrollIntoView({ block: 'nearest', inline: 'nearest' });
            }
        }
    }
}

customElements.define('hf-contents', Contents);
