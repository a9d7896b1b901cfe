# Copyright (C) rs-gateway contributors
#
# faults/trace.c in a node's workers: how to load it, and what it saw.

import os
import struct

from . import TOP

LIBRARY = os.path.join(TOP, "build", "faults", "rs-trace.so")
SLOT = struct.Struct("<6Q64s64s64s64s64s144x")
LIMIT_MS = 5


def options(path):
    """Of rs-stack up: traces all workers into PATH."""

    if not os.path.exists(LIBRARY):
        raise FileNotFoundError(f"{LIBRARY}: make -C faults")

    return ["--nginx-env", f"LD_PRELOAD={LIBRARY}",
            "--nginx-env", f"RS_TRACE={path}"]


class Worker:
    def __init__(self, fields):
        (self.pid, self.turns, self.cpu_ns, self.max_ns, self.over,
         self.blocking, longest, *calls) = fields
        self.longest = longest.split(b"\0")[0].decode()
        self.calls = [c.split(b"\0")[0].decode()
                      for c in calls[:min(self.blocking, 4)]]


def read(path):
    """The processes that had a turn."""

    with open(path, "rb") as f:
        data = f.read()

    workers = [Worker(fields) for fields in SLOT.iter_unpack(data)]

    return [w for w in workers if w.pid and w.turns]


def check(tap, name, path):
    """The promise: no handler above 5 ms, nothing that blocks."""

    workers = read(path)
    turns = sum(w.turns for w in workers)
    worst = max(workers, key=lambda w: w.max_ns, default=None)

    tap.ok(turns > 1000, f"{name}: {turns} turns of {len(workers)} workers "
                         "were traced")

    if not worst:
        return

    over = sum(w.over for w in workers)
    mean = sum(w.cpu_ns for w in workers) / turns / 1000
    tap.number(**{f"{name}_turns": turns,
                  f"{name}_turn_mean_us": round(mean, 1),
                  f"{name}_turn_max_ms": round(worst.max_ns / 1e6, 3),
                  f"{name}_turns_over": over,
                  f"{name}_longest": worst.longest})
    tap.at_most(round(worst.max_ns / 1e6, 3), LIMIT_MS,
                f"{name}: thread CPU of one event's handlers, ms")

    for w in workers:
        for call in w.calls:
            tap.note(f"worker {w.pid}: {call}")

    blocking = sum(w.blocking for w in workers)
    tap.ok(blocking == 0, f"{name}: {blocking} calls that could block")
