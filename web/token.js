// The token the viewer shows to the server, where it asks for one. It is kept for this tab alone:
// closing the tab forgets it, and it never stands in an address.

const PLACE = 'holdfast.token';

// The token; null for none.
export function current() {
    return sessionStorage.getItem(PLACE);
}

export function keep(token) {
    sessionStorage.setItem(PLACE, token);
}

export function forget() {
    sessionStorage.removeItem(PLACE);
}
