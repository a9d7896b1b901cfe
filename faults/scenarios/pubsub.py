#!/usr/bin/env python3
#
# Copyright (C) rs-gateway contributors
#
# The workers' subscriptions are cut in a loop (CLIENT KILL TYPE pubsub), then
# Redis stops to serve for a while (CLIENT PAUSE): what was published
# meanwhile is read from the logs, once and in order.

import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))

from rsfault.fleet import Fleet                                 # noqa: E402
from rsfault.load import Load, check                            # noqa: E402
from rsfault.tap import main                                    # noqa: E402

EVERY_S = 0.3


def run(tap):
    kills = tap.pick(quick=20, short=60, full=300)
    pauses = tap.pick(quick=1, short=3, full=10)
    rate = tap.pick(quick=300, short=1000, full=1000)

    with Fleet("--nodes", "2", "--balancer") as fleet, \
            fleet.redis() as redis:

        with Load(fleet, sessions=200, devices=100, rate=rate) as load:
            killed = 0

            for _ in range(kills):
                killed += redis.call("CLIENT", "KILL", "TYPE", "pubsub")
                time.sleep(EVERY_S)

            load.wait_all(30)
            r = load.stop()

        check(tap, "pubsub", load, r)
        tap.number(pubsub_kills=kills, pubsub_killed=killed)

        # a worker that loses its subscription over and over waits longer

        tap.ok(killed * 4 >= kills, f"{killed} subscriptions were cut")

        with Load(fleet, sessions=200, devices=100, rate=rate) as load:
            for _ in range(pauses):
                redis.call("CLIENT", "PAUSE", "2000", "ALL")
                time.sleep(4)

            load.wait_all(60)
            r = load.stop()

        check(tap, "pause", load, r)

        bad = fleet.bad_lines()
        tap.note("\n".join(bad[:10]))
        tap.ok(not bad, f"{len(bad)} alerts in error.log")


main(run)
