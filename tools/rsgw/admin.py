# Copyright (C) rs-gateway contributors
#
# What the tools that talk to Redis (rsctl, rs-key, redis-schema/load) share:
# where it is, who asks, and how its answers become errors a person can act on.
# Passwords come from a file or the environment, never from the command line.

import os
import re
import sys
from urllib.parse import urlsplit

try:
    import redis
except ImportError:
    sys.exit("python3-redis is missing: apt install python3-redis "
             "(and run this by /usr/bin/python3)")

from .errors import ToolError

VERSION = 8         # of the calls these tools make of the function library
TIMEOUT_S = 5
SENTINELS_MAX = 16
WAIT_MS = 2000      # for replicas; below TIMEOUT_S
DEFAULT = "redis://127.0.0.1:6379/0"


class AdminError(ToolError):
    """Told to the user as it is."""


def add_options(parser):
    """Adds the options that say which Redis, and as whom."""

    g = parser.add_argument_group("Redis")
    g.add_argument("--redis", metavar="URL",
                   default=os.environ.get("RS_REDIS", DEFAULT),
                   help="redis://host:port/db, rediss://host:port/db, "
                        "unix:/path, or sentinel://host:port,host:port/name "
                        "for the primary; default: RS_REDIS of the environment, "
                        "else redis://127.0.0.1:6379/0")
    g.add_argument("--socket", metavar="PATH",
                   help="the same as --redis unix:PATH")
    g.add_argument("--user", metavar="NAME", default="rs-deploy",
                   help="ACL user (default: rs-deploy)")
    g.add_argument("--password-file", metavar="FILE",
                   help="first line: the user's password; default: "
                        "RS_REDIS_PASSWORD of the environment, else none")
    g.add_argument("--ca-file", metavar="FILE",
                   help="certificates to trust, with TLS (default: the "
                        "system's)")


def _password(args):
    if not args.password_file:
        return os.environ.get("RS_REDIS_PASSWORD") or None

    try:
        with open(args.password_file, encoding="utf-8") as f:
            line = f.readline().rstrip("\r\n")

    except (OSError, UnicodeDecodeError) as e:
        raise AdminError(f"password file: {e}") from None

    if not line:
        raise AdminError(f"password file {args.password_file}: its first "
                         "line is empty")

    return line


def _tls(args):
    return {"ssl": True, "ssl_ca_certs": getattr(args, "ca_file", None),
            "ssl_check_hostname": True}


