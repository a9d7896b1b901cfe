# Copyright (C) rs-gateway contributors
#
# Redis: reached, let in by, of the right version, and set up so that nothing
# is lost.

from . import check, fault, ok, warn
from ..admin import VERSION
from ..site import REDIS_PORT, REDIS_UNIT

NETWORK = {"refused": "nothing listens there: is Redis down?",
           "timeout": "no answer: a firewall in between, or the host is down",
           "unreachable": "cannot be reached",
           "no_name": "its name is not known here",
           "loading": "it is still reading its data",
           "no_primary": "no Sentinel names a primary",
           "error": "it answers with an error"}
CURE = {"refused": "systemctl start UNIT; why it ended: journalctl -u UNIT",
        "timeout": "let this host through to it (docs/operating/ports.md)",
        "unreachable": "ip route get its address; docs/operating/ports.md",
        "no_name": "getent hosts NAME: correct the name or the name server",
        "loading": "wait; journalctl -u UNIT tells how far it is",
        "no_primary": "redis-cli -p 26379 sentinel masters on each: at least "
                      "two have to run and know the name in the URL",
        "error": "journalctl -u UNIT"}


def _cure(u):
    """The instance that rsctl init sets up has a port of its own."""

    own = u.get("where", "").endswith(f":{REDIS_PORT}")

    return CURE[u["result"]].replace("UNIT", REDIS_UNIT if own
                                     else "redis-server")


def first(f):
    """A login that worked, for what any user may see."""

    return next((u for u in f["store"] if u["result"] == "ok"), None)


@check("Redis")
def reached(f):
    if not f["store"]:
        return None

    for u in f["store"]:
        if u["result"] in NETWORK:
            return fault(f"{u.get('where', u['url'])}, where {u['who']} "
                         f"looks: {NETWORK[u['result']]}"
                         + (f" ({u['text']})" if u["text"] else ""),
                         _cure(u))

        if u["result"] == "bad_url":
            return fault(f"{u['url']!r} of {u['who']} is no place of Redis",
                         "redis://HOST:PORT, rediss://, unix: or sentinel://")

        if u["result"] == "tls":
            return fault(f"{u['where']}: its certificate is not trusted by "
                         f"{u['who']}: {u['text']}",
                         "name the authority by ca_file, or renew the "
                         "certificate")

    u = first(f)

    if u is None:
        return ok("answers")

    version = u["server"]["server"].get("redis_version", "?")

    if version != "?" and int(version.split(".")[0]) < 7:
        return fault(f"{u['where']} is Redis {version}",
                     "7.0 or later is needed, or Valkey")

    return ok(f"{version} at {u['where']}")


@check("Redis password", "Redis")
def password(f):
    if not f["store"]:
        return None

    for u in f["store"]:
        if u["result"] == "no_file":
            if not f["host"]["root"]:
                return warn(f"the password of {u['who']} is not readable "
                            f"here: {u['file']}", "sudo rsctl doctor")

            return fault(f"the password of {u['who']}: {u['file']}: "
                         f"{u['text']}", "put it there, mode 0600")

        if u["result"] == "password":
            return fault(f"Redis refuses {u['who']} (user {u['user']}, "
                         f"password in {u['file'] or 'no file'})",
                         "the same password has to be in that file and in "
                         "users.acl of Redis (make-acl, then ACL LOAD)")

        if u["result"] == "denied":
            return fault(f"the user {u['user']} of {u['who']} may not even "
                         f"PING: {u['text']}", "users.acl is not of this "
                         "release: make-acl, then ACL LOAD")

    return ok(", ".join(f"{u['user']} ({u['who']})" for u in f["store"]))


@check("Redis library", "Redis password")
def library(f):
    u = first(f)

    if u is None:
        return None

    lib = u["library"]
    load = "/usr/share/rs-gateway/redis-schema/load of this release"

    if lib["result"] == "missing":
        return fault("the function library is not loaded", f"run {load}")

    if lib["result"] == "denied":
        return fault(f"{u['user']} may not call it: {lib['text']}",
                     "users.acl is not of this release: make-acl, then "
                     "ACL LOAD")

    if lib["result"] != "ok":
        return fault(lib["text"], f"run {load}")

    have, serves = lib["version"], lib["serves"]

    if have < VERSION:
        return fault(f"version {have} is loaded, this release needs "
                     f"{VERSION}", f"run {load}; the library comes first, "
                     "then gateways and TURN servers")

    if serves > VERSION:
        return fault(f"version {have} is loaded and serves {serves} and "
                     f"later; this release is {VERSION}",
                     "upgrade what is on this host")

    return ok(f"version {have}" + (f", serves {serves}" if serves != have
                                   else ""))


@check("Redis eviction", "Redis password")
def eviction(f):
    u = first(f)
    memory = u["server"]["memory"] if u else {}

    if not memory:
        return None

    policy = memory.get("maxmemory_policy", "?")
    limit, used = memory.get("maxmemory", 0), memory.get("used_memory", 0)

    if policy != "noeviction":
        return fault(f"maxmemory-policy is {policy}: devices and keys would "
                     "be thrown away when memory gets short",
                     "maxmemory-policy noeviction in redis.conf, and CONFIG "
                     "SET maxmemory-policy noeviction")

    if limit and used > 0.9 * limit:
        return warn(f"noeviction, but {used * 100 // limit} % of maxmemory "
                    "is used: new sessions are refused when it is full",
                    "more maxmemory; rs-audit export --trim")

    return ok("noeviction"
              + (f", {used * 100 // limit} % of maxmemory" if limit else ""))


@check("Redis persistence", "Redis password")
def persistence(f):
    u = first(f)
    p = u["server"]["persistence"] if u else {}

    if not p:
        return None

    for key, what in (("rdb_last_bgsave_status", "the last snapshot"),
                      ("aof_last_write_status", "the last write to the log"),
                      ("aof_last_bgrewrite_status", "the last rewrite")):
        if p.get(key, "ok") != "ok":
            return fault(f"{what} failed ({key})",
                         "room and rights in Redis' folder: "
                         "journalctl -u redis-server")

    if not p.get("aof_enabled") and not p.get("rdb_last_save_time"):
        return None

    if not p.get("aof_enabled"):
        return warn("no append-only file: after a crash the last minutes of "
                    "enrolments and keys are gone",
                    "appendonly yes in redis.conf; rsctl backup by a timer")

    return ok("append-only file")


@check("Redis replicas", "Redis password")
def replicas(f):
    u = first(f)

    if u is None:
        return None

    r = u["server"]["replication"]

    if r and r.get("role") != "master":
        return fault(f"{u['where']} is a replica: nothing can be written",
                     "name the primary, or the Sentinels: sentinel://")

    said = u["sentinels"]

    if not said:
        return None

    bad = [f"{s['host']}:{s['port']}" for s in said if s["result"] != "ok"
           or not s["primary"]]
    named = {tuple(s["primary"]) for s in said if s["primary"]}

    if len(named) > 1:
        return fault("Sentinels do not agree which one is the primary",
                     "redis-cli -p 26379 sentinel get-master-addr-by-name on "
                     "each; SENTINEL RESET where it is wrong")

    if bad:
        return warn(f"Sentinel {', '.join(bad)} does not answer: "
                    f"{len(said) - len(bad)} of {len(said)} are left",
                    "systemctl start redis-sentinel there")

    if not r.get("connected_slaves"):
        return warn("the primary has no replica: nothing to fail over to",
                    "systemctl start redis-server on the others")

    return ok(f"{r['connected_slaves']} replicas, {len(said)} Sentinels")
