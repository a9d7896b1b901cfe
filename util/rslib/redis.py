# Copyright (C) rs-gateway contributors
#
# The stack's redis-server: its own configuration and socket, never evicting,
# with the ACL users and the function library of redis-schema/.

import os
import socket
import subprocess

from . import files, ports
from .proc import StackError, spawn, wait_for

CONF = """\
# made by rs-stack
bind 127.0.0.1
port {port}
unixsocket {dir}/redis.sock
unixsocketperm 777
dir {dir}
daemonize no
logfile ""
save ""
appendonly no
maxmemory-policy noeviction
protected-mode yes
aclfile {dir}/users.acl
"""


class Client:
    """RESP2, blocking, enough to set a server up."""

    def __init__(self, path, timeout_s=5):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout_s)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb")

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def call(self, *args):
        parts = [f"*{len(args)}\r\n".encode()]

        for arg in args:
            if isinstance(arg, str):
                arg = arg.encode()

            parts.append(b"$%d\r\n%s\r\n" % (len(arg), arg))

        self.sock.sendall(b"".join(parts))

        return self._reply()

    def _reply(self):
        line = self.file.readline()

        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")

        kind, rest = line[:1], line[1:-2]

        if kind == b"-":
            raise StackError(f"Redis: {rest.decode('utf-8', 'replace')}")

        if kind == b"+":
            return rest.decode()

        if kind == b":":
            return int(rest)

        n = int(rest)

        if n < 0:
            return None

        if kind == b"$":
            return self.file.read(n + 2)[:-2].decode("utf-8", "replace")

        return [self._reply() for _ in range(n)]


def _acl(stack, folder):
    """Makes the ACL file as an operator does; passwords are in files."""

    passwords = os.path.join(stack.folder("secrets"), "redis")
    os.makedirs(passwords, mode=0o700, exist_ok=True)

    users = {name: os.path.join(passwords, name)
             for name in ("rs-gateway", "rs-deploy")}

    for path in users.values():
        files.secret(path)

    out = os.path.join(folder, "users.acl")

    r = subprocess.run([files.top("redis-schema", "acl", "make-acl"),
                        "--passwords", passwords, "--output", out,
                        "--keep-default"], capture_output=True, text=True,
                       check=False)

    if r.returncode:
        raise StackError(f"make-acl: {(r.stderr or r.stdout).strip()}")

    # and one who may look at everything, for tests

    admin_file = stack.secret_path("redis-admin")
    admin = files.secret(admin_file)

    files.write(out, files.read(out)
                + f"user default on >{admin} ~* &* +@all\n", 0o600)

    return users, admin, admin_file


def start(stack):
    folder = stack.folder("redis")
    sock = os.path.join(folder, "redis.sock")

    if len(sock) > 107:
        raise StackError(f"{sock}: too long a name for a unix socket; "
                         "take a --dir with a shorter one")

    lib = files.top("redis-schema", "lib", "rs.lua")

    if not os.path.exists(lib):
        raise StackError(f"no function library: {lib}")

    users, admin, admin_file = _acl(stack, folder)
    port = stack.base + ports.REDIS

    conf = files.write(os.path.join(folder, "redis.conf"),
                       CONF.format(port=port, dir=folder),
                       0o600)

    # Redis keeps the claim on the ports for as long as the stack lives

    record = stack.run("redis", ["redis-server", conf],
                       pass_fds=(stack.claim.fileno(),))

    def answers():
        client = Client(sock)

        try:
            client.call("AUTH", admin)
            return client

        except StackError:
            client.close()
            return None

    with wait_for("redis", answers, record["log"], record) as client:
        client.call("FUNCTION", "LOAD", "REPLACE", files.read(lib))

    return {"socket": sock, "ip": "127.0.0.1", "port": port, "pid": record["pid"],
            "log": record["log"], "admin_password_file": admin_file,
            "users": users}
