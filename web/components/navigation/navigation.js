// The way to the views: activity, borrows, and each tree that is declared.

import { Component, link, make } from '../../dom.js';
import { route, treeAddress } from '../../route.js';
import { session } from '../../session.js';

class Navigation extends Component {
    begin() {
        this.listen(session, 'trees', () => this.#show());
        this.listen(session, 'reset', () => this.#show());
        this.listen(window, 'hashchange', () => this.#show());
        this.#show();
    }

    #show() {
        const { view, tree } = route();
        const item = (address, text, isCurrent) => {
            const current = isCurrent ? 'page' : null;
            return make('li', {}, link(address, text, { 'aria-current': current }));
        };
        const trees = [...session.trees.keys()].sort();
        this.replaceChildren(
            make(
                'nav',
                { 'aria-label': 'Views' },
                make(
                    'ul',
                    {},
                    item('#/feed', 'Activity', view === 'feed'),
                    item('#/borrows', 'Borrows', view === 'borrows'),
                    item('/docs', 'API', false),
                ),
                make('h2', { id: 'trees' }, 'Trees'),
                make(
                    'ul',
                    { 'aria-labelledby': 'trees' },
                    trees.map((name) => item(treeAddress(name), name, name === tree)),
                ),
            ),
        );
        const current = this.querySelector('[aria-current]');
        current?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    }
}

customElements.define('hf-navigation', Navigation);
