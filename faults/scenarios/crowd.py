#!/usr/bin/env python3
#
# Copyright (C) rs-gateway contributors
#
# Twenty thousand idle devices on one node of two workers, over WSS: memory of
# each connection; then all of them lose their socket at once, because both
# workers are killed: nobody is refused for ever, all are back within a
# minute, and Redis has less than 20,000 operations a second to do.

import contextlib
import os
import resource
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))

from rsfault.fleet import Fleet, until                          # noqa: E402
from rsfault.load import Load                                   # noqa: E402
from rsfault.tap import main                                    # noqa: E402

BACK_S, REDIS_OPS = 60, 20000
SLACK = 1.25            # the aims are aims; what is above this is a regression
KINDS = (
    # name, rs-load's mode, TLS, the aim in bytes a connection
    ("wss_agents", "idle", True, 17 * 1024),
    ("plain_agents", "idle", False, 2 * 1024),
    ("wss_participants", "pairs", True, 25 * 1024),
)


class Redis:
    """What it has to do: calls of the workers, the most in one second, and
    all operations, those that functions make included."""

    def __init__(self, fleet):
        self.redis = fleet.redis()
        self.most = 0
        self.commands = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.redis.call("CONFIG", "RESETSTAT")
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.redis.close()

    def _count(self):
        info = self.redis.call("INFO", "commandstats")
        counts = {line.split(":")[0].removeprefix("cmdstat_"):
                  int(line.split("calls=")[1].split(",")[0])
                  for line in info.split() if line.startswith("cmdstat_")}
        self.commands = dict(sorted(counts.items(), key=lambda c: -c[1]))

        return sum(n for name, n in counts.items()
                   if name.startswith("fcall"))

    def _run(self):
        last, at, over = self._count(), time.monotonic(), False

        while not over:
            over = self.over.wait(1)
            now, then = self._count(), time.monotonic()
            self.most = max(self.most, (now - last) / max(1, then - at))
            last, at = now, then


def connection_memory(tap, fleet, name, mode, tls, aim, count):
    """What rs-load says of the workers' anonymous memory."""

    node = fleet.nodes[0]
    base = node.state["base" if tls else "http_base"]

    # a first few, for what a worker takes once

    for n in (100, count):
        options = {"devices": n} if mode == "idle" else \
            {"sessions": n // 2, "devices": n // 100, "rate": 1}

        with Load(fleet, mode, urls=[base], sources=8, drain_s=1,
                  master=node.master(), **options) as load:
            time.sleep(1)
            r = load.stop()

    each = r["memory"]["each"]
    tap.number(**{f"{name}_bytes": each, f"{name}_aim": aim})
    tap.at_most(each, aim * SLACK,
                f"bytes of each connection, {name}, aim {aim}")


def crowd(tap, fleet, count, crews):
    """The fleet of devices, in several processes: each may have so many
    open files."""

    node = fleet.nodes[0]
    share = count // crews

    with contextlib.ExitStack() as stack:
        loads = [Load(fleet, "idle", urls=[node.state["base"]],
                      devices=share, sources=16, drain_s=BACK_S * 2,
                      setup_seconds=600, connecting=128)
                 for _ in range(crews)]

        for load in loads:
            stack.enter_context(load)

        held = {pid: node.sockets(pid) for pid in node.workers()}
        tap.number(crowd_devices=share * crews,
                   crowd_sockets=sorted(held.values()),
                   crowd_node_memory_kib=node.memory(),
                   crowd_bytes=node.memory() * 1024 // (share * crews))
        tap.ok(sum(held.values()) >= share * crews,
               f"{sum(held.values())} sockets on {len(held)} workers")

        with Redis(fleet) as redis:
            began = time.monotonic()

            for pid in held:
                os.kill(pid, signal.SIGKILL)

            for load in loads:
                load.progress = None

            until(lambda: all(load.all_up() for load in loads), BACK_S * 3,
                  "all devices are back")
            took = time.monotonic() - began

        results = [load.stop() for load in loads]

    operations = sum(redis.commands.values())
    lost = sum(r["latency_us"]["agent_back"]["count"] for r in results)
    gone = sum(r["devices_gone"] + r["devices_away"] for r in results)
    p99 = max(r["latency_us"]["agent_back"]["p99"] for r in results) / 1e6

    tap.number(crowd_back_s=round(took, 2), crowd_back_p99_s=round(p99, 2),
               crowd_redis_calls_most_per_s=round(redis.most),
               crowd_redis_operations_per_s=round(operations / took))

    tap.note(f"Redis: {redis.commands}")

    for r in results:
        tap.note(", ".join(f"{n} x {what}" for what, n in r["ends"].items()))

    tap.ok(lost >= share * crews, f"{lost} devices lost their socket and "
                                  "came back")
    tap.ok(gone == 0, f"{gone} devices did not come back")
    tap.at_most(round(took, 2), BACK_S, "all are back, seconds")
    tap.at_most(round(redis.most), REDIS_OPS,
                "calls to Redis, the most in a second")

    # a small crowd is back before an average means anything

    if tap.size == "full":
        tap.at_most(round(operations / took), REDIS_OPS,
                    "operations of Redis a second, with those of functions")


def run(tap):
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(tap.pick(quick=1000, short=4000, full=20000),
                2 * (files - 2048))
    sample = tap.pick(quick=500, short=2000, full=4000)

    options = ["--nodes", "1", "--http", "--connections",
               str(min(files - 2048, 18000)), "--http-conf",
               "access_log off;"]

    # each on workers that have not seen another kind

    for kind in KINDS:
        with Fleet(*options) as fleet:
            connection_memory(tap, fleet, *kind, sample)

    with Fleet(*options) as fleet:
        crowd(tap, fleet, count, 1 if count <= 4000 else 4)

        bad = fleet.bad_lines(killed=True)
        tap.note("\n".join(bad[:10]))
        tap.ok(not bad, f"{len(bad)} alerts in error.log")


main(run)
