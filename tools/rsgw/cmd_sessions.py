# Copyright (C) rs-gateway contributors
#
# rsctl sessions: who is on which device, and by which way.

from . import options
from .output import age

HELP = "lists sessions, or shows one"

EPILOG = """\
examples:
  rsctl sessions list
  rsctl sessions list --state ended --device dev_...
  rsctl sessions show ses_... --json
"""

STATES = ("waiting_host", "waiting_consent", "connecting", "active", "ended")

HEADS = ("ID", "STATE", "DEVICE", "PATH", "WHO", "MADE", "REASON")


def arguments(parser):
    add = options.subcommands(parser)

    c = add("list", show_all, "lists the sessions that have not ended, newest "
            "first")
    c.add_argument("--state", choices=STATES, help="only in this state")
    c.add_argument("--all", action="store_true",
                   help="those that have ended, too")
    c.add_argument("--device", metavar="dev_ID",
                   type=options.identifier("dev"),
                   help="only of this device")
    c.add_argument("--limit", metavar="N", type=options.number(1, 1000000),
                   help="the first N")

    c = add("show", show_one, "shows a session")
    c.add_argument("id", metavar="ses_ID", type=options.identifier("ses"))


def way(session):
    path = session["path"]

    if not path:
        return "-"

    region = f" {path['region']}" if path.get("region") else ""

    return f"{path['kind']}/{path['protocol']}{region}"


def row(session):
    there = [p["name"] or p["role"] for p in session["participants"]
             if p["state"] in ("joined", "away") and p["role"] != "host"]

    return (session["id"], session["state"],
            session["host"].get("device_id") or session["host"]["type"],
            way(session), ",".join(there) or "-", age(session["created_at"]),
            session["end_reason"] or session["reason"] or "-")


def show_all(args, ctx):
    found = ctx.rest().items("/sessions", state=args.state,
                             device_id=args.device)

    if not args.state and not args.all:
        found = [s for s in found if s["state"] != "ended"]

    ctx.out.items(HEADS, found[:args.limit], row)


def show_one(args, ctx):
    ctx.out.record(ctx.rest().get(f"/sessions/{args.id}"))
