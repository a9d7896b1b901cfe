# Copyright (C) rs-gateway contributors
#
# What a tenant has in Redis that cannot be made again: read for a backup, and
# written back.  Which keys that are says the catalogue (redis-schema/keys),
# "backup": true.
#
# Reading is consistent for each tenant: up to TOGETHER objects in one
# transaction, which is made again when somebody came or went meanwhile.  Of a
# larger tenant, and of one where somebody comes all the time, the lists are
# one transaction and the objects follow, AT_ONCE at a time: whoever came or
# went meanwhile is left out of the lists, too.

import json
import os
import re

import redis

from .errors import ToolError

SCHEMA = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..",
                      "redis-schema", "keys")
NAME = re.compile(r"rs:\{([a-z0-9-]{1,32})\}:([a-z]+)(?::(.+))?", re.S)
TOGETHER, AT_ONCE = 2000, 500
TRIES = 5
STREAM_PAGE = 1000

# a list and the kind of what it lists; "keys" has it inside its values

LISTS = {"devs": "dev", "enrs": "enr", "enrx": "enr"}

# of a device: who had its socket, which nobody has in an empty fleet

PRESENCE = ("leaving", "flaps", "flaps_at", "quarantine")


def catalogue():
    """kind -> (type, has it one key for each object) of what is kept."""

    found = {}

    try:
        for name in sorted(os.listdir(SCHEMA)):
            with open(os.path.join(SCHEMA, name), encoding="utf-8") as f:
                k = json.load(f)

            if k["backup"]:
                found[k["key"]] = (k["type"], ":<" in
                                   k["pattern"].partition("}:")[2])

    except (OSError, ValueError, KeyError) as e:
        raise ToolError(f"the catalogue of keys ({SCHEMA}): {e}",
                        "apt install --reinstall rs-tools") from None

    return found


def called(tenant, kind, rest=None):
    return f"rs:{{{tenant}}}:{kind}" + (f":{rest}" if rest else "")


def scan(client, kinds, say=lambda n: None):
    """tenant -> the names of its keys that are kept."""

    found, n = {}, 0

    for name in client.scan_iter(match="rs:{*}:*", count=1000):
        m = NAME.fullmatch(name)

        if m and m[2] in kinds and bool(m[3]) == kinds[m[2]][1]:
            found.setdefault(m[1], set()).add(name)

        n += 1

        if n % 5000 == 0:
            say(n)

    return found


def _ask(pipe, name, kind):
    """Queues the reading of one key."""

    if kind == "zset":
        pipe.zrange(name, 0, -1, withscores=True)

    elif kind == "hash":
        pipe.hgetall(name)

    pipe.execute_command("PEXPIRETIME", name)


def _answers(kinds, names, replies):
    """What _ask() got: name -> (value, expires_at in ms or None), without
    what was not there."""

    found = {}

    for name, value, life in zip(names, replies[::2], replies[1::2]):
        if value and life != -2:
            if kinds[NAME.fullmatch(name)[2]][0] == "zset":
                value = [[m, s] for m, s in value]

            found[name] = (value, life if life > 0 else None)

    return found


def _listed(tenant, kinds, pipe):
    """The names of all objects that the tenant's lists name."""

    names = set()

    for index, kind in LISTS.items():
        names |= {called(tenant, kind, m)
                  for m in pipe.zrange(called(tenant, index), 0, -1)}

    for value in pipe.hgetall(called(tenant, "keys")).values():
        names.add(called(tenant, "key", _hash_of(value)))

    return names


def _hash_of(value):
    """The hash of an API key in the list: of before version 4 it stands
    alone."""

    return json.loads(value)["hash"] if value.startswith("{") else value


def read(client, tenant, kinds, names):
    """All keys of a tenant but its streams: name -> (value, expires_at)."""

    lists = [called(tenant, k) for k, (kind, many) in kinds.items()
             if not many and kind != "stream"]
    loose = {n for n in names if NAME.fullmatch(n)[2] == "usr"}

    for tried in range(TRIES + 1):
        with client.pipeline(transaction=True) as pipe:
            if tried < TRIES:
                pipe.watch(*(called(tenant, i) for i in (*LISTS, "keys")))

            objects = sorted(_listed(tenant, kinds,
                                     pipe if tried < TRIES else client)
                             | loose)
            first = lists + objects[:TOGETHER]
            pipe.multi()

            for name in first:
                _ask(pipe, name, kinds[NAME.fullmatch(name)[2]][0])

            try:
                found = _answers(kinds, first, pipe.execute())
                break

            except redis.WatchError:
                continue

    rest = objects[TOGETHER:]

    for i in range(0, len(rest), AT_ONCE):
        part = rest[i:i + AT_ONCE]

        with client.pipeline(transaction=True) as pipe:
            for name in part:
                _ask(pipe, name, kinds[NAME.fullmatch(name)[2]][0])

            found.update(_answers(kinds, part, pipe.execute()))

    return agreed(tenant, found)


def agreed(tenant, found):
    """Lists name only what is there, devices only groups that are."""

    for index, kind in LISTS.items():
        name = called(tenant, index)

        if name in found:
            value, life = found[name]
            value = [[m, s] for m, s in value
                     if called(tenant, kind, m) in found]
            found[name] = (value, life)

    name = called(tenant, "keys")

    if name in found:
        value, life = found[name]
        found[name] = ({k: v for k, v in value.items()
                        if called(tenant, "key", _hash_of(v)) in found}, life)

    groups = found.get(called(tenant, "grps"), ({}, None))[0]
    count = {}

    for name, (value, _) in found.items():
        if NAME.fullmatch(name)[2] == "dev":
            group = value.get("group_id", "")

            if group not in groups:
                value["group_id"] = ""

            elif group:
                count[group] = str(int(count.get(group, "0")) + 1)

    found[called(tenant, "gdev")] = (count, None)

    return {n: v for n, v in found.items() if v[0]}


def offline(value, now):
    """A device as it is in a fleet that knows of no socket."""

    if value.get("owner"):
        value["last_seen_at"] = str(int(now))

    value["owner"] = ""

    for field in PRESENCE:
        value.pop(field, None)

    return value


def stream(client, name):
    """Pages of a stream: [[id, {field: value}], ...]."""

    after = "-"

    while True:
        page = client.xrange(name, after, "+", count=STREAM_PAGE)

        if not page:
            return

        yield [[i, fields] for i, fields in page]
        after = "(" + page[-1][0]


# ---- writing

def _put(pipe, name, kind, value, life):
    if kind == "hash":
        pipe.hset(name, mapping=value)

    elif kind == "zset":
        pipe.zadd(name, dict(value))

    else:
        for ident, fields in value:
            pipe.xadd(name, fields, id=ident)

    if life is not None:
        pipe.execute_command("PEXPIREAT", name, life)


def write(client, kinds, items):
    """Writes ITEMS, (name, value, expires_at), as one transaction."""

    with client.pipeline(transaction=True) as pipe:
        for name, value, life in items:
            _put(pipe, name, kinds[NAME.fullmatch(name)[2]][0], value, life)

        pipe.execute()


def list_webhooks(client, found):
    """Where rs-eventd finds tenants with webhooks; of no tenant, so it is in
    no backup."""

    if found:
        client.zadd("rs:{b}:hookt", dict.fromkeys(sorted(found), 0))


def remove(client, names):
    names = sorted(names)

    for i in range(0, len(names), AT_ONCE):
        client.delete(*names[i:i + AT_ONCE])
