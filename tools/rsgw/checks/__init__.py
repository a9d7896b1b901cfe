# Copyright (C) rs-gateway contributors
#
# The checks of rsctl doctor: each a pure function of the facts (../facts),
# which gives one Finding or, for what is not on this host, None.
#
# A check names those it needs.  Where one of these found a fault it is skipped
# and says after which: so a fault is told once, where it is, and not by all
# who suffer from it.

from typing import NamedTuple

OK, WARN, FAULT, SKIP = "ok", "warn", "FAULT", "skip"

CHECKS = []         # (what, needs, function), in the order they are told


class Finding(NamedTuple):
    state: str
    what: str
    detail: str
    cure: str = ""

    def line(self):
        text = f"{self.state:5}  {self.what}"
        text += f" -- {self.detail}" if self.detail else ""

        return text + (f"; {self.cure}" if self.cure else "")


def check(what, *needs):
    """Registers a check: gives (state, detail[, cure]) of the facts, or
    None."""

    def register(function):
        CHECKS.append((what, needs, function))
        return function

    return register


def ok(detail=""):
    return OK, detail


def warn(detail, cure):
    return WARN, detail, cure


def fault(detail, cure):
    return FAULT, detail, cure


def names():
    return [what for what, _, _ in CHECKS]


def judge(facts, only=None):
    """The findings of all checks, or of those ONLY names and what these
    need."""

    roots, found = {}, []       # what -> the faults it is one of, or follows

    for what, needs, function in CHECKS:
        after = [r for n in needs for r in roots.get(n, ())]

        if after:
            after = list(dict.fromkeys(after))
            got = SKIP, f"after: {', '.join(after)}"

        else:
            got = function(facts)

        if got is None:
            continue

        if got[0] in (FAULT, SKIP):
            roots[what] = after or [what]

        if only is None or what in only:
            found.append(Finding(got[0], what, *got[1:]))

    return found


def status(found):
    """0: all ok, 1: warnings, 2: faults."""

    states = {f.state for f in found}

    return 2 if FAULT in states else 1 if WARN in states else 0


# their order is that of the lines

from . import host, nginx, store, gateway, clock, turn          # noqa: E402,F401
