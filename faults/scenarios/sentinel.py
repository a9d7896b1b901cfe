#!/usr/bin/env python3
#
# Copyright (C) rs-gateway contributors
#
# The Redis primary is killed under a steady load, over and over, and comes
# back as a replica of the next one: new sessions are possible again within
# six seconds each, and after the resync that the new epoch asks for no
# acknowledged message is missing.  Each second time the replicas have lost
# the primary a moment before, so that acknowledged messages die with it.

import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))

from rsfault.failover import recover, sever                     # noqa: E402
from rsfault.fleet import Fleet, until                          # noqa: E402
from rsfault.load import Load, check                            # noqa: E402
from rsfault.probe import Probe, context, request               # noqa: E402
from rsfault.tap import main                                    # noqa: E402
from rslib import redis                                         # noqa: E402

SESSIONS_S = 6
LOSS_S = 0.3            # of acknowledged messages


class Sessions(Probe):
    """A new session on each node in turn, ten times a second."""

    def __init__(self, fleet):
        self.nodes = [n.state for n in fleet.nodes]
        self.tls, self.key = context(fleet.state["ca"]), fleet.key
        a = request(self.tls, self.nodes[0], "GET", "/devices?limit=100",
                    key=self.key)
        self.devices = [d["id"] for d in a.body["items"]]
        super().__init__(self._one, 0.1)

    def _one(self):
        i = len(self.answers)
        host = {"type": "device",
                "device_id": self.devices[i % len(self.devices)]}

        # short ones: a device may have so many at a time

        return request(self.tls, self.nodes[i % len(self.nodes)], "POST",
                       "/sessions", {"host": host, "ttl_s": 20}, self.key)

    def good_since(self, at):
        """Both nodes make sessions again: when, after AT, or None."""

        first = {}

        for i, a in list(enumerate(self.answers)):
            node = i % len(self.nodes)

            if a.began < at:
                continue

            if a.status == 201:
                first.setdefault(node, a.began + a.took)

            else:
                first.pop(node, None)

        return max(first.values()) if len(first) == len(self.nodes) else None


def one(fleet, sessions, lossy):
    """Kills the primary; seconds until both nodes make sessions again."""

    old = redis.primary(fleet.state["redis"])

    if lossy:
        sever(fleet, old)
        time.sleep(LOSS_S)

    os.kill(fleet.pid(old["name"]), signal.SIGKILL)
    at = time.monotonic()

    if lossy:
        sever(fleet, old, False)

    # what was under way when it died may still be answered well

    until(lambda: time.monotonic() > at + 1.2 and sessions.good_since(at),
          30, "new sessions")
    took = sessions.good_since(at) - at
    recover(fleet, old)

    return took


def run(tap):
    kills = tap.pick(quick=1, short=3, full=20)

    with Fleet("--nodes", "2", "--balancer", "--sentinel") as fleet:
        with Load(fleet, sessions=200, devices=100, rate=1000,
                  drain_s=90) as load:
            with Sessions(fleet) as sessions:
                took = [one(fleet, sessions, i % 2 == 1)
                        for i in range(kills)]
                time.sleep(3)

            load.wait_all(60)
            r = load.stop()

        check(tap, "sentinel", load, r)
        tap.number(sentinel_kills=kills, sentinel_resyncs=r["resyncs"],
                   sentinel_sessions_s=f"p50 {sorted(took)[kills // 2]:.2f} "
                                       f"max {max(took):.2f}")
        tap.ok(kills < 2 or r["messages"]["resync"] > 0
               or r["messages"]["resent"] > 0,
               "messages that died with a primary were sent again")
        tap.ok(r["resyncs"] > 0, f"{r['resyncs']} times resync was asked for")
        tap.at_most(round(max(took), 2), SESSIONS_S,
                    "new sessions are possible again, seconds")

        answers = [a for a in sessions.answers if a.status == 0]
        slow = [a for a in sessions.answers if a.took > 1.2]
        tap.note("\n".join(f"{a.error}" for a in answers[:5]))
        tap.ok(not answers and not slow,
               f"{len(answers)} requests unanswered, {len(slow)} slow")

        bad = fleet.bad_lines()
        tap.note("\n".join(bad[:10]))
        tap.ok(not bad, f"{len(bad)} alerts in error.log")


main(run)
