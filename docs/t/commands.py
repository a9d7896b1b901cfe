# Copyright (C) rs-gateway contributors
#
# What becomes of each command that README.md and docs/operating/ tell people
# to run.  "run": it is run as it stands, in a fleet of its own, with the
# names of the page (support.example.net, /etc/...) put in the place of this
# machine's; "by": it needs a host, and the file that is named runs it: that
# one has the words which are given.  docs/t/check compares this with the
# pages, docs/t/run runs.

import glob
import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

# what a line of an indented or fenced block begins with, if it is a command

PROGRAMS = ("apt", "ansible-playbook", "ansible-vault", "chmod", "cp", "curl",
            "git", "install", "make", "nft", "nginx", "node", "npm",
            "openssl", "rs-agent", "rs-audit", "rs-ban", "rs-eventd",
            "rs-identity", "rs-key", "rs-load", "rs-tunnel", "rs-turn-authd",
            "rs-turn-check", "rsctl", "scp", "ssh", "systemctl",
            "systemd-sysusers", "tail", "tar")

COMMAND = re.compile(r"^(?:[$#] |sudo )?((?:(?:util|tools|redis-schema|bench|"
                     r"faults|fleet|monitoring|ansible|\.)/[\w./-]+|"
                     + "|".join(re.escape(p) for p in PROGRAMS)
                     + r")(?= |$).*)")


# command as the page has it -> what becomes of it.
#
#   run      put in front of it; a file a page speaks of is made like that
#   after    behind it, to undo what others would meet
#   instead  words of the page, and what stands there in this fleet
#   says     what it must print
#   by       the file that runs it, and the words to find there

CRED = r"""
answer=$(curl -sS -f -X POST -H @bearer \
              https://support.example.net/rs/v1/ice)
python3 -c 'import json, sys
for s in json.loads(sys.argv[1])["iceServers"]:
    if "username" in s:
        print(s["username"], s["credential"])
        break' "$answer" > cred
"""

ADOPT = r"""
code=$(curl -sS -f -H @bearer -d '{"code":true}' \
            -H "Content-Type: application/json" \
            https://support.example.net/rs/v1/enrollments \
       | python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])')
mkdir -p state
rs-agent() {
    command rs-agent --ca-file "$SSL_CERT_FILE" -s "$PWD/state" "$@"
}
"""

SYSLOG = r"""
coproc syslog { exec python3 -u -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 514))
print("ready")
while True:
    s.recv(65536)'; }
read -r _ <&${syslog[0]}
"""

DEPLOY = "export RS_REDIS_PASSWORD=$(cat $DEPLOY_PASSWORD)\n"

