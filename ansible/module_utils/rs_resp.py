# Copyright (C) rs-gateway contributors
#
# rs_resp: enough of RESP2 to look at and set up Redis and Sentinel from a
# host that has nothing but Python.  Blocking, every step with a deadline.

import socket

ARGUMENTS = {
    "host": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int", "default": 6379},
    "login_user": {"type": "str", "default": "default"},
    "login_passwords": {"type": "list", "elements": "str", "default": [],
                        "no_log": True},
    "timeout": {"type": "int", "default": 5},
}


class RespError(Exception):
    """Redis refused; its words."""


class Client:
    def __init__(self, host, port, timeout=5):
        self.sock = socket.create_connection((host, port), timeout)
        self.file = self.sock.makefile("rb")

    def close(self):
        self.file.close()
        self.sock.close()

    def call(self, *args):
        parts = [b"*%d\r\n" % len(args)]

        for arg in args:
            if not isinstance(arg, bytes):
                arg = str(arg).encode()

            parts.append(b"$%d\r\n%s\r\n" % (len(arg), arg))

        self.sock.sendall(b"".join(parts))

        return self._reply()

    def _line(self):
        line = self.file.readline()

        if not line.endswith(b"\r\n"):
            raise OSError("Redis closed the connection")

        return line[:1], line[1:-2].decode("utf-8", "replace")

    def _reply(self):
        kind, rest = self._line()

        if kind == b"-":
            raise RespError(rest)

        if kind == b"+":
            return rest

        if kind == b":":
            return int(rest)

        n = int(rest)

        if n < 0:
            return None

        if kind == b"$":
            data = self.file.read(n + 2)

            if len(data) != n + 2:
                raise OSError("Redis closed the connection")

            return data[:-2].decode("utf-8", "replace")

        # one element that is an error does not end the array

        out = []

        for _ in range(n):
            try:
                out.append(self._reply())

            except RespError as e:
                out.append(e)

        return out


def login(host, port, user, passwords, timeout=5):
    """A client that has logged in with the first password that is good."""

    client = Client(host, port, timeout)
    trouble = None

    try:
        for password in passwords:
            try:
                client.call("AUTH", user, password)
                return client

            except RespError as e:
                trouble = e

        if trouble is None:
            return client

        raise RespError(f"no password of {user} is good at {host}:{port}: "
                        f"{trouble}")

    except BaseException:
        client.close()
        raise


def login_of(params):
    return login(params["host"], params["port"], params["login_user"],
                 params["login_passwords"], params["timeout"])


def pairs(flat):
    """[k, v, k, v] -> a dict."""

    return dict(zip(flat[::2], flat[1::2]))


def info(client, section):
    out = {}

    for line in client.call("INFO", section).splitlines():
        name, colon, value = line.partition(":")

        if colon:
            out[name] = value

    return out
