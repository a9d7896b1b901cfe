#!/bin/bash
#
# Copyright (C) rs-gateway contributors
#
# The same sources give the same packages, bit for bit: those that are built
# once more later, in a folder of another name, of files with other times, with
# another umask, time zone and language, are those of build/deb.

set -uo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/debian/t/lib.sh"

suite=${RS_SUITE:-bookworm}
built=$top/build/deb/$suite

if ! test -f "$built/made-of"; then
    echo "Bail out!  no packages in $built: make deb"
    exit 1
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
src=$dir/a/folder/of/another/name
again=$src/build/deb/$suite


sources()
{
    git ls-files -co --exclude-standard 2>/dev/null ||
        find . -name node_modules -prune -o -path ./build -prune -o -type f -print
}


# tar -m: as if each file was made now

copy()
{
    mkdir -p "$src" || return 1
    (cd "$top" && sources |
        while read -r f; do test ! -f "$f" || echo "$f"; done |
        tar -c --no-recursion -T -) | tar -x -m -C "$src" &&
        cp -r "$top/console/node_modules" "$src/console/"
}


build()
{
    umask 027
    env -C "$src" TZ=Pacific/Chatham LC_ALL=C LANG=de_DE.UTF-8 \
        RS_ROOTS="${RS_ROOTS:-$top/build/roots}" util/build-deb "$suite"
}


names()
{
    (cd "$1" && ls -- *.deb)
}


# same FILE: or what differs, of what is in it

same()
{
    cmp "$built/$1" "$again/$1" && return
    dpkg-deb -R "$built/$1" "$dir/one" && dpkg-deb -R "$again/$1" "$dir/other"
    diff -rq "$dir/one" "$dir/other"
    diff <(dpkg-deb -c "$built/$1") <(dpkg-deb -c "$again/$1")
    rm -rf "$dir/one" "$dir/other"

    return 1
}


ok "a copy of the sources" copy
ok "is built" build
is "the sources are those of build/deb (else: make deb)" \
    "$(cat "$again/made-of")" "$(cat "$built/made-of")"
is "as many packages" "$(names "$again")" "$(names "$built")"

for deb in $(names "$built"); do
    ok "$deb is the same" same "$deb"
done

done_testing
