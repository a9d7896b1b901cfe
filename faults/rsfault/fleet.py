# Copyright (C) rs-gateway contributors
#
# The stack under test: its nodes as processes that can be reloaded, upgraded,
# killed, cut off; its Redis; its balancer.

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from rslib import balancer, files, proc, redis

from . import TOP

TOOL = os.path.join(TOP, "util", "rs-stack")

# levels of error.log that nobody may see; nginx tells a worker that was
# killed as an alert

BAD = re.compile(r"\[(?:alert|emerg|crit)\]")
KILLED = re.compile(r"exited on signal 9")


def until(test, deadline_s, what):
    """Waits for something true and gives it; TimeoutError else."""

    end = time.monotonic() + deadline_s

    while True:
        got = test()

        if got:
            return got

        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {deadline_s} s")

        time.sleep(0.02)


def _children(pid):
    try:
        return [int(p) for p in files.read(
            f"/proc/{pid}/task/{pid}/children").split()]

    except OSError:
        return []


def _anon(pid):
    """Anonymous memory in KiB."""

    try:
        m = re.search(r"^RssAnon:\s+(\d+)", files.read(f"/proc/{pid}/status"),
                      re.M)

    except OSError:
        return 0

    return int(m.group(1)) if m else 0


class Node:
    def __init__(self, fleet, state):
        self.fleet, self.state, self.name = fleet, state, state["name"]
        self.log_from = 0

    def master(self):
        return int(files.read(self.state["pid_file"]))

    def workers(self):
        """Those of the master there is now."""

        return _children(self.master())

    def processes(self):
        """All of the node, whichever master made it."""

        record = next(p for p in self.fleet.stack()["processes"]
                      if p["name"] == self.name)

        return proc.session_members(record["pid"])

    def memory(self):
        """KiB of its workers and its master(s)."""

        return sum(_anon(pid) for pid in self.processes())

    def reload(self):
        os.kill(self.master(), signal.SIGHUP)

    def kill(self):
        """The whole node, at once."""

        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)

        until(lambda: not self.processes(), 10, f"{self.name} gone")

        # nginx never saw the end: its pid file would name a stranger

        os.unlink(self.state["pid_file"])

    def sockets(self, pid):
        """How many client connections PID holds."""

        try:
            links = [os.readlink(f"/proc/{pid}/fd/{fd}")
                     for fd in os.listdir(f"/proc/{pid}/fd")]

        except OSError:
            return 0

        port = f":{self.state['https_port']:04X}"
        rows = [r.split() for r in files.read(f"/proc/{pid}/net/tcp")
                .splitlines()[1:]]

        mine = {f"socket:[{r[9]}]" for r in rows
                if r[1].endswith(port) and r[3] == "01"}

        return sum(link in mine for link in links)

    def bad_lines(self, killed=False):
        """Alerts and worse of its error.log."""

        with open(self.state["error_log"], encoding="utf-8",
                  errors="replace") as f:
            return [line.rstrip() for line in f if BAD.search(line)
                    and not (killed and KILLED.search(line))]


class Fleet:
    """with Fleet("--nodes", "2", ...) as fleet: ..."""

    def __init__(self, *options, keep=False):
        self.options, self.keep = options, keep
        self.dir = tempfile.mkdtemp(prefix="rs-faults-")
        self.state, self.nodes = {}, []

    def __enter__(self):
        os.chmod(self.dir, 0o755)

        try:
            r = self.tool("up", "--quiet", "--no-turn", *self.options)

        except BaseException:
            self.__exit__()
            raise

        self.state = json.loads(r)
        self.nodes = [Node(self, n) for n in self.state["nodes"]]

        return self

    def __exit__(self, *_):
        subprocess.run([TOOL, "down", "--quiet", "--dir", self.dir],
                       check=False)

        kept = os.environ.get("RS_FAULTS_KEEP")

        if kept:
            self._keep(os.path.join(kept, os.path.basename(self.dir)))

        shutil.rmtree(self.dir, ignore_errors=True)

    def _keep(self, target):
        """Logs and configurations, not secrets."""

        for folder, _, names in os.walk(self.dir):
            for name in names:
                if name.endswith((".log", ".conf", ".cfg")) \
                        and "redis" not in os.path.basename(folder):
                    to = os.path.join(target,
                                      os.path.relpath(folder, self.dir))
                    os.makedirs(to, exist_ok=True)
                    shutil.copy(os.path.join(folder, name), to)

    def tool(self, command, *args):
        r = subprocess.run([TOOL, command, "--dir", self.dir, *args],
                           capture_output=True, text=True, check=False)

        if r.returncode:
            raise proc.StackError(f"rs-stack {command}: {r.stderr.strip()}")

        return r.stdout

    def stack(self):
        return json.loads(files.read(os.path.join(self.dir, "stack.json")))

    def pid(self, part):
        """Of a part as it runs now."""

        return next(p["pid"] for p in self.stack()["processes"]
                    if p["name"] == part)

    def start(self, part):
        self.tool("start", part)

    def cut(self, node, way):
        self.tool("cut", node.name, way)

    def mend(self, node, way):
        self.tool("mend", node.name, way)

    @property
    def key(self):
        return files.read(self.state["api_key_file"]).strip()

    @property
    def admin(self):
        """Who may do everything in Redis: the password."""

        return files.read(self.state["redis"]["admin_password_file"]).strip()

    def redis(self, server=None):
        """An administrator's connection to Redis."""

        client = redis.Client((server or self.state["redis"])["socket"])
        client.call("AUTH", self.admin)

        return client

    def balancer_stats(self):
        """Of its server lines: {"node1": {"econ": 0, ...}}."""

        text = balancer.ask(self.state["balancer"]["socket"], "show stat")
        lines = text.lstrip("# ").splitlines()
        names = lines[0].split(",")
        rows = [dict(zip(names, line.split(","))) for line in lines[1:]
                if line]

        return {r["svname"]: r for r in rows if r["pxname"] == "nodes"}

    def memory(self):
        return sum(n.memory() for n in self.nodes)

    def bad_lines(self, killed=False):
        return [f"{n.name}: {line}" for n in self.nodes
                for line in n.bad_lines(killed)]
