#!/bin/bash
#
# Copyright (C) rs-gateway contributors
#
# In a clean root: apt takes the packages from the repository by its signature
# alone; installing them changes no configuration, breaks no nginx, starts and
# shows nothing to strangers; removing leaves the configuration, and purging
# leaves nothing.

set -uo pipefail

. "$(dirname "$0")/lib.sh"

test -n "${RS_IN_ROOT:-}" || in_clean_root

OURS=(libnginx-mod-http-rs-signal libnginx-mod-stream-rs-tunnel rs-agent
      rs-console rs-eventd rs-gateway rs-record rs-render rs-tools rs-tunnel
      rs-turn-auth)


# ---- the repository

ok "apt reads the repository" use_repo

cp -r /srv/repo /tmp/forged
sed -i 's/^Size: .*/Size: 1/' /tmp/forged/dists/*/main/binary-*/Packages
rm /tmp/forged/dists/*/main/binary-*/Packages.*

forged()
{
    mkdir -p /tmp/apt/lists/partial
    echo "deb [signed-by=$1] file:$2 $RS_SUITE main" > /tmp/apt/list
    apt-get -q update -o Dir::Etc::SourceList=/tmp/apt/list \
        -o Dir::Etc::SourceParts=- -o Dir::State::Lists=/tmp/apt/lists \
        -o APT::Update::Error-Mode=any
}

ok "a list is taken" forged /srv/repo/rs-gateway.asc /srv/repo
no "a changed list is not" forged /srv/repo/rs-gateway.asc /tmp/forged

cp -r /srv/repo /tmp/unsigned
echo >> /tmp/unsigned/dists/"$RS_SUITE"/Release
sed -i 's/^Suite: .*/Suite: stable/' /tmp/unsigned/dists/"$RS_SUITE"/InRelease
rm -rf /tmp/apt
no "nor is another Release" forged /srv/repo/rs-gateway.asc /tmp/unsigned

rm -rf /tmp/apt /tmp/forged /tmp/unsigned


# ---- onto a host that serves something already

ok "nginx, coturn and redis are there" \
    apt install nginx coturn redis-server x11-xserver-utils

cat > /etc/nginx/sites-available/shop <<'END'
server {
    listen 127.0.0.1:8080;
    root /var/www/html;
}
END
ln -s ../sites-available/shop /etc/nginx/sites-enabled/shop
ok "its nginx is fine" nginx -t -q

# what our packages need is the distribution's, and not what is looked at

mapfile -t needed < <(apt-get -s install "${OURS[@]}" | sed -n 's/^Inst \([^ ]*\).*/\1/p' |
    grep -vxF "$(printf '%s\n' "${OURS[@]}")")
ok "what they need can be had" apt install "${needed[@]}"

everything > /tmp/before
ok "they are installed" apt install "${OURS[@]}"
everything > /tmp/after

is "nothing that was there has changed" \
    "$(LC_ALL=C comm -23 /tmp/before /tmp/after)" ""

is "in /etc there is" \
    "$(comm -13 /tmp/before /tmp/after | grep '^/etc' | cut -d ' ' -f 1,2,3)" \
    "/etc/X11/Xsession.d/90rs-agent -rw-r--r-- root:root
/etc/nginx/modules-enabled/50-mod-http-rs-signal.conf lrwxrwxrwx root:root
/etc/nginx/modules-enabled/70-mod-stream-rs-tunnel.conf lrwxrwxrwx root:root
/etc/rs-agent drwxr-xr-x root:root
/etc/rs-agent/agent.conf -rw-r--r-- root:root
/etc/rs-eventd drwxr-x--- root:rs-eventd
/etc/rs-gateway drwxr-xr-x root:root
/etc/rs-gateway/record.conf -rw-r--r-- root:root
/etc/rs-gateway/render.conf -rw-r--r-- root:root
/etc/rs-turn-authd drwxr-x--- root:rs-turn-authd
/etc/systemd/system/coturn.service.wants drwxr-xr-x root:root
/etc/systemd/system/coturn.service.wants/rs-turn-authd.service lrwxrwxrwx root:root
/etc/systemd/system/multi-user.target.wants/rs-agent.path lrwxrwxrwx root:root
/etc/systemd/system/multi-user.target.wants/rs-agent.service lrwxrwxrwx root:root
/etc/systemd/system/multi-user.target.wants/rs-eventd.service lrwxrwxrwx root:root
/etc/systemd/system/multi-user.target.wants/rs-record.path lrwxrwxrwx root:root
/etc/systemd/system/multi-user.target.wants/rs-record.service lrwxrwxrwx root:root
/etc/systemd/system/multi-user.target.wants/rs-render.path lrwxrwxrwx root:root
/etc/systemd/system/multi-user.target.wants/rs-render.service lrwxrwxrwx root:root
/etc/systemd/system/multi-user.target.wants/rs-turn-authd.service lrwxrwxrwx root:root"