def _primary(args, scheme, rest, who):
    """Which one the Sentinels say is it: the first that answers counts.

    They know the users of Redis, or, where they ask nobody who he is, none.
    """

    hosts, _, name = rest.partition("/")
    name, _, db = name.partition("/")
    tls = _tls(args) if scheme == "sentinel+tls" else {}
    why = "no host is named"

    if not name or not (db or "0").isdigit():
        raise AdminError(f"--redis {args.redis}: not "
                         "sentinel://host:port,host:port/name")

    for text in hosts.split(",")[:SENTINELS_MAX]:
        host, _, port = text.rpartition(":") if ":" in text \
            else (text, "", "26379")

        for credentials in (who, {}) if who else ({},):
            try:
                with redis.Redis(host=host.strip("[]"), port=int(port),
                                 decode_responses=True,
                                 socket_timeout=TIMEOUT_S,
                                 socket_connect_timeout=TIMEOUT_S,
                                 **credentials, **tls) as c:
                    found = c.execute_command(
                        "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)

                if found:
                    return {"host": found[0], "port": int(found[1]),
                            "db": int(db or 0), **tls}

                why = f"{text} knows no {name}"

            except (redis.exceptions.AuthenticationError,
                    redis.exceptions.ResponseError) as e:
                why = f"{text}: {e}"

            except (redis.exceptions.RedisError, ValueError) as e:
                why = f"{text}: {e}"
                break

    raise AdminError(f"no Sentinel says where Redis is: {why}",
                     "rsctl doctor looks at each of them")


def _place(args, who):
    """Where to connect to, as arguments of redis.Redis."""

    if args.socket:
        return {"unix_socket_path": args.socket}

    url = args.redis

    if url.startswith("unix:"):
        path = url[len("unix:"):]
        return {"unix_socket_path": "/" + path.lstrip("/")}

    scheme, _, rest = url.partition("://")

    if scheme in ("sentinel", "sentinel+tls"):
        return _primary(args, scheme, rest, who)

    try:
        u = urlsplit(url)
        port = u.port or 6379
        db = int(u.path.lstrip("/") or 0)

    except ValueError:
        raise AdminError(f"--redis {url}: not redis://host:port/db") from None

    if u.username or u.password:
        raise AdminError("--redis: no user or password in the URL; use "
                         "--user and --password-file")

    if u.scheme not in ("redis", "rediss") or not u.hostname:
        raise AdminError(f"--redis {url}: not redis://host:port/db, "
                         "rediss://host:port/db, unix:/path or "
                         "sentinel://host:port,host:port/name")

    return {"host": u.hostname, "port": port, "db": db,
            **(_tls(args) if u.scheme == "rediss" else {})}


def connect(args):
    """A connection that has answered once; AdminError else."""

    password = _password(args)
    who = {"username": args.user, "password": password} if password else {}

    client = redis.Redis(socket_timeout=TIMEOUT_S,
                         socket_connect_timeout=TIMEOUT_S,
                         decode_responses=True, **_place(args, who), **who)
    call(client, "PING")

    return client


def _refused(e):
    return (f"Redis refuses the user or password: {e}; see --user and "
            "--password-file")


def call(client, *command):
    """One command; what Redis refuses becomes an AdminError."""

    try:
        return client.execute_command(*command)

    except redis.exceptions.NoPermissionError as e:
        raise AdminError(f"the Redis user may not do this: {e}; rs-deploy "
                         "of redis-schema/acl may") from None

    except redis.exceptions.AuthenticationError as e:
        raise AdminError(_refused(e)) from None

    except redis.exceptions.ConnectionError as e:
        raise AdminError(f"Redis cannot be reached: {e}") from None

    except redis.exceptions.TimeoutError:
        raise AdminError(f"Redis did not answer in {TIMEOUT_S} s") from None

    except redis.exceptions.ResponseError as e:
        if "Function not found" in str(e):
            raise AdminError("the function library is not loaded: "
                             "run redis-schema/load first") from None

        if str(e).startswith(("WRONGPASS", "NOAUTH")):
            raise AdminError(_refused(e)) from None

        raise AdminError(f"Redis: {e}") from None


def fcall(client, name, keys, *argv):
    """One function; what follows its "ok".  AdminError(code) else."""

    reply = call(client, "FCALL", name, len(keys), *keys, *argv)

    if reply[0] != "ok":
        raise AdminError(reply[0])

    return reply[1:]


def confirmed(client, replicas=None):
    """Do so many replicas have what was written?  None: one, if there is any.

    WAIT speaks of its own connection: there is one, calls come one by one.
    """

    if replicas is None:
        info = call(client, "INFO", "replication")
        replicas = min(int(info["connected_slaves"]), 1)

    return (replicas == 0
            or call(client, "WAIT", replicas, WAIT_MS) >= replicas)


def library_version(client):
    """(version, oldest version served) of the library in Redis."""

    have = fcall(client, "rs_version", [])

    # one of before the second number serves its own version alone

    try:
        version, serves = int(have[0]), int(have[1] if have[1:] else have[0])

    except (IndexError, ValueError):
        raise AdminError("the function library in Redis does not say its "
                         "version: run redis-schema/load") from None

    return version, serves


def check_version(client):
    """Does the library in Redis serve the calls of these tools?"""

    version, serves = library_version(client)

    if not serves <= VERSION <= version:
        cure = ("run redis-schema/load of this release" if version < VERSION
                else "use the tools of its release")

        raise AdminError("the function library in Redis is version "
                         f"{version} and serves {serves} to {version}, this "
                         f"tool needs {VERSION}: {cure}")


def _versions_of(text):
    """(version, oldest version served) of the text of a library."""

    said = dict(re.findall(r"^local (VERSION|SERVES) = (\d{1,6})\b", text,
                           re.M))

    if "VERSION" not in said:
        raise AdminError('the library has no line "local VERSION = <number>"')

    return int(said["VERSION"]), int(said.get("SERVES", said["VERSION"]))


def _may_replace(client, version, serves):
    """AdminError when programs that go with the library in Redis, whose
    version and serves are not so, would be refused by the new one."""

    try:
        have = library_version(client)[0]

    except AdminError:
        return              # there is none, or one that serves nobody

    if have > version:
        raise AdminError(f"Redis holds version {have} of the library, this "
                         f"one is {version}: gateways, TURN servers and tools "
                         f"that need {have} would stop. Bring them back to "
                         "the release before first, then say --force")

    if have < serves:
        raise AdminError(f"Redis holds version {have} of the library, this "
                         f"one serves {serves} to {version}: what runs now "
                         "would stop. Upgrade to a release between the two "
                         "first, or stop everything and say --force")


def load_library(client, text, force=False):
    """Puts the library into Redis; (version, oldest version served).

    Without force one that does not serve what runs with the library of
    before is refused.
    """

    wanted = _versions_of(text)

    if not force:
        _may_replace(client, *wanted)

    call(client, "FUNCTION", "LOAD", "REPLACE", text)

    if library_version(client) != wanted:
        raise AdminError(f"version {wanted[0]} was loaded, and Redis answers "
                         "with another: does something else load libraries?")

    return wanted


def main(run):
    """Runs a tool; exit codes: 0 done, 1 failed, 2 wrong usage."""

    try:
        sys.exit(run() or 0)

    except AdminError as e:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {e}")
