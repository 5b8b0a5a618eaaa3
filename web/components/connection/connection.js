// Shows whether what is on the page is live: a colour, and always a word.

import { Component, make } from '../../dom.js';
import { session } from '../../session.js';

// The colour and the word for each state of the feed.
const WORDS = {
    connecting: ['busy', 'Connecting'],
    catchingUp: ['busy', 'Catching up'],
    live: ['good', 'Live'],
    offline: ['bad', 'Offline'],
    reconnecting: ['bad', 'Offline'],
    signedOut: ['bad', 'Signed out'],
};

class Connection extends Component {
    #lamp = make('span', { 'aria-hidden': 'true' });
    #word = make('span', { class: 'word', role: 'status' }); // read out when it changes
    #detail = make('span', { class: 'detail', 'aria-hidden': 'true' }); // changes every second
    #timer = null;

    begin() {
        this.replaceChildren(this.#lamp, this.#word, this.#detail);
        this.listen(session, 'state', () => this.#show());
        this.life.addEventListener('abort', () => clearTimeout(this.#timer));
        this.#show();
    }

    #show() {
        clearTimeout(this.#timer);
        const { state } = session.feed;
        const [kind, word] = WORDS[state.name];
        this.dataset.state = state.name;
        this.#lamp.className = `lamp ${kind}`;
        if (this.#word.textContent !== word) {
            this.#word.textContent = word;
        }
        this.#detail.textContent = detail(state);
        if (state.name === 'offline') {
            this.#timer = setTimeout(() => this.#show(), 1000);
        }
    }
}

// What more there is to say about a state.
function detail(state) {
    if (state.name === 'catchingUp' && state.lag) {
        return `${state.lag} behind`;
    }
    if (state.name === 'offline') {
        const seconds = Math.ceil((state.retryAt - Date.now()) / 1000);
        return seconds > 1 ? `trying again in ${seconds} s` : 'trying again';
    }
    return state.name === 'reconnecting' ? 'trying again' : '';
}

customElements.define('hf-connection', Connection);