COMMANDS = {

    # README.md

    "make demo": {"by": ("t/020-stack.t", "run")},
    "make test": {"by": (".ci/run", "make -s test")},
    "make deps": {"by": (".ci/run", "step util/deps")},
    "make all": {"by": (".ci/run", "make -s all")},
    "git clone <this repository> && cd rs-gateway":
        {"run": "unset GIT_DIR", "says": "^$", "instead": {
            "git clone <this repository>":
                f"git clone -q --depth 1 file://{TOP} rs-gateway"}},
    'curl --cacert ca.pem -H @bearer '
    'https://localhost:8443/rs/v1/devices':
        {"run": "cp $CURL_CA_BUNDLE ca.pem", "says": '"dev_',
         "instead": {"localhost:8443": "support.example.net"}},
    'curl --cacert ca.pem -H @bearer '
    '-H "Content-Type: application/json" '
    """-d '{"host":{"type":"device","device_id":"dev_..."},"""
    """"participants":[{"role":"controller"}]}' """
    'https://localhost:8443/rs/v1/sessions':
        {"says": '"join_url"',
         "instead": {"localhost:8443": "support.example.net",
                     "dev_...": "$DEVICE"}},

    # agent.md

    "systemd-sysusers && systemctl daemon-reload && "
    "systemctl enable --now rs-agent.path":
        {"by": ("t/025-agent-unit.t", "rs-agent.path")},
    'curl -H @bearer -H "Content-Type: application/json" '
    """-d '{"code":true,"group_id":"grp_…"}' """
    'https://support.example.net/rs/v1/enrollments':
        {"says": '"token"', "instead": {',"group_id":"grp_…"': ""}},
    "rs-agent --adopt KQ3VN-7XA2D https://support.example.net/rs/v1":
        {"run": ADOPT, "says": "adopted as dev_",
         "instead": {"KQ3VN-7XA2D": "$code"}},
    "make -C agent clean && make -C agent PIPEWIRE=1":
        {"by": ("agent/t/portal.c", "portal")},
    "systemctl edit rs-agent": {"by": ("t/025-agent-unit.t", "rs-agent.service")},
    "systemctl edit rs-render@.service": {"by": ("fleet/render", "show MemoryMax")},

    # ansible.md

    "cp -r ansible/inventories/fleet mine":
        {"instead": {"ansible/": f"{TOP}/ansible/"}},
    "ansible/new-vault --vault-password-file ~/.rs-vault "
    "mine/group_vars/all/vault.yml":
        {"by": ("util/lint-ansible", "ansible-playbook")},
    "ansible-vault edit --vault-password-file ~/.rs-vault "
    "mine/group_vars/all/vault.yml":
        {"by": ("util/lint-ansible", "ansible-playbook")},
    "ansible-playbook -i ../mine --vault-password-file ~/.rs-vault "
    "site.yml --check": {"by": ("util/lint-ansible", "site.yml")},
    "ansible-playbook -i ../mine --vault-password-file ~/.rs-vault "
    "site.yml": {"by": ("util/lint-ansible", "site.yml")},
    "./change-vault --vault-password-file ~/.rs-vault redis-passwords "
    "../mine/group_vars/all/vault.yml":
        {"by": ("fleet/site.test.mjs", "redis-passwords")},
    "ansible-playbook -i ../mine --vault-password-file ~/.rs-vault "
    "plays/rotate_redis_passwords.yml":
        {"by": ("fleet/site.test.mjs", "plays/rotate_redis_passwords.yml")},
    "ansible-playbook -i ../mine --vault-password-file ~/.rs-vault "
    "plays/upgrade.yml -e rs_version=0.2.0":
        {"by": ("fleet/site.test.mjs", "plays/upgrade.yml")},
    "ansible-playbook -i ../mine --vault-password-file ~/.rs-vault "
    "plays/rollback.yml -e rs_version=0.1.0":
        {"by": ("fleet/site.test.mjs", "plays/rollback.yml")},

    # audit.md

    "rs-key create --name audit --scopes audit:read,audit:trim "
    "> /etc/rs/audit.key":
        {"run": "mkdir -p /etc/rs /var/log/rs; umask 077\n" + DEPLOY},
    "rs-audit export --url https://gw.example.com/rs/v1 "
    "--key-file /etc/rs/audit.key --output /var/log/rs/audit.jsonl "
    "--syslog udp://log.example.com:514 --trim":
        {"run": SYSLOG, "after": "kill $syslog_PID",
         "instead": {"log.example.com": "127.0.0.1"}},
    "rs-audit verify --state /var/log/rs/audit.jsonl.state "
    "/var/log/rs/audit.jsonl.1 /var/log/rs/audit.jsonl":
        {"instead": {"/var/log/rs/audit.jsonl.1 ": ""}},

    # backup.md

    "openssl rand -hex 32 > /etc/redis/passwords/rs-backup":
        {"run": "mkdir -p /etc/redis/passwords"},
    "openssl rand -hex 32 > /etc/rs-gateway/backup.pass":
        {"run": "umask 077"},
    "cp /etc/redis/passwords/rs-backup "
    "/etc/rs-gateway/redis-backup.password": {},
    "rsctl backup --passphrase-file /etc/rs-gateway/backup.pass "
    "/var/backups/": {"run": "mkdir -p /var/backups"},
    "tail -n +2 FILE | head -c -32 | openssl enc -d -aes-256-cbc "
    "-md sha256 -pbkdf2 -iter 600000 -pass file:backup.pass | zcat":
        {"run": "cp /etc/rs-gateway/backup.pass backup.pass; "
                "f=$(ls /var/backups/rs-*)", "says": '"dev_',
         "instead": {"FILE": "$f"}},

    # console.md, device-owner.md, identity.md, maintenance.md

    "rsctl login-link --name Ada --for 2h": {"says": "https://.*#"},
    "rs-agent --check": {"says": "ok +WSS", "instead": {
        "rs-agent --check": 'rs-agent --ca-file "$SSL_CERT_FILE" --check '
                            "https://support.example.net/rs/v1"}},
    "rs-identity new /etc/rs-gateway/identity.pem": {},
    "rs-identity rotate /etc/rs-gateway/identity.pem": {},
    'curl -sS --max-time 5 -H @bearer '
    '"https://support.example.net/rs/v1/events?after=0-0"':
        {"by": ("t/590-events.t", "after => '0-0'")},
    'curl -X POST -H @bearer '
    '"https://node1.example.net/rs/v1/drain?node=node1&after_s=3"':
        {"run": DEPLOY + "mkdir drain && cd drain\n"
                + "printf 'Authorization: Bearer %s\\n' \"$(rs-key create "
                  '--name drain --scopes node:drain)" > bearer\n',
         "after": 'curl -sS -f -X DELETE -H @bearer '
                  "https://node1.example.net/rs/v1/drain",
         "says": "draining"},

    # packages.md

    "make repo REPO_KEY=/root/packages.asc":
        {"by": ("debian/t/050-repo.t", "--key")},
    "install -d /etc/apt/keyrings":
        {"by": ("debian/t/400-booted.t", "install -d /etc/apt/keyrings")},
    "curl -fo /etc/apt/keyrings/rs-gateway.asc "
    "https://packages.example.net/rs-gateway/rs-gateway.asc":
        {"by": ("debian/t/400-booted.t", "rs-gateway.asc")},
    "curl -fo /etc/apt/sources.list.d/rs-gateway.sources "
    "https://packages.example.net/rs-gateway/rs-gateway.sources":
        {"by": ("debian/t/400-booted.t", "rs-gateway.sources")},
    "apt update && apt install rs-gateway":
        {"by": ("debian/t/400-booted.t", "install rs-gateway")},
    "apt install --allow-downgrades rs-gateway=0.1.0~deb12 "
    "libnginx-mod-http-rs-signal=0.1.0~deb12 rs-console=0.1.0~deb12 "
    "rs-tools=0.1.0~deb12":
        {"by": ("debian/t/200-upgrade.t", "--allow-downgrades")},

    # first-ten-minutes.md

    "apt install rs-gateway":
        {"by": ("fleet/first/minutes.test.mjs", "rs-gateway redis-server")},
    "rsctl init --fqdn support.example.net --self-signed":
        {"by": ("fleet/first/minutes.test.mjs", "rsctl init --fqdn")},
    "rsctl login-link": {"by": ("fleet/first/minutes.test.mjs",
                                "rsctl login-link")},
    "rsctl doctor": {"by": ("fleet/first/minutes.test.mjs", "rsctl doctor")},
    "rsctl devices list --online":
        {"by": ("fleet/first/minutes.test.mjs", "rsctl devices list --online")},
    "rsctl sessions list":
        {"by": ("fleet/first/minutes.test.mjs", "rsctl sessions list")},
    "rsctl end --device dev_…": {"by": ("t/665-rsctl.t", "'end', '--device'")},
    "rsctl keys create --name billing --scopes sessions:read --expires 90d":
        {"by": ("t/665-rsctl.t", "'keys', 'create'")},
    "rsctl drain begin --wait 5m":
        {"by": ("t/665-rsctl.t", "'drain', 'begin'")},

    # tunnels.md

    "rs-tunnel ssh admin@desk": {"by": ("pipes/ssh.test.mjs", '"ssh"')},
    "rs-tunnel tcp desk 192.0.2.7:80 --local 8080":
        {"by": ("pipes/lib/entry.mjs", 'protocol = "tcp"')},
    "rs-tunnel udp desk 192.0.2.9:161":
        {"by": ("pipes/held.test.mjs", '"udp"')},
    "rs-tunnel rdp desk /u:admin": {"by": ("pipes/ssh.test.mjs", '"rdp"')},
    "rs-tunnel run desk ping host=printer count=3":
        {"by": ("pipes/command.test.mjs", '"count", "n=3"')},

    # turn.md

    "rs-turn-authd --config /etc/rs-turn-authd/rs-turn-authd.conf":
        {"by": ("util/rslib/turn.py", "rs-turn-authd")},
    "install -d -o root -g rs-turn-authd -m 750 /etc/rs-turn-authd":
        {"instead": {"-g rs-turn-authd": "-g daemon"}},
    "systemctl enable --now rs-turn-authd":
        {"by": ("ansible/roles/rs_coturn/tasks/configure.yml", "rs-turn-authd")},
    "rs-turn-authd --issue default.ses_....par_.... --ttl 600":
        {"says": r"^[0-9]+:default\.ses_\S+ \S+$",
         "instead": {"ses_....par_....":
                     "ses_" + "a" * 26 + ".par_" + "b" * 26}},
    "rs-turn-authd --print-turnserver-conf --guard "
    "--output /etc/turnserver.conf": {},
    "rs-turn-authd --print-nft --user turnserver "
    "--output /etc/nftables.d/rs-turn.nft":
        {"run": "mkdir -p /etc/nftables.d"},
    "rs-turn-authd --print-sysctl --output /etc/sysctl.d/60-rs-turn.conf":
        {"run": "mkdir -p /etc/sysctl.d"},
    'curl -s -X POST -H @bearer '
    "https://gateway.example/rs/v1/ice | rs-turn-check --ice -":
        {"says": "TURN ok"},
    "rs-turn-check -c cred --denied --no-relay turn:turn.example":
        {"run": CRED, "says": "TURN ok",
         "instead": {"turn:turn.example": "turn:turn.example:$TURN_PORT"}},
    "rs-turn-check -c cred turn:a.example --peer-server turn:b.example":
        {"run": CRED, "says": "TURN ok",
         "instead": {"turn:a.example": "turn:a.example:$TURN_PORT",
                     "turn:b.example": "turn:b.example:$TURN_PORT"}},
}


def pages():
    return ["README.md"] + sorted(
        os.path.relpath(p, TOP) for p in
        glob.glob(os.path.join(TOP, "docs", "operating", "*.md")))


def block_lines(text):
    """Lines of indented and of fenced blocks, without either's sign."""

    fence = None

    for line in text.split("\n"):
        if line.startswith("```"):
            fence = None if fence is not None else line[3:]

        elif fence in ("", "sh", "console"):
            yield line

        elif fence is None and line.startswith("    "):
            yield line[4:]


def commands():
    """(page, command) of all; one over several lines is joined."""

    for page in pages():
        with open(os.path.join(TOP, page), encoding="utf-8") as f:
            text = f.read()

        joined = ""

        for line in block_lines(text):
            if joined:
                joined += " " + line.strip()

            else:
                m = COMMAND.match(line)

                if not m:
                    continue

                joined = m.group(1)

            if joined.endswith("\\"):
                joined = joined[:-1].rstrip()
                continue

            yield page, re.sub(r"\s{2,}# .*$", "", joined).strip()
            joined = ""
