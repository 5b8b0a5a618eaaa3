// The viewer's entry: the components, the route in the address, the title.
//
// All state that matters lies in the address (`#/records/parts/12?revision=1`), so that every view
// can be linked to, reloaded and gone back to.

import './components/borrows/borrows.js';
import './components/connection/connection.js';
import './components/feed/feed.js';
import './components/navigation/navigation.js';
import './components/record/record.js';
import './components/records/records.js';
import './components/sign-in/sign-in.js';
import { make } from './dom.js';
import { route } from './route.js';
import { session } from './session.js';

const content = document.getElementById('content');

const views = {
    feed: () => ['hf-feed', {}],
    borrows: () => ['hf-borrows', {}],
    records: ({ tree, prefix }) => ['hf-records', { tree, prefix }],
    record: ({ tree, key, revision }) => ['hf-record', { tree, key, revision }],
};

// Shows what the address names. The view is made anew, so it starts from no stale state.
function show() {
    if (session.needsToken) {
        content.replaceChildren(make('hf-sign-in'));
        document.title = 'Sign in · Holdfast';
        return;
    }
    const current = route();
    const [tag, attributes] = views[current.view](current);
    content.replaceChildren(make(tag, attributes));
    document.title = [current.key, current.tree ?? current.view, 'Holdfast']
        .filter(Boolean)
        .join(' · ');
}

window.addEventListener('hashchange', () => {
    // The skip link is an address inside the page, not a view.
    if (location.hash === '#content') {
        content.focus();
        return;
    }
    show();
    window.scrollTo(0, 0);
});

// The slash goes to the search of the view, as in many tools; not while somebody types.
window.addEventListener('keydown', (event) => {
    const isTyping = event.target.closest('input, textarea, select, [contenteditable]');
    const search = content.querySelector('form[role=search]:not([hidden]) input');
    if (event.key === '/' && !event.ctrlKey && !event.metaKey && !event.altKey
        && !isTyping && search) {
        event.preventDefault();
        search.focus();
        search.select();
    }
});

// Another history begins: whatever stands in a view is of the old one.
session.addEventListener('reset', show);

content.addEventListener('signin', ({ detail }) => session.signIn(detail));

const signOut = document.getElementById('sign-out');
signOut.addEventListener('click', () => session.signOut());
session.addEventListener('token', () => {
    signOut.hidden = !session.isSignedIn;
    show();
});

session.addEventListener('server', () => {
    const { application, databaseID, version } = session.server;
    const place = document.getElementById('application');
    place.textContent = application ?? '';
    place.title = `database ${databaseID}, server ${version}`;
});

signOut.hidden = !session.isSignedIn;
show();
session.start();
