# Copyright (C) rs-gateway contributors
#
# Sourced by debian/t/*.t.  Owns: TAP by a shell, and how a test gets into a
# clean root with a repository of packages in it.
#
#   in_clean_root NAME [REPO]   runs the rest of the test in there: the test is
#                               started anew, with RS_IN_ROOT set
#   ok NAME CMD [ARG...]        CMD succeeds
#   no NAME CMD [ARG...]        CMD does not
#   is NAME GOT EXPECTED        two texts are the same
#   done_testing                the plan; nothing failed is the exit status

TESTS=0
FAILED=0


result()
{
    local good=$1 name=$2

    TESTS=$((TESTS + 1))

    if test "$good" = yes; then
        echo "ok $TESTS - $name"
        return
    fi

    FAILED=$((FAILED + 1))
    echo "not ok $TESTS - $name"
}


ok()
{
    local name=$1 out

    shift

    if out=$("$@" 2>&1); then
        result yes "$name"

    else
        result no "$name"
        echo "# $* failed:"
        printf '%s\n' "$out" | tail -n 20 | sed 's/^/#   /'
    fi
}


no()
{
    local name=$1

    shift

    if "$@" >/dev/null 2>&1; then
        result no "$name"
        echo "# $* succeeded"

    else
        result yes "$name"
    fi
}


is()
{
    if test "$2" = "$3"; then
        result yes "$1"

    else
        result no "$1"
        diff <(printf '%s\n' "$3") <(printf '%s\n' "$2") | head -n 20 |
            sed 's/^/# /'
    fi
}


done_testing()
{
    echo "1..$TESTS"
    test $FAILED -eq 0
}


# a test that cannot run here says so, and is no success when CI wants it

skip_all()
{
    echo "1..0 # SKIP $*"
    exit 0
}


# What is installed comes from build/repo: "make repo" made it.  What that
# needs of the distribution is in the root already.

in_clean_root()
{
    local top debs=() d root suite
    local repo=${1:-}

    top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    repo=${repo:-$top/build/repo}
    suite=${RS_SUITE:-bookworm}

    test "$(id -u)" -eq 0 || skip_all "needs root: roots are mounted"

    if ! test -d "$repo/dists/$suite"; then
        echo "Bail out!  no $repo/dists/$suite: make repo"
        exit 1
    fi

    for d in "$top/build/deb/$suite"/*.deb; do
        case $d in
        *-dbgsym_* | */rs-gateway_*) ;;     # they name versions
        *) debs+=("$d") ;;
        esac
    done

    root=$("$top/util/rs-root" "$suite" --with systemd,gpgv \
        --download "nginx,coturn,redis-server,x11-xserver-utils,$(IFS=,
            echo "${debs[*]}")") || exit 1

    exec "$top/util/in-root" --ro "$repo:/srv/repo" \
        --ro "$top/debian/t:/srv/t" "$root" \
        env RS_IN_ROOT=yes RS_SUITE="$suite" DEBIAN_FRONTEND=noninteractive \
        bash "/srv/t/${0##*/}"
}


use_repo()
{
    # the root goes away with the test: nothing has to be safe on a disk

    echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/test
    echo "deb [signed-by=/srv/repo/rs-gateway.asc] file:/srv/repo $RS_SUITE main" \
        > /etc/apt/sources.list.d/rs-gateway.list
    apt-get -q update
}


apt()
{
    apt-get -q -y -o Dpkg::Use-Pty=0 "$@"
}


# Everything there is, with modes and owners, and what links lead to; without
# what the package tools themselves keep.

everything()
{
    find / -xdev \( -path /srv -o -path /tmp -o -path /var/lib/dpkg \
        -o -path /var/lib/apt -o -path /var/cache -o -path /var/log \
        -o -path /var/lib/systemd/deb-systemd-helper-enabled \) -prune -o \
        \( -path '/etc/passwd*' -o -path '/etc/group*' -o -path '/etc/shadow*' \
        -o -path '/etc/gshadow*' -o -path '/etc/subuid*' \
        -o -path '/etc/subgid*' -o -path /etc/.pwd.lock \
        -o -path /etc/ld.so.cache \) -prune -o \
        -printf '%p %M %u:%g %l\n' | LC_ALL=C sort
}
