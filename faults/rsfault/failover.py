# Copyright (C) rs-gateway contributors
#
# A Sentinel trio after its primary was killed: the old one comes back as a
# replica, and the trio is whole again.

import os

from rslib import files, redis
from rslib.proc import StackError

from .fleet import until


def _pairs(words):
    return dict(zip(words[::2], words[1::2]))


def _view(sentinel):
    """What one Sentinel sees, when it is at rest: the primary's port and the
    epoch of that; None while anything is under way."""

    with redis.Client(("127.0.0.1", sentinel["port"]), 1) as c:
        primary = _pairs(c.call("SENTINEL", "MASTER", "rs"))
        replicas = [_pairs(r) for r in c.call("SENTINEL", "REPLICAS", "rs")]

    if primary["flags"] != "master" or len(replicas) != 2 \
            or primary["num-other-sentinels"] != "2" \
            or any(r["flags"] != "slave" or r["master-link-status"] != "ok"
                   or r["master-port"] != primary["port"] for r in replicas):
        return None

    return primary["port"], primary["config-epoch"]


def _whole(fleet):
    """The primary all Sentinels agree on, with two replicas that take what
    it writes; None while it is not so."""

    state = fleet.state["redis"]

    try:
        views = {_view(s) for s in state["sentinels"]}

    except (OSError, StackError):
        return None

    if len(views) != 1 or None in views:
        return None

    now = redis.primary(state)

    if now is None:
        return None

    try:
        with fleet.redis(now) as c:
            if "role:master" not in c.call("INFO", "replication"):
                return None

            c.call("SET", "rs:faults", "1")

            return now if c.call("WAIT", "2", "500") == 2 else None

    except (OSError, StackError):
        return None


def sever(fleet, primary, broken=True):
    """Replicas lose their primary and cannot come back to it: what it
    acknowledges from now on, they will never have.  Or may again."""

    for server in fleet.state["redis"]["servers"]:
        if server["name"] != primary["name"]:
            with fleet.redis(server) as c:
                c.call("CONFIG", "SET", "masterauth",
                       "wrong" if broken else fleet.admin)

    if broken:
        with fleet.redis(primary) as c:
            c.call("CLIENT", "KILL", "TYPE", "replica")


def recover(fleet, old):
    """Starts OLD again, as a replica of whoever is primary now."""

    state = fleet.state["redis"]
    now = until(lambda: (lambda p: p if p and p["name"] != old["name"]
                         else None)(redis.primary(state)),
                30, "another primary")

    # a Sentinel turns it into a replica too, half a minute later

    path = os.path.join(fleet.dir, old["name"], "redis.conf")
    lines = [line for line in files.read(path).splitlines()
             if not line.startswith(("replicaof ", "masterauth ", "user "))]
    files.write(path, "\n".join(lines + [
        f"replicaof 127.0.0.1 {now['port']}",
        f"masterauth {fleet.admin}", ""]), 0o600)
    fleet.start(old["name"])
    until(lambda: _whole(fleet), 60, "the trio is whole again")
