// Makes elements. Text always becomes text nodes, never markup: whatever a record holds is shown,
// not run.

// An element with attributes and children. An attribute that is null, undefined or false is left
// out, true stands alone, a function listens to the event its name says (`onclick`).
export function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (typeof value === 'function') {
            element.addEventListener(name.slice(2), value);
        } else if (value === true) {
            element.setAttribute(name, '');
        } else if (value !== null && value !== undefined && value !== false) {
            element.setAttribute(name, value);
        }
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
}

// A link to a place in the viewer.
export function link(address, text, attributes = {}) {
    return make('a', { href: address, ...attributes }, text);
}

// A message that stands in place of contents, or above it.
export function notice(text, kind = 'quiet') {
    const role = kind === 'error' ? 'alert' : 'status';
    return make('p', { class: `notice ${kind}`, role }, text);
}

// The base of the viewer's elements: what it listens to ends when it leaves the page.
export class Component extends HTMLElement {
    #life = null;

    connectedCallback() {
        this.#life = new AbortController();
        this.begin();
    }

    disconnectedCallback() {
        this.#life.abort();
    }

    // Ends when the element leaves the page: for listeners and for requests under way.
    get life() {
        return this.#life.signal;
    }

    // Listens for as long as the element is on the page.
    listen(target, event, handler) {
        target.addEventListener(event, (happened) => handler(happened.detail), {
            signal: this.life,
        });
    }
}
