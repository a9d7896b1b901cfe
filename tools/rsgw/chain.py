# Copyright (C) rs-gateway contributors
#
# A chain of lines: each is a JSON object which has its number "n" and the hash
# of the line before as "prev", and the hash of all of that as "hash".  A line
# that was changed, removed, put in or moved breaks it, and so does one that is
# written in any other way than the one here.  What the chain does not tell is
# that its end is missing: its head, number and hash of the last line, has to
# be kept somewhere else.

import hashlib
import hmac
import json

FIRST = "0" * 64        # before line 1
LINE_MAX = 65536        # bytes; an audit line is below 8 KiB


class Head:
    """Where a chain ends: n lines so far, and the hash of the last one."""

    def __init__(self, n=0, digest=FIRST):
        self.n = n
        self.digest = digest

    def __eq__(self, other):
        return (self.n, self.digest) == (other.n, other.digest)

    def __str__(self):
        return f"{self.n}:{self.digest}"


def _text(record):
    return json.dumps(record, sort_keys=True, separators=(",", ":"),
                      ensure_ascii=True).encode()


def _digest(record, key):
    text = _text(record)

    if key:
        return hmac.new(key, text, hashlib.sha256).hexdigest()

    return hashlib.sha256(text).hexdigest()


def link(head, record, key=None):
    """RECORD as the line (bytes) that follows HEAD, which moves on."""

    record = dict(record, n=head.n + 1, prev=head.digest)
    head.digest = record["hash"] = _digest(record, key)
    head.n += 1

    return _text(record) + b"\n"


def _record(line):
    """What LINE says; ValueError if that is no object written by link()."""

    record = json.loads(line)

    if not isinstance(record, dict) or _text(record) + b"\n" != line:
        raise ValueError("written differently")

    if type(record.get("n")) is not int or record["n"] < 1:
        raise ValueError('no number "n"')

    for name in "prev", "hash":
        value = record.get(name)

        if not isinstance(value, str) or len(value) != 64:
            raise ValueError(f'no hash "{name}"')

    return record


def read(line, key=None):
    """The record of a LINE that is as it was written; ValueError else."""

    if len(line) > LINE_MAX:
        raise ValueError("too long")

    if not line.endswith(b"\n"):
        raise ValueError("not whole: it has no end of line")

    try:
        record = _record(line)

    except RecursionError:
        raise ValueError("too deep") from None

    digest = record.pop("hash")

    if not hmac.compare_digest(digest.encode("utf-8", "replace"),
                               _digest(record, key).encode()):
        raise ValueError("its hash is not that of what it says")

    return dict(record, hash=digest)


def lines(f):
    """The lines of a file, in pieces that are bounded."""

    while True:
        line = f.readline(LINE_MAX + 1)

        if not line:
            return

        whole = line

        while len(line) > LINE_MAX and not line.endswith(b"\n"):
            line = f.readline(LINE_MAX + 1)     # the rest is skipped

            if not line:
                break

        yield whole


class Check:
    """Reads a chain line by line and says what is wrong with it.

    After a defect it goes on behind the line that has it, so that one change
    is told of once.
    """

    def __init__(self, head=None, key=None, anchors=()):
        self.head = head                # None: begins anywhere
        self.key = key
        self.first = None
        self.anchors = {a.n: a.digest for a in anchors}

    def line(self, line):
        """None, or what is wrong with the next LINE."""

        try:
            record = read(line, self.key)

        except ValueError as e:
            if self.head is not None:
                self.head = Head(self.head.n + 1, None)

            return f"changed: {e}"

        n, digest = record["n"], record["hash"]

        if self.first is None:
            self.first = n

            if self.head is None and n - 1 in self.anchors:
                self.head = Head(n - 1, self.anchors.pop(n - 1))

        wrong = self._follows(n, record["prev"])

        if self.head is None or n >= self.head.n:
            self.head = Head(n, digest)

        if self.anchors.pop(n, digest) != digest:
            return wrong or f"line {n} is another one than was noted elsewhere"

        return wrong

    def _follows(self, n, prev):
        head = self.head

        if head is None:
            return None

        if head.digest is None and n in (head.n, head.n + 1):
            return None         # behind one that nobody can vouch for

        if n != head.n + 1:
            return self._gap(n)

        if prev != head.digest:
            return (f"line {n} does not follow line {head.n}: one of both was "
                    "replaced")

        return None

    def _gap(self, n):
        last = self.head.n

        if n <= last:
            return f"line {n} stands behind line {last}"

        if n == last + 2:
            return f"removed: line {last + 1}"

        return f"removed: lines {last + 1} to {n - 1}"

    def end(self):
        """What is missing at the end; None: nothing that is known of."""

        last = self.head.n if self.head is not None else 0
        cut = [n for n in self.anchors if n > last]

        if cut:
            return f"removed: lines {last + 1} to {max(cut)}, at the end"

        if self.anchors:
            return ("removed: line "
                    + ", ".join(map(str, sorted(self.anchors)))
                    + ", which was noted elsewhere")

        return None
