#!/usr/bin/env python3
#
# Copyright (C) rs-gateway contributors
#
# A random worker of a random node is killed every two seconds, under a
# steady load: its own sockets are lost and no other, each participant is back
# within three seconds, no acknowledged message is lost.

import os
import random
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))

from rsfault.fleet import Fleet, until                          # noqa: E402
from rsfault.load import Load, check                            # noqa: E402
from rsfault.tap import main                                    # noqa: E402

EVERY_S = 2
BACK_S = 3


def kill_one(node, workers):
    """Kills a worker; how many client sockets went with it."""

    pid = random.choice(node.workers())
    held = node.sockets(pid)
    os.kill(pid, signal.SIGKILL)

    def respawned():
        now = node.workers()

        return pid not in now and len(now) == workers

    until(respawned, 5, f"a new worker of {node.name}")

    return held


def run(tap):
    kills = tap.pick(quick=4, short=15, full=100)

    with Fleet("--nodes", "2", "--balancer") as fleet, \
            Load(fleet, sessions=200, devices=100,
                 rate=tap.pick(quick=300, short=1000, full=1000)) as load:

        memory = fleet.memory()
        held = 0

        for _ in range(kills):
            due = time.monotonic() + EVERY_S
            held += kill_one(random.choice(fleet.nodes), 2)
            time.sleep(max(0, due - time.monotonic()))

        load.wait_all(30)
        after = fleet.memory()
        r = load.stop()

        check(tap, "kill", load, r)

        lat = r["latency_us"]
        lost = lat["peer_back"]["count"] + lat["agent_back"]["count"]
        tap.number(kills=kills, kill_sockets_held=held,
                   kill_sockets_lost=lost,
                   kill_memory_kib=f"{memory} -> {after}")
        tap.ok(held > 0 and lost > 0, "workers that were killed had sockets")

        # the health checks' and rs-load's REST sockets are held too

        tap.at_most(lost, held, "its sockets only")
        tap.at_most(lat["peer_back"]["max"] / 1e6, BACK_S,
                    "participants have resumed, seconds")

        bad = fleet.bad_lines(killed=True)
        tap.note("\n".join(bad[:10]))
        tap.ok(not bad, f"{len(bad)} other alerts in error.log")


main(run)
