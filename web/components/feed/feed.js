// The list of changes as they happen: when, who on which device, what, and why. Newest on top.

import { Component, link, make } from '../../dom.js';
import { brief, headline, keyOf, keyText, moment, person, pretty } from '../../format.js';
import { recordAddress, treeAddress } from '../../route.js';
import { COMMIT_COUNT_MAX, session } from '../../session.js';

// How many effects of one change are listed when it is opened.
const EFFECT_COUNT_MAX = 100;

class FeedView extends Component {
    #list = make('ol', { class: 'commits', reversed: true });
    #empty = make('p', { class: 'notice quiet' }, 'Nothing has changed yet.');
    #waiting = [];
    #frame = null;

    begin() {
        this.replaceChildren(
            make('header', { class: 'title' }, make('h1', {}, 'Activity')),
            this.#empty,
            this.#list,
        );
        this.listen(session, 'commit', (commit) => this.#add(commit));
        session.commits.forEach((commit) => this.#add(commit));
        this.life.addEventListener('abort', () => cancelAnimationFrame(this.#frame));
    }

    // Rows are made once a frame, so that catching up on thousands stays smooth. Frames rest while
    // the page is hidden: what would be cut off the list anyway is then let go.
    #add(commit) {
        this.#waiting.push(commit);
        if (this.#waiting.length > COMMIT_COUNT_MAX) {
            this.#waiting.shift();
        }
        this.#frame ??= requestAnimationFrame(() => {
            this.#frame = null;
            this.#list.prepend(...this.#waiting.reverse().map(row));
            this.#waiting = [];
            while (this.#list.childElementCount > COMMIT_COUNT_MAX) {
                this.#list.lastElementChild.remove();
            }
            this.#empty.hidden = true;
        });
    }
}

// One change.
function row(commit) {
    const groups = summarize(commit.effects);
    const reason = commit.why ? make('span', { class: 'why' }, commit.why) : null;
    const line = [
        moment(commit.at),
        person({ user: commit.by, device: commit.device }),
        make('span', { class: 'what' }, groups.map(summary), reason),
        make('span', { class: 'seq', title: `commit ${commit.seq}` }, `#${commit.seq}`),
    ];
    const opened = make('details', {}, make('summary', {}, line));
    opened.addEventListener('toggle', () => opened.append(details(commit)), { once: true });
    return make('li', { 'data-seq': commit.seq }, opened);
}

// Effects of one kind on one tree count together.
function summarize(effects) {
    const groups = new Map();
    for (const effect of effects) {
        const { label, tree } = effect.set ?? effect.remove;
        const group = groups.get(`${label} ${tree}`);
        if (group) {
            group.count += 1;
        } else {
            groups.set(`${label} ${tree}`, { count: 1, effect });
        }
    }
    return [...groups.values()];
}

// One kind of effect in a few words: `put parts/12 R-0603-10`, `put 100 parts`.
function summary({ count, effect }) {
    const { label, tree } = effect.set ?? effect.remove;
    const words = [make('span', { class: `label ${effect.set ? 'set' : 'remove'}` }, label)];
    if (count > 1) {
        words.push(make('span', { class: 'count' }, `${count} `), link(treeAddress(tree), tree));
    } else {
        words.push(subject(effect));
    }
    return make('span', { class: 'effect' }, words);
}

// What an effect is about. A borrow is about the record that is borrowed.
function subject(effect) {
    const { tree, key, value } = effect.set ?? effect.remove;
    if (tree.startsWith('_')) {
        const about = value?.tree && value.key ? { tree: value.tree, key: keyOf(value.key) } : null;
        return about ? recordLink(about.tree, about.key) : make('span', {}, named(tree, key));
    }
    return make(
        'span',
        {},
        effect.set ? recordLink(tree, key) : named(tree, key),
        make('span', { class: 'headline' }, ` ${headline(value)}`),
    );
}

function recordLink(tree, key) {
    return link(recordAddress(tree, keyText(key), key.revision), named(tree, key));
}

function named(tree, key) {
    return `${tree}/${keyText(key)}${key.revision > 0 ? `.${key.revision}` : ''}`;
}

// Everything about a change, made when it is opened.
function details(commit) {
    const shown = commit.effects.slice(0, EFFECT_COUNT_MAX);
    const left = commit.effects.length - shown.length;
    const facts = [
        ['Time', commit.at],
        ['By', `${commit.by} on ${commit.device}`],
        ['Application', commit.app],
        ['Reason', commit.why],
        ['Change', commit.id],
        ['Chain', commit.chain],
    ];
    return make(
        'div',
        { class: 'opened' },
        make(
            'dl',
            { class: 'facts' },
            facts.filter(([, text]) => text).map(([name, text]) => {
                return [make('dt', {}, name), make('dd', {}, text)];
            }).flat(),
        ),
        make('ul', { class: 'effects' }, shown.map((effect) => {
            const { label, value } = effect.set ?? effect.remove;
            return make(
                'li',
                {},
                make('span', { class: `label ${effect.set ? 'set' : 'remove'}` }, label),
                subject(effect),
                shown.length === 1 && value !== undefined
                    ? make('pre', { tabindex: '0' }, pretty(value))
                    : make('span', { class: 'quiet' }, ` ${brief(value, 120)}`),
            );
        })),
        left > 0 ? make('p', { class: 'notice quiet' }, `and ${left} more`) : null,
    );
}

customElements.define('hf-feed', FeedView);
