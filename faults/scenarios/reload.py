#!/usr/bin/env python3
#
# Copyright (C) rs-gateway contributors
#
# Reloads in a row, then binary upgrades, under a steady load: nothing lost,
# no refused connect, memory flat, old processes gone by the drain time.

import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))

from rsfault.fleet import Fleet, until                          # noqa: E402
from rsfault.load import Load, check                            # noqa: E402
from rsfault.probe import Connects                              # noqa: E402
from rsfault.tap import main                                    # noqa: E402

DRAIN_S = 3             # what rs-stack says
GRACE_S = 3             # a peer that does not answer a close has 2 s; and some


def reload_once(node):
    """Seconds until the last old worker was gone."""

    old = set(node.workers())
    began = time.monotonic()
    node.reload()
    until(lambda: not old & set(node.processes()), 30,
          f"old workers of {node.name} gone")

    return time.monotonic() - began


def upgrade_once(node):
    """USR2, the new master has workers, QUIT to the old: the seconds from
    there until all of the old is gone."""

    master = node.master()
    old = {master, *node.workers()}
    os.kill(master, signal.SIGUSR2)

    def there():
        try:
            return node.master() != master and len(node.workers()) == \
                len(old) - 1

        except (OSError, ValueError):
            return False

    until(there, 15, f"a new master of {node.name}")

    began = time.monotonic()
    os.kill(master, signal.SIGQUIT)
    until(lambda: not old & set(node.processes()), 30,
          f"the old master of {node.name} gone")

    return time.monotonic() - began


def several(tap, name, count, fleet, load, once):
    took, memory = [], []

    for i in range(count):
        took.append(once(fleet.nodes[i % len(fleet.nodes)]))

        # memory counts while all are connected and nobody is leaving

        if i + 1 in (min(10, (count + 1) // 2), count):
            load.wait_all(30)
            memory.append(fleet.memory())

    tap.number(**{f"{name}s": count, f"{name}_old_gone_s":
                  f"p50 {sorted(took)[len(took) // 2]:.2f} max "
                  f"{max(took):.2f}",
                  f"{name}_memory_kib": f"{memory[0]} -> {memory[-1]}"})
    tap.at_most(round(max(took), 2), DRAIN_S + GRACE_S,
                f"{name}: old workers are gone, seconds")

    # what the allocator keeps of one generation is not a leak; one that grew
    # with each would show

    tap.at_most(memory[-1], memory[0] * 1.15 + 2048,
                f"{name}: memory stays flat, KiB")


def run(tap):
    reloads = tap.pick(quick=3, short=10, full=100)
    upgrades = tap.pick(quick=1, short=2, full=5)

    with Fleet("--nodes", "2", "--balancer") as fleet, \
            Load(fleet, sessions=200, devices=100,
                 rate=tap.pick(quick=300, short=1000, full=1000)) as load:

        with Connects(fleet) as connects:
            several(tap, "reload", reloads, fleet, load, reload_once)
            several(tap, "upgrade", upgrades, fleet, load, upgrade_once)
            load.wait_all(30)

        r = load.stop()
        check(tap, "reload", load, r)
        connects.check(tap, "reload")

        tap.ok(r["connects_refused"] == 0 and r["connects_failed"] == 0,
               f"{r['connects_refused']} connects of peers refused, "
               f"{r['connects_failed']} failed")

        errors = {n: (s["econ"], s["wretr"], s["wredis"])
                  for n, s in fleet.balancer_stats().items()
                  if n != "BACKEND"}
        tap.ok(all(v == ("0", "0", "0") for v in errors.values()),
               f"the balancer never tried twice: {errors}")

        bad = fleet.bad_lines()
        tap.note("\n".join(bad[:10]))
        tap.ok(not bad, f"{len(bad)} alerts in error.log")


main(run)
