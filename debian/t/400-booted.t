#!/bin/bash
#
# Copyright (C) rs-gateway contributors
#
# On a booted host: whoever installs everything has no service that nobody has
# configured, but nginx and Redis as Debian has them; a coturn that would relay
# for anybody is not started; an upgrade does not restart nginx.

set -uo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/debian/t/lib.sh"

test "$(id -u)" -eq 0 || skip_all "needs root: hosts are booted"
test "${RS_SUITE:-bookworm}" = bookworm || skip_all "hosts are of bookworm"

dir=$(mktemp -d)
trap '"$top/util/rs-hosts" down --dir "$dir/hosts" >/dev/null 2>&1; rm -rf "$dir"' EXIT

if ! "$top/util/rs-hosts" up --dir "$dir/hosts" --hosts all --owner $$ --quiet > "$dir/up.json"
then
    echo "Bail out!  no host"
    exit 1
fi


on()
{
    "$top/util/rs-hosts" exec --dir "$dir/hosts" --host all -- "$@"
}


state()
{
    on systemctl show -p ActiveState --value "$1"
}


ok "the host knows the repository" on sh -c \
    "install -d /etc/apt/keyrings
     cp /srv/rs-gateway/rs-gateway.asc /etc/apt/keyrings/ &&
     sed 's,^URIs: .*,URIs: file:/srv/rs-gateway,' \
         /srv/rs-gateway/rs-gateway.sources \
         > /etc/apt/sources.list.d/rs-gateway.sources &&
     apt-get -q update -o APT::Update::Error-Mode=any"
ok "everything is installed" on apt-get -q -y --install-recommends \
    install rs-gateway rs-agent rs-eventd
is "with what it recommends" "$(on dpkg-query -W -f \
    '${Package} ${db:Status-Status}\n' coturn redis-server rs-turn-auth)" \
    "coturn installed
redis-server installed
rs-turn-auth installed"

is "nothing has failed" "$(on systemctl list-units --failed --plain --no-legend)" ""

for unit in nginx redis-server rs-agent.path; do
    is "$unit runs" "$(state $unit)" active
done

for unit in coturn rs-turn-authd rs-agent rs-eventd; do
    is "$unit does not" "$(state $unit)" inactive
done

ok "the journal says why" on sh -c \
    'journalctl -u coturn | grep -q "would relay for anybody"'
is "nobody but sshd and nginx listens to strangers" \
    "$(on ss -Hltnu | awk '{ print $5 }' | grep -vE '^(127\.|\[::1\])' |
        sort -u | tr '\n' ' ')" "0.0.0.0:22 0.0.0.0:80 [::]:22 [::]:80 "


# ---- somebody configures it

ok "coturn with a secret is started" on sh -c \
    'echo use-auth-secret >> /etc/turnserver.conf
     echo static-auth-secret=$(openssl rand -hex 32) >> /etc/turnserver.conf
     systemctl restart coturn && systemctl is-active coturn'

ok "a device that has an identity runs" on sh -c \
    'echo x > /var/lib/rs-agent/device.conf
     n=0
     until systemctl show -p ExecMainStartTimestampMonotonic --value rs-agent |
           grep -qv "^0$"; do
         n=$((n + 1)); test $n -lt 300 || exit 1; sleep 0.1
     done'


# ---- a reload is no restart

pid=$(on systemctl show -p MainPID --value nginx)
ok "the packages are installed once more" on apt-get -q -y --reinstall \
    install libnginx-mod-http-rs-signal rs-turn-auth rs-console rs-tools
is "nginx goes on" "$(on systemctl show -p MainPID --value nginx)" "$pid"
is "nothing has failed" "$(on systemctl list-units --failed --plain --no-legend |
    grep -v rs-agent)" ""


# ---- and takes it away

ok "all is purged" on apt-get -q -y purge rs-gateway rs-agent rs-turn-auth rs-eventd \
    rs-tools rs-console libnginx-mod-http-rs-signal
is "nginx goes on" "$(on systemctl show -p MainPID --value nginx)" "$pid"
is "no unit is left" "$(on sh -c 'systemctl list-unit-files --plain --no-legend "rs-*"')" ""

done_testing
