# Copyright (C) rs-gateway contributors
#
# Sourced by util/deps and util/build-nginx-asan.  Owns one trick: reading a
# suite, or source packages, which the machine's apt is not set up for, from
# the very mirror it is set up for, without touching /etc/apt.
#
#   apt_private DIR TYPE SUITE...   makes DIR and reads the lists into it
#   apt_private_run DIR CMD ARG...  runs CMD ("apt-get", ...) against DIR only
#
# TYPE is "deb" or "deb-src".  The mirror's address is asked of apt, so no
# host name stands in this repository.


# prints the base address and the keyring of the mirror of the running suite

apt_private_mirror()
{
    local codename target

    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:?}")

    for target in "Codename: $codename" "Codename: $codename-updates"; do
        apt-get indextargets --format '$(REPO_URI)' \
            'Created-By: Packages' 'Origin: Debian' "$target" |
            head -n 1 | grep . && return 0
    done

    echo "apt knows no mirror of Debian \"$codename\":" \
         "set one up in /etc/apt and run apt-get update" >&2
    return 1
}


apt_private_security()
{
    local codename

    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:?}")

    apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' "Codename: $codename-security" | head -n 1
}


apt_private_run()
{
    local dir=$1 cmd=$2

    shift 2

    "$cmd" -qq \
        -o Dir::Etc::SourceList="$dir/sources.list" \
        -o Dir::Etc::SourceParts=- \
        -o Dir::Etc::PreferencesParts="$dir/preferences.d" \
        -o Dir::State::Lists="$dir/lists" \
        -o Dir::Cache::archives="$dir/archives" \
        -o Dir::Cache::pkgcache= \
        -o Dir::Cache::srcpkgcache= \
        -o Acquire::Check-Valid-Until=false \
        -o APT::Sandbox::User=root \
        "$@"
}


apt_private()
{
    local dir=$1 type=$2 mirror security suite
    local opt='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'

    shift 2

    mirror=$(apt_private_mirror) || return 1
    mkdir -p "$dir/lists/partial" "$dir/archives/partial" "$dir/preferences.d"

    for suite in "$@"; do
        case $suite in

        *-security)
            security=$(apt_private_security)
            test -z "$security" || echo "$type $opt $security $suite main"
            ;;

        *)
            echo "$type $opt $mirror $suite main"
            ;;
        esac
    done > "$dir/sources.list"

    apt_private_run "$dir" apt-get update
}
