# Copyright (C) rs-gateway contributors
#
# What a gateway on one host has in its files: nginx, Redis, coturn with its
# plugin, rsctl itself.  Only texts and where they belong; cmd_init.py shows,
# tests and applies them.
#
#     nginx     /etc/nginx/conf.d/rs-gateway.conf, which includes rs/...;
#               /etc/nginx/rs/: the site's own files, links to the snippets
#     Redis     an instance of its own, redis-server@rs-gateway: whatever else
#               uses Redis on this host keeps its users and its policy
#     coturn    /etc/turnserver.conf, printed by rs-turn-authd.  Both ends of a
#               session meet relay to relay, on an address of the loopback
#               interface that nobody outside has to reach
#     rsctl     /etc/rs-gateway/

import glob
import os
import tempfile

from . import host
from .errors import ToolError

NGINX = "/etc/nginx"
RS = f"{NGINX}/rs"
OWN = "/etc/rs-gateway"
AUTHD = "/etc/rs-turn-authd"
REDIS = "/etc/redis"
TLS = f"{RS}/tls"
COTURN_TLS = "/etc/coturn/tls"

REDIS_PORT = 6479
REDIS_UNIT = "redis-server@rs-gateway"
REDIS_USERS = ("rs-gateway", "rs-plugin", "rs-deploy")
OWN_USERS = (*REDIS_USERS, "rs-backup")     # of the instance made here
TURN_HOST_UNIT = "rs-turn-host"

HEAD = "# made by rsctl init; a later rsctl init shows what it would change\n"

SITE = HEAD + """\
# what differs from site to site: /usr/share/rs-gateway/conf.d/rs-site.conf
# says what else there is

rs_redis {redis} user=rs-gateway password_file=rs/redis.password{ca};

rs_identity_file       rs/identity.pem;
rs_identity_statements rs/identity.pem.statements;
{turn}
map "" $rs_console_dir {{
    default {share}/console;
}}

# the origin of the OpenID provider, when there is one: docs, "sign-in"

map "" $rs_console_issuer {{
    default "";
}}
"""

TURN = """
rs_stun_server stun:{fqdn}:3478;
rs_turn_server default
    turn:{fqdn}:3478?transport=udp
    turn:{fqdn}:3478?transport=tcp
    turns:{fqdn}:5349?transport=tcp;
rs_turn_key_file rs/turn.key;
rs_turn_realm {fqdn};
"""

SERVER = HEAD + """
include rs/rs-site.conf;
include rs/rs-http.conf;

server {{
    listen 80;{listen6_80}
    server_name {fqdn};

    location / {{
        return 301 https://{fqdn}$request_uri;
    }}

    # where an authority looks before it signs a certificate

    location /.well-known/acme-challenge/ {{
        root /var/www/html;
    }}
}}

server {{
    listen 443 ssl;{listen6_443}
    server_name {fqdn};

    ssl_certificate     {certificate};
    ssl_certificate_key {key};
    ssl_protocols       TLSv1.2 TLSv1.3;
    ssl_session_cache   shared:rs_tls:2m;
    ssl_session_tickets off;

    access_log /var/log/nginx/rs-access.log rs;

    include rs/rs-locations.conf;
}}
"""

REDIS_CONF = HEAD + """
bind 127.0.0.1
port {port}
protected-mode yes
pidfile /run/redis-rs-gateway/redis-server.pid
logfile ""
dir /var/lib/redis/rs-gateway

aclfile /etc/redis/rs-gateway.acl

# devices and keys have no copy elsewhere: each write is on the disk within a
# second, and nothing is evicted

appendonly yes
appendfsync everysec
maxmemory-policy noeviction
"""

AUTHD_CONF = HEAD + """
name = turn-1
realm = {fqdn}
mode = compat
key_file = {folder}/key
password_file = {folder}/password
cli_password_file = {folder}/cli-password
coturn_version = {version}

redis = {redis}
redis_user = rs-plugin
redis_password_file = {folder}/redis-password
{ca}
peers = closed
listening_ip = {address}
relay_ip = {relay}
min_port = 49152
max_port = 65535

cert = {tls}/cert.pem
pkey = {tls}/key.pem
"""

TURN_HOST = HEAD + """
[Unit]
Description=The relay address of coturn, and the kernel's rules for it
Before=coturn.service
After=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip address replace {relay}/32 dev lo
ExecStart=sysctl -q -p /etc/sysctl.d/60-rs-turn.conf
{rules}ExecStop=ip address del {relay}/32 dev lo

[Install]
WantedBy=multi-user.target coturn.service
"""

TURN_RULES = """\
ExecStart=nft -f /etc/nftables.d/rs-turn.nft
ExecStop=nft delete table inet rs_turn
"""

