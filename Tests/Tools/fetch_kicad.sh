#!/bin/sh
# Fetches Debian's kicad-symbols into a folder and prints where its libraries lie. Needs no root.
# Exit code 69 when the package cannot be had; whoever calls decides what that means.
set -eu
folder=${1:?usage: fetch_kicad.sh FOLDER}
symbols=$folder/usr/share/kicad/symbols
if [ ! -d "$symbols" ]; then
    mkdir -p "$folder"
    download=$(mktemp -d)
    trap 'rm -rf "$download"' EXIT
    if ! (cd "$download" && apt-get download kicad-symbols) >&2; then
        echo "kicad-symbols cannot be had; try 'apt-get update' as root first" >&2
        exit 69
    fi
    dpkg -x "$download"/kicad-symbols_*.deb "$download/unpacked"
    cp -R "$download/unpacked/." "$folder"
fi
echo "$symbols"
