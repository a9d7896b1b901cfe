# Copyright (C) rs-gateway contributors
#
# rsctl restore: a backup comes back, onto an empty fleet as a rule.

import base64
import os
import time

import redis

from . import admin, archive, tenants
from .cmd_backup import client_for
from .errors import ToolError
from .options import tenant

HELP = "brings a backup back, before the gateways are started"

EPILOG = """\
Order: Redis with users and library, rsctl restore, then gateways and TURN
servers.  A gateway that runs over an empty Redis tells devices that they were
removed, and these give up: restore refuses while one runs.

The whole file is checked before anything is written.  A tenant that is there
already is refused; --overwrite takes away what it has, first.

The password of Redis' user rs-restore: make it, make-acl, ACL LOAD; take it
away again afterwards.

example:
  rsctl restore --passphrase-file backup.pass --password-file rs-restore \\
      /var/backups/rs-gateway-20261121T220000Z.rsbackup
"""


def arguments(parser):
    parser.add_argument("input", metavar="FILE", help="what backup wrote")
    parser.add_argument("--passphrase-file", metavar="FILE", required=True,
                        help="what it was encrypted with")
    parser.add_argument("--user", metavar="NAME",
                        help="of Redis (default: rs-restore)")
    parser.add_argument("--password-file", metavar="FILE",
                        help="that user's password")
    parser.add_argument("--tenant", metavar="NAME", action="append",
                        type=tenant, help="this one only; may be given again")
    parser.add_argument("--files-to", metavar="FOLDER",
                        help="put files there instead of where they were")
    parser.add_argument("--no-files", action="store_true",
                        help="Redis only")
    parser.add_argument("--no-redis", action="store_true",
                        help="files only: for the other nodes")
    parser.add_argument("--overwrite", action="store_true",
                        help="in the place of what is there")
    parser.add_argument("--list", action="store_true",
                        help="say what is in it, and write nothing")


class Contents:
    """What a file has in it, checked line by line; no values are kept."""

    def __init__(self, reader, kinds, wanted):
        self.reader, self.kinds, self.wanted = reader, kinds, wanted
        self.library = self.created_at = 0
        self.files, self.tenants = {}, {}
        end = None

        for i, record in enumerate(reader.records()):
            if end is not None or not isinstance(record, dict):
                raise self._bad(i)

            if i == 0:
                self._head(record)

            elif "file" in record:
                self._file(record, i)

            elif "key" in record:
                self._key(record, i)

            elif "end" in record:
                end = record["end"]

            else:
                raise self._bad(i)

        if end is None:
            raise ToolError(f"{reader.path}: its end is missing",
                            "another copy of it")

        for one in wanted or ():
            if one not in self.tenants:
                raise ToolError(f"{reader.path}: no tenant {one} in it",
                                "it has: " + ", ".join(sorted(self.tenants)))

    def _bad(self, i):
        return ToolError(f"{self.reader.path}: record {i + 1} is none of "
                         "this format", "a later rsctl made it?")

    def _head(self, record):
        if record.get("format") != 1 or not isinstance(
                record.get("library"), int):
            raise self._bad(0)

        self.library = record["library"]
        self.created_at = record.get("created_at", 0)

    def _file(self, record, i):
        path, data = record["file"], record.get("data")

        if not isinstance(path, str) or not os.path.isabs(path) \
                or not isinstance(data, str):
            raise self._bad(i)

        self.files[path] = base64.b64decode(data)

    def _key(self, record, i):
        m = tenants.NAME.fullmatch(str(record["key"]))
        kind = self.kinds.get(m[2]) if m else None

        if kind is None or bool(m[3]) != kind[1] \
                or not self._value(kind[0], record.get("value")) \
                or not isinstance(record.get("expires_at"),
                                  (int, type(None))):
            raise self._bad(i)

        counts = self.tenants.setdefault(m[1], {})
        counts[m[2]] = counts.get(m[2], 0) + (
            len(record["value"]) if kind[0] == "stream" else 1)

    @staticmethod
    def _value(kind, value):
        def texts(d):
            return isinstance(d, dict) and d and all(
                isinstance(v, str) for v in d.values())

        if kind == "hash":
            return texts(value)

        if not isinstance(value, list) or not value \
                or not all(isinstance(e, list) and len(e) == 2
                           and isinstance(e[0], str) for e in value):
            return False

        return all(texts(e[1]) if kind == "stream"
                   else isinstance(e[1], (int, float)) for e in value)

    def items(self):
        """(tenant, name, value, expires_at), without what has expired."""

        now = time.time() * 1000

        for record in self.reader.records():
            if "key" not in record:
                continue

            one = tenants.NAME.fullmatch(record["key"])[1]
            life = record["expires_at"]

            if (not self.wanted or one in self.wanted) \
                    and (life is None or life > now):
                yield one, record["key"], record["value"], life


