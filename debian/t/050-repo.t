#!/bin/bash
#
# Copyright (C) rs-gateway contributors
#
# util/build-repo: signs with the key it is given and with no other, has
# several versions of a suite side by side, and leaves what was there alone
# when it fails.

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
trap 'gpgconf --homedir "$dir/gpg" --kill gpg-agent; rm -rf "$dir"' EXIT
mkdir -m 700 "$dir/gpg"


make_key()
{
    gpg --homedir "$dir/gpg" --batch --quiet --passphrase '' \
        --quick-generate-key "$1" ed25519 sign never &&
    gpg --homedir "$dir/gpg" --batch --quiet --armor \
        --export-secret-keys "$1" > "$dir/$1.asc" &&
    gpg --homedir "$dir/gpg" --batch --quiet --export "$1" > "$dir/$1.gpg"
}


repo()
{
    "$top/util/build-repo" --out "$dir/repo" "$@"
}


signed_by()
{
    gpgv --keyring "$dir/$1.gpg" "$dir/repo/dists/$suite/InRelease" &&
    gpgv --keyring "$dir/$1.gpg" "$dir/repo/dists/$suite/Release.gpg" \
        "$dir/repo/dists/$suite/Release"
}


# older: one package of an older version, in a folder of its own

older()
{
    mkdir "$dir/older" &&
    dpkg-deb -R "$(ls "$built"/rs-console_*.deb)" "$dir/tree" &&
    sed -i 's/^Version: .*/Version: 0.0.1/' "$dir/tree/DEBIAN/control" &&
    dpkg-deb -b "$dir/tree" "$dir/older"
}


ok "there are two keys" eval 'make_key site && make_key other'
ok "a repository with one of them" repo --key "$dir/site.asc" "$suite=$built"
ok "it is signed by that" signed_by site
no "and not by the other" signed_by other
ok "its public half lies beside it" sh -c \
    "gpg --homedir '$dir/gpg' --batch --show-keys '$dir/repo/rs-gateway.asc' |
     grep -q site"
no "and nothing private" grep -rq 'PRIVATE KEY' "$dir/repo"

ok "an older version" older
ok "beside the new one" repo --key "$dir/site.asc" "$suite=$built" \
    "$suite=$dir/older"
is "apt sees both" \
    "$(grep -cx 'Package: rs-console' "$dir/repo/dists/$suite/"main/*/Packages)" 2

while read -r sum size name; do
    is "Release has the checksum of $name" "$(stat -c %s "$dir/repo/dists/$suite/$name") \
$(sha256sum < "$dir/repo/dists/$suite/$name" | cut -d ' ' -f 1)" "$size $sum"
done < <(sed -n '/^SHA256:/,/^[A-Z].*:$/s/^ //p' "$dir/repo/dists/$suite/Release" |
    grep Packages)

before=$(sha256sum "$dir/repo/dists/$suite/InRelease")
no "no packages are an error" repo --key "$dir/site.asc" "$suite=$dir/gpg"
no "so is a key that cannot be read" repo --key "$dir/none.asc" "$suite=$built"
is "the repository is what it was" \
    "$(sha256sum "$dir/repo/dists/$suite/InRelease")" "$before"
is "nothing else is left" "$(cd "$dir" && ls -d repo*)" "repo
repo.lock"

done_testing
