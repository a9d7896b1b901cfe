# Copyright (C) rs-gateway contributors
#
# What the arguments of rsctl's commands have in common: the options every
# command takes, and the types of values, which say what is wrong with one.

import argparse
import re

from .errors import UsageError

RAW = argparse.RawDescriptionHelpFormatter

SCOPES = ("devices:read", "devices:write", "sessions:read",
          "sessions:write", "sessions:view", "sessions:control",
          "sessions:invite", "enrollments:read", "enrollments:write",
          "groups:read", "groups:write", "policies:read",
          "policies:write", "grants:read", "grants:write", "keys:read",
          "keys:write", "users:write", "audit:read", "audit:trim",
          "webhooks:read", "webhooks:write", "tunnels:read",
          "tunnels:write", "tunnels:use", "commands:run",
          "recordings:read", "recordings:delete", "ice", "node:drain")

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def common(parser):
    """The options of every command; they may stand before it or behind it."""

    g = parser.add_argument_group("common options")
    g.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS,
                   help="where the gateway is and the key to it (default: "
                        "RSCTL_CONFIG of the environment, else "
                        "/etc/rs-gateway/rsctl.conf)")
    g.add_argument("--json", action="store_true", default=argparse.SUPPRESS,
                   help="one JSON document instead of tables")
    g.add_argument("--quiet", action="store_true", default=argparse.SUPPRESS,
                   help="no progress")


def sentence(text):
    return text[0].upper() + text[1:] + "."


def subcommands(parser, dest="action"):
    """Gives a function that adds a command below PARSER's.

    add(name, run, help, epilog=None) returns its parser, which has the common
    options; RUN(args, ctx) is what it does.
    """

    sub = parser.add_subparsers(dest=dest, required=True, metavar="ACTION")

    def add(name, run, text, epilog=None):
        c = sub.add_parser(name, help=text, description=sentence(text),
                           epilog=epilog, formatter_class=RAW)
        c.set_defaults(run=run)
        common(c)
        return c

    return add


def usage(text):
    """To be raised by a command whose arguments do not go together."""

    return UsageError(text)


def fail(text):
    raise argparse.ArgumentTypeError(text)


def tenant(text):
    return text if re.fullmatch(r"[a-z0-9-]{1,32}", text) \
        else fail(f"{text!r}: a tenant is 1 to 32 of a-z, 0-9 and -")


def duration(text):
    """Seconds of 90s, 30m, 12h, 90d."""

    m = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text)

    return int(m.group(1)) * UNITS[m.group(2)] if m \
        else fail(f"{text!r}: a number and s, m, h or d, as 90d")


def scopes(text):
    """Scopes by spaces, as Redis keeps them; * is all but node:..."""

    found = re.split(r"[,\s]+", text.strip(", \t\n"))

    for s in found:
        if s != "*" and s not in SCOPES:
            fail(f"{s!r} is no scope; there are: * {' '.join(SCOPES)}")

    if "*" in found:
        found = ["*"] + [s for s in found if s.startswith("node:")]

    return " ".join(dict.fromkeys(found))


def number(low, high):
    def check(text):
        ok = re.fullmatch(r"[0-9]{1,9}", text) and low <= int(text) <= high

        return int(text) if ok else fail(f"{text!r}: {low} to {high}")

    return check


def name(text):
    return text if 1 <= len(text) <= 128 and text.isprintable() \
        else fail(f"{text!r}: a name is 1 to 128 printable characters")


def host(text):
    """A host name with a dot, or an address, as browsers will see it."""

    label = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"

    return text.lower() if len(text) <= 253 and re.fullmatch(
        rf"{label}(?:\.{label})+", text.lower()) \
        else fail(f"{text!r}: not a host name with a domain, as "
                  "support.example.net")


def identifier(kind):
    """An id of KIND, as dev_ and 26 characters."""

    def check(text):
        return text if re.fullmatch(rf"{kind}_[a-z2-7]{{26}}", text) \
            else fail(f"{text!r}: not {kind}_ and 26 characters")

    return check
