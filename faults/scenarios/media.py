#!/usr/bin/env python3
#
# Copyright (C) rs-gateway contributors
#
# A real picture (an agent's desktop, seen in Chromium) goes on untouched while
# Redis is stopped.  media.mjs has the parties, this the verdict.

import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))

from rsfault import TOP                                         # noqa: E402
from rsfault.tap import main                                    # noqa: E402

PAUSE_MS = 1000


def run(tap):
    seconds = tap.pick(quick=5, short=10, full=30)
    r = subprocess.run(["node", os.path.join(TOP, "faults", "media.mjs"),
                        str(seconds)], capture_output=True, text=True,
                       check=False)

    tap.note(r.stderr[-2000:])

    if not tap.ok(r.returncode == 0, "there was a picture"):
        return

    got = json.loads(r.stdout)
    tap.number(media_stall_s=seconds, **{f"media_{k}": v
                                         for k, v in got.items()})

    before = got["before"]["count"] / 3
    during = got["during"]["count"] / seconds

    tap.ok(got["ready"] == 503, "the gateway missed its store: "
           f"{got['ready']}")
    tap.ok(during >= before / 2, f"{during:.1f} frames a second while Redis "
                                 f"stood still, {before:.1f} before")
    tap.at_most(got["during"]["pause_ms"],
                max(PAUSE_MS, 2 * got["before"]["pause_ms"]),
                "longest pause between frames, ms")
    tap.ok(got["closed"] == 0 and got["connections"] == ["connected"],
           f"{got['closed']} sockets closed, media {got['connections']}")


main(run)
