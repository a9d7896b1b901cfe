# Copyright (C) rs-gateway contributors
#
# GET /metrics, /health/live and /health/ready, for monitoring.  A request is
# one line and a head that is not looked at; bounded in bytes and time.

import asyncio
import time

HEAD_MAX = 8192
TIMEOUT_S = 5
CLIENTS = 16


def metrics(daemon):
    hooks = [hook for hook, _ in daemon.hooks.values()]
    now = time.time()
    failing = sum(1 for h in hooks if h.enabled
                  and int(h.hook["failures"] or 0))
    states = {"enabled": sum(1 for h in hooks if h.enabled) - failing,
              "failing": failing,
              "disabled": sum(1 for h in hooks if not h.enabled)}
    lag = max((now - h.oldest for h in hooks if h.oldest), default=0)
    out = []

    def family(name, kind, text, *series):
        out.append(f"# HELP {name} {text}\n# TYPE {name} {kind}\n")
        out.extend(f"{name}{labels} {value}\n" for labels, value in series)

    family("rs_eventd_leader", "gauge", "1 while this daemon delivers.",
           ("", int(daemon.epoch is not None)))
    family("rs_eventd_redis", "gauge", "1 while Redis answers.",
           ("", int(daemon.reachable)))
    family("rs_eventd_webhooks", "gauge", "Webhooks, while this one delivers.",
           *((f'{{state="{k}"}}', v) for k, v in states.items()))
    family("rs_eventd_attempts_total", "counter", "Calls of receivers.",
           *((f'{{outcome="{k}"}}', v) for k, v in daemon.attempts.items()))
    family("rs_eventd_attempt_seconds_total", "counter",
           "Time these took.", ("", f"{daemon.seconds:.3f}"))
    family("rs_eventd_given_up_total", "counter",
           "Events that a receiver did not take within give_up_s.",
           ("", daemon.given_up))
    family("rs_eventd_lag_seconds", "gauge",
           "Age of the oldest event that a webhook waits with.",
           ("", f"{max(lag, 0):.3f}"))

    return "".join(out)


def answer(daemon, method, path):
    """(status, type, text)"""

    if method not in ("GET", "HEAD"):
        return "405 Method Not Allowed", "text/plain", "only GET\n"

    if path == "/metrics":
        return ("200 OK", "text/plain; version=0.0.4; charset=utf-8",
                metrics(daemon))

    if path == "/health/live":
        return "200 OK", "text/plain", "live\n"

    if path == "/health/ready":
        if not daemon.reachable:
            return ("503 Service Unavailable", "text/plain",
                    "Redis cannot be used\n")

        return ("200 OK", "text/plain",
                "delivers\n" if daemon.epoch is not None else "stands by\n")

    return "404 Not Found", "text/plain", "there is nothing\n"


async def serve(daemon):
    """The server; OSError when the address cannot be had."""

    room = asyncio.Semaphore(CLIENTS)

    async def talk(reader, writer):
        async with room:
            head = await reader.readuntil(b"\r\n\r\n")
            words = head.split(b"\r\n")[0].decode("latin-1").split(" ")
            method, path = (words + ["", ""])[:2]
            status, kind, text = answer(daemon, method, path)
            body = b"" if method == "HEAD" else text.encode()
            writer.write(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n"
                         f"Content-Length: {len(text.encode())}\r\n"
                         "Connection: close\r\n\r\n".encode() + body)
            await writer.drain()

    async def client(reader, writer):
        try:
            await asyncio.wait_for(talk(reader, writer), TIMEOUT_S)

        except (asyncio.TimeoutError, asyncio.IncompleteReadError,
                asyncio.LimitOverrunError, OSError):
            pass

        finally:
            writer.close()

    return await asyncio.start_server(client, *daemon.conf.listen,
                                      limit=HEAD_MAX)
