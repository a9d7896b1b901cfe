# Copyright (C) rs-gateway contributors
#
# The stack's haproxy: TCP to the nodes, whose TLS it passes through.  A node
# that is not ready gets no new connections; those it has are left alone.

import os
import socket

from rsgw import rest

from . import files, ports
from .proc import wait_for

CONF = """\
# made by rs-stack

global
    stats socket {dir}/haproxy.sock mode 600 level admin
    maxconn 9500
    nbthread 1

defaults
    mode tcp
    timeout connect 2s
    timeout client 2h
    timeout server 2h
    timeout check 1s
    retries 3
    option redispatch 1

frontend rs
    bind {ip}:{port}
    default_backend nodes

backend nodes
    balance leastconn
    option httpchk GET /rs/v1/health/ready
    http-check expect status 200
    default-server check check-ssl verify none inter 500ms fall 2 rise 1

{servers}
"""


def start(stack):
    folder = stack.folder("balancer")
    port = stack.base + ports.BALANCER

    servers = "\n".join(f"    server {n['name']} {n['ip']}:{n['https_port']}"
                        for n in stack.state["nodes"])

    conf = files.write(os.path.join(folder, "haproxy.cfg"),
                       CONF.format(dir=folder, ip=stack.http_ip, port=port,
                                   servers=servers))

    record = stack.run("balancer", ["haproxy", "-db", "-f", conf])
    base = f"https://{stack.name}:{port}/rs/v1"

    def ready():
        status, _ = rest.call("GET", base + "/health/ready",
                              ca=stack.state["ca"],
                              connect=(stack.http_ip, port))
        return status == 200

    wait_for("balancer", ready, record["log"], record)

    return {"url": f"https://{stack.name}:{port}/", "base": base,
            "port": port, "pid": record["pid"], "log": record["log"],
            "socket": os.path.join(folder, "haproxy.sock")}


def ask(path, command):
    """One command of haproxy's own; gives its answer."""

    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(path)
        s.sendall(command.encode() + b"\n")
        parts = iter(lambda: s.recv(65536), b"")

        return b"".join(parts).decode()
