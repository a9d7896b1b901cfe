#!/usr/bin/python3
#
# Copyright (C) rs-gateway contributors
#
# The checks of rsctl doctor, each with the facts of a host that is well and
# with one of them changed; and what is read of nginx' and others' files.

import copy
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "lib"))

from rstest import done, equal, like, ok                    # noqa: E402
from rsgw import checks                                     # noqa: E402
from rsgw.admin import VERSION                              # noqa: E402
from rsgw.facts import conf, store, turn                    # noqa: E402

NOW = 1_800_000_000
DAY = 86400


def login(who, user, **more):
    return {"who": who, "url": "redis://r:6379", "user": user, "file": "/f",
            "where": "r:6379", "result": "ok", "text": "", "sentinels": [],
            "library": {"result": "ok", "version": VERSION,
                        "serves": VERSION},
            "server": {"server": {"redis_version": "7.0.15"}, "clock": 0.1,
                       "memory": {"maxmemory_policy": "noeviction"},
                       "persistence": {"aof_enabled": 1},
                       "replication": {"role": "master",
                                       "connected_slaves": 2}}, **more}


def cert(**more):
    return {"result": "ok", "verified": True, "problem": "", "names": ["g"],
            "not_before": NOW - DAY, "not_after": NOW + 60 * DAY, **more}


def relayed(transport):
    return {"uri": f"turn:t?{transport}", "transport": transport,
            "error": None, "realm": "r", "relay": {
                "loss_percent": 0.0, "round_trip_ms": {"p50": 1.0}}}


def server(transport, port, **more):
    return {"url": f"turn:t:{port}?{transport}", "scheme": "turn",
            "host": "t", "port": port, "transport": transport,
            "result": "ok", **more}


WELL = {
    "now": NOW,
    "host": {"root": True, "synchronised": True, "disks": [
        {"path": "/", "holds": ["the system"], "free": 0.5,
         "free_bytes": 1 << 33, "inodes": 0.9}]},
    "nginx": {"valid": True, "problems": [], "text": "", "realm": "r",
              "turn": "key", "identity": True, "secrets": {"/k": None},
              "master": {"pid": 7, "module": True, "replaced": False}},
    "plugin": {"path": "/p", "unreadable": False, "program": "/a",
               "valid": True, "problem": "", "listen": "127.0.0.1:16381",
               "conf": {"realm": ["r"], "redis": ["redis://r"]},
               "health": {"result": "ok", "status": 200, "date": 0.2},
               "metrics": {("rs_turn_in_sync",): 1, ("rs_turn_stale",): 0,
                           ("rs_turn_cli_up",): 1,
                           ("rs_turn_coturn_info", "4.6.1"): 1},
               "secrets": {}},
    "coturn": {"path": "/t", "realm": "r", "denied": 17, "missing": [],
               "missing_denied": 0, "changed": NOW - 100, "guard": True,
               "process": {"pid": 9, "since": NOW - 50, "argv": []}},
    "kernel": {"reserved": True, "range": "49152-65535", "rules": True,
               "shared_relay": []},
    "store": [login("rsctl", "rs-deploy"), login("the gateway", "rs-gateway")],
    "gateway": {"url": "https://g/rs/v1", "host": "g", "where": "g:443",
                "tls": True, "tcp": "ok", "certificate": cert(),
                "live": {"result": "ok", "status": 200, "date": -0.3},
                "ready": {"result": "ok", "status": 200, "json": {}},
                "root": {"json": {"api_version": 1}},
                "ice": {"result": "ok", "answer": {}}},
    "servers": [server("udp", 3478), server("tcp", 3478),
                server("tls", 5349, certificate=cert())],
    "path": {"result": "ok", "report": {
        "checks": [relayed("udp"), relayed("tcp")],
        "denied": [{"uri": "turn:t", "holes_count": 0, "holes": [],
                    "probes": 9, "error": None}]}},
}


