# Copyright (C) rs-gateway contributors
#
# The functions of the library rs that rs-eventd calls, and the channel on
# which it hears that there is something new.  docs/design/redis.md.

import redis
import redis.asyncio
from redis.asyncio.sentinel import Sentinel

VERSION = 6             # of the library that has these functions
TIMEOUT_S = 5
PAGE = 100              # events of one call
CHANNEL = "rs:watch"


class StoreError(Exception):
    """Redis cannot be asked, or says what it should not."""


class Lost(Exception):
    """What was asked about is not there, or not ours, any more: its word."""


def _pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


class Store:
    def __init__(self, conf):
        options = {"username": conf.redis_user if conf.redis_password else None,
                   "password": conf.redis_password, "decode_responses": True,
                   "socket_timeout": TIMEOUT_S,
                   "socket_connect_timeout": TIMEOUT_S}
        kind = conf.redis[0]

        if kind == "rediss" or (kind == "sentinel" and conf.redis_tls):
            options.update(ssl=True, ssl_ca_certs=conf.redis_ca_file or None,
                           ssl_check_hostname=True)     # it does not by itself

        if kind == "unix":
            self.client = redis.asyncio.Redis(unix_socket_path=conf.redis[1],
                                              **options)

        elif kind == "sentinel":
            asked = {"socket_timeout": TIMEOUT_S,
                     "username": conf.sentinel_user or None,
                     "password": conf.sentinel_password}
            self.client = Sentinel(conf.redis[1], sentinel_kwargs=asked,
                                   **options).master_for(conf.redis[2])

        else:
            self.client = redis.asyncio.Redis(host=conf.redis[1],
                                              port=conf.redis[2],
                                              db=conf.redis[3], **options)

    async def close(self):
        await self.client.close()

    async def _call(self, how, name, keys, *argv):
        try:
            reply = await self.client.execute_command(how, name, len(keys),
                                                      *keys, *argv)

        except (redis.RedisError, OSError) as e:
            raise StoreError(f"{name}: {e}") from None

        if reply[0] != "ok":
            raise Lost(reply[0])

        return reply[1:]

    async def check(self):
        have = await self._call("FCALL_RO", "rs_version", [])
        version = int(have[0])
        serves = int(have[1]) if have[1:] else version

        if not serves <= VERSION <= version:
            raise StoreError(f"the library in Redis is version {version} and "
                             f"serves {serves} to {version}, {VERSION} is "
                             "needed: "
                             + ("load that of this release with "
                                "redis-schema/load" if version < VERSION
                                else "upgrade rs-eventd"))

    async def lease(self, name, ttl_ms):
        """Its epoch when this daemon delivers, else None."""

        reply = await self._call("FCALL", "rs_webhook_lease",
                                 ["rs:{b}:eventd"], name, ttl_ms)

        return int(reply[1]) if reply[0] == "held" else None

    async def tenants(self):
        found, last = [], ""

        while True:
            page = (await self._call("FCALL_RO", "rs_webhook_tenants",
                                     ["rs:{b}:hookt"], last))[0]
            found += page

            if not page:
                return found

            last = page[-1]

    async def hooks(self, tenant):
        reply = await self._call("FCALL_RO", "rs_webhook_work",
                                 [f"rs:{{{tenant}}}:hooks",
                                  f"rs:{{{tenant}}}:hookst"])

        return [_pairs(flat) for flat in reply[1]]

    async def tail(self, tenant, position):
        """(position to go on from, something was missed?, more?,
        [(id, type, JSON without its beginning)])"""

        last, lost, more, events = await self._call(
            "FCALL_RO", "rs_event_tail", [f"rs:{{{tenant}}}:ev"], position,
            PAGE)

        return last, lost == "1", more == "1", events

    async def told(self, tenant, hook, epoch, position, fields):
        """What came of a webhook; Lost("not_found", "conflict", "replaced")."""

        flat = [str(x) for pair in fields.items() for x in pair]

        await self._call("FCALL", "rs_webhook_told",
                         [f"rs:{{{tenant}}}:hooks", f"rs:{{{tenant}}}:hookst"],
                         hook["id"], epoch, hook["version"], position, *flat)

    async def listen(self, ready, line):
        """Calls line(tenant, what) for each line of the channel, and ready()
        when nothing is missed any more; StoreError when the link is lost."""

        sub = self.client.pubsub()

        try:
            await sub.subscribe(CHANNEL)

            while True:
                m = await sub.get_message(timeout=TIMEOUT_S)

                if m and m["type"] == "subscribe":
                    ready()

                elif m and m["type"] == "message":
                    words = m["data"].split(" ")

                    if len(words) == 5:
                        line(words[0], words[1])

        except (redis.RedisError, OSError) as e:
            raise StoreError(f"{CHANNEL}: {e}") from None

        finally:
            await sub.close()
