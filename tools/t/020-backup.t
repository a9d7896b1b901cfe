#!/usr/bin/python3
#
# Copyright (C) rs-gateway contributors
#
# rsctl backup and restore: a fleet loses its Redis, its identity and the keys
# of TURN; what comes back is what was there, and the agent that was enrolled
# before comes back by itself.

import base64
import json
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "lib"))

from rstest import (TOP, Fleet, done, equal, folder, like,  # noqa: E402
                    namespace, ok, run, wait_for)

namespace()

import redis as redispy                                     # noqa: E402

from rsgw import rest                                       # noqa: E402

fleet = Fleet(folder(), "--ip", "10.77.0.1", "--agent")
state, redis = fleet.state, fleet.state["redis"]
device = state["agent"]["device_id"]
key = fleet.read("secrets/api-key").strip()
files = [fleet.path("secrets", "identity.pem"),
         fleet.path("secrets", "turn-key")]
outside = folder()
passphrase = os.path.join(outside, "pass")
printed = []

with open(fleet.conf, "a", encoding="utf-8") as f:
    f.write(f"[backup]\nuser = rs-backup\n"
            f"password_file = {redis['users']['rs-backup']}\n")


def api(method, path, body=None, who=None):
    node = state["nodes"][0]

    return rest.call(method, state["base"] + path, body, who or key,
                     state["ca"], (node["ip"], node["https_port"]))


def made(path, body, who=None):
    status, answer = api("POST", path, body, who)

    if status not in (200, 201):
        raise RuntimeError(f"POST {path}: {status} {answer}")

    return answer


def rsctl(*argv, data=None):
    got = fleet.rsctl(*argv, data=data)
    printed.append(got[1] + got[2])

    return got


def refused(what, why, *argv):
    status, out, err = rsctl(*argv)
    equal(status, 1, what)
    like(err, why, f"{what}: why")
    ok(len(err.splitlines()) > 1, f"{what}: a cure", err)


def online():
    try:
        status, answer = api("GET", f"/devices/{device}")

    except OSError:
        return False

    return status == 200 and answer["online"]


# ---- what there is to lose

group = made("/groups", {"name": "front desks"})["id"]
made("/groups", {"name": "nobody's"})
client = rest.Client(state["base"], key, state["ca"],
                     "{ip}:{https_port}".format(**state["nodes"][0]))
etag = client.with_headers("GET", f"/devices/{device}")[1]["ETag"]
equal(client.call("PATCH", f"/devices/{device}", {
    "group_id": group, "tags": ["berlin"]}, headers={"If-Match": etag})
    ["group_id"], group, "a device in a group")
api("PUT", "/policies/calm", {"consent": "required"})
made("/grants", {"subject": "group:staff", "group_id": group,
                 "verbs": ["sessions:write"]})
enrolment = made("/enrollments", {"ttl_s": 3600, "max_uses": 3,
                                  "group_id": group})
deploy = ["--socket", redis["socket"], "--password-file",
          redis["users"]["rs-deploy"]]
other_key = run(f"{TOP}/tools/rs-key", "create", *deploy, "--tenant", "acme",
                "--name", "acme's", "--scopes", "*")[1].strip()
made("/groups", {"name": "acme's"}, other_key)


def enrol(name):
    pem = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"],
                         capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "DER"],
                         input=pem, capture_output=True, check=True).stdout
    raw = base64.urlsafe_b64encode(der[-32:]).decode()

    return api("POST", "/devices", {"enrollment": enrolment["token"],
                                    "public_key": raw.rstrip("="),
                                    "name": name, "meta": {}})


equal(enrol("a second one")[0], 201, "a second device")

MOVES = ("online", "connected_at", "last_seen_at", "version")


