#!/usr/bin/python3
#
# Copyright (C) rs-gateway contributors
#
# docs/operating/ports.md against a whole stack: whatever listens or connects
# there is in its tables, and all that always does was seen.

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "lib"))

from rstest import (TOP, Fleet, done, equal, folder, namespace,  # noqa: E402
                    ok, run, wait_for)

namespace()

from rslib import ports                                     # noqa: E402
from rsgw.facts import net                                  # noqa: E402

fleet = Fleet(folder(), "--ip", "10.77.0.1", "--relay-ip", "10.78.0.2",
              "--sentinel", "--nodes", "2", "--balancer", "--agent")
base = fleet.state["port_base"]

# the stack's ports, and those of a host of its own

REAL = {ports.HTTPS: 443, ports.HTTPS + 1: 443, ports.BALANCER: 443,
        ports.REDIS: 6379, ports.REDIS + 1: 6379, ports.REDIS + 2: 6379,
        ports.SENTINEL: 26379, ports.SENTINEL + 1: 26379,
        ports.SENTINEL + 2: 26379, ports.TURN: 3478, ports.TURNS: 5349,
        ports.TURN_USERDB: 16379, ports.TURN_STATSDB: 16380,
        ports.TURN_CLI: 5766, ports.TURN_METRICS: 16381}
RELAY = (49152, 65535)
BETWEEN = 20900             # the first of the nodes' own


def real(port):
    offset = port - base

    if ports.RELAY_MIN <= offset <= ports.RELAY_MAX:
        return RELAY[0]

    if ports.NODE <= offset < ports.NODE + ports.NODE_PORTS:
        return BETWEEN

    return REAL.get(offset)


def table(head):
    """The rows below a heading of the page, as dicts."""

    with open(f"{TOP}/docs/operating/ports.md", encoding="utf-8") as f:
        text = f.read().split(f"## {head}\n", 1)[1].split("\n## ", 1)[0]

    lines = [[c.strip() for c in line.strip("|").split("|")]
             for line in text.splitlines() if line.startswith("|")]
    heads = lines[0]

    for line in lines[2:]:
        if len(line) != len(heads):
            raise ValueError(f"{head}: a row of {len(line)} cells: {line}")

    return [dict(zip(heads, line)) for line in lines[2:]]


def numbers(text):
    """("tcp", 443), ... of "TCP 443, UDP 3478"; of a range its first."""

    return {(kind.lower(), int(first)) for kind, first in
            re.findall(r"(TCP|UDP) (\d+)", text)}


def program(text):
    """Its name; Sentinels are redis-server under another one."""

    m = re.search(r'users:\(\("([^"]+)"', text)

    return m[1] if m else "?"


def sockets(*options):
    """(kind, local, remote, program) of ss, addresses as (host, port)."""

    status, out, err = run("ss", "-Hntup", *options)

    if status:
        raise RuntimeError(f"ss: {err}")

    found = []

    for line in out.splitlines():
        kind, state, _, _, local, remote, *users = line.split(None, 6)

        if state not in ("ESTAB", "LISTEN", "UNCONN"):
            continue

        found.append((kind, _address(local), _address(remote),
                      program(users[0] if users else "")))

    return found


def _address(text):
    host, _, port = text.rpartition(":")

    return host.strip("[]"), int(port) if port.isdigit() else 0


# ---- who listens

rows = table("Who listens")
known, always = {}, set()

for row in rows:
    for kind, port in numbers(row["port"]):
        known.setdefault((row["program"], kind, port), row["reach"])

        if not row["only if"]:
            always.add((row["program"], kind, port))

# a relay, for a moment

status, out, err = fleet.rsctl("doctor", "--only", "TURN path")
equal((status, out[:2]), (0, "ok"), "a relay was used")

seen, strange, open_ = set(), [], []

for kind, (host, port), _, name in sockets("-l"):
    entry = (name, kind, real(port))

    # an agent gathers where it is asked for a session; none is here

    if entry not in known:
        strange.append(f"{name} {kind} {host}:{port}")
        continue

    seen.add(entry)

    if known[entry] == "host" and not (host.startswith("127.")
                                       or host == "::1"):
        open_.append(f"{name} {kind} {host}:{port}")

equal(strange, [], "whoever listens is in the table")
equal(open_, [], "what is for its own host listens on loopback alone")
equal(sorted(always - seen), [], "and all that always does was seen")
ok(("redis-sentinel", "tcp", 26379) in seen, "Sentinels, too")


# ---- who connects

rows = table("Who connects")
known = {(row["program"], kind, port)
         for row in rows for kind, port in numbers(row["port"])}
servers = {port for _, (_, port), _, _ in sockets("-l")}
listed = set()
strange = []

for kind, local, (host, port), name in sockets():
    if local[1] in servers or not port or name == "?":
        continue                # its other end is the one that connected

    entry = (name, kind, real(port))

    if entry in known:
        listed.add(entry)

    else:
        strange.append(f"{name} {kind} to {host}:{port}")

equal(strange, [], "whoever connects is in the table")
equal(sorted(e for e in (
    ("rs-agent", "tcp", 443), ("haproxy", "tcp", 443),
    ("nginx", "tcp", 6379), ("rs-turn-authd", "tcp", 6379),
    ("rs-turn-authd", "tcp", 5766), ("turnserver", "tcp", 16379),
    ("turnserver", "tcp", 16380), ("redis-server", "tcp", 6379),
    ("redis-sentinel", "tcp", 6379), ("redis-sentinel", "tcp", 26379))
    if e not in listed), [], "and these were seen to")


# ---- the page agrees with what is configured by default

for what, path, pattern in (
        ("rs-turn-authd", "coturn_auth_plugin/turn_conf.c",
         r"127\.0\.0\.1:(\d+)"),
        ("turnserver", "conf.d/coturn/turnserver-authd.conf",
         r"^(?:cli-port|listening-port|tls-listening-port)=(\d+)")):
    with open(f"{TOP}/{path}", encoding="utf-8") as f:
        want = {int(p) for p in re.findall(pattern, f.read(), re.M)}

    have = {p for row in table("Who listens")
            for _, p in numbers(row["port"])}
    ok(want and want <= have, f"{what}: its defaults are in the table",
       f"{sorted(want - have)}")

# and a client finds the ports doctor speaks of

equal(net.tcp("10.77.0.1", base + ports.TURN), "ok", "TURN is reached")
fleet.down()
done()
