# Copyright (C) rs-gateway contributors
#
# The stack's coturn: conf.d/coturn/turnserver.conf with this stack's values
# in front of it.

import os
import secrets
import socket
import struct

from . import files, ports
from .proc import wait_for

CONF = """\
# made by rs-stack; conf.d/coturn/turnserver.conf follows

{listen}
relay-ip={ip}
listening-port={port}
tls-listening-port={tls_port}
min-port={relay_min}
max-port={relay_max}
realm=rs-stack
static-auth-secret={secret}
cert={tls}/cert.pem
pkey={tls}/key.pem
userdb={dir}/turndb
pidfile={dir}/turnserver.pid
log-file=stdout
new-log-timestamp

# the only peers: this stack's own relay, and what else runs on this machine

{allowed}

"""


def _listen(stack):
    """Also on loopback, for whoever has no other interface."""

    ips = [stack.ip]

    if stack.ip != "127.0.0.1":
        ips.append("127.0.0.1")

    return ips


def _binding(ip, port):
    """RFC 8489: does a STUN Binding request get its answer?"""

    request = struct.pack("!HHI12s", 1, 0, 0x2112A442, secrets.token_bytes(12))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.2)
        s.sendto(request, (ip, port))
        answer = s.recv(1500)

    return answer[:2] == b"\x01\x01" and answer[8:20] == request[8:20]


def start(stack, tls_dir):
    folder = stack.folder("turn")
    port, tls_port = stack.base + ports.TURN, stack.base + ports.TURNS
    secret_file = stack.secret_path("turn")
    ips = _listen(stack)

    allowed = [f"allowed-peer-ip={stack.ip}"]

    if stack.ip.startswith("127."):
        allowed.append("allow-loopback-peers")

    text = CONF.format(
        listen="\n".join(f"listening-ip={ip}" for ip in ips), ip=stack.ip,
        port=port, tls_port=tls_port, dir=folder, tls=tls_dir,
        relay_min=stack.base + ports.RELAY_MIN,
        relay_max=stack.base + ports.RELAY_MAX,
        secret=files.secret(secret_file), allowed="\n".join(allowed))

    conf = files.write(
        os.path.join(folder, "turnserver.conf"),
        text + files.read(files.top("conf.d", "coturn", "turnserver.conf")),
        0o600)

    record = stack.run("turn", ["turnserver", "-c", conf], cwd=folder)

    def tcp(p):
        with socket.create_connection((stack.ip, p), 1):
            return True

    for what, test in ((f"coturn, UDP {port}",
                        lambda: _binding(stack.ip, port)),
                       (f"coturn, TCP {port}", lambda: tcp(port)),
                       (f"coturn, TLS {tls_port}", lambda: tcp(tls_port))):
        wait_for(what, test, record["log"], record)

    a = f"{stack.ip}:{port}"

    return {"ip": stack.ip, "port": port, "tls_port": tls_port,
            "relay_ports": [stack.base + ports.RELAY_MIN,
                            stack.base + ports.RELAY_MAX],
            "pid": record["pid"], "log": record["log"],
            "secret_file": secret_file,
            "stun_urls": [f"stun:{a}"],
            "turn_urls": [f"turn:{a}?transport=udp", f"turn:{a}?transport=tcp",
                          f"turns:{stack.ip}:{tls_port}?transport=tcp"]}
