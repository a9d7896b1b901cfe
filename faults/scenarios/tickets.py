#!/usr/bin/env python3
#
# Copyright (C) rs-gateway contributors
#
# A ticket is good once: raced by many clients on both nodes at the same
# moment, replayed afterwards, and across a failover of Redis.

import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))

from rsfault.failover import recover                            # noqa: E402
from rsfault.fleet import Fleet, until                          # noqa: E402
from rsfault.load import Load                                   # noqa: E402
from rsfault.probe import context, request                      # noqa: E402
from rsfault.tap import main                                    # noqa: E402
from rsfault.ws import try_ticket                               # noqa: E402
from rslib import redis as rsredis                              # noqa: E402

RACERS = 8


class Office:
    """Makes sessions for one device, and hands out their tickets."""

    def __init__(self, fleet):
        self.tls, self.key = context(fleet.state["ca"]), fleet.key
        self.nodes = [n.state for n in fleet.nodes]
        self.device = self.call("GET", "/devices?limit=1").body["items"][0][
            "id"]

    def call(self, method, path, body=None):
        return request(self.tls, self.nodes[0], method, path, body, self.key)

    def tickets(self, count):
        a = self.call("POST", "/sessions", {
            "host": {"type": "device", "device_id": self.device},
            "participants": [{"role": "viewer", "ttl_s": 600}] * count})

        if a.status != 201:
            raise RuntimeError(f"POST /sessions: {a.status} {a.body} "
                               f"{a.error}")

        return [p["ticket"] for p in a.body["participants"]
                if p.get("ticket")]

    def race(self, ticket):
        """All at once, over both nodes; what each was told."""

        gate = threading.Barrier(RACERS)

        def racer(i):
            gate.wait()

            return try_ticket(self.tls, self.nodes[i % len(self.nodes)],
                              ticket)

        with ThreadPoolExecutor(RACERS) as pool:
            return list(pool.map(racer, range(RACERS)))


def welcomes(results):
    return sum(what == "welcome" for what, _ in results)


def raced(tap, office, count):
    wins, told = [], []
    tickets = []

    while len(tickets) < count:
        tickets += office.tickets(8)

    for ticket in tickets:
        results = office.race(ticket)
        wins.append(welcomes(results))
        told += [what for what, _ in results]

    tap.number(tickets_raced=len(tickets), tickets_racers=RACERS)
    tap.ok(all(n == 1 for n in wins),
           f"{len(tickets)} tickets raced by {RACERS}: "
           f"{wins.count(1)} used once, {wins.count(0)} by nobody, "
           f"{sum(n > 1 for n in wins)} more than once")
    tap.ok(told.count("unknown") == 0,
           f"{told.count('refused')} racers were refused, "
           f"{told.count('unknown')} told nothing")

    again = [try_ticket(office.tls, node, ticket) for ticket in tickets
             for node in office.nodes]
    tap.ok(welcomes(again) == 0,
           f"{len(again)} replays on both nodes: {welcomes(again)} welcome")


def insist(office, ticket, deadline):
    """Tries a ticket on both nodes in turn until somebody knows; how often
    it was welcome, and what came last."""

    welcome, i, last = 0, 0, None

    while time.monotonic() < deadline:
        what, last = try_ticket(office.tls,
                                office.nodes[i % len(office.nodes)], ticket,
                                2)
        welcome += what == "welcome"
        i += 1

        if what == "refused":
            break

        time.sleep(0.1)

    return welcome, last


def failovers(tap, fleet, office, count):
    """Half of the tickets are used just before the primary is killed and
    replayed after; the other half are tried all the way through."""

    replayed, through = [], []

    for _ in range(count):
        used, held = office.tickets(8), office.tickets(8)
        firsts = [try_ticket(office.tls, office.nodes[i % 2], ticket)
                  for i, ticket in enumerate(used)]
        old = rsredis.primary(fleet.state["redis"])

        with ThreadPoolExecutor(len(held)) as pool:
            deadline = time.monotonic() + 20
            tries = [pool.submit(insist, office, ticket, deadline)
                     for ticket in held]
            os.kill(fleet.pid(old["name"]), signal.SIGKILL)
            through += [t.result()[0] for t in tries]

        until(lambda: office.call("GET", "/devices?limit=1").status == 200,
              20, "the store is back")

        for ticket, (what, _) in zip(used, firsts):
            n = what == "welcome"

            for node in office.nodes:
                n += try_ticket(office.tls, node, ticket)[0] == "welcome"

            replayed.append(n)

        recover(fleet, old)

    tap.number(failovers=count, tickets_replayed=len(replayed),
               tickets_through=len(through))

    for what, counts in (("used before a failover and replayed after",
                          replayed),
                         ("tried throughout a failover", through)):
        tap.ok(counts and max(counts) <= 1,
               f"{len(counts)} tickets {what}: {counts.count(1)} used once, "
               f"{counts.count(0)} by nobody, "
               f"{sum(n > 1 for n in counts)} more than once")


def run(tap):
    with Fleet("--nodes", "2") as fleet, \
            Load(fleet, "idle", devices=1, drain_s=0):
        raced(tap, Office(fleet), tap.pick(quick=16, short=64, full=400))

    count = tap.pick(quick=0, short=2, full=10)

    if not count:
        return

    with Fleet("--nodes", "2", "--sentinel") as fleet, \
            Load(fleet, "idle", devices=1, drain_s=0):
        failovers(tap, fleet, Office(fleet), count)


main(run)
