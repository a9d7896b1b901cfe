# Copyright (C) rs-gateway contributors
#
# Probes beside a scenario: small requests in a steady row, each on a
# connection of its own, straight to the nodes; what came of each is kept.

import http.client
import json
import socket
import ssl
import threading
import time


def context(ca):
    return ssl.create_default_context(cafile=ca)


class Answer:
    """Of one request: status (0: none), headers, body, seconds it took."""

    def __init__(self, began):
        self.began, self.took, self.status = began, 0.0, 0
        self.headers, self.body, self.error = {}, None, None
        self.connected = False


def request(tls, node, method, path, body=None, key=None, timeout_s=5):
    """One request on a new connection to a node; never raises."""

    a = Answer(time.monotonic())
    headers = {"Connection": "close"}

    if key:
        headers["Authorization"] = f"Bearer {key}"

    data = None

    if body is not None:
        headers["Content-Type"] = "application/json"
        data = json.dumps(body)

    host = node["base"].split("/")[2].rsplit(":", 1)[0]
    conn = http.client.HTTPConnection(host, timeout=timeout_s)

    try:
        raw = socket.create_connection((node["ip"], node["https_port"]),
                                       timeout_s)
        a.connected = True
        conn.sock = raw
        conn.sock = tls.wrap_socket(raw, server_hostname=host)
        conn.request(method, "/rs/v1" + path, data, headers)
        r = conn.getresponse()
        text = r.read()
        a.status, a.headers = r.status, dict(r.getheaders())
        a.body = json.loads(text) if text else None

    except (OSError, ValueError, http.client.HTTPException) as e:
        a.error = e

    finally:
        conn.close()

    a.took = time.monotonic() - a.began

    return a


class Probe:
    """Calls ONE() every so often, in a thread of its own, and keeps what it
    gives."""

    def __init__(self, one, every_s):
        self.one, self.every_s = one, every_s
        self.answers = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def _run(self):
        due = time.monotonic()

        while not self.over.is_set():
            self.answers.append(self.one())
            due = max(due + self.every_s, time.monotonic())
            self.over.wait(max(0, due - time.monotonic()))


class Connects(Probe):
    """New connections to each node in turn, straight: none may be refused,
    reset or left without its answer."""

    def __init__(self, fleet, every_s=0.05):
        self.nodes = [n.state for n in fleet.nodes]
        self.tls = context(fleet.state["ca"])
        super().__init__(self._one, every_s)

    def _one(self):
        return request(self.tls, self.nodes[len(self.answers)
                                            % len(self.nodes)],
                       "GET", "/health/live")

    def check(self, tap, name):
        bad = [a for a in self.answers if a.status != 200]
        worst = max(a.took for a in self.answers)
        tap.number(**{f"{name}_probes": len(self.answers),
                      f"{name}_probe_max_s": round(worst, 3)})

        for a in bad[:5]:
            tap.note(f"connect: {a.error or a.status}")

        tap.ok(self.answers and not bad,
               f"{name}: {len(bad)} of {len(self.answers)} new connections "
               "got no answer")
