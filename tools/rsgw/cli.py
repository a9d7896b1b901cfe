# Copyright (C) rs-gateway contributors
#
# rsctl itself: finds the commands, reads the arguments, runs one.  A command
# is a module rsgw/cmd_NAME.py with
#
#     HELP = "lists the devices"          one line, lower case, no full stop
#     EPILOG = "..."                      optional: examples
#     def arguments(parser): ...          options; options.subcommands() below
#     def run(args, ctx): ...             gives the exit status; None is 0
#
# NAME is the word people type, with - for _.  What a command needs of the
# world it takes from ctx: config, out, rest(), redis().

import argparse
import importlib
import os
import pkgutil
import sys

from . import options
from .config import Config
from .errors import ToolError, UsageError
from .output import Output

EPILOG = """\
environment: RSCTL_CONFIG, RSCTL_URL, RSCTL_KEY, RSCTL_KEY_FILE, RSCTL_CA_FILE
and RSCTL_ADDRESS go before what rsctl.conf says; RS_REDIS and
RS_REDIS_PASSWORD likewise.

"rsctl COMMAND --help" says more about each; rsctl(1) all of it.
"""


class Context:
    """What a command may use; connections are made when first asked for."""

    def __init__(self, args):
        self.args = args
        self.out = Output(getattr(args, "json", False),
                          getattr(args, "quiet", False))
        self._config = None
        self._rest = None
        self._redis = None

    @property
    def config(self):
        if self._config is None:
            self._config = Config(getattr(self.args, "config", None))

        return self._config

    def rest(self):
        if self._rest is None:
            from .rest import Client

            g = self.config.gateway
            url = self.config.need("gateway", "url")
            self._rest = Client(
                url, key=self.config.secret("gateway", "key_file",
                                            "RSCTL_KEY"),
                ca=g["ca_file"], address=g["address"],
                progress=self.out.progress)

        return self._rest

    def redis(self):
        """Redis as rs-deploy, its library being one this release knows."""

        if self._redis is None:
            from . import admin

            r = self.config.redis
            args = argparse.Namespace(
                redis=r["url"] or admin.DEFAULT, socket=None,
                user=r["user"] or "rs-deploy",
                password_file=None if os.environ.get("RS_REDIS_PASSWORD")
                else r["password_file"], ca_file=r["ca_file"])
            client = admin.connect(args)
            admin.check_version(client)
            self._redis = client

        return self._redis

    def close(self):
        if self._redis is not None:
            self._redis.close()


def commands():
    """name -> module, of every rsgw/cmd_*.py, by name."""

    found = {}

    for m in pkgutil.iter_modules([os.path.dirname(__file__)]):
        if m.name.startswith("cmd_"):
            found[m.name[4:].replace("_", "-")] = m.name

    return {name: importlib.import_module(f"{__package__}.{found[name]}")
            for name in sorted(found)}


def parser():
    """The whole of it; man pages and completion are made from this, too."""

    p = argparse.ArgumentParser(
        prog="rsctl", epilog=EPILOG, formatter_class=options.RAW,
        description="Sets up, watches and operates a remote-support gateway.")
    options.common(p)
    sub = p.add_subparsers(dest="command", required=True, metavar="COMMAND",
                           title="commands")

    for name, module in commands().items():
        c = sub.add_parser(name, help=module.HELP,
                           description=options.sentence(module.HELP),
                           epilog=getattr(module, "EPILOG", None),
                           formatter_class=options.RAW)
        options.common(c)
        c.set_defaults(run=getattr(module, "run", None))
        module.arguments(c)

    return p


def tell(e):
    print(f"rsctl: {e}", file=sys.stderr)

    if getattr(e, "cure", None):
        print(f"       {e.cure}", file=sys.stderr)


def main(argv):
    args = parser().parse_args(argv)
    ctx = Context(args)

    try:
        return args.run(args, ctx) or 0

    except ToolError as e:
        ctx.out.progress()
        tell(e)
        return 2 if isinstance(e, UsageError) else 1

    except BrokenPipeError:         # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1

    except KeyboardInterrupt:
        ctx.out.progress()
        print("rsctl: interrupted", file=sys.stderr)
        return 130

    finally:
        ctx.close()
