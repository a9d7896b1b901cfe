# Copyright (C) rs-gateway contributors
#
# What rsctl prints: a table for people, one JSON document with --json, and on
# a terminal a line of progress while something takes long.  Text of others
# (names, reasons) never reaches a terminal with its control characters.

import json
import os
import sys
import time

from .errors import ToolError

WIDTH_MAX = 60          # of a cell


def clean(text):
    """TEXT without what a terminal would act on."""

    return "".join(c if c.isprintable() else "?" for c in str(text))


def age(at, now=None):
    """How long ago an instant (seconds since the epoch) was, in words."""

    if not at:
        return "-"

    s = int((now if now is not None else time.time()) - at)

    if s < 0:
        return f"in {span(-s)}"

    return f"{span(s)} ago"


def span(s):
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if s >= size:
            return f"{s // size} {unit}"

    return f"{s} s"


class Output:
    def __init__(self, as_json=False, quiet=False, stream=None, err=None):
        self.json = as_json
        self.quiet = quiet
        self._out = stream or sys.stdout
        self._err = err or sys.stderr
        self._shown = False

    # ---- answers

    def data(self, value):
        """The one document of --json."""

        print(json.dumps(value, indent=2, ensure_ascii=False),
              file=self._out)

    def line(self, text=""):
        self.progress()
        print(clean(text) if text else "", file=self._out, flush=True)

    def table(self, heads, rows):
        """Columns as wide as they need; the last is not cut."""

        rows = [[clean(c) for c in row] for row in rows]
        last = len(heads) - 1

        for row in rows:
            for i in range(last):
                if len(row[i]) > WIDTH_MAX:
                    row[i] = row[i][:WIDTH_MAX - 3] + "..."

        widths = [max([len(h)] + [len(r[i]) for r in rows])
                  for i, h in enumerate(heads)]

        for row in [list(heads)] + rows:
            print("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip(),
                  file=self._out)

        self._out.flush()

    def items(self, heads, items, row):
        """A list: as --json says, the items or a table of row(item)."""

        self.progress()

        if self.json:
            self.data({"items": items})

        else:
            self.table(heads, [row(item) for item in items])

    def record(self, value):
        """One thing: as --json says, or a line for each of its fields."""

        self.progress()

        if self.json:
            self.data(value)
            return

        width = max(map(len, value), default=0)

        for key, v in value.items():
            text = f"{v} ({age(v)})" if key.endswith("_at") and v else \
                "-" if v is None else \
                v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)
            print(f"{key.ljust(width)}  {clean(text)}", file=self._out)

        self._out.flush()

    def ask(self, question, cure="--yes answers beforehand"):
        """Goes on at "y" only; nobody to ask is no."""

        self.progress()

        if not sys.stdin.isatty():
            raise ToolError(f"{question}  There is nobody to ask", cure)

        self._err.write(f"{clean(question)} [y/N] ")
        self._err.flush()

        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise ToolError("nothing was changed")

    # ---- what happens meanwhile: stderr, so that a pipe has answers only

    def progress(self, text=""):
        """One line that the next replaces; nothing where nobody looks."""

        if self.quiet or not self._err.isatty():
            return

        if not text and not self._shown:
            return

        columns = os.get_terminal_size(self._err.fileno()).columns \
            if text else 0
        self._err.write("\r\033[K" + clean(text)[:max(columns - 1, 0)])
        self._err.flush()
        self._shown = bool(text)

    def step(self, text):
        """A step of long work that stays to be read."""

        if not self.quiet:
            self.progress()
            print(clean(text), file=self._err, flush=True)
