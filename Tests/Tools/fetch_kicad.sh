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
    mkdir -p "$download/lists/partial" "$download/cache/archives/partial"
    cd "$download"
    # Where the system's lists of packages are empty or old, lists of our own are fetched.
    own="-o Dir::State::Lists=$download/lists -o Dir::Cache=$download/cache"
    # shellcheck disable=SC2086 # options are words
    if ! apt-get download kicad-symbols > /dev/null 2>&1 &&
        ! { apt-get $own update -qq && apt-get $own download -qq kicad-symbols; } >&2; then
        echo "kicad-symbols cannot be had: apt-get download failed" >&2
        exit 69
    fi
    dpkg -x kicad-symbols_*.deb unpacked
    cd - > /dev/null
    cp -R "$download/unpacked/." "$folder"
fi
echo "$symbols"
