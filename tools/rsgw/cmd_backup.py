# Copyright (C) rs-gateway contributors
#
# rsctl backup: everything of a fleet that cannot be made again, in one file.

import base64
import os
import time

from . import admin, archive, tenants
from .errors import ToolError
from .facts import nginx, store
from .options import fail, tenant

HELP = "writes all that cannot be made again into one encrypted file"

EPILOG = """\
In it: devices with their keys, groups, grants, policies, API keys (their
hashes), users and who of them was revoked, enrolments, the audit; and the
files of this host's nginx that the fleet shares: its identity, the keys of
TURN and of webhooks.  Not in it: sessions and what belongs to them, certificates, passwords
of Redis.

It reads Redis as the user rs-backup ([backup] in rsctl.conf), who may only
read.  Whoever has the file and the passphrase can take the gateway's place
towards its devices: keep them apart.

example:
  openssl rand -hex 32 > /etc/rs-gateway/backup.pass
  chmod 600 /etc/rs-gateway/backup.pass
  rsctl backup --passphrase-file /etc/rs-gateway/backup.pass /var/backups/
"""

SUFFIX = ".rsbackup"
FILES = ("rs_identity_file", "rs_identity_statements", "rs_turn_key_file",
         "rs_turn_secret_file", "rs_webhook_key_file")
FILE_MAX = 1 << 20


def arguments(parser):
    parser.add_argument("output", metavar="FILE|FOLDER", type=_output,
                        help="a file that is not there yet, or a folder to "
                             "make one in")
    parser.add_argument("--passphrase-file", metavar="FILE", required=True,
                        help="its first line encrypts, 16 characters at least")
    parser.add_argument("--tenant", metavar="NAME", action="append",
                        type=tenant, help="this one only; may be given again")
    parser.add_argument("--no-audit", action="store_true",
                        help="without the audit (rs-audit export keeps it)")
    parser.add_argument("--file", metavar="PATH", action="append", default=[],
                        help="one more file; may be given again")
    parser.add_argument("--no-files", action="store_true",
                        help="no files of nginx")


def _output(text):
    if os.path.isdir(text):
        return os.path.join(text, "rs-gateway-" + time.strftime(
            "%Y%m%dT%H%M%SZ", time.gmtime()) + SUFFIX)

    if os.path.lexists(text):
        fail(f"{text}: it is there already; a backup overwrites nothing")

    return text


def client_for(ctx, what, user):
    """Redis as USER of [backup] or of [redis] in rsctl.conf."""

    b, r = ctx.config.backup, ctx.config.redis
    url = r["url"] or admin.DEFAULT
    own = what == "backup" and b["password_file"]
    options = {"user": (b["user"] if own else None) or user,
               "password_file": b["password_file"] if own else None,
               "ca_file": r["ca_file"]}

    if what == "restore":
        options["password_file"] = ctx.args.password_file
        options["user"] = ctx.args.user or user

    if not options["password_file"]:
        raise ToolError(f"{ctx.config.path}: [backup] has no password_file",
                        f"make-acl makes the user {user} of Redis; name the "
                        "file with its password")

    client, got = store.connect(what, url, options)

    if client is None:
        raise ToolError(f"Redis at {got.get('where', url)}, as "
                        f"{options['user']}: {got['result']} {got['text']}",
                        "rsctl doctor says more")

    return client


def shared(config, more, none=False):
    """The files all nodes have, and MORE: path -> bytes."""

    facts = None if none else nginx.gather(config)
    paths = list(more)

    for name in FILES:
        path = (facts or {}).get("shared", {}).get(name)

        if path and os.path.exists(path):
            paths.append(path)

    found = {}

    for path in paths:
        try:
            with open(path, "rb") as f:
                data = f.read(FILE_MAX + 1)

        except OSError as e:
            raise ToolError(f"{path}: {e.strerror}",
                            "run it as root, or with --no-files") from None

        if len(data) > FILE_MAX:
            raise ToolError(f"{path}: larger than {FILE_MAX} bytes")

        found[os.path.abspath(path)] = data

    return found


def _records(client, kinds, args, out):
    """All of it, tenant by tenant."""

    now = time.time()
    out.progress("looking for tenants")
    names = tenants.scan(client, kinds,
                         lambda n: out.progress(f"{n} keys seen"))

    for one in args.tenant or ():
        if one not in names:
            raise ToolError(f"tenant {one} has nothing in Redis",
                            "tenants: " + ", ".join(sorted(names)))

    for one in sorted(args.tenant or names):
        out.progress(f"tenant {one}")
        found = tenants.read(client, one, kinds, names[one])

        # lists come behind what they list: what is half restored has none

        for name in sorted(found, key=lambda n: (not kinds[
                tenants.NAME.fullmatch(n)[2]][1], n)):
            value, life = found[name]

            if tenants.NAME.fullmatch(name)[2] == "dev":
                value = tenants.offline(value, now)

            yield {"key": name, "value": value, "expires_at": life}

        if not args.no_audit:
            for page in tenants.stream(client, tenants.called(one, "audit")):
                yield {"key": tenants.called(one, "audit"), "value": page,
                       "expires_at": None}


def run(args, ctx):
    kinds = tenants.catalogue()
    files = shared(ctx.config, args.file, args.no_files)
    client = client_for(ctx, "backup", "rs-backup")
    version, _ = admin.library_version(client)
    new = args.output + ".new"
    count = {"keys": 0, "files": len(files)}
    by_kind = {}

    try:
        with open(new, "wb", opener=lambda p, flags: os.open(
                p, flags | os.O_EXCL, 0o600)) as f:
            with archive.Writer(f, args.passphrase_file) as w:
                w.put({"format": 1, "library": version,
                       "created_at": int(time.time())})

                for path, data in files.items():
                    w.put({"file": path,
                           "data": base64.b64encode(data).decode()})

                for record in _records(client, kinds, args, ctx.out):
                    w.put(record)
                    kind = tenants.NAME.fullmatch(record["key"])[2]
                    by_kind[kind] = by_kind.get(kind, 0) + 1
                    count["keys"] += 1

                w.put({"end": count})

            os.fsync(f.fileno())

        os.rename(new, args.output)

    except OSError as e:
        raise ToolError(f"{new}: {e.strerror}",
                        "room there, and the right to write") from None

    finally:
        client.close()

        if os.path.exists(new):
            os.unlink(new)

    ctx.out.progress()
    summary = {"file": args.output, "files": sorted(files),
               "devices": by_kind.get("dev", 0), "keys": by_kind.get("key", 0)}

    if ctx.out.json:
        ctx.out.data(summary)

    else:
        ctx.out.line(f"{args.output}: {summary['devices']} devices, "
                     f"{summary['keys']} API keys, {len(files)} files")
