# Copyright (C) rs-gateway contributors
#
# A WebSocket client of a few lines, blocking: text frames of JSON, and how
# the server ended it.

import base64
import json
import os
import socket
import struct


class Closed(Exception):
    """The socket ended; code: of the close frame, or 0."""

    def __init__(self, code):
        super().__init__(f"closed, {code}")
        self.code = code


class Ws:
    """One upgrade to a node; OSError or Closed when it is refused."""

    def __init__(self, tls, node, path, protocols, timeout_s=5):
        host = node["base"].split("/")[2].rsplit(":", 1)[0]
        raw = socket.create_connection((node["ip"], node["https_port"]),
                                       timeout_s)

        try:
            self.sock = tls.wrap_socket(raw, server_hostname=host)

        except BaseException:
            raw.close()
            raise

        self.file = self.sock.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()

        try:
            self.sock.sendall(
                f"GET /rs/v1{path} HTTP/1.1\r\nHost: {host}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: {key}\r\n"
                f"Sec-WebSocket-Protocol: {', '.join(protocols)}\r\n\r\n"
                .encode())
            self.status = int(self.file.readline().split()[1])

            while self.file.readline() not in (b"\r\n", b""):
                pass

            if self.status != 101:
                raise Closed(self.status)

        except IndexError:
            self.close()
            raise Closed(0) from None

        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()

    def _read(self, n):
        data = self.file.read(n)

        if len(data) < n:
            raise Closed(0)

        return data

    def recv(self):
        """The next message; Closed at the end."""

        while True:
            head, size = self._read(2)

            if size == 126:
                size, = struct.unpack("!H", self._read(2))

            elif size == 127:
                size, = struct.unpack("!Q", self._read(8))

            data = self._read(size)

            if head & 15 == 8:
                raise Closed(struct.unpack("!H", data[:2])[0]
                             if len(data) > 1 else 1005)

            if head & 15 == 1:
                return json.loads(data)

    def send(self, message):
        data, mask = json.dumps(message).encode(), os.urandom(4)
        size = struct.pack("!BB", 0x81, 0x80 | len(data)) \
            if len(data) < 126 else struct.pack("!BBH", 0x81, 0xfe, len(data))

        self.sock.sendall(size + mask + bytes(
            b ^ mask[i % 4] for i, b in enumerate(data)))


def try_ticket(tls, node, ticket, timeout_s=5):
    """What became of joining with a ticket: ("welcome", None), or
    ("refused" or "unknown", why).  Unknown: nobody said whether it counts."""

    try:
        with Ws(tls, node, "/signal", ["rs.v1", f"rs.ticket.{ticket}"],
                timeout_s) as ws:
            m = ws.recv()

    except Closed as e:
        return ("refused" if e.code == 4401 else "unknown"), e.code

    except (OSError, ValueError) as e:
        return "unknown", repr(e)

    if m["type"] == "welcome":
        return "welcome", None

    if m["type"] == "error" and m["code"] in ("unauthenticated",
                                              "session_ended", "not_found"):
        return "refused", m["code"]

    return "unknown", m.get("code", m["type"])
