#!/usr/bin/env python3
#
# Copyright (C) rs-gateway contributors
#
# Redis is stopped (SIGSTOP) under a steady load and goes on after half a
# minute: each REST request is answered within a second meanwhile, with 503
# and Retry-After; no socket of a live session is lost; no handler of a worker
# takes more than 5 ms of CPU and nothing puts one to sleep.

import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))

from rsfault import trace                                       # noqa: E402
from rsfault.fleet import Fleet                                 # noqa: E402
from rsfault.load import Load, check                            # noqa: E402
from rsfault.probe import Probe, context, request               # noqa: E402
from rsfault.tap import main                                    # noqa: E402

ANSWER_S = 1


class Calls(Probe):
    """REST calls that need the store, to each node in turn."""

    def __init__(self, fleet):
        self.nodes = [n.state for n in fleet.nodes]
        self.tls, self.key = context(fleet.state["ca"]), fleet.key
        first = request(self.tls, self.nodes[0], "GET", "/devices?limit=1",
                        key=self.key)
        device = first.body["items"][0]["id"]
        self.calls = [
            ("GET", "/devices?limit=10", None),
            ("GET", "/sessions?limit=10", None),
            ("POST", "/sessions", {"host": {"type": "device",
                                            "device_id": device}}),
            ("GET", f"/devices/{device}", None),
            ("GET", "/health/ready", None)]
        super().__init__(self._one, 0.1)

    def _one(self):
        i = len(self.answers)
        method, path, body = self.calls[i % len(self.calls)]

        return request(self.tls, self.nodes[i % len(self.nodes)], method,
                       path, body, self.key)


def check_calls(tap, answers, began, ended):
    """What was asked while Redis stood still, and before and after."""

    during = [a for a in answers
              if began < a.began + a.took and a.began < ended - 0.9]
    before = [a for a in answers if a.began + a.took < began]
    after = [a for a in answers if a.began > ended + 6]
    worst = max(during, key=lambda a: a.took)

    tap.number(stall_requests=len(during),
               stall_request_max_s=round(worst.took, 3))
    tap.at_most(round(worst.took, 3), ANSWER_S,
                "each request was answered, seconds")

    wrong = [a for a in during if a.status != 503
             or not a.headers.get("Retry-After", "").isdigit()]

    for a in wrong[:5]:
        tap.note(f"{a.began - began:.2f} s into it: {a.status} {a.error} "
                 f"{a.headers}")

    tap.ok(during and not wrong, f"{len(during)} requests meanwhile: "
           f"{len(wrong)} were not 503 with Retry-After")

    for when, some in (("before", before), ("after", after)):
        bad = [a for a in some if a.status not in (200, 201)]
        tap.note("\n".join(f"{a.began - ended:.2f} s after: {a.status} "
                           f"{a.error} {a.body}" for a in bad[:5]))
        tap.ok(some and not bad, f"{len(some)} requests {when}: {len(bad)} "
                                 "went wrong")


def run(tap):
    stall_s = tap.pick(quick=4, short=10, full=30)
    path = f"{os.environ.get('TMPDIR', '/tmp')}/rs-trace-{os.getpid()}"

    try:
        with Fleet("--nodes", "2", "--balancer",
                   *trace.options(path)) as fleet:
            with Load(fleet, sessions=200, devices=100, rate=1000,
                      drain_s=90) as load:
                with Calls(fleet) as calls:
                    pid = fleet.state["redis"]["pid"]
                    time.sleep(3)
                    began = time.monotonic()
                    os.kill(pid, signal.SIGSTOP)
                    time.sleep(stall_s)
                    ended = time.monotonic()
                    os.kill(pid, signal.SIGCONT)
                    time.sleep(12)

                load.wait_all(60)
                r = load.stop()

            check(tap, "stall", load, r)
            lat = r["latency_us"]
            tap.number(stall_s=stall_s)
            tap.ok(lat["peer_back"]["count"] == 0
                   and lat["agent_back"]["count"] == 0,
                   f"{lat['peer_back']['count']} participants and "
                   f"{lat['agent_back']['count']} devices lost their socket")
            check_calls(tap, calls.answers, began, ended)

            bad = fleet.bad_lines()
            tap.note("\n".join(bad[:10]))
            tap.ok(not bad, f"{len(bad)} alerts in error.log")

        trace.check(tap, "stall", path)

    finally:
        if os.path.exists(path):
            os.unlink(path)


main(run)
