#!/usr/bin/env python3
#
# Copyright (C) rs-gateway contributors
#
# One node of two is lost under a steady load, in each way a node gets lost:
# killed as a whole, cut off from Redis in one direction or the other, silent.
# Its devices are at home on the other node again in time, those that cannot
# are told as offline in time, and no acknowledged message is lost.

import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))

from rsfault.fleet import Fleet, Node, until                    # noqa: E402
from rsfault.load import Load, check                            # noqa: E402
from rsfault.probe import context, request                      # noqa: E402
from rsfault.tap import main                                    # noqa: E402

HOME_RST_S, HOME_SILENT_S = 30, 90
STALE_S, AT_ONCE_S = 45, 2


def homes(tap, name, r, limit_s):
    h = r["latency_us"]["agent_back"]
    tap.ok(h["count"] > 0, f"{name}: {h['count']} devices had to move")
    tap.at_most(round(h["p99"] / 1e6, 2), limit_s,
                f"{name}: devices at home again, p99 seconds")


def loaded(tap, fleet, name, act):
    """A load of its own, so that its percentiles are of this one fault."""

    with Load(fleet, sessions=200, devices=100, rate=1000,
              drain_s=90) as load:
        time.sleep(2)
        act(load)
        load.wait_all(150)
        r = load.stop()

    check(tap, name, load, r)

    return r


def killed(tap, fleet):
    node = fleet.nodes[0]

    def act(load):
        node.kill()
        load.wait_all(60)
        fleet.start(node.name)
        time.sleep(2)

    homes(tap, "killed", loaded(tap, fleet, "killed", act), HOME_RST_S)


def cut(tap, fleet, way, seconds):
    """Cut off from Redis longer than a lease lives: sockets of the node may
    stay or go, histories stay whole."""

    node = fleet.nodes[0]

    def act(_load):
        fleet.cut(node, way)
        time.sleep(seconds)
        fleet.mend(node, way)

        # until every worker has read the leases anew

        time.sleep(6)

    r = loaded(tap, fleet, way, act)
    tap.number(**{f"{way}_s": seconds, f"{way}_moved":
                  r["latency_us"]["agent_back"]["count"]})


def silent(tap, fleet):
    node = fleet.nodes[0]

    def act(load):
        fleet.cut(node, "all")

        # each end finds out by itself: nobody is told anything

        time.sleep(70)
        load.wait_all(60)
        fleet.mend(node, "all")

    homes(tap, "silent", loaded(tap, fleet, "silent", act), HOME_SILENT_S)


def presence(tap, fleet, name, act, limit_s):
    """Devices that know no other node: how long the other one still calls
    them online."""

    node, other = (n.state for n in fleet.nodes)
    tls = context(fleet.state["ca"])

    def online():
        a = request(tls, other, "GET", "/devices?online=true&limit=200",
                    key=fleet.key)
        return len(a.body["items"]) if a.status == 200 else None

    # the node's address is of another namespace, though of this machine

    with Load(fleet, "idle", urls=[node["base"]], devices=50,
              any_address=True):
        until(lambda: online() == 50, 10, "50 devices online")
        began = time.monotonic()
        act(fleet.nodes[0])
        until(lambda: online() == 0, 120, "no device online")
        took = time.monotonic() - began

    tap.at_most(round(took, 2), limit_s,
                f"{name}: devices are told as offline, seconds")
    fleet.start(node["name"])
    until(lambda: request(tls, node, "GET", "/health/ready").status == 200,
          15, f"{node['name']} is back")


def stop(node):
    """As an operator does it."""

    os.kill(node.master(), signal.SIGTERM)
    until(lambda: not node.processes(), 15, f"{node.name} gone")


def run(tap):
    if os.geteuid() != 0:
        tap.skip("namespaces for nodes need root")
        return

    with Fleet("--nodes", "2", "--balancer", "--netns") as fleet:
        for _ in range(tap.pick(quick=1, short=1, full=3)):
            killed(tap, fleet)

        seconds = tap.pick(quick=5, short=20, full=30)
        cut(tap, fleet, "to-redis", seconds)
        cut(tap, fleet, "from-redis", seconds)
        silent(tap, fleet)
        presence(tap, fleet, "killed", Node.kill, STALE_S)
        presence(tap, fleet, "stopped", stop, AT_ONCE_S)

        bad = fleet.bad_lines()
        tap.note("\n".join(bad[:10]))
        tap.ok(not bad, f"{len(bad)} alerts in error.log")


main(run)
