#!/usr/bin/env python3
#
# Copyright (C) rs-gateway contributors
#
# A node falls silent towards an agent and a Chromium that have a session by
# it: they notice, and are at the other node in time.  silence.mjs has the
# parties, this the verdict.

import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))

from rsfault import TOP                                         # noqa: E402
from rsfault.tap import main                                    # noqa: E402

BACK_S = 90


def run(tap):
    r = subprocess.run(["node", os.path.join(TOP, "faults", "silence.mjs")],
                       capture_output=True, text=True, check=False)

    tap.note(r.stderr[-2000:])

    if not tap.ok(r.returncode == 0, "everybody came back"):
        return

    got = json.loads(r.stdout)
    tap.number(**{f"silence_{who}_s": round(s, 1)
                  for who, s in got["seconds"].items()})

    for who in ("device", "host", "browser"):
        tap.at_most(got["seconds"][who], BACK_S,
                    f"{who}: seconds until it was back")

    # a desktop that stands still is sent twice a second

    tap.ok(got["frames"] >= 1 and got["connections"] == ["connected"],
           f"{got['frames']:.1f} frames a second meanwhile, media "
           f"{got['connections']}")


main(run)
