# Copyright (C) rs-gateway contributors
#
# Who delivers, and what: the lease that one of several daemons holds, the
# tenants and their webhooks, and the channel that says what is new.
#
# A daemon that could not renew its lease ends its deliveries before the lease
# runs out by its own clock; what it would write later has an epoch that Redis
# refuses.

import asyncio
import signal
import sys
import time
import weakref

from .hook import Hook
from .store import Lost, Store, StoreError
from .target import Resolver

SPARE_S = 1             # before the end of the lease
RETRY_S = 1


class Daemon:
    def __init__(self, conf):
        self.conf = conf
        self.store = Store(conf)
        self.connections = asyncio.Semaphore(conf.connections)
        self.share = max(1, conf.connections // 4)      # of one tenant
        self.rooms = weakref.WeakValueDictionary()
        self.resolver = Resolver(conf.connections, self.share)
        self.hooks = {}             # (tenant, id) -> (Hook, task)
        self.epoch = None           # not None: this one delivers
        self.reachable = False
        self.due = set()            # tenants to be read anew
        self.look = asyncio.Event()
        self.stopping = asyncio.Event()
        self.told = None            # the last trouble that was logged

        # for /metrics

        self.attempts = {"delivered": 0, "failed": 0}
        self.given_up = 0
        self.seconds = 0.0

    def log(self, text):
        print(f"rs-eventd: {text}", file=sys.stderr, flush=True)

    def trouble(self, text):
        """Said once, until it is another one, or none."""

        if self.told != text:
            self.told = text
            self.log(text)

    def counted(self, wrong, seconds):
        self.attempts["failed" if wrong else "delivered"] += 1
        self.seconds += seconds

    def room(self, tenant):
        """What bounds a tenant's attempts; its webhooks hold it."""

        return self.rooms.setdefault(tenant, asyncio.Semaphore(self.share))

    # ---- what there is

    async def refresh(self, tenant):
        """Reads the webhooks of a tenant, and begins and ends tasks."""

        epoch = self.epoch
        found = {h["id"]: h for h in await self.store.hooks(tenant)}

        if self.epoch != epoch or epoch is None:
            return

        for key in [k for k in self.hooks if k[0] == tenant]:
            hook, task = self.hooks[key]
            new = found.pop(key[1], None)

            if new is None or task.done():
                task.cancel()
                del self.hooks[key]

            if new is not None and key in self.hooks:
                hook.changed(new)

            elif new is not None:
                found[key[1]] = new

        for name, new in found.items():
            hook = Hook(self, tenant, new, self.epoch)
            task = asyncio.create_task(hook.run())
            self.hooks[tenant, name] = (hook, task)

    def line(self, tenant, what):
        """Of the channel: events, or rights and webhooks of a tenant."""

        if what == "who":
            self.due.add(tenant)
            self.look.set()
            return

        for (name, _), (hook, _) in self.hooks.items():
            if name == tenant:
                hook.wake.set()

    def listening(self):
        """Lines may have been missed."""

        self.due.add(None)
        self.look.set()

        for hook, _ in self.hooks.values():
            hook.wake.set()

    async def _listen(self):
        while True:
            try:
                await self.store.listen(self.listening, self.line)

            except StoreError as e:
                self.trouble(str(e))

            await asyncio.sleep(RETRY_S)

    async def _discover(self):
        """None among those due: all of them."""

        while True:
            self.look.clear()
            due, self.due = self.due or {None}, set()

            try:
                if None in due:
                    due = {*await self.store.tenants(), *self.conf.tenants,
                           *(tenant for tenant, _ in self.hooks)}

                for tenant in due:
                    await self.refresh(tenant)

            except (StoreError, Lost) as e:
                self.due |= due
                self.trouble(str(e))
                await asyncio.sleep(RETRY_S)
                continue

            try:
                await asyncio.wait_for(self.look.wait(), self.conf.poll_s)

            except asyncio.TimeoutError:
                pass

    # ---- who delivers

    def replaced(self):
        self.epoch = None

    def _end(self, tasks):
        self.epoch = None

        for task in [*tasks, *(task for _, task in self.hooks.values())]:
            task.cancel()

        self.hooks = {}

    async def _renew(self):
        """The lease, or None; StoreError."""

        epoch = await asyncio.wait_for(
            self.store.lease(self.conf.name, self.conf.lease_s * 1000),
            self.conf.lease_s / 2)

        if not self.reachable:
            await self.store.check()

        self.reachable = True
        self.told = None

        return epoch

    async def _lead(self):
        tasks, until, held = [], 0.0, None

        while not self.stopping.is_set():
            asked = time.monotonic()

            try:
                epoch = await self._renew()
                until = asked + self.conf.lease_s - SPARE_S if epoch else 0.0

            except (StoreError, Lost, asyncio.TimeoutError) as e:
                self.reachable = False
                self.trouble(str(e) or "Redis does not answer")
                epoch = held if time.monotonic() < until else None

            if tasks and (epoch != held or self.epoch is None):
                self._end(tasks)
                tasks = []
                self.log("another one delivers" if epoch is None
                         else "delivers again")

            if epoch is not None and not tasks and self.reachable:
                self.epoch = held = epoch
                self.log(f"delivers, as {self.conf.name}, epoch {epoch}")
                tasks = [asyncio.create_task(self._listen()),
                         asyncio.create_task(self._discover())]

            try:
                await asyncio.wait_for(self.stopping.wait(),
                                       max(0.1, self.conf.lease_s / 4))

            except asyncio.TimeoutError:
                pass

        self._end(tasks)

        if held is not None:
            try:
                await self.store.lease(self.conf.name, 0)

            except (StoreError, Lost):
                pass

    async def run(self):
        loop = asyncio.get_running_loop()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)

        await self._lead()
        await self.store.close()
