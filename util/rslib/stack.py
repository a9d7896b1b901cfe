# Copyright (C) rs-gateway contributors
#
# A stack: the folder it lives in, its state, and the order of things.
#
# DIR/stack.json is what `down` goes by.  It is written after each process is
# started, so that whatever happens in between can be ended.  It names files
# with secrets, it holds none.

import fcntl
import json
import os
import shutil
import stat
import subprocess
import sys

from . import (agent, balancer, desktop, files, issuer, netns, nginx, ports,
               proc, redis, service, tls, turn)
from .proc import StackError

NAME = "localhost"


class Stack:
    def __init__(self, folder, args=None):
        self.dir = os.path.abspath(folder)
        self.args = args
        self.path = os.path.join(self.dir, "stack.json")
        self.state = {}
        self.claim = None
        self.nets = []
        self.base = 0
        self.ip = self.http_ip = self.name = ""
        self.turn_ips = []
        self.relay_ips = []
        self._lock = None

    # ---- the folder

    def lock(self):
        """One rs-stack at a time works on a folder."""

        self._lock = os.open(self.dir, os.O_RDONLY | os.O_DIRECTORY)

        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

        except BlockingIOError:
            raise StackError(f"{self.dir}: another rs-stack is at work "
                             "there") from None

    def unlock(self):
        os.close(self._lock)
        self._lock = None

    def folder(self, name):
        path = os.path.join(self.dir, name)
        os.makedirs(path, mode=0o700 if name == "secrets" else 0o755,
                    exist_ok=True)

        return path

    def secret_path(self, name):
        return os.path.join(self.folder("secrets"), name)

    def load(self):
        try:
            self.state = json.loads(files.read(self.path))

        except FileNotFoundError:
            self.state = {}

        except ValueError:
            raise StackError(f"{self.path}: not JSON") from None

        return self.state

    def save(self):
        files.write(self.path, json.dumps(self.state, indent=1) + "\n", 0o600)

    def clear(self):
        """Takes away what an earlier stack of this folder left there."""

        names = ["agent", "balancer", "desktop", "issuer", "log", "redis",
                 "record", "redis2",
                 "redis3", "render", "secrets", "sentinel1",
                 "sentinel2", "sentinel3", "tls", "turn"]
        names += [f"node{i + 1}" for i in range(ports.NODES_MAX)]

        for name in names if self.state else []:
            shutil.rmtree(os.path.join(self.dir, name), ignore_errors=True)

    # ---- processes

    def say(self, text):
        if self.args is not None and not self.args.quiet:
            print(f"rs-stack: {text}", file=sys.stderr, flush=True)

    def run(self, name, argv, **kw):
        log = os.path.join(self.folder("log"), f"{name}.log")

        with proc.Shield():
            record, _ = proc.spawn(name, argv, log, **kw)
            record["env"] = {k: v for k, v in (kw.get("env") or {}).items()
                             if os.environ.get(k) != v}
            self.state["processes"].append(record)
            self.save()

        return record

    def live(self):
        return [p for p in self.state.get("processes", []) if proc.alive(p)]

    # ---- up

    def up(self):
        args = self.args

        os.makedirs(self.dir, mode=0o755, exist_ok=True)
        self.lock()
        self.load()

        if self.live():
            raise StackError(f"{self.dir}: a stack is up there already; "
                             f"rs-stack down --dir {self.dir}")

        for path, cure in ((args.nginx, "make deps"),
                           (args.module, "make all"),
                           *([(args.stream_module, "make all")]
                             if args.tunnel_ports else [])):
            if not os.path.exists(path):
                raise StackError(f"{path}: no such file: {cure}")

        self.clear()

        # where coturn and media are, and where nginx is

        self.ip = args.ip
        self.http_ip = "127.0.0.1" if args.localhost else args.ip
        self.name = args.host or (NAME if self.http_ip == "127.0.0.1"
                                  else args.ip)
        self.turn_ips = args.turn_ip or [args.ip]
        self.relay_ips = args.relay_ip or self.turn_ips
        self.base, self.claim = ports.take(
            args.port_base, {self.ip, "127.0.0.1", *self.turn_ips},
            args.nodes)
        self.state = {"version": 1, "dir": self.dir, "ip": self.ip,
                      "port_base": self.base, "processes": []}
        self.save()

        try:
            self._up()

        except BaseException:
            self.say("that failed; ending what was started")

            with proc.Shield():
                self._stop()

            raise

        finally:
            self.claim.close()
            self.unlock()

        return self.state

    def _up(self):
        args, state = self.args, self.state
        tls_dir = self.folder("tls")
        names = [NAME, "127.0.0.1", "::1"]
        own = [self.ip, args.ip6, args.host, args.turn_host, *self.turn_ips]

        for n in [*own, *args.san]:
            if n and n not in names:
                names.append(n)

        if args.netns:
            self.say("a network namespace for each node")
            self.nets = [netns.make(self, f"node{i + 1}", i)
                         for i in range(args.nodes)]
            state["nets"] = self.nets
            names += [n["node_ip"] for n in self.nets]

        self.say(f"certificates for {', '.join(names)}")
        tls.make(tls_dir, names)
        state["ca"] = os.path.join(tls_dir, "ca.pem")

        self.say(f"Redis on 127.0.0.1:{self.base + ports.REDIS}")
        state["redis"] = redis.start(self)

        if args.turn:
            self.say(f"coturn on {', '.join(self.turn_ips)}, port "
                     f"{self.base + ports.TURN}, "
                     + (f"with the TURN plugin, {args.turn_mode}"
                        if args.turn_mode != "static" else "by itself"))
            state["turn"] = turn.start(self, tls_dir)

        if args.oidc:
            self.say(f"an OpenID provider on {self.http_ip}:"
                     f"{self.base + ports.ISSUER}")
            state["issuer"] = issuer.start(self, tls_dir)

        state["nodes"] = []

        for i in range(args.nodes):
            self.say(f"nginx node {i + 1}, {args.workers} workers, on "
                     f"{self.http_ip}:{self.base + ports.HTTPS + i}")
            state["nodes"].append(nginx.start(
                self, i, tls_dir, [n for n in names if ":" not in n],
                self.nets[i] if self.nets else None))

        front = state["nodes"][0]

        if args.balancer:
            self.say("haproxy in front, on "
                     f"{self.http_ip}:{self.base + ports.BALANCER}")
            front = state["balancer"] = balancer.start(self)

        state["url"] = front["url"]
        state["base"] = front["base"]

        self.say("an API key")
        state["api_key_file"] = self._api_key()
        self.save()

        if args.desktop or args.agent:
            self.say(f"a desktop of {desktop.SIZE}")
            state["desktop"] = desktop.start(self, args.apps)

        if args.agent:
            self.say("the agent, enrolled as a device")
            state["agent"] = agent.start(self)

        for kind, (name, _) in service.KINDS.items():
            if getattr(args, name):
                self.say(f"rs-{name}, enrolled as a {kind}")
                state[name] = service.start(self, kind)
                self.save()

        self.save()

    def _api_key(self):
        """Made as an operator makes one: by tools/rs-key."""

        redis_state = self.state["redis"]

        r = subprocess.run(
            [files.top("tools", "rs-key"), "create",
             "--socket", redis_state["socket"], "--user", "rs-deploy",
             "--password-file", redis_state["users"]["rs-deploy"],
             "--name", "rs-stack", "--scopes", "*"],
            capture_output=True, text=True, check=False)

        if r.returncode:
            raise StackError(f"rs-key: {(r.stderr or r.stdout).strip()}")

        return files.write(self.secret_path("api-key"),
                           r.stdout.strip() + "\n", 0o600)

    # ---- a part that has ended

    def start(self, name):
        """Starts a part of the stack again, as up did."""

        self.lock()

        try:
            self.load()
            records = [p for p in self.state.get("processes", [])
                       if p["name"] == name]

            if not records:
                raise StackError(f"{self.dir}: no part \"{name}\"")

            old = records[0]

            if proc.alive(old):
                raise StackError(f"{name} is up already, as process "
                                 f"{old['pid']}")

            proc.stop(old)

            with proc.Shield():
                new, _ = proc.spawn(name, old["argv"], old["log"],
                                    env=dict(os.environ, **old["env"]))
                old.update(new)
                self._renumber(name, new["pid"])
                self.save()

        finally:
            self.unlock()

        return new

    def cut(self, name, way, broken):
        """Breaks a way between a node and the others, or mends it."""

        for node in self.load().get("nodes", []):
            if node["name"] == name and "netns" in node:
                netns.cut(node["netns"], way, broken)
                return

        raise StackError(f"{name}: no node of this stack has a network "
                         "namespace and that name; up --netns")

    def _renumber(self, name, pid):
        r = self.state["redis"]

        for part in (self.state["nodes"] + r.get("servers", [])
                     + r.get("sentinels", [])):
            if part["name"] == name:
                part["pid"] = pid

        if name == "redis":
            r["pid"] = pid

        if name == "turn-authd":
            self.state["turn"]["authd"]["pid"] = pid

        if name in self.state:
            self.state[name]["pid"] = pid

    # ---- down

    def _stop(self):
        errors = []

        for record in reversed(self.state.get("processes", [])):
            try:
                proc.stop(record)

            except StackError as e:
                errors.append(str(e))

        for ns in self.state.get("nets", []):
            netns.remove(ns)

        if errors:
            raise StackError("; ".join(errors))

        self.state["processes"] = []
        self.save()

    def down(self):
        """Ends exactly what up started; again: does nothing."""

        if not os.path.isdir(self.dir):
            return

        self.lock()

        try:
            if self.load():
                self._stop()

        finally:
            self.unlock()

    # ---- what there is

    def status(self):
        state = dict(self.load())

        for record in state.get("processes", []):
            record["alive"] = proc.alive(record)

        state["up"] = bool(state.get("processes")) and all(
            p["alive"] for p in state["processes"])

        return state

    def environment(self):
        """For `eval "$(rs-stack env --dir DIR)"`."""

        state = self.load()

        if not state.get("processes"):
            raise StackError(f"{self.dir}: no stack is up there")

        env = {"RS_DIR": self.dir, "RS_URL": state["url"],
               "RS_BASE": state["base"], "RS_CA": state["ca"],
               "RS_API_KEY_FILE": state["api_key_file"],
               "RS_REDIS_SOCKET": state["redis"]["socket"]}

        if "issuer" in state:
            env["RS_ISSUER"] = state["issuer"]["url"]
            env["RS_ACCOUNTS_FILE"] = state["issuer"]["accounts_file"]

        if "desktop" in state:
            env["DISPLAY"] = state["desktop"]["display"]
            env["XAUTHORITY"] = state["desktop"]["xauthority"]

        if "agent" in state:
            env["RS_DEVICE_ID"] = state["agent"]["device_id"]

        for name in ("render", "record"):
            if name in state:
                env[f"RS_{name.upper()}_ID"] = state[name]["device_id"]

        return env


def check_dir(path):
    """Secrets live below it: nobody else may write there."""

    path = os.path.abspath(path)

    if os.path.isdir(path) and os.stat(path).st_mode & stat.S_IWOTH:
        raise StackError(f"{path}: anybody can write there; take another "
                         "--dir")