def _files(contents, args):
    """Where each goes, once nothing is in its way: path -> bytes."""

    places = {}

    for path, data in contents.files.items():
        to = os.path.join(args.files_to, os.path.basename(path)) \
            if args.files_to else path

        if to in places:
            raise ToolError(f"two files of the backup are called {to}",
                            "without --files-to")

        try:
            with open(to, "rb") as f:
                same = f.read() == data

        except FileNotFoundError:
            same = None

        except OSError as e:
            raise ToolError(f"{to}: {e.strerror}", "run it as root") from None

        if same is False and not args.overwrite:
            raise ToolError(f"{to}: there is another one already",
                            "--overwrite, --files-to FOLDER or --no-files")

        if not same:
            places[to] = data

    return places


def _place(places):
    for to, data in places.items():
        new = to + ".new"

        try:
            os.makedirs(os.path.dirname(to), exist_ok=True)

            # what is left of a run before, or was laid there to be followed

            if os.path.lexists(new):
                os.unlink(new)

            with open(new, "wb", opener=lambda p, flags: os.open(
                    p, flags | os.O_EXCL, 0o600)) as f:
                f.write(data)
                os.fsync(f.fileno())

            os.replace(new, to)

        except OSError as e:
            raise ToolError(f"{to}: {e.strerror}") from None


def _ready(client, contents, args):
    """Names that are in the way, once it may be written at all."""

    version, _ = admin.library_version(client)

    if version < contents.library:
        raise ToolError(f"the backup is of library version "
                        f"{contents.library}, {version} is loaded",
                        "run redis-schema/load of that release first")

    now = int(time.time() * 1000)

    if client.zcount("rs:{w}:lease", now, "+inf"):
        raise ToolError("a gateway runs on this Redis",
                        "stop nginx on all nodes, restore, start them: "
                        "else devices are told that they were removed")

    names = tenants.scan(client, contents.kinds)
    there = {one: names[one] for one in args.tenant or contents.tenants
             if one in names}

    if there and not args.overwrite:
        raise ToolError(f"there already: tenant {', '.join(sorted(there))}",
                        "--overwrite takes away what they have, first; "
                        "--tenant NAME restores others")

    return set().union(*there.values())


def _write(client, contents, out):
    part, n, told = [], 0, set()

    for one, name, value, life in contents.items():
        part.append((name, value, life))
        n += 1

        if name == tenants.called(one, "hooks"):
            told.add(one)

        if len(part) >= tenants.AT_ONCE:
            tenants.write(client, contents.kinds, part)
            part = []
            out.progress(f"{n} records written")

    if part:
        tenants.write(client, contents.kinds, part)

    tenants.list_webhooks(client, told)


def _tell(contents, args, out):
    items = [{"tenant": one, "devices": c.get("dev", 0),
              "keys": c.get("key", 0), "audit": c.get("audit", 0)}
             for one, c in sorted(contents.tenants.items())
             if not args.tenant or one in args.tenant]

    if out.json:
        out.data({"created_at": contents.created_at,
                  "library": contents.library,
                  "files": sorted(contents.files), "items": items})
        return

    out.items(["TENANT", "DEVICES", "API KEYS", "AUDIT"], items,
              lambda t: [t["tenant"], t["devices"], t["keys"], t["audit"]])

    for path in sorted(contents.files):
        out.line(path)


def run(args, ctx):
    reader = archive.Reader(args.input, args.passphrase_file)
    contents = Contents(reader, tenants.catalogue(), args.tenant)

    if args.list:
        _tell(contents, args, ctx.out)
        return

    places = {} if args.no_files else _files(contents, args)

    if not args.no_redis:
        client = client_for(ctx, "restore", "rs-restore")

        try:
            tenants.remove(client, _ready(client, contents, args))
            _write(client, contents, ctx.out)

            if not admin.confirmed(client):
                raise ToolError("written, but no replica has it yet",
                                "rsctl doctor: Redis replicas")

        except redis.RedisError as e:
            raise ToolError(f"Redis: {e}", "the user needs what "
                            "redis-schema/acl/restore.acl has; then once "
                            "more with --overwrite") from None

        finally:
            client.close()

    _place(places)
    ctx.out.progress()
    _tell(contents, args, ctx.out)
