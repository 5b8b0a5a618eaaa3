// The live feed: one ordered stream of commits that survives restarts and bad networks.
//
// Invariants: commits are handed out in order, each once, none left out but what a token does not
// open; after a break the server is asked for what follows the last one (`since`) and shown its
// chain hash, so that another history is noticed and never mixed with this one. Nothing is ever
// listed again to catch up.
//
// Events: `state` ({ name, ... }), `commit`, `reset` (another history begins), `hello`.

import { parse, ticket } from './api.js';
import { seqOf } from './format.js';
import * as token from './token.js';

const PROTOCOL = 'holdfast.feed.v1';

// How many commits before the present a new viewer shows.
const RECENT_COUNT = 20;

const DELAY_FIRST_MILLISECONDS = 250;
const DELAY_MAX_MILLISECONDS = 15_000;

// Close codes that mean: what you have does not lead to what is here.
const DIVERGED = 4409;
const COMPACTED = 4410;
// The token has ended, or the server asks for one now; a token's rights have changed.
const SIGNED_OUT = 4401;
const OTHER_RIGHTS = 4403;

export class Feed extends EventTarget {
    state = { name: 'connecting' };

    #address;
    #socket = null;
    #databaseID = null;
    #epoch = null;
    #position = null; // { seq, chain }: the last commit handed out; null before the first start
    #attempt = 0;
    #retry = null;
    #silence = null;
    #silenceMilliseconds = 60_000;
    #opening = 0; // counts the connections, so that one that was given up does not begin
    #isLimited = false; // whether commits may be left out: a token may not open all

    constructor(address) {
        super();
        this.#address = address;
        const wake = () => this.#wake();
        window.addEventListener('online', wake);
        document.addEventListener('visibilitychange', wake);
    }

    // Connects; from then on it reconnects by itself.
    async start() {
        clearTimeout(this.#retry);
        this.#retry = null;
        this.#change({ name: this.#attempt === 0 ? 'connecting' : 'reconnecting' });
        const opening = ++this.#opening;
        this.#isLimited = token.current() !== null;
        let address = this.#address;
        if (this.#isLimited) {
            try {
                address += `?${new URLSearchParams({ ticket: await ticket() })}`;
            } catch {
                // Refused or unreachable: the state tells, and it is tried again unless signed out.
                if (opening === this.#opening) {
                    this.#closed(1006);
                }
                return;
            }
            if (opening !== this.#opening) {
                return;
            }
        }
        const socket = new WebSocket(address, PROTOCOL);
        this.#socket = socket;
        this.#listenForSilence();
        socket.onmessage = ({ data }) => {
            if (socket === this.#socket) {
                this.#listenForSilence();
                this.#receive(parse(data));
            }
        };
        socket.onclose = ({ code }) => {
            if (socket === this.#socket) {
                this.#closed(code);
            }
        };
    }

    // Ends the connection, and connects no more until it is started again.
    signOut() {
        clearTimeout(this.#retry);
        clearTimeout(this.#silence);
        this.#retry = null;
        this.#opening += 1;
        const socket = this.#socket;
        this.#socket = null;
        socket?.close();
        this.#attempt = 0;
        this.#forget();
        this.#change({ name: 'signedOut' });
    }

    #receive(message) {
        const [[name, body]] = Object.entries(message);
        switch (name) {
        case 'hello':
            this.#greet(body);
            break;
        case 'started':
            this.#attempt = 0;
            break;
        case 'commit':
            this.#take(body);
            break;
        case 'head':
            this.#progress(body);
            break;
        case 'catchingUp':
            this.#change({ name: 'catchingUp', lag: body.lag });
            break;
        case 'live':
            this.#change({ name: 'live' });
            break;
        default: // `bye` is followed by the close and its code; newer messages concern others
        }
    }

    // Answers the server's greeting with where to begin.
    #greet(hello) {
        const isOther = this.#databaseID !== null && this.#databaseID !== hello.databaseID;
        if (isOther) {
            this.#forget();
        }
        this.#databaseID = hello.databaseID;
        this.#silenceMilliseconds = 3000 * (hello.heartbeatSeconds ?? 15);
        const resumed = this.#position !== null;
        if (!resumed) {
            const head = seqOf(hello.head);
            const oldest = seqOf(hello.oldest ?? 0);
            const seq = Math.min(head, Math.max(head - RECENT_COUNT, oldest));
            this.#epoch = hello.epoch;
            this.#position = { seq, chain: seq === head ? hello.chain : null };
        }
        const { seq, chain } = this.#position;
        const start = { since: `${this.#epoch}:${seq}` };
        if (chain) {
            start.chain = chain;
        }
        this.#socket.send(JSON.stringify({ start }));
        this.dispatchEvent(new CustomEvent('hello', { detail: { ...hello, resumed } }));
    }

    #take(commit) {
        const expected = this.#position.seq + 1;
        if (commit.seq < expected) {
            return;
        }
        if (commit.seq > expected && !this.#isLimited) {
            this.#drop(); // a hole: ask again for what follows the last one
            return;
        }
        this.#position = { seq: commit.seq, chain: commit.chain };
        this.dispatchEvent(new CustomEvent('commit', { detail: commit }));
    }

    // The heartbeat: nothing is missing up to there.
    #progress(head) {
        if (head.seq > this.#position.seq && this.#isLimited) {
            this.#position = { seq: head.seq, chain: head.chain };
        } else if (head.seq > this.#position.seq) {
            this.#drop();
        } else if (head.seq === this.#position.seq) {
            this.#position.chain = head.chain;
        }
    }

    #closed(code) {
        clearTimeout(this.#silence);
        this.#socket = null;
        if (this.state.name === 'signedOut') {
            return;
        }
        if (code === SIGNED_OUT) {
            this.signOut();
            return;
        }
        if (code === DIVERGED || code === COMPACTED || code === OTHER_RIGHTS) {
            this.#forget();
        }
        const ceiling = Math.min(
            DELAY_MAX_MILLISECONDS,
            DELAY_FIRST_MILLISECONDS * 2 ** this.#attempt,
        );
        // Jitter, so that a hundred viewers do not come back at once.
        const delay = ceiling / 2 + Math.random() * (ceiling / 2);
        this.#attempt += 1;
        this.#retry = setTimeout(() => this.start(), delay);
        this.#change({ name: 'offline', code, retryAt: Date.now() + delay });
    }

    // Leaves a connection that is of no more use, without waiting for its other end.
    #drop() {
        const socket = this.#socket;
        this.#closed(1000);
        socket.close();
    }

    #forget() {
        this.#position = null;
        this.#epoch = null;
        this.dispatchEvent(new CustomEvent('reset'));
    }

    // Somebody looks, or the network is back: waiting longer makes no sense.
    #wake() {
        if (this.#retry !== null && document.visibilityState === 'visible') {
            this.start();
        }
    }

    // A connection that is silent for three heartbeats is dead, whatever TCP says.
    #listenForSilence() {
        clearTimeout(this.#silence);
        this.#silence = setTimeout(() => this.#drop(), this.#silenceMilliseconds);
    }

    #change(state) {
        this.state = state;
        this.dispatchEvent(new CustomEvent('state', { detail: state }));
    }
}