def judged(change):
    """The findings once CHANGE was made to what is well."""

    facts = copy.deepcopy(WELL)
    change(facts)

    return checks.judge(facts)


def told(what, change, state, name, text):
    """CHANGE leads to one finding that is not ok or skip, this one."""

    found = [f for f in judged(change) if f.state not in ("ok", "skip")]

    equal([(f.state, f.what) for f in found], [(state, name)], what)

    if found:
        like(found[0].detail, text, f"{what}: what it says")
        ok(found[0].cure, f"{what}: a cure")


def put(*path_value):
    """A change: the value at a path."""

    *path, last, value = path_value

    def change(facts):
        for step in path:
            facts = facts[step]

        facts[last] = value

    return change


equal([f.line() for f in judged(lambda f: None) if f.state != "ok"], [],
      "what is well")
equal(len(checks.names()), len(set(checks.names())), "each check has a name")
equal([n for _, needs, _ in checks.CHECKS for n in needs
       if n not in checks.names()], [], "and needs only what there is")
ok(all(checks.names().index(n) < checks.names().index(what)
       for what, needs, _ in checks.CHECKS for n in needs),
   "which was judged before")

for case in (
    ("not root", put("host", "root", False), "warn", "rights", "not root"),
    ("a full disk", put("host", "disks", 0, "free", 0.02), "FAULT", "disk",
     "2 % of its space"),
    ("few inodes", put("host", "disks", 0, "inodes", 0.05), "warn", "disk",
     "5 % of its inodes"),
    ("an open secret", put("nginx", "secrets", "/k",
                           "can be read by everybody"), "FAULT", "secrets",
     "^/k can be read"),
    ("nginx -t", lambda f: f["nginx"].update(valid=False, problems=["no"]),
     "FAULT", "nginx configuration", "^no$"),
    ("nginx is down", put("nginx", "master", None), "FAULT", "nginx",
     "does not run"),
    ("nginx without the module", put("nginx", "master", "module", False),
     "FAULT", "nginx", "without the gateway's module"),
    ("a module that was upgraded", put("nginx", "master", "replaced", True),
     "warn", "nginx", "newer"),
    ("no identity", put("nginx", "identity", False), "warn", "identity",
     "no identity"),
    ("a Redis that is far", put("store", 0, "result", "timeout"), "FAULT",
     "Redis", "firewall"),
    ("an old Redis", put("store", 0, "server", "server", "redis_version",
                         "6.2.1"), "FAULT", "Redis", "6.2.1"),
    ("no library", put("store", 0, "library",
                       {"result": "missing", "text": ""}), "FAULT",
     "Redis library", "not loaded"),
    ("a newer library that serves us no more",
     put("store", 0, "library", {"result": "ok", "version": VERSION + 2,
                                 "serves": VERSION + 1}), "FAULT",
     "Redis library", "serves"),
    ("a full Redis", put("store", 0, "server", "memory",
                         {"maxmemory_policy": "noeviction",
                          "maxmemory": 100, "used_memory": 95}), "warn",
     "Redis eviction", "95 %"),
    ("nothing is kept", put("store", 0, "server", "persistence",
                            {"aof_enabled": 0, "rdb_last_save_time": 1}),
     "warn", "Redis persistence", "append-only"),
    ("a snapshot that failed", put("store", 0, "server", "persistence",
                                   {"rdb_last_bgsave_status": "err"}),
     "FAULT", "Redis persistence", "snapshot"),
    ("a replica", put("store", 0, "server", "replication",
                      {"role": "slave"}), "FAULT", "Redis replicas",
     "is a replica"),
    ("Sentinels that disagree", put("store", 0, "sentinels", [
        {"host": "a", "port": 1, "result": "ok", "primary": ["x", 1]},
        {"host": "b", "port": 1, "result": "ok", "primary": ["y", 1]}]),
     "FAULT", "Redis replicas", "do not agree"),
    ("a Sentinel that is down", put("store", 0, "sentinels", [
        {"host": "a", "port": 1, "result": "ok", "primary": ["x", 1]},
        {"host": "b", "port": 1, "result": "refused", "primary": None}]),
     "warn", "Redis replicas", "b:1 does not answer: 1 of 2"),
    ("no rsctl.conf", put("gateway", None), "warn", "rsctl.conf",
     "does not say"),
    ("no key", put("gateway", "ice", {"result": "no_key", "problem": "none"}),
     "warn", "rsctl.conf", "no API key"),
    ("443 is blocked", put("gateway", "tcp", "timeout"), "FAULT",
     "gateway port", "firewall"),
    ("soon expired", put("gateway", "certificate",
                         cert(not_after=NOW + 5 * DAY)), "warn",
     "gateway certificate", "in 5 days"),
    ("another's certificate", put("gateway", "certificate",
                                  cert(verified=False, problem="Hostname "
                                       "mismatch, ...")), "FAULT",
     "gateway certificate", "it is for g"),
    ("an unknown authority", put("gateway", "certificate",
                                 cert(verified=False,
                                      problem="self-signed")), "FAULT",
     "gateway certificate", "not trusted here: self-signed"),
    ("no gateway there", put("gateway", "live", "status", 404), "FAULT",
     "gateway", "no gateway at this path"),
    ("it drains", put("gateway", "ready", {
        "result": "ok", "status": 503, "json": {"code": "draining"}}),
     "warn", "gateway ready", "draining"),
    ("this host's clock", lambda f: (
        put("store", 0, "server", "clock", 600.0)(f),
        put("store", 1, "server", "clock", 600.0)(f),
        put("gateway", "live", "date", 600.2)(f),
        put("plugin", "health", "date", 600.1)(f)), "FAULT", "clock",
     "^this host is 10 min behind$"),
    ("seconds", put("gateway", "live", "date", 20.0), "warn", "clock",
     "the gateway is 20 s ahead"),
    ("nothing keeps the clock", put("host", "synchronised", False), "warn",
     "clock", "keeps"),
    ("a plugin without Redis", put("plugin", "metrics",
                                   {("rs_turn_in_sync",): 0,
                                    ("rs_turn_stale",): 1}), "FAULT",
     "TURN plugin in sync", "too long"),
    ("a plugin coturn does not let in", put(
        "plugin", "metrics", ("rs_turn_cli_up",), 0), "FAULT", "coturn CLI",
     "not let in"),
    ("no guard", put("coturn", "guard", False), "FAULT", "coturn guard",
     "4.6.1 runs without it"),
    ("lines that are missing", lambda f: f["coturn"].update(
        missing=["no-tlsv1"]), "warn", "peer floor", "no-tlsv1"),
    ("a part of the deny list", lambda f: f["coturn"].update(
        missing_denied=3), "FAULT", "peer floor", "lacks 3"),
    ("a file coturn has not read", put("coturn", "changed", NOW), "warn",
     "peer floor", "newer than the coturn"),
    ("no rules of the kernel", put("kernel", "rules", False), "FAULT",
     "relay address", "no rules"),
    ("a relay address that is shared", put("kernel", "shared_relay", ["a"]),
     "warn", "relay address", "a is both"),
    ("a port nobody listens at", put("servers", 1, "result", "refused"),
     "FAULT", "TURN ports", "TCP 3478 of t .* nothing listens"),
    ("a TURN certificate", put("servers", 2, "certificate",
                               cert(not_after=NOW - 1)), "FAULT",
     "TURN certificate", "t:5349: expired"),
    ("a credential that is refused", put(
        "path", "report", "checks", 0, "error",
        {"step": "allocate", "code": 401, "text": "Unauthorized",
         "hint": "the secret"}), "FAULT", "TURN path",
     "allocate 401: Unauthorized"),
    ("a key of another scope", put("gateway", "ice", {
        "result": "status", "status": 403, "code": "forbidden"}), "FAULT",
     "TURN path", "403 forbidden"),
    ("a hole", put("path", "report", "denied", 0, {
        "uri": "turn:t", "holes_count": 1, "holes": ["127.0.0.1"],
        "probes": 9, "error": None}), "FAULT", "TURN peers", "127.0.0.1"),
):
    told(*case)

