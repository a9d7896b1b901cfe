# Copyright (C) rs-gateway contributors
#
# rs-load beside a scenario: the steady load, and the histories it checked.

import json
import os
import re
import signal
import subprocess
import threading

from . import TOP
from .fleet import until

PROGRAM = os.path.join(TOP, "build", "bench", "rs-load")

PROGRESS = re.compile(
    r"rs-load: at ([\d.]+) s: devices (\d+)/(\d+), participants (\d+)/(\d+), "
    r"sent (\d+), acked (\d+), whole (\d+)")


class Load:
    """with Load(fleet, sessions=200, rate=1000) as load: ..."""

    def __init__(self, fleet, mode="pairs", urls=None, drain_s=40, **options):
        self.fleet = fleet
        self.said = []
        self.running = False
        self.progress = None
        self.result = None

        argv = [PROGRAM, mode, "--json", "--ca-file", fleet.state["ca"],
                "--key-file", fleet.state["api_key_file"], "--progress",
                "100", "--drain-seconds", str(drain_s)]

        options.setdefault("seconds", 86400)

        for url in urls or [fleet.state["base"]]:
            argv += ["--url", url]

        for name, value in options.items():
            argv.append(f"--{name.replace('_', '-')}")

            if value is not True:
                argv.append(str(value))

        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self):
        try:
            until(lambda: self.running or self.process.poll() is not None,
                  300, "rs-load runs")

            if not self.running:
                self.reader.join()
                raise RuntimeError("rs-load: " + "\n".join(self.said))

        except BaseException:
            self.__exit__()
            raise

        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()

        self.process.wait()
        self.process.stdout.close()

    def _read(self):
        for line in self.process.stderr:
            m = PROGRESS.match(line)

            if m:
                self.progress = tuple(float(v) if "." in v else int(v)
                                      for v in m.groups())

            elif line == "rs-load: running\n":
                self.running = True

            else:
                self.said.append(line.rstrip())

    def all_up(self):
        p = self.progress

        return p and p[1] == p[2] and p[3] == p[4]

    def wait_all(self, deadline_s, what="all are connected again"):
        """Until the next progress that says so."""

        self.progress = None

        try:
            until(self.all_up, deadline_s, what)

        except TimeoutError as e:
            raise TimeoutError(f"{e}; rs-load says {self.progress} "
                               + "\n".join(self.said)) from None

    def stop(self):
        """Ends the load; its result."""

        self.process.send_signal(signal.SIGTERM)
        out = self.process.stdout.read()
        status = self.process.wait()
        self.reader.join()

        if status > 1:
            raise RuntimeError(f"rs-load: {status}: " + "\n".join(self.said))

        self.result = json.loads(out)

        return self.result


def summary(tap, name, r):
    """What the load has shown, told."""

    m = r["messages"]
    tap.number(**{f"{name}": f"{m['sent']} sent in {r['seconds']:.1f} s, "
                  f"{m['acked']} acked, {m['received']} received, "
                  f"{m['resent']} sent again, {m['resync']} by resync"})

    for key, what in (("peer_back", "participants"),
                      ("agent_back", "devices")):
        h = r["latency_us"][key]
        tap.number(**{f"{name}_{key}":
                      f"{what} came back {h['count']} times, p50 "
                      f"{h['p50'] / 1e6:.2f} p99 {h['p99'] / 1e6:.2f} max "
                      f"{h['max'] / 1e6:.2f} s"})

    tap.note("ends: " + ", ".join(f"{n} x {what}"
                                  for what, n in r["ends"].items()))


def check(tap, name, load, r):
    """The promise: nothing lost, twice, out of order, to another."""

    m = r["messages"]

    for said in load.said[:20]:
        tap.note(said)

    summary(tap, name, r)
    tap.ok(m["sent"] > 0 and m["received"] > 0, f"{name}: there was a load")

    for key, what in (("lost", "missing"), ("duplicates", "applied twice"),
                      ("reordered", "out of order"),
                      ("foreign", "to another session")):
        tap.numbers[f"{name}_{key}"] = m[key]
        tap.ok(m[key] == 0, f"{name}: {m[key]} messages {what}")

    # what was never acknowledged is sent again until it is

    tap.ok(m["unknown"] == 0 and m["refused"] == 0 and m["shed"] == 0,
           f"{name}: {m['unknown']} messages unacknowledged, {m['refused']} "
           f"refused, {m['shed']} shed")
    tap.ok(r["broken_sessions"] == 0 and r["devices_gone"] == 0,
           f"{name}: {r['broken_sessions']} sessions broken, "
           f"{r['devices_gone']} devices sent away")
    tap.ok(r["devices_away"] == 0 and r["participants_away"] == 0,
           f"{name}: {r['devices_away']} devices and "
           f"{r['participants_away']} participants away at the end")
