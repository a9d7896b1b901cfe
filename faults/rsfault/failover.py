# Copyright (C) rs-gateway contributors
#
# A Sentinel trio after its primary was killed: the old one comes back as a
# replica, and the trio is whole again.

import os

from rslib import files, redis
from rslib.proc import StackError

from . import TOP
from .fleet import until


def supported():
    return "sentinel://" in files.read(os.path.join(
        TOP, "docs", "protocol", "directives.json"))


def _whole(fleet):
    """Has the primary two replicas that take what it writes?"""

    state = fleet.state["redis"]
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


def recover(fleet, old):
    """Starts OLD again, as a replica of whoever is primary now."""

    state = fleet.state["redis"]
    now = until(lambda: (lambda p: p if p and p["name"] != old["name"]
                         else None)(redis.primary(state)),
                30, "another primary")

    # a Sentinel turns it into a replica too, half a minute later

    path = os.path.join(fleet.dir, old["name"], "redis.conf")
    lines = [line for line in files.read(path).splitlines()
             if not line.startswith(("replicaof ", "user "))]
    files.write(path, "\n".join(lines + [f"replicaof 127.0.0.1 "
                                         f"{now['port']}", ""]), 0o600)
    fleet.start(old["name"])
    until(lambda: _whole(fleet), 60, "the trio is whole again")
