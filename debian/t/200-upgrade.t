#!/bin/bash
#
# Copyright (C) rs-gateway contributors
#
# From an older version to this one, and back: what the administrator has
# changed stays, secrets keep their owners, a module that was switched off is
# not switched on again, and nginx is fine with each.
#
# The older version is this one with another number and another conffile; a
# real one is what make test-fleet upgrades.

set -uo pipefail

. "$(dirname "$0")/lib.sh"

test -n "${RS_IN_ROOT:-}" || in_clean_root

OURS=(libnginx-mod-http-rs-signal libnginx-mod-stream-rs-tunnel rs-agent
      rs-console rs-eventd rs-gateway rs-record rs-render rs-tools rs-tunnel
      rs-turn-auth)
OLD=0.0.1~test


# older DEB: the same package, of version OLD, into /tmp/older

older()
{
    local dir=/tmp/older/x new

    rm -rf $dir
    dpkg-deb -R "$1" $dir
    new=$(sed -n 's/^Version: //p' $dir/DEBIAN/control)
    sed -i "s/${new//./\\.}/$OLD/g" $dir/DEBIAN/control

    if test -f $dir/etc/rs-agent/agent.conf; then
        echo '# of an older one' >> $dir/etc/rs-agent/agent.conf
    fi

    dpkg-deb -b $dir /tmp/older >/dev/null
    rm -rf $dir
}


installed()
{
    dpkg-query -W -f '${db:Status-Abbrev}${Version}\n' "${OURS[@]}" | sort -u
}


ok "apt reads the repository" use_repo
mkdir /tmp/older

for p in "${OURS[@]}"; do
    older "$(ls /srv/repo/pool/"$RS_SUITE"/"$p"_*.deb)"
done

new=$(apt-cache policy rs-gateway | sed -n 's/^  Candidate: //p')

ok "nginx, coturn and redis are there" \
    apt install nginx coturn redis-server x11-xserver-utils
ok "the older version is installed" apt install /tmp/older/*.deb
is "all of it" "$(installed)" "ii $OLD"
ok "nginx is fine" nginx -t -q

echo '# mine' >> /etc/rs-agent/agent.conf
(umask 027; echo secret > /etc/rs-turn-authd/key)
chgrp rs-turn-authd /etc/rs-turn-authd/key
chmod 700 /etc/rs-turn-authd
echo id > /var/lib/rs-agent/device.conf
chown rs-agent: /var/lib/rs-agent/device.conf
rm /etc/nginx/modules-enabled/50-mod-http-rs-signal.conf

kept()
{
    stat -c '%n %A %U:%G' /etc/rs-turn-authd /etc/rs-turn-authd/key \
        /var/lib/rs-agent/device.conf /etc/nginx/modules-enabled/*rs-signal*
    cat /etc/rs-turn-authd/key /var/lib/rs-agent/device.conf
    tail -n 1 /etc/rs-agent/agent.conf
}

kept > /tmp/kept 2>&1

# as Ansible and unattended upgrades do

keep=(-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold)

ok "apt upgrades" apt "${keep[@]}" dist-upgrade
is "to this version" "$(installed)" "ii $new"
is "what was changed or made stays" "$(kept 2>&1)" "$(cat /tmp/kept)"
ok "the new conffile is beside the old one" \
    test -f /etc/rs-agent/agent.conf.dpkg-dist
ok "nginx is fine" nginx -t -q
ok "and with the module, too" nginx -t -q \
    -g 'load_module modules/ngx_http_rs_signal_module.so;'

ok "the way back" apt "${keep[@]}" --allow-downgrades install /tmp/older/*.deb
is "to the older one" "$(installed)" "ii $OLD"
is "with what was changed or made" "$(kept 2>&1)" "$(cat /tmp/kept)"
ok "nginx is fine" nginx -t -q

ok "one package is not upgraded without those that it works with" sh -c \
    "apt-get -s install libnginx-mod-http-rs-signal | grep -E -c '^Inst (rs-console|rs-tools|rs-gateway)' | grep -qx 3"

done_testing
