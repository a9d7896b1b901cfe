# Copyright (C) rs-gateway contributors
#
# One webhook: its tenant's events in order, each until the receiver has said
# 2xx or it was given up.  The next one waits for the one before.  Where it is
# stands in Redis after each event, so another daemon goes on from there; what
# was taken, and not written down any more, comes again with the same id.

import asyncio
import functools
import json
import random
import time

from . import post, signing, target
from .store import Lost, StoreError

GONE = 410              # the receiver wants no more
SKIPPED_MAX = 1000      # events that are not wanted, until that is written down
REDIS_RETRY_S = 1


class Hook:
    """run() until it is cancelled, the webhook is gone, or replaced() was
    called: another daemon delivers."""

    def __init__(self, daemon, tenant, hook, epoch):
        self.daemon = daemon
        self.conf = daemon.conf
        self.store = daemon.store
        self.tenant = tenant
        self.hook = hook
        self.room = daemon.room(tenant)
        self.look = functools.partial(daemon.resolver.look, tenant)
        self.epoch = epoch
        self.pos = hook["pos"]
        self.queue = []             # (id, body); at most a page
        self.skipped = 0
        self.wake = asyncio.Event()
        self.oldest = None          # when the one that is tried happened

    def changed(self, hook):
        """What Redis has of it now."""

        again = hook["enabled"] == "1" and self.hook["enabled"] == "0"

        if hook["version"] != self.hook["version"]:
            self.queue = []
            self.wake.set()

        if again or not self.pos:
            self.pos = hook["pos"]

        self.hook = hook

    @property
    def enabled(self):
        return self.hook["enabled"] == "1"

    async def _wait(self, seconds):
        self.wake.clear()

        try:
            await asyncio.wait_for(self.wake.wait(), seconds)

        except asyncio.TimeoutError:
            pass

    async def run(self):
        while True:
            try:
                if not self.enabled:
                    self.oldest = None
                    await self._wait(None)

                elif self.queue or await self._read():
                    await self._deliver(*self.queue[0])

                else:
                    self.oldest = None
                    await self._wait(self.conf.poll_s)

            except Lost as e:
                if str(e) == "not_found":
                    return

                if str(e) == "replaced":
                    self.daemon.replaced()
                    return

                self.queue = []
                await self.daemon.refresh(self.tenant)

            except StoreError as e:
                self.daemon.trouble(str(e))
                await asyncio.sleep(REDIS_RETRY_S)

    async def _read(self):
        """Fills the queue; False: there is nothing."""

        wanted = set(self.hook["types"].split())
        self.wake.clear()
        last, lost, more, events = await self.store.tail(self.tenant, self.pos)

        for event_id, kind, rest in events:
            if not wanted or kind in wanted:
                self.queue.append((event_id,
                                   f'{{"id":"{event_id}",{rest}'.encode()))

            else:
                self.skipped += 1

        if lost:
            self._missed(self.pos if self.queue else last)

        if self.queue:
            return True

        self.pos = last

        if self.skipped >= SKIPPED_MAX:
            self.skipped = 0
            await self.store.told(self.tenant, self.hook, self.epoch,
                                  self.pos, {})

        return more and await self._read()

    def _missed(self, position):
        """Before what is there still.  POSITION: where it goes on after it,
        which has to be there if nothing follows, or it would be missed again
        and again."""

        body = json.dumps({"id": self.pos, "type": "events.lost",
                           "at": int(time.time()), "tenant": self.tenant,
                           "data": {}}, separators=(",", ":"))

        self.queue.insert(0, (position, body.encode()))

    async def _attempt(self, event_id, body):
        """(status or None, what is wrong or "", Retry-After)"""

        headers = signing.headers(self.conf.webhook_key, self.tenant,
                                  self.hook, event_id, body, time.time())

        try:
            async with self.room, self.daemon.connections:
                answer = await post.post(self.hook["url"], headers, body,
                                         self.conf, self.look)

        except (post.Failed, target.Refused) as e:
            return None, str(e), 0

        if 200 <= answer.status < 300:
            return answer.status, "", 0

        return answer.status, f"it answered {answer.status}", answer.retry_after

    async def _tell(self, position, fields):
        """Until it is written down; Lost."""

        while True:
            try:
                await self.store.told(self.tenant, self.hook, self.epoch,
                                      position, fields)
                return

            except StoreError as e:
                self.daemon.trouble(str(e))
                await asyncio.sleep(REDIS_RETRY_S)

    def _backoff(self, failures, retry_after):
        longest = min(self.conf.retry_max_s,
                      self.conf.retry_min_s * 2 ** min(failures - 1, 30))

        return max(retry_after, longest * random.uniform(0.5, 1))

    async def _deliver(self, event_id, body):
        begun = time.monotonic()
        self.oldest = int(event_id.split("-")[0] or 0) / 1000
        version = self.hook["version"]
        status, wrong, retry = await self._attempt(event_id, body)
        now = int(time.time())
        self.daemon.counted(wrong, time.monotonic() - begun)
        fields = {"tried_at": now, "status": status or "", "error": wrong}

        if version != self.hook["version"]:
            return                  # it is another one now: all anew

        if not wrong:
            self._done(fields, now)
            await self._next(event_id, fields)
            return

        failures = int(self.hook["failures"] or 0) + 1
        since = int(self.hook["failing_since"] or 0) or now
        fields |= {"failures": failures, "failing_since": since}
        self.daemon.log(f"{self.tenant} {self.hook['id']}: {wrong} "
                        f"(failure {failures})")

        if status == GONE:
            await self._tell(self.pos, fields | {"gone": ""})
            await self.daemon.refresh(self.tenant)
            return

        if now - since >= self.conf.give_up_s:
            fields |= {"given_up": int(self.hook["given_up"] or 0) + 1}
            self.daemon.given_up += 1
            await self._next(event_id, fields)
            return

        self.hook = self.hook | {k: str(v) for k, v in fields.items()}
        await self._tell(self.pos, fields)
        await self._pause(self._backoff(failures, retry))

    def _done(self, fields, now):
        fields |= {"failures": 0, "failing_since": "", "delivered_at": now,
                   "delivered": int(self.hook["delivered"] or 0) + 1}

    async def _next(self, event_id, fields):
        self.hook = self.hook | {k: str(v) for k, v in fields.items()}
        self.queue.pop(0)
        self.pos = event_id
        self.skipped = 0
        await self._tell(self.pos, fields)

    async def _pause(self, seconds):
        """New events do not end it, a change of the webhook does."""

        end = time.monotonic() + seconds
        version = self.hook["version"]

        while version == self.hook["version"] and time.monotonic() < end:
            await self._wait(max(0.01, end - time.monotonic()))