is "the device's key is the agent's alone" \
    "$(stat -c '%A %U:%G' /var/lib/rs-agent)" "drwx------ rs-agent:rs-agent"

is "nothing of it is writable by everybody, or runs as its owner" \
    "$(LC_ALL=C comm -13 /tmp/before /tmp/after |
        awk '$2 !~ /^l/ && $2 ~ /(^.{8}w|s)/')" ""

ok "nginx takes the module" nginx -t -q
ok "which knows its directives" grep -q rs_redis_noeviction \
    /usr/share/rs-gateway/conf.d/rs-http.conf


# ---- what is installed runs

for p in $(dpkg -L "${OURS[@]}" | grep -E '^/usr/s?bin/.' | sort -u); do
    name=${p##*/}

    case $name in
    rs-agent-ui)
        ;;
    *)
        ok "$name --help" "$p" --help
        ;;
    esac

    # those of tools/ are made of their arguments, and checked by the lint

    test -L "$p" || ok "$name has a manual page" sh -c "ls /usr/share/man/man[18]/$name.*"
done

is "the agent says its version" "$(rs-agent --version)" \
    "rs-agent $(dpkg-query -W -f '${Version}' rs-agent | sed 's/~.*//')"

is "rs-tunnel says its version" "$(rs-tunnel --version)" \
    "rs-tunnel $(dpkg-query -W -f '${Version}' rs-tunnel | sed 's/~.*//')"

for unit in rs-agent.service rs-agent.path rs-eventd.service \
            rs-record.service rs-record.path rs-render.service rs-render.path \
            rs-render@0123456789ab.service rs-turn-authd.service; do
    is "$unit is right" "$(systemd-analyze --man=no verify "$unit" 2>&1 |
        grep -E "^/?[^ ]*rs-")" ""
done

for unit in rs-agent rs-eventd rs-record rs-render rs-turn-authd; do
    ok "$unit.service waits for what it needs" sh -c \
        "grep -q '^ConditionPathExists=/' /lib/systemd/system/$unit.service"
done


# ---- a configuration of the snippets

install -d -m 700 /etc/nginx/rs
ln -s /usr/share/rs-gateway/conf.d/rs-http.conf \
    /usr/share/rs-gateway/conf.d/rs-locations.conf /etc/nginx/rs/
sed '/^rs_turn_/,/;$/d' /usr/share/rs-gateway/conf.d/rs-site.conf \
    > /etc/nginx/rs/rs-site.conf
(umask 077; echo secret > /etc/nginx/rs/redis.password)
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2 \
    -keyout /etc/nginx/rs/tls.key -out /etc/nginx/rs/tls.pem 2>/dev/null
echo 'include rs/rs-site.conf; include rs/rs-http.conf;' \
    > /etc/nginx/conf.d/rs.conf
cat > /etc/nginx/sites-enabled/rs <<'END'
server {
    listen 127.0.0.1:8443 ssl;
    ssl_certificate     rs/tls.pem;
    ssl_certificate_key rs/tls.key;
    include rs/rs-locations.conf;
}
END
ok "nginx takes the snippets" nginx -t -q
rm /etc/nginx/conf.d/rs.conf /etc/nginx/sites-enabled/rs


# ---- remove, install again, purge

echo '# mine' >> /etc/rs-agent/agent.conf
(umask 027; echo secret > /etc/rs-turn-authd/key)
touch /var/lib/rs-agent/device.conf

ok "they are removed" apt remove "${OURS[@]}"
ok "nginx goes on" nginx -t -q
ok "the configuration is still there" grep -qx '# mine' /etc/rs-agent/agent.conf
ok "and the secrets" test -f /etc/rs-turn-authd/key
ok "and the device's key" test -f /var/lib/rs-agent/device.conf
no "the module is not" test -e /usr/lib/nginx/modules/ngx_http_rs_signal_module.so

ok "they are installed again" apt install "${OURS[@]}"
ok "nginx has the module again" sh -c 'nginx -T | grep -q ngx_http_rs_signal_module'
ok "with the configuration as it was" grep -qx '# mine' /etc/rs-agent/agent.conf

ok "they are purged" apt purge "${OURS[@]}"
rm -rf /etc/nginx/rs
everything > /tmp/purged
is "nothing is left, and nothing else is gone" "$(diff /tmp/before /tmp/purged)" ""
ok "nginx goes on without" nginx -t -q

done_testing