def fleet_as_seen():
    """What REST tells of both tenants, without what moves."""

    seen = {}

    for who, name in ((key, "default"), (other_key, "acme")):
        for path in ("/devices", "/groups", "/policies", "/grants", "/keys",
                     "/enrollments"):
            status, answer = api("GET", path, None, who)
            items = answer["items"] if status == 200 else [status]
            seen[name + path] = [
                {k: v for k, v in i.items() if k not in MOVES}
                if isinstance(i, dict) else i for i in items]

    return seen


def raw(kind):
    got = fleet.redis("HGETALL", "rs:{default}:" + kind)

    return dict(zip(got[::2], got[1::2]))


before = fleet_as_seen()
tables = {k: raw(k) for k in ("gdev", "gsub", "grants", "grps", "keys")}
equal(raw("gdev")[group], "2", "the group has both devices")
lines = len(api("GET", "/audit?limit=200")[1]["items"])
ok(len(before["default/devices"]) == 2 and lines > 3, "there is something",
   json.dumps(before)[:300])


# one tenant that is larger than a transaction is, and not in order

with redispy.Redis(unix_socket_path=redis["socket"], decode_responses=True,
                   password=fleet.read("secrets/redis-admin").strip()) as r:
    with r.pipeline() as pipe:
        for i in range(3000):
            pipe.hset(f"rs:{{big}}:dev:dev_{i}", mapping={
                "name": f"d{i}", "group_id": "grp_gone" if i == 7 else "",
                "owner": "n.0.0.1" if i == 8 else "", "leaving": "x"})
            pipe.zadd("rs:{big}:devs", {f"dev_{i}": i, "dev_gone": 1})

        pipe.hset("rs:{big}:usr:ann", mapping={"name": "Ann",
                                               "not_before": "5"})
        pipe.expire("rs:{big}:usr:ann", 7000)
        pipe.hset("rs:{big}:hooks", "whk_a", json.dumps({
            "url": "https://hooks.example.net/", "enabled": "1"}))
        pipe.execute()


# ---- backup

refused("no passphrase", r"passphrase file .*No such file", "backup",
        "--passphrase-file", passphrase, outside)
run("sh", "-c", f"umask 077; openssl rand -hex 32 > {passphrase}")
os.chmod(passphrase, 0o644)
refused("an open passphrase", "others can read it", "backup",
        "--passphrase-file", passphrase, outside)
os.chmod(passphrase, 0o600)

status, out, err = rsctl("backup", "--passphrase-file", passphrase, outside)
equal(status, 0, "backup")
like(out, "3002 devices, 2 API keys, 2 files", "and what it has")

names = [n for n in os.listdir(outside) if n != "pass"]
equal(len(names), 1, "one file, nothing beside it")
backup = os.path.join(outside, names[0])
equal(os.stat(backup).st_mode & 0o777, 0o600, "for its owner only")
equal(rsctl("backup", "--passphrase-file", passphrase, backup)[0], 2,
      "it is not overwritten")

with open(backup, "rb") as f:
    data = f.read()

ok(device.encode() not in data and b"front desks" not in data,
   "nothing can be read in it")

by_hand = subprocess.run(
    f"tail -n +2 {backup} | head -c -32 | openssl enc -d -aes-256-cbc "
    f"-md sha256 -pbkdf2 -iter 600000 -pass file:{passphrase} | zcat",
    shell=True, capture_output=True, check=False).stdout
ok(b'"front desks' in by_hand.replace(b"\\", b"") and device.encode()
   in by_hand, "but by hand, with openssl and zcat")
ok(b"rs:{default}:ses:" not in by_hand and b":tkt:" not in by_hand
   and b":log:" not in by_hand, "no session, no ticket")

args = ["--passphrase-file", passphrase, "--password-file",
        redis["users"]["rs-restore"]]
like(rsctl("restore", "--list", *args, backup)[1],
     r"acme +0 +1 +\d+\nbig +3000 +0 +0\ndefault +2 +1 +\d+\n.*identity\.pem\n.*turn-key",
     "what is in it")


