# Copyright (C) rs-gateway contributors
#
# Reads what others are configured by: nginx, rs-turn-authd, coturn, and the
# places of Redis as all of them write these.  Text in, plain data out.

import re
from urllib.parse import urlsplit

_TOKEN = re.compile(r"""\s+ | \#[^\n]* |
                        "(?P<dq>(?:[^"\\]|\\.)*)" | '(?P<sq>(?:[^'\\]|\\.)*)' |
                        (?P<mark>[;{}]) |
                        (?P<word>(?!["'])(?:\$\{[^}]*\}|\\.|[^\s;{}\\])+)""",
                    re.X | re.S)


def nginx(text):
    """Directives of `nginx -T`: a list of [name, argument, ...], flat."""

    found, words, at = [], [], 0

    while at < len(text):
        m = _TOKEN.match(text, at)

        if m is None:           # a quote nobody closed; nginx -t tells of it
            break

        at = m.end()

        if m["mark"]:
            if words and m["mark"] != "}":
                found.append(words)

            words = []

        elif m["word"] is not None:
            words.append(m["word"])

        elif m["dq"] is not None or m["sq"] is not None:
            words.append(m["dq"] if m["dq"] is not None else m["sq"])

    return found


def values(directives, name):
    """The arguments of each directive NAME."""

    return [d[1:] for d in directives if d[0] == name]


def pairs(words):
    """key=value words as a dict."""

    return dict(w.split("=", 1) for w in words if "=" in w)


def authd(text):
    """rs-turn-authd.conf: key -> list of its values."""

    found = {}

    for line in text.splitlines():
        key, sign, value = line.split("#", 1)[0].partition("=")

        if sign and key.strip():
            found.setdefault(key.strip(), []).append(value.strip())

    return found


def turnserver(text):
    """turnserver.conf: a list of (key, value)."""

    found = []

    for line in text.splitlines():
        line = line.strip()

        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.append((key.strip(), value.strip().strip('"')))

    return found


def _hostport(text, port):
    m = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?|([^:\[\]]+)(?::(\d+))?", text)

    if not m:
        raise ValueError(text)

    return m[1] or m[3], int(m[2] or m[4] or port)


def place(url):
    """Where a Redis is: {kind, hosts, name, db, tls}, kind being tcp, unix or
    sentinel; ValueError for what is no such URL."""

    if url.startswith("unix:"):
        return {"kind": "unix", "path": "/" + url[5:].lstrip("/"), "db": 0,
                "tls": False}

    scheme, _, rest = url.partition("://")

    if scheme in ("sentinel", "sentinel+tls"):
        hosts, _, name = rest.partition("/")
        name, _, db = name.partition("/")

        if not name:
            raise ValueError(url)

        return {"kind": "sentinel", "name": name, "db": int(db or 0),
                "hosts": [_hostport(h, 26379) for h in hosts.split(",")],
                "tls": scheme == "sentinel+tls"}

    u = urlsplit(url)

    if scheme not in ("redis", "rediss") or not u.hostname:
        raise ValueError(url)

    return {"kind": "tcp", "hosts": [(u.hostname, u.port or 6379)],
            "db": int(u.path.strip("/") or 0), "tls": scheme == "rediss"}


def turn_url(url):
    """(scheme, host, port, transport) of a STUN or TURN URL, RFC 7065."""

    m = re.fullmatch(r"(stuns?|turns?):(\[[^\]]+\]|[^:?\[\]]+)(?::(\d+))?"
                     r"(?:\?transport=(udp|tcp))?", url)

    if not m:
        raise ValueError(url)

    secure = m[1].endswith("s")

    return (m[1], m[2].strip("[]"), int(m[3] or (5349 if secure else 3478)),
            "tls" if secure else m[4] or "udp")
