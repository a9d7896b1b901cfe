#!/usr/bin/python3
#
# Copyright (C) rs-gateway contributors
#
# rsctl doctor against a whole stack that is broken in one way after the other:
# it names the fault, and nothing else; once that is mended all is well again.

import glob
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "lib"))

from rstest import (TOP, Fleet, done, equal, folder, like, namespace, ok,
                    run, wait_for)                      # noqa: E402

namespace()

FAKETIME = (glob.glob("/usr/lib/*/faketime/libfaketime.so.1") or [""])[0]
AHEAD = {"LD_PRELOAD": FAKETIME, "FAKETIME": "+600s",
         "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}

fleet = Fleet(folder(), "--ip", "10.77.0.1", "--relay-ip", "10.78.0.2")
turn = fleet.state["turn"]
secrets = [open(p, encoding="utf-8").read().strip() for p in
           [*fleet.state["redis"]["users"].values(), fleet.state["api_key_file"],
            turn["key_file"], turn["authd"]["cli_password_file"]]]
printed = []


def prepare():
    """What is the host's to do: rules of the kernel, a Redis that keeps."""

    authd = [f"{TOP}/build/turn/rs-turn-authd", "-c", turn["authd"]["conf"]]
    rules = fleet.path("rs-turn.nft")

    subprocess.run([*authd, "--print-nft", "--output", rules], check=True)
    subprocess.run(["nft", "-f", rules], check=True)

    with open("/proc/sys/net/ipv4/ip_local_reserved_ports", "w",
              encoding="ascii") as f:
        f.write("-".join(map(str, turn["relay_ports"])))

    fleet.redis("CONFIG", "SET", "appendonly", "yes")
    fleet.redis("CONFIG", "REWRITE")


def doctor(*argv):
    """(exit status, its lines)."""

    status, out, err = fleet.rsctl("doctor", *argv)

    if err:
        print("# " + err.replace("\n", "\n# "))

    printed.append(out + err)

    return status, out


def faults(out):
    return [line for line in out.splitlines() if line.startswith("FAULT")]


def until_well(what):
    """All is well soon; gives what it said then."""

    said = []

    def well():
        status, out = doctor()
        said[:] = [out]

        return status == 0

    try:
        wait_for("all to be well", well, 45)
        ok(True, what)

    except TimeoutError:
        ok(False, what, said[0])

    return said[0]


def broken(what, names, break_it, mend):
    """One fault, of that name; then it is mended."""

    break_it()

    try:
        status, out = doctor()
        found = faults(out)

        equal(status, 2, f"{what}: exit status")
        ok(len(found) == 1 and names in found[0], f"{what}: named, alone",
           out)
        print(f"# {found[0] if found else out}")
        like(found[0] if found else "", r"; .{10}", f"{what}: with a cure")

    finally:
        mend()

    until_well(f"{what}: mended")


def text_of(name, change):
    """(break, mend) of a file: CHANGE gives its new text."""

    text = fleet.read(name)

    return (lambda: fleet.write(name, change(text)),
            lambda: fleet.write(name, text))


def both(*steps):
    return lambda: [step() for step in steps]


# ---- what is well

prepare()
healthy = until_well("a stack that is well")
like(healthy, r"\nok +Redis -- ", "it says what it looked at")
equal([x for x in healthy.splitlines() if not x.startswith("ok ")], [],
      "all is well")


# ---- Redis

broken("Redis is down", "FAULT  Redis -- ",
       lambda: fleet.stop("redis"), lambda: fleet.start("redis"))

wrong, right = text_of("secrets/redis/rs-gateway", lambda _: "z" * 64 + "\n")
broken("a wrong password", "FAULT  Redis password -- ",
       both(wrong, fleet.reload), both(right, fleet.reload))

with open(f"{TOP}/redis-schema/lib/rs.lua", encoding="utf-8") as f:
    library = f.read()

older = library.replace("local VERSION = ", "local VERSION = 1 -- ", 1)
broken("an old library", "FAULT  Redis library -- version 1 is loaded",
       lambda: fleet.redis("FUNCTION", "LOAD", "REPLACE", older),
       lambda: fleet.redis("FUNCTION", "LOAD", "REPLACE", library))

broken("a Redis that evicts", "FAULT  Redis eviction -- ",
       lambda: fleet.redis("CONFIG", "SET", "maxmemory-policy",
                           "allkeys-lru"),
       lambda: fleet.redis("CONFIG", "SET", "maxmemory-policy",
                           "noeviction"))


# ---- TURN

broken("coturn is down", "FAULT  coturn -- ",
       lambda: fleet.stop("turn"), lambda: fleet.start("turn"))

broken("the plugin is down", "FAULT  TURN plugin -- ",
       lambda: fleet.stop("turn-authd"), lambda: fleet.start("turn-authd"))

other, same = text_of("node1/rs-site.conf",
                      lambda t: t.replace("rs_turn_realm rs-stack;",
                                          "rs_turn_realm elsewhere;"))
broken("a wrong realm", "FAULT  realm -- ",
       both(other, fleet.reload), both(same, fleet.reload))

without, with_them = text_of(
    "turn/turnserver.conf",
    lambda t: "".join(line for line in t.splitlines(True)
                      if not line.startswith("denied-peer-ip")))
broken("no deny list", "FAULT  peer floor -- ",
       both(without, lambda: fleet.stop("turn"),
            lambda: fleet.start("turn")),
       both(with_them, lambda: fleet.stop("turn"),
            lambda: fleet.start("turn")))

# the plugin's Redis port is on loopback: only the outside is cut off

blocked = ["nft", "add table inet rs_test; add chain inet rs_test input { "
           "type filter hook input priority 0; policy accept; }; add rule "
           f"inet rs_test input udp dport {turn['port']} drop"]
broken("a port that is blocked",
       f"FAULT  TURN ports -- UDP {turn['port']} of 10.77.0.1 is blocked",
       lambda: subprocess.run(blocked, check=True),
       lambda: subprocess.run(["nft", "delete table inet rs_test"],
                              check=True))


# ---- time

def expired():
    """A certificate of last year, made then."""

    old = fleet.path("old-tls")
    subprocess.run(["faketime", "-f", "-400d", sys.executable, "-c",
                    "import sys; sys.path.insert(0, sys.argv[1]); "
                    "from rslib import tls; "
                    "tls.make(sys.argv[2], ['10.77.0.1', 'localhost'])",
                    f"{TOP}/util", old], check=True)

    for name in ("cert.pem", "key.pem"):
        os.rename(fleet.path("tls", name), fleet.path("tls", name + ".good"))
        os.rename(os.path.join(old, name), fleet.path("tls", name))

    fleet.reload()


def renewed():
    for name in ("cert.pem", "key.pem"):
        os.rename(fleet.path("tls", name + ".good"), fleet.path("tls", name))

    fleet.reload()


broken("an expired certificate", "FAULT  gateway certificate -- ", expired,
       renewed)


def clock(part, env):
    def change():
        fleet.stop(part)
        fleet.start(part, env)

    return change


ok(FAKETIME, "libfaketime is there")

# Redis does not start with libfaketime (jemalloc); 000-checks has that case

for part, name in (("node1", "the gateway"),
                   ("turn-authd", "the TURN plugin")):
    broken(f"{part}: a clock that is off",
           f"FAULT  clock -- {name} is 10 min ahead; ",
           clock(part, AHEAD), clock(part, {}))


# ---- and what it says

status, out = doctor("--only", "Redis", "--only", "coturn")
equal([x[7:].split(" -- ")[0] for x in out.splitlines()],
      ["Redis", "coturn"], "only what was asked for")
equal(doctor("--only", "weather")[0], 2, "no such check")
like(doctor("--json")[1], r'^\{\n  "status": "ok"', "as JSON")
equal([s for s in secrets if any(s in p for p in printed)], [],
      "no secret was printed")

# a host that has nothing yet

empty = fleet.write("empty.conf", "")
status, out, _ = fleet.rsctl("doctor", conf=empty)
like(out, r"warn +rsctl.conf -- does not say where the gateway is",
     "a host without rsctl.conf's lines")

run("nft", "delete table inet rs_turn")
fleet.down()
done()
