// Asks for a token, where the server wants one.
//
// Tells one that opens something as the event `signin`.

import * as api from '../../api.js';
import { Component, make, notice } from '../../dom.js';

class SignIn extends Component {
    #input = make('input', {
        id: 'token',
        type: 'password',
        autocomplete: 'off',
        spellcheck: 'false',
        required: true,
        'aria-describedby': 'token-help',
    });
    #button = make('button', {}, 'Sign in');
    #answer = make('div');

    begin() {
        this.replaceChildren(
            make('header', { class: 'title' }, make('h1', {}, 'Sign in')),
            make(
                'form',
                { onsubmit: (event) => this.#submit(event) },
                make('label', { for: 'token' }, 'Token'),
                this.#input,
                this.#button,
            ),
            make(
                'p',
                { id: 'token-help', class: 'help' },
                'This server asks for a token. Whoever runs it makes one with ',
                make('code', {}, 'holdfast token create'),
                '. It is kept until this tab is closed.',
            ),
            this.#answer,
        );
        this.#input.focus();
    }

    async #submit(event) {
        event.preventDefault();
        const token = this.#input.value.trim();
        if (token === '') {
            return;
        }
        this.#button.disabled = true;
        try {
            await api.trees(this.life, token);
            this.dispatchEvent(new CustomEvent('signin', { detail: token, bubbles: true }));
        } catch (problem) {
            if (problem.name === 'AbortError') {
                return;
            }
            this.#answer.replaceChildren(notice(problem.message, 'error'));
            this.#button.disabled = false;
            this.#input.select();
        }
    }
}

customElements.define('hf-sign-in', SignIn);
