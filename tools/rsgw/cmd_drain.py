# Copyright (C) rs-gateway contributors
#
# rsctl drain: sends what is connected to a node elsewhere before maintenance.

import time

from . import options
from .errors import ToolError

HELP = "drains a node before maintenance, or takes that back"

EPILOG = """\
It acts on the node that answers: [gateway] address of rsctl.conf, or
RSCTL_ADDRESS, names one behind a balancer.  The key needs the scope
node:drain by name.

  rsctl drain begin --node node1 --wait 5m
  rsctl drain end
"""

POLL_S = 0.5


def arguments(parser):
    add = options.subcommands(parser)

    for name, run, text in (
            ("status", status, "says whether the node is being drained"),
            ("begin", begin, "refuses new sockets and sends those there are "
             "elsewhere"),
            ("end", end, "takes new sockets again")):
        c = add(name, run, text)
        c.add_argument("--node", metavar="NAME",
                       help="refuse if another node than this one answers")

        if name == "begin":
            c.add_argument("--wait", metavar="TIME", type=options.duration,
                           help="until nobody is connected, so long at most")


def told(answer, ctx):
    if ctx.out.json:
        ctx.out.data(answer)
        return

    n = answer["connections"]
    ctx.out.line(f"{answer['node']}: "
                 f"{'draining' if answer['draining'] else 'serving'}, "
                 f"{n['participants']} participants, {n['agents']} devices")


def status(args, ctx):
    told(ctx.rest().get("/drain", node=args.node), ctx)


def begin(args, ctx):
    query = {"node": args.node}
    answer = ctx.rest().call("POST", "/drain", query=query)
    until = time.monotonic() + (args.wait or 0)

    while args.wait and any(answer["connections"].values()):
        if time.monotonic() > until:
            told(answer, ctx)
            raise ToolError(f"not empty after {args.wait} s",
                            "rsctl sessions list shows who; rsctl end ends "
                            "them; or wait on")

        n = answer["connections"]
        ctx.out.progress(f"{n['participants']} participants and "
                         f"{n['agents']} devices are still here")
        time.sleep(POLL_S)
        answer = ctx.rest().get("/drain", **query)

    told(answer, ctx)


def end(args, ctx):
    told(ctx.rest().call("DELETE", "/drain", query={"node": args.node}), ctx)
