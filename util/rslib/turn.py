# Copyright (C) rs-gateway contributors
#
# The stack's coturn.  With --turn-mode compat or strict, rs-turn-authd is
# beside it and says what turnserver.conf must be; with static,
# conf.d/coturn/turnserver.conf follows this stack's own values.

import os
import re
import secrets
import socket
import struct
import subprocess

from . import files, ports, redis
from .proc import StackError, wait_for

REALM = "rs-stack"

# up to here user names are formats to it: the guard is preloaded

GUARD_BELOW = (4, 13)

STATIC = """\
# made by rs-stack; conf.d/coturn/turnserver.conf follows

{listen}
{relay}
listening-port={port}
tls-listening-port={tls_port}
min-port={relay_min}
max-port={relay_max}
realm={realm}
static-auth-secret={secret}
cert={tls}/cert.pem
pkey={tls}/key.pem
log-file=stdout
{rest}

# the only peers: this stack's own relay, and what else runs on this machine

{allowed}

"""

AUTHD = """\
# made by rs-stack
name = {name}
realm = {realm}
mode = {mode}
{key}

userdb_listen = 127.0.0.1:{userdb}
statsdb_listen = 127.0.0.1:{statsdb}
password_file = {password_file}
cli = 127.0.0.1:{cli}
cli_password_file = {cli_password_file}
coturn_version = {version}
metrics_listen = 127.0.0.1:{metrics}
state_dir = {state_dir}
log_level = {log_level}

redis = {redis}
redis_user = rs-plugin
redis_password_file = {redis_password_file}

peers = {peers}
{listen}
{relay}
listening_port = {port}
tls_listening_port = {tls_port}
min_port = {relay_min}
max_port = {relay_max}
cert = {tls}/cert.pem
pkey = {tls}/key.pem
"""


def _listen(stack):
    """Also on loopback, for whoever has no other interface."""

    return [*stack.turn_ips,
            *(["127.0.0.1"] if "127.0.0.1" not in stack.turn_ips else [])]


def _lines(key, values):
    return "\n".join(key + value for value in values)


def _binding(ip, port):
    """RFC 8489: does a STUN Binding request get its answer?"""

    request = struct.pack("!HHI12s", 1, 0, 0x2112A442, secrets.token_bytes(12))

    family = socket.AF_INET6 if ":" in ip else socket.AF_INET

    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(0.2)
        s.sendto(request, (ip, port))
        answer = s.recv(1500)

    return answer[:2] == b"\x01\x01" and answer[8:20] == request[8:20]


def _tcp(ip, port):
    with socket.create_connection((ip, port), 1):
        return True


def _version():
    """Of the turnserver that is going to be started."""

    r = subprocess.run(["turnserver", "--version"], capture_output=True,
                       text=True, check=False)
    m = re.search(r"\b(\d+)\.(\d+)\.(\d+)\b", r.stdout + r.stderr)

    if not m:
        raise StackError("turnserver --version says nothing: make deps")

    return tuple(int(n) for n in m.groups())


def _values(stack, folder, tls_dir):
    base = stack.base

    return {"realm": REALM, "dir": folder, "tls": tls_dir,
            "port": base + ports.TURN, "tls_port": base + ports.TURNS,
            "relay_min": base + ports.RELAY_MIN,
            "relay_max": base + ports.RELAY_MAX}


def _rest(stack, folder):
    """What only a private turnserver has."""

    lines = [f"pidfile={folder}/turnserver.pid", "new-log-timestamp"]

    if stack.turn_ips[0].startswith("127."):
        lines.append("allow-loopback-peers")

    return "\n".join(lines)


def _static(stack, folder, tls_dir, secret_file):
    """turnserver by itself: a copy of the snippet, as a site has it."""

    text = STATIC.format(
        listen=_lines("listening-ip=", _listen(stack)),
        relay=_lines("relay-ip=", stack.relay_ips),
        secret=files.secret(secret_file),
        rest=f"userdb={folder}/turndb\n" + _rest(stack, folder),
        allowed=_lines("allowed-peer-ip=", stack.relay_ips),
        **_values(stack, folder, tls_dir))

    return files.write(
        os.path.join(folder, "turnserver.conf"),
        text + files.read(files.top("conf.d", "coturn", "turnserver.conf")),
        0o600)


def _key(stack):
    """Where the gateways and the daemon have their key."""

    path = stack.secret_path("turn-key")

    files.secret(path)

    return path