# ---- a file that is not what it was

def bad(what, change, why):
    path = os.path.join(outside, "bad")

    with open(path, "wb") as f:
        f.write(change(data))

    refused(what, why, "restore", "--list", *args, path)
    os.unlink(path)


bad("half of it", lambda d: d[:len(d) // 2], "not whole")
bad("one bit", lambda d: d[:200] + bytes([d[200] ^ 1]) + d[201:],
    "not whole")
bad("nothing", lambda d: b"", "not a backup")
bad("another file", lambda d: b"rs-gateway-backup 9\n" + d, "not a backup")

wrong = os.path.join(outside, "wrong")
run("sh", "-c", f"umask 077; openssl rand -hex 32 > {wrong}")
refused("another passphrase", "passphrase is another one", "restore",
        "--list", "--passphrase-file", wrong, backup)


# ---- restore

refused("a gateway runs", "a gateway runs on this Redis", "restore", *args,
        "--no-files", backup)

fleet.stop("node1")
fleet.stop("redis")

for path in files:
    os.unlink(path)

for name in os.listdir(fleet.path("redis")):
    if name.endswith((".rdb", ".aof")) or name.startswith("appendonly"):
        shutil.rmtree(fleet.path("redis", name), ignore_errors=True)

fleet.start("redis")
wait_for("Redis", lambda: run(f"{TOP}/redis-schema/load", *deploy)[0] == 0)
equal(fleet.redis("DBSIZE"), 0, "an empty Redis")

status, out, err = rsctl("restore", *args, backup)
equal(status, 0, "restore") or print(f"# {err}")
ok(all(os.path.exists(p) and os.stat(p).st_mode & 0o777 == 0o600
       for p in files), "the identity and the keys of TURN are back")
equal(fleet.redis("HGET", f"rs:{{default}}:dev:{device}", "owner"), "",
      "the device is offline as yet")

refused("once more", "there already: tenant acme, big, default", "restore", *args,
        backup)
equal(rsctl("restore", *args, "--overwrite", backup)[0], 0, "or in its place")
equal({k: raw(k) for k in tables}, tables, "what the fleet counts by")

equal([fleet.redis("ZCARD", "rs:{big}:devs"),
       fleet.redis("HMGET", "rs:{big}:dev:dev_7", "name", "group_id"),
       fleet.redis("HMGET", "rs:{big}:dev:dev_8", "owner", "leaving"),
       fleet.redis("HGET", "rs:{big}:usr:ann", "not_before"),
       0 < fleet.redis("TTL", "rs:{big}:usr:ann") <= 7000],
      [3000, ["d7", ""], ["", None], "5", True],
      "a large tenant, whole and in order")
equal(fleet.redis("ZRANGE", "rs:{b}:hookt", "0", "-1"), ["big"],
      "rs-eventd finds its webhook")

fleet.start("node1")
ok(wait_for("the agent", online, 120), "the agent comes back by itself")
equal(fleet_as_seen(), before, "all is as it was")
ok(len(api("GET", "/audit?limit=200")[1]["items"]) >= lines,
   "with its audit")
equal(enrol("a third one")[0], 201, "an enrolment of before is good")
equal(raw("gdev")[group], "3", "and is counted")

session = made("/sessions", {"host": {"type": "device", "device_id": device},
                             "participants": [{"role": "viewer"}]})["id"]
ok(wait_for("the agent in a session", lambda: any(
    p["role"] == "host" and p.get("present", p.get("state") != "left")
    for p in api("GET", f"/sessions/{session}")[1]["participants"])
    and api("GET", f"/sessions/{session}")[1]["state"] != "waiting_host"),
   "a session with it")

words = [open(p, encoding="utf-8").read().strip()
         for p in (passphrase, *redis["users"].values(), *files)] + [key]
equal([w for w in words if any(w in p for p in printed)], [],
      "no secret was printed")

fleet.down()
done()
