# Copyright (C) rs-gateway contributors
#
# What the tests of tools/ share: TAP, a network namespace of their own, and a
# stack (util/rs-stack) whose parts can be broken and mended.  Everything a
# test starts is in a process namespace that ends with it.

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), *[".."] * 3))

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(TOP, "tools"), os.path.join(TOP, "util")]

_count = 0
_failed = 0


# ---- TAP

def ok(good, what, why=""):
    global _count, _failed
    _count += 1

    if not good:
        _failed += 1

    print(f"{'ok' if good else 'not ok'} {_count} - {what}", flush=True)

    if not good and why:
        print("\n".join(f"# {line}" for line in str(why).splitlines()),
              flush=True)

    return bool(good)


def equal(got, want, what):
    return ok(got == want, what, f"got:  {got!r}\nwant: {want!r}")


def like(got, pattern, what):
    return ok(re.search(pattern, got, re.S), what,
              f"{pattern!r} is not in:\n{got}")


def done():
    print(f"1..{_count}", flush=True)
    sys.exit(1 if _failed else 0)


def skip_all(why):
    print(f"1..0 # SKIP {why}")
    sys.exit(0)


# ---- where a test runs

def namespace():
    """Starts this script again in namespaces of its own."""

    if os.geteuid() != 0:
        skip_all("needs root: network namespaces, packet filters")

    if os.environ.get("RS_TEST_NAMESPACE") != str(os.path.realpath(
            sys.argv[0])):
        os.environ["RS_TEST_NAMESPACE"] = os.path.realpath(sys.argv[0])
        os.execv(f"{TOP}/util/with-netns",
                 ["with-netns", sys.executable, *sys.argv])


def folder():
    """A folder that is gone when the test is."""

    path = tempfile.mkdtemp(prefix="rs-tools-")
    os.chmod(path, 0o755)
    import atexit
    atexit.register(shutil.rmtree, path, ignore_errors=True)

    return path


def wait_for(what, test, deadline_s=30):
    """Until TEST gives something true, which is given back."""

    end = time.monotonic() + deadline_s

    while True:
        got = test()

        if got:
            return got

        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {deadline_s} s")

        time.sleep(0.05)


def run(*argv, data=None, env=None):
    """(exit status, stdout, stderr)."""

    r = subprocess.run(argv, capture_output=True, text=True, check=False,
                       input=data, timeout=180,
                       env=dict(os.environ, **(env or {})))

    return r.returncode, r.stdout, r.stderr


# ---- a fleet

class Fleet:
    """util/rs-stack, with an rsctl.conf that leads to it."""

    def __init__(self, path, *options):
        self.dir = path
        status, out, err = run(f"{TOP}/util/rs-stack", "up", "--dir", path,
                               "--quiet", *options)

        if status:
            raise RuntimeError(f"rs-stack: {err}")

        self.state = json.loads(out)
        self.conf = self._conf()

    def _conf(self):
        s = self.state
        node, redis, turn = s["nodes"][0], s["redis"], s.get("turn")
        where = redis["socket"]
        url = f"unix:{where}" if "sentinels" not in redis else \
            "sentinel://" + ",".join(f"127.0.0.1:{x['port']}"
                                     for x in redis["sentinels"]) + "/rs"
        text = (f"[gateway]\nurl = {s['base']}\n"
                f"key_file = {s['api_key_file']}\nca_file = {s['ca']}\n"
                f"address = {node['ip']}:{node['https_port']}\n"
                f"[redis]\nurl = {url}\nuser = rs-deploy\n"
                f"password_file = {redis['users']['rs-deploy']}\n"
                f"[nginx]\ncommand = /usr/sbin/nginx -p {self.dir}/node1/ "
                f"-c {node['conf']} -e {node['error_log']}\n")

        if turn:
            text += (f"[turn]\nturnserver_conf = {self.dir}/turn/"
                     "turnserver.conf\n"
                     f"authd = {TOP}/build/turn/rs-turn-authd\n"
                     f"check = {TOP}/build/turn/rs-turn-check\n")

            if "authd" in turn:
                text += f"conf = {turn['authd']['conf']}\n"

        return self.write("rsctl.conf", text, 0o600)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, text, mode=0o644):
        path = self.path(name)

        with open(path, "w", encoding="utf-8",
                  opener=lambda p, flags: os.open(p, flags, mode)) as f:
            f.write(text)

        return path

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def rsctl(self, *argv, conf=None, **kw):
        return run(f"{TOP}/tools/rsctl", *argv, "--config", conf or self.conf,
                   **kw)

    # ---- parts

    def _records(self):
        return json.loads(self.read("stack.json"))

    def stop(self, part):
        from rslib import proc

        for record in self._records()["processes"]:
            if record["name"] == part:
                proc.stop(record)

    def start(self, part, env=None):
        """Starts it again; ENV takes the place of what was set for it."""

        if env is not None:
            state = self._records()

            for record in state["processes"]:
                if record["name"] == part:
                    record["env"] = env

            self.write("stack.json", json.dumps(state), 0o600)

        status, _, err = run(f"{TOP}/util/rs-stack", "start", "--dir",
                             self.dir, part)

        if status:
            raise RuntimeError(f"rs-stack start {part}: {err}")

    def reload(self):
        """nginx reads its files anew: new workers are there when it is
        done, so whoever asks next meets them."""

        with open(self.state["nodes"][0]["pid_file"],
                  encoding="ascii") as f:
            master = int(f.read())

        def workers():
            with open(f"/proc/{master}/task/{master}/children",
                      encoding="ascii") as f:
                return set(f.read().split())

        before = workers()
        os.kill(master, 1)
        wait_for("new workers", lambda: workers() - before)
        wait_for("the old ones to end", lambda: not workers() & before)

    def redis(self, *command):
        """As the administrator; the server may be another one by now."""

        from rslib.redis import Client

        r = self.state["redis"]

        with open(r["admin_password_file"], encoding="ascii") as f:
            password = f.read().strip()

        with Client(r["socket"]) as c:
            c.call("AUTH", password)
            return c.call(*command)

    def down(self):
        run(f"{TOP}/util/rs-stack", "down", "--dir", self.dir)
