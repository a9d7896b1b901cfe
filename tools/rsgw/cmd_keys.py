# Copyright (C) rs-gateway contributors
#
# rsctl keys: API keys over REST, by a key that may.  Where there is none yet
# rs-key makes one with Redis' password.

from . import options
from .output import age

HELP = "lists, makes and revokes API keys"

EPILOG = """\
A key is printed once, alone on stdout:

  rsctl keys create --name billing --scopes sessions:read > billing.key
  rsctl keys list
  rsctl keys revoke key_...
"""

HEADS = ("ID", "NAME", "MADE", "ENDS", "SCOPES")


def arguments(parser):
    add = options.subcommands(parser)

    c = add("list", show_all, "lists the keys")

    c = add("create", create, "makes a key and prints it, once")
    c.add_argument("--name", type=options.name, required=True,
                   help="what people call it; devices see it at an invitation")
    c.add_argument("--scopes", type=options.scopes, default="*",
                   help="what it may do, separated by commas (default: *)")
    c.add_argument("--granted", action="store_true",
                   help="only where a grant of this key says so")
    c.add_argument("--expires", metavar="TIME", type=options.duration,
                   help="after this time it is void, as 12h or 90d (default: "
                        "never)")

    c = add("revoke", revoke, "revokes a key; its next use is refused")
    c.add_argument("id", metavar="key_ID", type=options.identifier("key"))


def row(key):
    scopes = ",".join(key["scopes"])

    return (key["id"], key["name"], age(key["created_at"]),
            age(key["expires_at"]) if key["expires_at"] else "never",
            f"granted({scopes})" if key["granted"] else scopes)


def show_all(args, ctx):
    ctx.out.items(HEADS, ctx.rest().items("/keys"), row)


def create(args, ctx):
    body = {"name": args.name,
            "scopes": args.scopes.split(" ")}

    if args.granted:
        body["granted"] = True

    if args.expires:
        body["ttl_s"] = args.expires

    made = ctx.rest().call("POST", "/keys", body)

    if ctx.out.json:
        ctx.out.data(made)
        return

    ctx.out.line(made["key"])
    ctx.out.step(f"{made['id']}; the key is not shown again")


def revoke(args, ctx):
    ctx.rest().call("DELETE", f"/keys/{args.id}")
    ctx.out.step(f"{args.id} is revoked")
