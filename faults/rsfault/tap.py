# Copyright (C) rs-gateway contributors
#
# TAP, and the numbers a scenario has shown, as JSON beside it.

import json
import os
import sys
import time
import traceback

from . import TOP

SIZES = ("quick", "short", "full")


class Tap:
    def __init__(self, name, size):
        self.name = name
        self.size = size
        self.count = self.failed = 0
        self.numbers = {"size": size}
        self.start = time.monotonic()

    def ok(self, cond, text):
        self.count += 1
        self.failed += not cond
        print(f"{'' if cond else 'not '}ok {self.count} - {text}", flush=True)

        return bool(cond)

    def at_most(self, value, limit, text):
        return self.ok(value is not None and value <= limit,
                       f"{text}: {value:g}, at most {limit:g}"
                       if value is not None else f"{text}: never")

    def skip(self, text):
        self.count += 1
        print(f"ok {self.count} # SKIP {text}", flush=True)

    def note(self, text):
        for line in str(text).splitlines():
            print(f"# {time.monotonic() - self.start:7.1f} s  {line}",
                  flush=True)

    def pick(self, **sizes):
        """The count for this size; RS_FAULTS_COUNT of the environment goes
        over it."""

        count = os.environ.get("RS_FAULTS_COUNT")

        return int(count) if count else sizes[self.size]

    def number(self, **values):
        """Numbers worth keeping: told, and in the scenario's JSON."""

        self.numbers.update(values)
        self.note("  ".join(f"{k} {v}" for k, v in values.items()))

    def done(self):
        print(f"1..{self.count}", flush=True)
        folder = os.path.join(TOP, "build", "faults")
        os.makedirs(folder, exist_ok=True)

        with open(os.path.join(folder, f"{self.name}.json"), "w",
                  encoding="utf-8") as f:
            json.dump(self.numbers, f, indent=1, default=str)
            f.write("\n")

        return 1 if self.failed or not self.count else 0


def main(run):
    """Runs one scenario: "SCRIPT [quick|short|full]"."""

    size = sys.argv[1] if len(sys.argv) > 1 else "quick"

    if size not in SIZES:
        sys.exit(f"usage: {sys.argv[0]} [{'|'.join(SIZES)}]")

    tap = Tap(os.path.basename(sys.argv[0]).removesuffix(".py"), size)

    try:
        run(tap)

    except Exception:                                # pylint: disable=W0718
        tap.note(traceback.format_exc())
        tap.ok(False, "the scenario came to its end")

    sys.exit(tap.done())
