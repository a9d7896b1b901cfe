# Copyright (C) rs-gateway contributors
#
# rsctl doctor: one line for each thing that can be wrong, with the cure.

from . import checks, facts
from .options import fail

HELP = "looks at nginx, Redis, coturn and the rest, and names what is wrong"

EPILOG = """\
Run it as root on each host: it looks at what it finds there, and at what
rsctl.conf names.  A fault is told once, where it is; checks that cannot tell
anything because of it say "skip" and after which.

Nothing is changed.  With key_file in rsctl.conf (scope "ice") it makes one
TURN credential and relays a few packets by it.

exit status: 0 all is well, 1 there are warnings, 2 there are faults

example:
  sudo rsctl doctor
  rsctl doctor --only "gateway certificate" --only "TURN certificate"
"""


def _name(text):
    return text if text in checks.names() \
        else fail(f"{text!r}: no such check; there are: "
                  + ", ".join(checks.names()))


def arguments(parser):
    parser.add_argument("--only", metavar="CHECK", action="append",
                        type=_name,
                        help="tell of this one only; may be given again")


def run(args, ctx):
    found = checks.judge(
        facts.gather(ctx.config,
                     lambda part: ctx.out.progress(f"looking at {part}")),
        args.only)
    status = checks.status(found)

    if ctx.out.json:
        ctx.out.data({"status": ("ok", "warnings", "faults")[status],
                      "checks": [f._asdict() for f in found]})

    else:
        for f in found:
            ctx.out.line(f.line())

    return status
