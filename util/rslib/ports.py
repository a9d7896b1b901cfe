# Copyright (C) rs-gateway contributors
#
# Which ports a stack uses.  All follow from one base, a multiple of 1000:
#
#     base + 80 + i    http of node i (from 0)     base + 443 + i   https
#     base + 379       Redis                       base + 478       TURN
#     base + 349       TURN over TLS               base + 600..799  relay
#     base + 380, 381  more Redis                  base + 385..387  Sentinels
#     base + 500       balancer                base + 510..513  rs-turn-authd
#     base + 520       OpenID provider     base + 460, 461  behind port 443
#     base + 100..339  from node to node, as many for each
#     base + 820..859  ways into tunnels
#
# A base is taken by binding an abstract unix socket of its name, which the
# stack's Redis inherits: it is free again when the stack is gone, whatever
# happened, and leaves no file behind.

import itertools
import socket

from .proc import StackError

HTTP, HTTPS, REDIS, TURN, TURNS = 80, 443, 379, 478, 349
SENTINEL, BALANCER = 385, 500
TURN_USERDB, TURN_STATSDB, TURN_CLI, TURN_METRICS = 510, 511, 512, 513
ISSUER = 520
FRONT_HTTPS, FRONT_TURN = 460, 461
RELAY_MIN, RELAY_MAX = 600, 799
NODE, NODE_PORTS = 100, 240
TUNNEL_MIN, TUNNEL_MAX = 820, 859
NODES_MAX = 16


def between(base, index, nodes, workers):
    """Where other nodes reach node INDEX: first and last port."""

    each = min(NODE_PORTS // nodes, 2 * workers)
    first = base + NODE + index * each

    return first, first + each - 1


def _claim(base):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    try:
        s.bind(f"\0rs-stack-ports-{base}")

    except OSError:
        s.close()
        return None

    return s


def _busy(base, ips, nodes):
    """The first port of BASE somebody else has, or None."""

    tcp = [REDIS, REDIS + 1, REDIS + 2, TURN, TURNS, BALANCER, ISSUER,
           FRONT_HTTPS, FRONT_TURN]
    tcp += [SENTINEL + i for i in range(3)]
    tcp += [TURN_USERDB, TURN_STATSDB, TURN_CLI, TURN_METRICS]
    tcp += [HTTP + i for i in range(nodes)] + [HTTPS + i for i in range(nodes)]

    for kind, offsets in ((socket.SOCK_STREAM, tcp),
                          (socket.SOCK_DGRAM, [TURN])):
        for offset, ip in itertools.product(offsets, sorted(ips)):
            family = socket.AF_INET6 if ":" in ip else socket.AF_INET

            with socket.socket(family, kind) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

                try:
                    s.bind((ip, base + offset))

                except OSError as e:
                    return f"port {base + offset} of {ip}: {e.strerror}"

    return None


def take(base, ips, nodes):
    """Claims BASE, or any free one when it is 0: gives (base, socket)."""

    if base:
        if not 1000 <= base <= 64000:
            raise StackError(f"--port-base {base}: must be 1000 to 64000")

        claim = _claim(base)

        if claim is None:
            raise StackError(f"--port-base {base}: another stack has it; "
                             "end that one or take another base")

        busy = _busy(base, ips, nodes)

        if busy:
            raise StackError(f"--port-base {base}: {busy}")

        return base, claim

    # below the kernel's range for outgoing connections

    for base in range(10000, 32000, 1000):
        claim = _claim(base)

        if claim is None:
            continue

        if _busy(base, ips, nodes) is None:
            return base, claim

        claim.close()

    raise StackError("no free ports: give --port-base")