# far away: only what clients meet

remote = copy.deepcopy(WELL)
remote.update(nginx=None, plugin=None, coturn=None, kernel=None, store=[])

for s in remote["servers"]:
    s["result"] = "timeout"

found = checks.judge(remote)
equal([f.what for f in found if f.state == "FAULT"], ["coturn"],
      "a TURN server that is far and down")
equal({f.detail for f in found if f.state == "skip"}, {"after: coturn"},
      "what follows says after which")
equal(checks.status(found), 2, "faults")
equal(checks.status(judged(put("host", "root", False))), 1, "warnings")
equal(checks.status(judged(lambda f: None)), 0, "neither")


# files of others

directives = conf.nginx('''
# a comment; with { marks }
user www-data; http { map "" $x { default "a b;c"; }
  rs_redis redis://h:1 user=u 'password_file=/x y'; # rs_redis no;
  server { listen 443 ssl; set $a b"${c}d; } }
''')
equal(conf.values(directives, "rs_redis"),
      [["redis://h:1", "user=u", "password_file=/x y"]], "nginx' directives")
equal(conf.values(directives, "default"), [["a b;c"]], "with quotes")
equal(conf.values(directives, "listen"), [["443", "ssl"]], "in blocks")
equal(conf.values(directives, "set"), [["$a", 'b"${c}d']], "a variable")
equal(conf.nginx('a "never closed'), [], "an open quote ends it")
equal(conf.authd("a = b # c\n# d = e\nrelay=1\nrelay = 2\n"),
      {"a": ["b"], "relay": ["1", "2"]}, "rs-turn-authd.conf")
