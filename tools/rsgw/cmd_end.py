# Copyright (C) rs-gateway contributors
#
# rsctl end: ends sessions everywhere, relays included.

from . import options

HELP = "ends sessions everywhere"

EPILOG = """\
examples:
  rsctl end ses_...
  rsctl end --device dev_...
  rsctl end --all
"""


def arguments(parser):
    parser.add_argument("ids", nargs="*", metavar="ses_ID",
                        type=options.identifier("ses"))
    parser.add_argument("--device", metavar="dev_ID",
                        type=options.identifier("dev"),
                        help="all sessions of this device")
    parser.add_argument("--all", action="store_true",
                        help="all sessions of the tenant")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def chosen(args, ctx):
    if sum(map(bool, (args.ids, args.device, args.all))) != 1:
        raise options.usage("say which: ids, --device or --all")

    if args.ids:
        return args.ids

    return [s["id"] for s in ctx.rest().items("/sessions",
                                              device_id=args.device)
            if s["state"] != "ended"]


def run(args, ctx):
    ids = chosen(args, ctx)

    if args.all and ids and not args.yes:
        ctx.out.ask(f"End {len(ids)} sessions?")

    for n, session in enumerate(ids, 1):
        ctx.out.progress(f"ending {n} of {len(ids)}")
        ctx.rest().call("DELETE", f"/sessions/{session}")

    if ctx.out.json:
        ctx.out.data({"ended": ids})

    else:
        ctx.out.step(f"{len(ids)} ended")