def _authd(stack, folder, tls_dir, mode, version, key_file):
    """rs-turn-authd; gives its part of the state."""

    binary = files.top("build", "turn", "rs-turn-authd")
    state_dir = os.path.join(folder, "state")
    base = stack.base
    password_file = stack.secret_path("turn-db")
    cli_password_file = stack.secret_path("turn-cli")

    if not os.path.exists(binary):
        raise StackError(f"{binary}: no such file: make all")

    for path in (password_file, cli_password_file):
        files.secret(path)

    os.makedirs(state_dir, mode=0o700, exist_ok=True)

    conf = files.write(
        os.path.join(folder, "rs-turn-authd.conf"),
        AUTHD.format(
            name="relay1", mode=mode, key=f"key_file = {key_file}",
            listen=_lines("listening_ip = ", _listen(stack)),
            relay=_lines("relay_ip = ", stack.relay_ips),
            peers=stack.args.turn_peers,
            userdb=base + ports.TURN_USERDB, statsdb=base + ports.TURN_STATSDB,
            cli=base + ports.TURN_CLI, metrics=base + ports.TURN_METRICS,
            password_file=password_file, cli_password_file=cli_password_file,
            version=".".join(str(n) for n in version), state_dir=state_dir,
            log_level="debug" if stack.args.log_level == "debug" else "info",
            redis=redis.url(stack),
            redis_password_file=stack.state["redis"]["users"]["rs-plugin"],
            **_values(stack, folder, tls_dir)), 0o600)

    record = stack.run("turn-authd", [binary, "-c", conf], cwd=folder)
    metrics = base + ports.TURN_METRICS

    wait_for(f"rs-turn-authd, {base + ports.TURN_USERDB}",
             lambda: _tcp("127.0.0.1", base + ports.TURN_USERDB),
             record["log"], record)

    return {"pid": record["pid"], "log": record["log"], "conf": conf,
            "metrics_port": metrics, "cli_port": base + ports.TURN_CLI,
            "cli_password_file": cli_password_file}


def _printed(stack, folder, conf):
    """turnserver.conf as the daemon wants it."""

    out = os.path.join(folder, "turnserver.conf")
    r = subprocess.run(
        [files.top("build", "turn", "rs-turn-authd"), "-c", conf,
         "--print-turnserver-conf", "--guard", "--output", out],
        capture_output=True, text=True, check=False)

    if r.returncode:
        raise StackError(f"rs-turn-authd: {(r.stderr or r.stdout).strip()}")

    return files.write(out, files.read(out) + "\n# rs-stack's\n\n"
                       + _rest(stack, folder) + "\n", 0o600)


def start(stack, tls_dir):
    folder = stack.folder("turn")
    mode = stack.args.turn_mode
    port, tls_port = stack.base + ports.TURN, stack.base + ports.TURNS
    ip = stack.turn_ips[0]
    host = f"[{ip}]" if ":" in ip else ip
    a = f"{host}:{port}"
    tls_outside = 443 if stack.args.port_443 else tls_port
    tls = f"{stack.args.turn_host or host}:{tls_outside}"
    env = None
    state = {"ip": ip, "port": port, "tls_port": tls_port, "mode": mode,
             "realm": REALM,
             "relay_ports": [stack.base + ports.RELAY_MIN,
                             stack.base + ports.RELAY_MAX],
             "stun_urls": [f"stun:{a}"],
             "turn_urls": [f"turn:{a}?transport=udp",
                           f"turn:{a}?transport=tcp",
                           f"turns:{tls}?transport=tcp"]}

    if mode == "static":
        state["secret_file"] = stack.secret_path("turn")
        conf = _static(stack, folder, tls_dir, state["secret_file"])

    else:
        version = _version()
        state["key_file"] = _key(stack)
        state["authd"] = _authd(stack, folder, tls_dir, mode, version,
                                state["key_file"])
        conf = _printed(stack, folder, state["authd"]["conf"])

        if version < GUARD_BELOW:
            env = dict(os.environ, LD_PRELOAD=files.top(
                "build", "turn", "rs-turn-guard.so"))

    record = stack.run("turn", ["turnserver", "-c", conf], cwd=folder, env=env)

    for what, test in ((f"coturn, UDP {port}",
                        lambda: _binding(ip, port)),
                       (f"coturn, TCP {port}",
                        lambda: _tcp(ip, port)),
                       (f"coturn, TLS {tls_port}",
                        lambda: _tcp(ip, tls_port))):
        wait_for(what, test, record["log"], record)

    return dict(state, pid=record["pid"], log=record["log"])
