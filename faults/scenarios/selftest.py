#!/usr/bin/env python3
#
# Copyright (C) rs-gateway contributors
#
# The measuring itself: what a proxy between gateway and peers loses, doubles,
# swaps and misdelivers is found, message by message; what the tracer is shown
# (a handler that burns CPU, calls that sleep) it tells.

import os
import socket
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))

from rsfault import trace                                       # noqa: E402
from rsfault.fleet import Fleet                                 # noqa: E402
from rsfault.load import Load                                   # noqa: E402
from rsfault.tap import main                                    # noqa: E402

SIGNAL = b'{"type":"signal"'


class Proxy:
    """Passes bytes on, and hands each text frame of the gateway that is a
    signal to EDIT(frame, number, connection), which gives what is sent in
    its place."""

    def __init__(self, target, edit):
        self.target, self.edit = target, edit
        self.count = 0
        self.lock = threading.Lock()
        self.links = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

        for link in self.links:
            link.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()

            except OSError:
                return

            server = socket.create_connection(self.target)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.links += [client, server]

            for run in (self._up, self._down):
                threading.Thread(target=run, args=(client, server),
                                 daemon=True).start()

    @staticmethod
    def _up(client, server):
        try:
            while data := client.recv(65536):
                server.sendall(data)

            server.shutdown(socket.SHUT_WR)

        except OSError:
            pass

    def _down(self, client, server):
        try:
            data = b""

            while b"\r\n\r\n" not in data:
                more = server.recv(65536)

                if not more:
                    return

                data += more

            head, _, data = data.partition(b"\r\n\r\n")
            client.sendall(head + b"\r\n\r\n")
            upgraded = head.startswith(b"HTTP/1.1 101")

            while True:
                if upgraded:
                    data = self._frames(client, data)

                else:
                    client.sendall(data)
                    data = b""

                more = server.recv(65536)

                if not more:
                    client.shutdown(socket.SHUT_WR)
                    return

                data += more

        except OSError:
            pass

    def _frames(self, client, data):
        """Sends whole frames on; gives the rest."""

        while len(data) >= 4:
            size, head = data[1] & 127, 2

            if size == 126:
                size, head = int.from_bytes(data[2:4], "big"), 4

            if len(data) < head + size:
                break

            frame, data = data[:head + size], data[head + size:]

            # edited and sent in one step: a frame for another connection
            # does not get into the middle of one there

            with self.lock:
                out = [(client, frame)]

                if frame[head:].startswith(SIGNAL):
                    self.count += 1
                    out = self.edit(frame, self.count, client)

                for to, what in out:
                    to.sendall(what)

        return data


class Edits:
    """Of each kind some, far from each other and from the end."""

    def __init__(self):
        self.done = {"lost": 0, "duplicates": 0, "reordered": 0,
                     "foreign": 0}
        self.held = {}
        self.others = []

    def __call__(self, frame, number, client):
        held = self.held.pop(client, None)

        if held:
            self.done["reordered"] += 1
            return [(client, frame), (client, held)]

        if client not in self.others:
            self.others.append(client)

        kind = number % 50 if number < 400 else 0

        if kind == 10:
            self.done["lost"] += 1
            return []

        if kind == 20:
            self.done["duplicates"] += 1
            return [(client, frame)] * 2

        if kind == 30:
            self.held[client] = frame
            return []

        if kind == 40:
            other = next(c for c in self.others if c is not client)
            self.done["foreign"] += 1
            return [(client, frame), (other, frame)]

        return [(client, frame)]


def histories(tap):
    with Fleet("--nodes", "1", "--http") as fleet:
        node = fleet.state["nodes"][0]
        edits = Edits()

        with Proxy((node["ip"], node["http_port"]), edits) as proxy:
            url = f"http://127.0.0.1:{proxy.port}/rs/v1"

            with Load(fleet, urls=[url], sessions=4, rate=300, count=600,
                      drain_s=2) as load:
                load.process.wait(60)
                r = load.stop()

    found = {k: r["messages"][k] for k in edits.done}
    tap.number(planted=edits.done, found=found)
    tap.ok(min(edits.done.values()) > 3, f"planted: {edits.done}")
    tap.ok(found == edits.done, f"found: {found}")
    tap.ok(load.process.returncode == 1, "rs-load's status says so")
    tap.ok(sum("message" in s for s in load.said) >= 20,
           "the first twenty are told in full")


# one loop: a turn that burns CPU, one that sleeps, one that reads a blocking
# socket with something in it

PROGRAM = """
import select, socket, time
a, b = socket.socketpair()
loop = select.epoll()
loop.register(a, select.EPOLLIN)
b.send(b"12")
loop.poll()
{act}
loop.poll()
loop.poll()
"""

ACTS = {
    "burns": ("end = time.thread_time() + 0.02\n"
              "while time.thread_time() < end: pass", True, None),
    "sleeps": ("time.sleep(0.001)", False, "clock_nanosleep"),
    "reads": ("a.recv(1)", False, "recv"),
    "behaves": ("a.setblocking(False); a.recv(1)", False, None),
}


def tracer(tap):
    with tempfile.TemporaryDirectory(prefix="rs-faults-") as folder:
        for name, (act, over, call) in ACTS.items():
            path = os.path.join(folder, name)
            subprocess.run([sys.executable, "-c", PROGRAM.format(act=act)],
                           env=dict(os.environ, LD_PRELOAD=trace.LIBRARY,
                                    RS_TRACE=path), check=True)
            w, = trace.read(path)
            said = w.calls[0].split(",")[0] if w.calls else None
            tap.ok((w.over > 0, said) == (over, call) and w.turns == 2,
                   f"a handler that {name}: {w.max_ns / 1e6:.1f} ms, {said}")


def run(tap):
    histories(tap)
    tracer(tap)


main(run)