GUARD = HEAD + """\
# coturn before 4.13 can be ended by anybody's user name without it

[Service]
Environment=LD_PRELOAD=/usr/lib/rs-gateway/rs-turn-guard.so
"""

RSCTL = HEAD + """\

[gateway]
url = https://{fqdn}/rs/v1
key_file = {own}/rsctl.key
address = 127.0.0.1:443
{ca}
[redis]
url = {redis}
user = rs-deploy
password_file = {own}/redis/rs-deploy
{redis_ca}{turn}{backup}"""

BACKUP = """
[backup]
user = rs-backup
password_file = {own}/redis/rs-backup
"""


class Site:
    """Options of rsctl init, and what follows from them."""

    def __init__(self, o):
        self.fqdn = o.fqdn
        self.address = o.address
        self.relay = o.relay_address
        self.certificate, self.key, self.ca = o.certificate, o.key, o.ca
        self.redis = o.redis or f"redis://127.0.0.1:{REDIS_PORT}"
        self.own_redis = not o.redis
        self.redis_ca = o.redis_ca
        self.passwords = o.redis_passwords
        self.coturn = host.coturn_version() if o.turn else None
        self.left_out = self._left_out()    # of rs-http.conf

    def add_all(self, changes):
        self.add_nginx(changes)
        self.add_identity(changes)
        self.add_passwords(changes)
        self.add_rsctl(changes)

        if self.own_redis:
            self.add_redis(changes)

        if self.coturn:
            self.add_turn(changes)

    # ---- nginx

    def add_nginx(self, changes):
        six = host.has_ipv6()
        changes.folder(RS)

        for path in sorted(glob.glob(host.share("conf.d", "*.conf"))):
            name = os.path.basename(path)

            if name not in ("rs-site.conf", "rs-main.conf"):
                changes.link(f"{RS}/{name}", path)

        if self.left_out:
            changes.file(f"{RS}/rs-http.conf", self.http())

        changes.file(f"{RS}/rs-site.conf", SITE.format(
            redis=self.redis, share=host.share(),
            ca=f" ca_file={self.redis_ca}" if self.redis_ca else "",
            turn=TURN.format(fqdn=self.fqdn) if self.coturn else ""))
        changes.file(f"{NGINX}/conf.d/rs-gateway.conf", SERVER.format(
            fqdn=self.fqdn, certificate=self.certificate, key=self.key,
            listen6_80="\n    listen [::]:80;" if six else "",
            listen6_443="\n    listen [::]:443 ssl;" if six else ""))

    @staticmethod
    def _http_lines():
        """(line, its directive or None) of the package's rs-http.conf."""

        with open(host.share("conf.d", "rs-http.conf"),
                  encoding="utf-8") as f:
            return [(line, (line.split("#")[0].split() or [None])[0])
                    for line in f]

    def _left_out(self):
        """What an init of before found nginx.conf to have by itself."""

        path = f"{RS}/rs-http.conf"

        if os.path.islink(path) or not os.path.exists(path):
            return set()

        with open(path, encoding="utf-8") as f:
            there = f.read().splitlines(keepends=True)

        return {name for line, name in self._http_lines()
                if name and f"# {line}" in there}

    def http(self):
        """rs-http.conf without what nginx.conf says by itself."""

        lines = [HEAD + "# rs-http.conf of the package, without what another "
                 "file of nginx says\n"]

        for line, name in self._http_lines():
            out = name in self.left_out

            if out and not line.rstrip().endswith(";"):
                raise ToolError(f"nginx has {name} twice: take it out of "
                                "nginx.conf, or out of rs-http.conf")

            lines.append(f"# {line}" if out else line)

        return "".join(lines)

    def add_identity(self, changes):
        """The one there is: devices have pinned it."""

        path = f"{RS}/identity.pem"

        if os.path.exists(path):
            return

        with tempfile.TemporaryDirectory() as d:
            made = os.path.join(d, "identity.pem")
            host.run(host.share("tools", "rs-identity"), "new", made)

            with open(made, encoding="ascii") as f:
                changes.file(path, f.read(), 0o600, hidden=True)

        changes.file(f"{path}.statements", "")

    # ---- passwords, and rsctl

    def add_passwords(self, changes):
        changes.folder(OWN)
        changes.folder(f"{OWN}/redis", 0o700)

        for user in OWN_USERS if self.own_redis else REDIS_USERS:
            path = f"{OWN}/redis/{user}"

            if self.passwords:
                with open(os.path.join(self.passwords, user),
                          encoding="utf-8") as f:
                    changes.file(path, f.readline().strip() + "\n", 0o600,
                                 hidden=True)

            else:
                changes.secret(path)

        changes.file(f"{RS}/redis.password",
                     changes.text(f"{OWN}/redis/rs-gateway"), 0o600,
                     hidden=True)

    def add_rsctl(self, changes):
        changes.file(f"{OWN}/rsctl.conf", RSCTL.format(
            fqdn=self.fqdn, own=OWN, redis=self.redis,
            ca=f"ca_file = {self.ca}\n" if self.ca else "",
            redis_ca=f"ca_file = {self.redis_ca}\n" if self.redis_ca else "",
            turn=f"\n[turn]\nconf = {AUTHD}/rs-turn-authd.conf\n"
            if self.coturn else "",
            backup=BACKUP.format(own=OWN) if self.own_redis else ""), 0o640)

    # ---- Redis

    def add_redis(self, changes):
        changes.folder("/var/lib/redis/rs-gateway", 0o750, "redis", "redis")
        changes.file(f"{REDIS}/redis-rs-gateway.conf",
                     REDIS_CONF.format(port=REDIS_PORT), 0o640, "redis",
                     "redis")

        with tempfile.TemporaryDirectory() as d:
            for user in OWN_USERS:
                with open(os.path.join(d, user), "w", encoding="ascii") as f:
                    f.write(changes.text(f"{OWN}/redis/{user}"))

            acl = os.path.join(d, "users.acl")
            host.run(host.share("redis-schema", "acl", "make-acl"),
                     "--passwords", d, "--output", acl)

            with open(acl, encoding="utf-8") as f:
                changes.file(f"{REDIS}/rs-gateway.acl", f.read(), 0o640,
                             "redis", "redis", hidden=True)

    # ---- coturn and its plugin

    def _authd(self, folder):
        return AUTHD_CONF.format(
            fqdn=self.fqdn, folder=folder, redis=self.redis,
            ca=f"redis_ca_file = {self.redis_ca}\n" if self.redis_ca else "",
            address=self.address, relay=self.relay, tls=COTURN_TLS,
            version=".".join(map(str, self.coturn)))

    def add_turn(self, changes):
        ours = {"group": "rs-turn-authd"}

        changes.secret(f"{RS}/turn.key")
        changes.folder(AUTHD, 0o750, **ours)
        changes.file(f"{AUTHD}/key", changes.text(f"{RS}/turn.key"), 0o640,
                     hidden=True, **ours)
        changes.secret(f"{AUTHD}/password", 0o640, **ours)
        changes.secret(f"{AUTHD}/cli-password", 0o640, **ours)
        changes.file(f"{AUTHD}/redis-password",
                     changes.text(f"{OWN}/redis/rs-plugin"), 0o640,
                     hidden=True, **ours)
        changes.file(f"{AUTHD}/rs-turn-authd.conf", self._authd(AUTHD),
                     0o640, **ours)

        self._certificate(changes)
        self._printed(changes)

        changes.file(f"/etc/systemd/system/{TURN_HOST_UNIT}.service",
                     TURN_HOST.format(relay=self.relay,
                                      rules=TURN_RULES if host.has("nft")
                                      else ""))

        if self.coturn < (4, 13):
            changes.file("/etc/systemd/system/coturn.service.d/"
                         "rs-turn-guard.conf", GUARD)

    def _certificate(self, changes):
        """coturn runs as somebody else than nginx: copies, for it alone."""

        for path, name in ((self.certificate, "cert.pem"),
                           (self.key, "key.pem")):
            try:
                text = changes.text(path)

            except KeyError:
                with open(path, encoding="ascii") as f:
                    text = f.read()

            changes.file(f"{COTURN_TLS}/{name}", text, 0o640,
                         group="turnserver", hidden=True)

    def _printed(self, changes):
        """What rs-turn-authd makes of its configuration, before that is there.
        """

        with tempfile.TemporaryDirectory() as d:
            conf = os.path.join(d, "rs-turn-authd.conf")

            for name in ("key", "password", "cli-password",
                         "redis-password"):
                self._stage(d, name, changes.text(f"{AUTHD}/{name}"))

            self._stage(d, "rs-turn-authd.conf", self._authd(d))

            def printed(*what):
                return host.run("rs-turn-authd", "--config", conf,
                                *what).stdout.replace(d, AUTHD)

            changes.keep("/etc/turnserver.conf", "# made by rs-turn-authd")
            guard = ["--guard"] if self.coturn < (4, 13) else []
            changes.file("/etc/turnserver.conf",
                         printed("--print-turnserver-conf", *guard), 0o640,
                         group="turnserver", hidden=True)
            changes.file("/etc/sysctl.d/60-rs-turn.conf",
                         printed("--print-sysctl"))
            changes.file("/etc/nftables.d/rs-turn.nft",
                         printed("--print-nft", "--user", "turnserver"))

    @staticmethod
    def _stage(folder, name, text):
        path = os.path.join(folder, name)

        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
                  "w", encoding="utf-8") as f:
            f.write(text)
