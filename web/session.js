// What all views share: the server, its trees, the feed, the latest commits, the token.
//
// Events: `server`, `trees`, `state`, `commit` (the commit), `reset` (everything anew),
// `problem` (what could not be had), `token` (signed in or out).

import * as api from './api.js';
import { Feed } from './feed.js';
import { keyText } from './format.js';
import * as token from './token.js';

// How many commits are kept for the list of changes; older ones can be asked for.
export const COMMIT_COUNT_MAX = 500;

class Session extends EventTarget {
    server = null;
    trees = new Map(); // name -> declaration
    commits = []; // newest last
    feed = new Feed(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/v1/feed`);

    needsToken = false; // whether the server wants a token, or another one

    start() {
        this.feed.addEventListener('state', ({ detail }) => {
            this.#tell('state', detail);
            if (detail.name === 'signedOut' && !this.needsToken) {
                this.signOut();
            } else if (detail.name === 'offline' && this.server === null) {
                // A WebSocket does not say why it was refused.
                this.#load();
            }
        });
        api.refusals.addEventListener('unauthorized', () => this.signOut());
        this.feed.addEventListener('commit', ({ detail }) => this.#take(detail));
        this.feed.addEventListener('reset', () => {
            this.commits = [];
            this.trees = new Map();
            this.server = null;
            this.#tell('reset');
        });
        // Asked for once per history; from then on the feed tells.
        this.feed.addEventListener('hello', ({ detail }) => {
            if (!detail.resumed || this.server === null) {
                this.#load();
            }
        });
        this.feed.start();
    }

    get isSignedIn() {
        return token.current() !== null;
    }

    // Shows a token from now on.
    signIn(text) {
        token.keep(text);
        this.needsToken = false;
        this.#tell('token');
        this.feed.start();
    }

    // Forgets the token and everything it had opened, and asks for another.
    signOut() {
        token.forget();
        if (this.needsToken) {
            return;
        }
        this.needsToken = true;
        this.feed.signOut();
        this.#tell('token');
    }

    async #load() {
        try {
            const [server, trees] = await Promise.all([api.server(), api.trees()]);
            this.server = server;
            // What the feed told meanwhile is newer.
            const told = [...this.trees].filter(([, declaration]) => declaration.told);
            this.trees = new Map([...trees.map((each) => [each.tree, each]), ...told]);
            this.#tell('server');
            this.#tell('trees');
        } catch (problem) {
            this.#tell('problem', problem);
        }
    }

    #take(commit) {
        this.commits.push(commit);
        if (this.commits.length > COMMIT_COUNT_MAX) {
            this.commits.shift();
        }
        const declared = commit.effects.filter(({ set }) => set?.tree === '_trees');
        for (const { set } of declared) {
            const name = keyText(set.key);
            this.trees.set(name, { ...set.value, tree: name, told: true });
        }
        if (declared.length > 0) {
            this.#tell('trees');
        }
        this.#tell('commit', commit);
    }

    #tell(event, detail) {
        this.dispatchEvent(new CustomEvent(event, { detail }));
    }
}

export const session = new Session();
