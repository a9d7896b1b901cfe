# Copyright (C) rs-gateway contributors
#
# rsctl devices: what is enrolled, and who of it is there.

from . import options
from .output import age

HELP = "lists devices; shows, renames, tags or removes one"

EPILOG = """\
examples:
  rsctl devices list --online
  rsctl devices show dev_...
  rsctl devices set dev_... --name "Reception" --tag berlin --tag desk
  rsctl devices remove dev_...
"""

HEADS = ("ID", "NAME", "STATE", "SEEN", "AGENT", "TAGS")


def arguments(parser):
    add = options.subcommands(parser)
    device = options.identifier("dev")

    c = add("list", show_all, "lists the devices, newest first")
    c.add_argument("--online", action="store_true", help="only who is there")
    c.add_argument("--offline", action="store_true", help="only who is not")
    c.add_argument("--tag", help="only with this tag")
    c.add_argument("--group", metavar="grp_ID",
                   type=options.identifier("grp"), help="only of this group")
    c.add_argument("--kind", choices=("desktop", "renderer", "recorder"),
                   help="only of this kind")
    c.add_argument("--limit", metavar="N", type=options.number(1, 1000000),
                   help="the first N")

    c = add("show", show_one, "shows a device")
    c.add_argument("id", metavar="dev_ID", type=device)

    c = add("set", change, "changes name, tags or group of a device")
    c.add_argument("id", metavar="dev_ID", type=device)
    c.add_argument("--name", type=options.name, help="what people call it")
    c.add_argument("--tag", action="append", metavar="TAG",
                   help="its tags from now on; several")
    c.add_argument("--no-tags", action="store_true", help="no tags any more")
    c.add_argument("--group", metavar="grp_ID|none",
                   type=lambda t: t if t == "none"
                   else options.identifier("grp")(t),
                   help="its group from now on")

    c = add("remove", remove, "removes a device: its key is void, its "
            "sessions end")
    c.add_argument("id", metavar="dev_ID", type=device)
    c.add_argument("--yes", action="store_true", help="do not ask")


def agent_of(device):
    agent = device["agent"] or {}

    return agent.get("version", "-")


def row(device):
    return (device["id"], device["name"],
            "online" if device["online"] else "offline",
            "now" if device["online"] else age(device["last_seen_at"]),
            agent_of(device), ",".join(device["tags"]) or "-")


def show_all(args, ctx):
    online = None

    if args.online != args.offline:
        online = "true" if args.online else "false"

    ctx.out.items(HEADS, ctx.rest().items(
        "/devices", args.limit, online=online, tag=args.tag,
        group_id=args.group, kind=args.kind), row)


def show_one(args, ctx):
    ctx.out.record(ctx.rest().get(f"/devices/{args.id}"))


def change(args, ctx):
    body = {}

    if args.name:
        body["name"] = args.name

    if args.tag or args.no_tags:
        body["tags"] = args.tag or []

    if args.group:
        body["group_id"] = None if args.group == "none" else args.group

    if not body:
        raise options.usage("say what to change: --name, --tag, --no-tags or "
                            "--group")

    # what another one changes meanwhile is not lost: fields are few, and a
    # name that two people give at once is the later one's

    path = f"/devices/{args.id}"
    _, headers = ctx.rest().with_headers("GET", path)
    ctx.out.record(ctx.rest().call("PATCH", path, body, headers={
        "If-Match": headers["ETag"]}))


def remove(args, ctx):
    device = ctx.rest().get(f"/devices/{args.id}")

    if not args.yes:
        ctx.out.ask(f"Remove {device['name']} ({args.id})?  It has to be "
                    "enrolled again to come back.")

    ctx.rest().call("DELETE", f"/devices/{args.id}")
    ctx.out.step(f"{args.id} is removed")
