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
bind {bind}
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
{replica}"""

# of a trio: diskless, and at once

REPLICA = """\
masteruser default
masterauth {admin}
repl-diskless-sync yes
repl-diskless-sync-delay 0
repl-timeout 5
"""

SENTINEL = """\
# made by rs-stack
bind 127.0.0.1
port {port}
dir {dir}
daemonize no
logfile ""
protected-mode no
sentinel monitor rs 127.0.0.1 {primary} 2
sentinel auth-user rs default
sentinel auth-pass rs {admin}
sentinel down-after-milliseconds rs 1000
sentinel failover-timeout rs 3000
sentinel parallel-syncs rs 2
"""


class Client:
    """RESP2, blocking, enough to set a server up."""

    def __init__(self, where, timeout_s=5):
        """WHERE: the path of a socket, or (host, port)."""

        self.sock = socket.socket(socket.AF_UNIX if isinstance(where, str)
                                  else socket.AF_INET)
        self.sock.settimeout(timeout_s)

        try:
            self.sock.connect(where)

        except BaseException:
            self.sock.close()
            raise

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


def url(stack, ns=None):
    """Where Redis is, as rs_redis and rs-turn-authd have it."""

    state = stack.state["redis"]

    if "sentinels" in state:
        return "sentinel://" + ",".join(
            f"127.0.0.1:{s['port']}" for s in state["sentinels"]) + "/rs"

    if ns:
        return f"redis://{ns['redis_ip']}:{state['port']}"

    return f"unix:{state['socket']}"


def _acl(stack, folder):
    """Makes the ACL file as an operator does; passwords are in files."""

    passwords = os.path.join(stack.folder("secrets"), "redis")
    os.makedirs(passwords, mode=0o700, exist_ok=True)

    users = {name: os.path.join(passwords, name)
             for name in ("rs-gateway", "rs-deploy", "rs-plugin",
                          "rs-eventd", "rs-backup", "rs-restore")}

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


def _check(folder):
    sock = os.path.join(folder, "redis.sock")

    if len(sock) > 107:
        raise StackError(f"{sock}: too long a name for a unix socket; "
                         "take a --dir with a shorter one")

    return sock


def _start(stack, name, port, admin, replica=""):
    """One redis-server; gives what stack.json says of it."""

    folder = stack.folder(name)
    sock = _check(folder)
    bind = ["127.0.0.1"] + [n["redis_ip"] for n in stack.nets]

    conf = files.write(os.path.join(folder, "redis.conf"),
                       CONF.format(bind=" ".join(bind), port=port, dir=folder,
                                   replica=replica), 0o600)

    # Redis keeps the claim on the ports for as long as the stack lives

    record = stack.run(name, ["redis-server", conf],
                       pass_fds=(stack.claim.fileno(),))

    def answers():
        client = Client(sock)

        try:
            client.call("AUTH", admin)
            return client

        except StackError:
            client.close()
            return None

    wait_for(name, answers, record["log"], record).close()

    return {"name": name, "socket": sock, "ip": "127.0.0.1", "port": port,
            "pid": record["pid"], "log": record["log"]}


def _follows(server, admin):
    with Client(server["socket"]) as c:
        c.call("AUTH", admin)
        info = c.call("INFO", "replication")

    return "master_link_status:up" in info and \
           "master_sync_in_progress:0" in info


def _trio(stack, state, users_acl, admin):
    """Two replicas and three Sentinels beside the server there is."""

    servers = [{k: state[k] for k in ("socket", "ip", "port", "pid", "log")}]
    servers[0]["name"] = "redis"
    sentinels = []

    for i in (1, 2):
        files.write(os.path.join(stack.folder(f"redis{i + 1}"), "users.acl"),
                    users_acl, 0o600)
        server = _start(stack, f"redis{i + 1}", state["port"] + i, admin,
                        REPLICA.format(admin=admin)
                        + f"replicaof 127.0.0.1 {state['port']}\n")
        servers.append(server)
        wait_for(server["name"], lambda s=server: _follows(s, admin),
                 server["log"])

    for i in range(3):
        name, port = f"sentinel{i + 1}", stack.base + ports.SENTINEL + i
        folder = stack.folder(name)
        conf = files.write(os.path.join(folder, "sentinel.conf"),
                           SENTINEL.format(port=port, dir=folder,
                                           primary=state["port"],
                                           admin=admin), 0o600)
        record = stack.run(name, ["redis-sentinel", conf],
                           pass_fds=(stack.claim.fileno(),))
        sentinels.append({"name": name, "port": port, "pid": record["pid"],
                          "log": record["log"]})

    for s in sentinels:
        wait_for(s["name"], lambda port=s["port"]: _knows_all(port),
                 s["log"])

    return servers, sentinels


def _knows_all(port):
    """Does a Sentinel know the two others and both replicas?"""

    with Client(("127.0.0.1", port)) as c:
        words = c.call("SENTINEL", "MASTER", "rs")

    state = dict(zip(words[::2], words[1::2]))

    return (state["num-other-sentinels"] == "2"
            and state["num-slaves"] == "2" and state["flags"] == "master")


def primary(state):
    """The server the Sentinels call primary now; None when they know none."""

    for s in state["sentinels"]:
        try:
            with Client(("127.0.0.1", s["port"]), 1) as c:
                answer = c.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "rs")

        except OSError:
            continue

        for server in state["servers"]:
            if answer and str(server["port"]) == answer[1]:
                return server

    return None


def start(stack):
    folder = stack.folder("redis")
    lib = files.top("redis-schema", "lib", "rs.lua")

    if not os.path.exists(lib):
        raise StackError(f"no function library: {lib}")

    users, admin, admin_file = _acl(stack, folder)
    trio = stack.args.sentinel
    state = _start(stack, "redis", stack.base + ports.REDIS, admin,
                   REPLICA.format(admin=admin) if trio else "")

    with Client(state["socket"]) as client:
        client.call("AUTH", admin)
        client.call("FUNCTION", "LOAD", "REPLACE", files.read(lib))

    state.update({"admin_password_file": admin_file, "users": users})
    del state["name"]

    if trio:
        state["servers"], state["sentinels"] = _trio(
            stack, state, files.read(os.path.join(folder, "users.acl")),
            admin)

    return state
