# Copyright (C) rs-gateway contributors
#
# One POST over HTTP/1.1: what the receiver answers is its status and how long
# it wants to be left alone.  No redirect is followed, nothing else is read,
# and the connection is for this one request.

import asyncio
import ssl

from . import target

HEAD_MAX = 16384
RETRY_MAX_S = 3600
ADDRESSES = 3           # of a host, tried in turn


class Failed(Exception):
    """No answer; told to the administrator of the webhook, as it is."""


class Answer:
    def __init__(self, status, retry_after):
        self.status = status
        self.retry_after = retry_after      # s, 0: not said


def tls_context(ca_file=None):
    context = ssl.create_default_context()

    context.minimum_version = ssl.TLSVersion.TLSv1_2

    if ca_file:
        context.load_verify_locations(ca_file)

    return context


async def _connect(host, port, names, tls):
    trouble = None

    for name in names[:ADDRESSES]:
        try:
            return await asyncio.open_connection(
                name, port, ssl=tls, limit=HEAD_MAX,
                server_hostname=host if tls else None)

        except ssl.SSLCertVerificationError as e:
            trouble = f"its certificate is refused: {e.verify_message}"

        except (OSError, ssl.SSLError) as e:
            trouble = f"{name} port {port}: {e.strerror or e}"

    raise Failed(trouble or "there is no address")


def _request(host, port, path, tls, headers, body):
    shown = f"[{host}]" if ":" in host else host

    if port != (443 if tls else 80):
        shown += f":{port}"

    lines = [f"POST {path} HTTP/1.1", f"Host: {shown}",
             "User-Agent: rs-eventd", "Content-Type: application/json",
             f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{k}: {v}" for k, v in headers.items()]

    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body


def _read_head(head):
    """(status, Retry-After in s) of the head of an answer; Failed."""

    first, _, rest = head.decode("latin-1").partition("\r\n")
    words = first.split(" ", 2)
    retry = 0

    if (len(words) < 2 or not words[0].startswith("HTTP/1.")
            or not (len(words[1]) == 3 and words[1].isascii()
                    and words[1].isdigit())):
        raise Failed("what answers does not speak HTTP/1.1")

    for line in rest.split("\r\n"):
        name, _, value = line.partition(":")
        value = value.strip()

        if (name.lower() == "retry-after" and value.isascii()
                and value.isdigit() and len(value) < 10):
            retry = min(int(value), RETRY_MAX_S)

    return int(words[1]), retry


async def _exchange(host, port, path, tls, names, headers, body):
    reader, writer = await _connect(host, port, names, tls)

    try:
        writer.write(_request(host, port, path, tls, headers, body))
        await writer.drain()

        while True:
            status, retry = _read_head(await reader.readuntil(b"\r\n\r\n"))

            if status >= 200:
                return Answer(status, retry)

    except asyncio.LimitOverrunError:
        raise Failed(f"the head of its answer is above {HEAD_MAX} "
                     "bytes") from None

    except asyncio.IncompleteReadError:
        raise Failed("it hung up without an answer") from None

    except (OSError, ssl.SSLError) as e:
        raise Failed(f"the connection broke: {e.strerror or e}") from None

    finally:
        writer.transport.abort()


async def post(url, headers, body, conf, look):
    """Answer; Failed or target.Refused.  look: see target.addresses()."""

    tls, host, port, path = target.parts(url, conf.allow_http)

    async def all_of_it():
        names = await target.addresses(host, port, conf.allow_networks, look)

        return await _exchange(host, port, path, conf.tls if tls else None,
                               names, headers, body)

    try:
        return await asyncio.wait_for(all_of_it(), conf.timeout_s)

    except asyncio.TimeoutError:
        raise Failed(f"no answer within {conf.timeout_s} s") from None