equal(conf.turnserver("# x\nno-cli\nrealm=a b\n x = \"y=z\"\n"),
      [("no-cli", ""), ("realm", "a b"), ("x", "y=z")], "turnserver.conf")

for url, want in (("redis://h", {"kind": "tcp", "hosts": [("h", 6379)],
                                 "db": 0, "tls": False}),
                  ("rediss://[::1]:1/2", {"kind": "tcp",
                                          "hosts": [("::1", 1)], "db": 2,
                                          "tls": True}),
                  ("unix:/a/b", {"kind": "unix", "path": "/a/b", "db": 0,
                                 "tls": False}),
                  ("sentinel+tls://a:1,[::2]/n/3",
                   {"kind": "sentinel", "name": "n", "db": 3, "tls": True,
                    "hosts": [("a", 1), ("::2", 26379)]})):
    equal(conf.place(url), want, url)

for url in ("http://h", "sentinel://a", "redis://", "sentinel://a b:c/n"):
    try:
        ok(False, f"{url} is refused", conf.place(url))

    except ValueError:
        ok(True, f"{url} is refused")

equal(conf.turn_url("turns:t.x:443?transport=tcp"), ("turns", "t.x", 443,
                                                     "tls"), "turns:")
equal(conf.turn_url("turn:[::1]"), ("turn", "::1", 3478, "udp"), "turn:")
equal(conf.turn_url("stun:a:1"), ("stun", "a", 1, "udp"), "stun:")
equal(turn.metrics('# x\nrs_a{relay="r",state="live"} 3\nrs_b 1.5\n!\n'),
      {("rs_a", "live"): 3.0, ("rs_b",): 1.5}, "metrics")
equal(store.login("x", "ftp://x", {})["result"], "bad_url",
      "a place that is none")
equal(store.login("x", "redis://127.0.0.1:1",
                  {"password_file": "/nonexistent"})["result"], "no_file",
      "a password that is not there")
done()
