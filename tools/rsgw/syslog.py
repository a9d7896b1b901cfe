# Copyright (C) rs-gateway contributors
#
# Lines to a syslog: RFC 5424 over UDP, or over TCP with octet counting
# (RFC 6587); to a socket of this machine in the form that all of them read.

import datetime
import socket
from urllib.parse import urlsplit

AUDIT = 13 * 8          # facility "log audit"
NOTICE, INFO = 5, 6
TIMEOUT_S = 5
PORT = 514


def target(text):
    """(scheme, where) of unix:/path, udp://host:port, tcp://host:port."""

    if text.startswith("unix:/"):
        return "unix", text[len("unix:"):]

    u = urlsplit(text)

    if (u.scheme not in ("udp", "tcp") or not u.hostname or u.username
            or u.path not in ("", "/") or u.query or u.fragment):
        raise ValueError

    return u.scheme, (u.hostname, u.port or PORT)


class Syslog:
    """A connection; OSError when a line cannot be handed over."""

    def __init__(self, where, host, app):
        self._kind, address = where
        self._host = host
        self._app = app

        if self._kind == "unix":
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.settimeout(TIMEOUT_S)
            self._socket.connect(address)

        elif self._kind == "udp":
            family, kind, proto, _, to = socket.getaddrinfo(
                *address, type=socket.SOCK_DGRAM)[0]
            self._socket = socket.socket(family, kind, proto)
            self._socket.settimeout(TIMEOUT_S)
            self._socket.connect(to)

        else:
            self._socket = socket.create_connection(address, TIMEOUT_S)

    def send(self, text, at, severity, kind):
        pri = AUDIT + severity

        if self._kind == "unix":
            self._socket.send(f"<{pri}>{self._app}: {text}".encode())
            return

        when = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
        message = (f"<{pri}>1 {when:%Y-%m-%dT%H:%M:%SZ} {self._host} "
                   f"{self._app} - {kind} - {text}").encode()

        if self._kind == "udp":
            self._socket.send(message)

        else:
            self._socket.sendall(b"%d " % len(message) + message)

    def close(self):
        self._socket.close()
