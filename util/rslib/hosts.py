# Copyright (C) rs-gateway contributors
#
# Booted hosts: each is a systemd-nspawn container with its own systemd, sshd
# and network, on top of a root which util/rs-root made.
#
# All of them live in the namespaces (processes, mounts, network) of one
# keeper, whose network is the hub: a bridge that every host is at, where
# tests, Ansible and browsers run, too.  So addresses are the same in every
# fleet and clash with nobody, and when the keeper ends, however it does, no
# process, mount or interface is left; what remains is the folder, and empty
# control groups, which the next one takes away.
#
#     hub    10.80.0.1          gw1  10.80.0.11   relay addresses 10.80.1.11
#
# DIR/hosts.json is what "down" goes by; it names the keeper.

import fcntl
import glob
import ipaddress
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys

from . import files, netns, proc
from .proc import StackError, wait_for

NET = "10.80.0"
RELAY = "10.80.1"
FIRST = 11
HOSTS_MAX = 40
DOMAIN = "fleet.test"
REPO = "/srv/rs-gateway"
GROUP = "rs-hosts-"

# what a host of a test has to do without: it would take locks of apt, or time

MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer",
          "e2scrub_all.timer", "fstrim.timer", "man-db.timer",
          "e2scrub_reap.service", "systemd-logind.service",
          "console-getty.service")

WITH = ("systemd,systemd-sysv,dbus,openssh-server,python3,python3-apt,"
        "iproute2,procps,nftables")

# what roles and tests install on hosts

DOWNLOAD = ("nginx,libnginx-mod-stream,redis-server,redis-sentinel,"
            "redis-tools,coturn,haproxy,systemd-timesyncd,python3-redis,"
            "openssl,curl,logrotate,xvfb,openbox,xterm,x11-apps,x11-utils,"
            "x11-xserver-utils,xdotool,dbus-x11")


def run(*argv, **kw):
    r = subprocess.run(argv, capture_output=True, text=True, check=False, **kw)

    if r.returncode:
        raise StackError(f"{' '.join(argv[:8])}: "
                         f"{(r.stderr or r.stdout).strip()[-2000:]}")

    return r.stdout


def cgroup_roots():
    """Where a control group of one's own is made: systemd's hierarchies."""

    roots = []

    with open("/proc/self/mounts", encoding="utf-8") as f:
        for line in f:
            _, path, kind, options = line.split()[:4]

            if kind == "cgroup2" or (kind == "cgroup"
                                     and "name=systemd" in options.split(",")):
                roots.append(path)

    return roots


def cgroups_of(prefix):
    return [d for root in cgroup_roots()
            for d in glob.glob(os.path.join(root, glob.escape(prefix) + "*"))]


def cgroups_remove(prefix):
    """Those with nobody inside; the kernel refuses others."""

    for top in cgroups_of(prefix):
        for folder, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(folder)

            except OSError:
                pass


def default_root(more):
    """A root of Debian 12 where what a fleet is made of can be installed:
    packages built here, what they depend on, and MORE."""

    # the metapackage names versions, and so do symbols for debuggers: each
    # build would have a root of its own

    debs = [deb for deb in sorted(glob.glob(os.path.join(
                glob.escape(files.top("build", "deb", "bookworm")), "*.deb")))
            if not os.path.basename(deb).startswith("rs-gateway_")
            and "-dbgsym_" not in deb]

    argv = [files.top("util", "rs-root"), "bookworm", "--with", WITH,
            "--download", ",".join([DOWNLOAD, *debs, *([more] if more else [])])]

    r = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)

    if r.returncode:
        raise StackError("no root to boot: " + " ".join(argv))

    return r.stdout.strip()


class Hosts:
    def __init__(self, folder, quiet=False):
        self.dir = os.path.abspath(folder)
        self.path = os.path.join(self.dir, "hosts.json")
        self.quiet = quiet
        self.state = {}
        self._lock = None

    # ---- the folder

    def say(self, text):
        if not self.quiet:
            print(f"rs-hosts: {text}", file=sys.stderr, flush=True)

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

    def lock(self):
        self._lock = os.open(self.dir, os.O_RDONLY | os.O_DIRECTORY)

        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

        except BlockingIOError:
            raise StackError(f"{self.dir}: another rs-hosts is at work "
                             "there") from None

    def folder(self, *names):
        path = os.path.join(self.dir, *names)
        os.makedirs(path, mode=0o755, exist_ok=True)

        return path

    def up_already(self):
        record = self.state.get("keeper")

        return record is not None and proc.alive(record)

    def keeper(self):
        if not self.up_already():
            raise StackError(f"{self.dir}: no hosts are up there; rs-hosts up "
                             f"--dir {self.dir} --hosts NAME,...")

        return self.state["inner"]["pid"]

    def inside(self, *what):
        """What stands in front of a command in the keeper's namespaces."""

        return ["nsenter", "-t", str(self.keeper()),
                *(what or ("-n", "-p", "-m")), "--"]

    # ---- up

    def up(self, names, args):
        os.makedirs(self.dir, mode=0o755, exist_ok=True)
        self.lock()
        self.load()

        if self.up_already():
            raise StackError(f"{self.dir}: hosts are up there already; "
                             f"rs-hosts down --dir {self.dir}")

        self.clear()
        root = os.path.abspath(args.root or default_root(args.download))

        if not os.path.exists(os.path.join(root, "usr/sbin/sshd")):
            raise StackError(f"{root}: no root with sshd; util/rs-root")

        self.state = {"dir": self.dir, "root": root, "domain": DOMAIN,
                      "hub": f"{NET}.1", "repo": REPO,
                      "hosts": self._addresses(names), "names": {},
                      "nested": args.nested,
                      "ssh_config": os.path.join(self.dir, "ssh", "config")}

        for pair in args.name:
            alias, _, name = pair.partition("=")

            if name not in self.state["hosts"]:
                raise StackError(f"--name {pair}: NAME=HOST, and there is no "
                                 f"host \"{name}\"")

            self.state["names"][alias] = name

        try:
            with proc.Shield():
                self._start_keeper(args.owner)

            self._ssh()
            self._hub()
            self._layer(root, args.repo)

            for name in self.state["hosts"]:
                self._start(name, args.bind)

            for name in self.state["hosts"]:
                self.wait(name)

        except BaseException:
            proc.Shield.last()
            self.down(keep_logs=True)
            raise

        return self.state

    @staticmethod
    def _addresses(names):
        hosts = {}

        for i, name in enumerate(names):
            name, _, more = name.partition("+")

            if not re.fullmatch("[a-z][a-z0-9-]{0,30}", name):
                raise StackError(f"\"{name}\" is no name for a host")

            if more not in ("", "relay"):
                raise StackError(f"\"{name}+{more}\": only +relay")

            if name in hosts:
                raise StackError(f"two hosts named {name}")

            hosts[name] = {"ip": f"{NET}.{FIRST + i}",
                           "fqdn": f"{name}.{DOMAIN}"}

            if more:
                hosts[name]["relay_ip"] = f"{RELAY}.{FIRST + i}"

        if not 1 <= len(hosts) <= HOSTS_MAX:
            raise StackError(f"{len(hosts)} hosts: 1 to {HOSTS_MAX}")

        return hosts

    def _start_keeper(self, owner):
        ready, told = os.pipe()
        fds = [told]

        if owner:
            try:
                fds.append(os.pidfd_open(owner))

            except OSError as e:
                raise StackError(f"--owner {owner}: {e.strerror}") from None

        log = os.path.join(self.folder("log"), "keeper.log")
        record, _ = proc.spawn("keeper", [
            "unshare", "--net", "--pid", "--fork", "--kill-child",
            "--mount", "--propagation", "private", sys.executable,
            files.top("util", "rslib", "keeper.py"), *map(str, fds)],
            log, pass_fds=fds)

        self.state["keeper"] = record
        self.state["group"] = f"{GROUP}{record['pid']}-{record['start']}-"
        self.save()

        for fd in fds:
            os.close(fd)

        wait_for("namespaces", lambda: select.select([ready], [], [], 0)[0],
                 log, record)
        os.close(ready)

        try:
            with open(f"/proc/{record['pid']}/task/{record['pid']}/children",
                      encoding="ascii") as f:
                pid = int(f.read().split()[0])

        except (OSError, IndexError):
            raise StackError("no namespaces could be made; read " + log
                             + proc.tail(log)) from None

        self.state["inner"] = {"pid": pid, "start": proc.start_time(pid)}
        self.save()

    def _ssh(self):
        """A key of this fleet's own, and what ssh -F takes."""

        folder = self.folder("ssh")
        key = os.path.join(folder, "key")
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "rs-hosts",
            "-f", key)

        lines, known = [], []

        for name, host in self.state["hosts"].items():
            path = os.path.join(folder, f"{name}-host-key")
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name,
                "-f", path)
            known.append(f"{name},{host['fqdn']},{host['ip']} "
                         + " ".join(files.read(path + ".pub").split()[:2]))
            lines.append(f"Host {name} {host['fqdn']} {host['ip']}\n"
                         f"    HostName {host['ip']}\n")

        files.write(os.path.join(folder, "known_hosts"),
                    "\n".join(known) + "\n")
        lines.append("Host *\n"
                     "    User root\n"
                     f"    IdentityFile {key}\n"
                     "    IdentitiesOnly yes\n"
                     f"    UserKnownHostsFile {folder}/known_hosts\n"
                     "    GlobalKnownHostsFile /dev/null\n"
                     "    StrictHostKeyChecking yes\n"
                     "    ConnectTimeout 5\n"
                     "    LogLevel ERROR\n")
        files.write(self.state["ssh_config"], "".join(lines))
        self.state["ssh_key"] = key

        text = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n" \
               f"{NET}.1 hub.{DOMAIN} hub\n"
        text += "".join(f"{h['ip']} {h['fqdn']} {name}\n"
                        for name, h in self.state["hosts"].items())
        text += "".join(f"{self.state['hosts'][name]['ip']} {alias}\n"
                        for alias, name in self.state["names"].items())
        self.state["hosts_file"] = files.write(
            os.path.join(self.dir, "hosts"), text)
        self.save()

    def _hub(self):
        for argv in (["link", "add", "br0", "type", "bridge"],
                     ["address", "add", f"{NET}.1/16", "dev", "br0"],
                     ["link", "set", "br0", "up"]):
            run(*self.inside(), "ip", *argv)

    # ---- one host

    def _overlay(self, lower, name):
        """Gives where LOWER can be written to; NAME is what is written."""

        top = self.folder("fs", name)
        upper, work, merged = (self.folder("fs", name, d)
                               for d in ("upper", "work", "root"))

        def mount(option):
            run(*self.inside(), "mount", "-t", "overlay", "overlay", "-o",
                f"lowerdir={lower},upperdir={upper},workdir={work}{option}",
                merged)

        # nobody will ask for what is written after a crash of the machine

        try:
            mount(",volatile")

        except StackError:
            mount("")

        return top, merged

    def _write(self, path, text, mode=0o644):
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        files.write(path, text, mode)

    def _layer(self, root, repo):
        """What all hosts have in common, in a layer of its own."""

        _, merged = self._overlay(root, "common")
        upper = os.path.join(self.dir, "fs", "common", "upper")
        repo = os.path.abspath(repo or files.top("build", "repo"))
        self.state["repo_from"] = repo if os.path.isdir(repo) else None

        os.makedirs(os.path.join(upper, "root"), mode=0o700)
        os.makedirs(os.path.join(upper, "root", ".ssh"), mode=0o700)
        self._write(os.path.join(upper, "root/.ssh/authorized_keys"),
                    files.read(self.state["ssh_key"] + ".pub"), 0o600)
        self._write(os.path.join(upper, "etc/hosts"),
                    files.read(self.state["hosts_file"]))
        self._write(os.path.join(upper, "etc/machine-id"), "")
        self._write(os.path.join(upper, "etc/resolv.conf"), "")
        self._write(os.path.join(upper, "etc/dpkg/dpkg.cfg.d/rs-hosts"),
                    "force-unsafe-io\n")
        self._write(os.path.join(upper, "etc/ssh/sshd_config.d/rs-hosts.conf"),
                    "UseDNS no\nMaxStartups 100\nMaxSessions 100\n")
        system = os.path.join(upper, "etc/systemd/system")
        os.makedirs(system, exist_ok=True)

        for unit in MASKED:
            os.symlink("/dev/null", os.path.join(system, unit))

        for key in glob.glob(os.path.join(root, "etc/ssh/ssh_host_*")):
            run(*self.inside(), "rm", "-f",
                merged + key[len(root.rstrip("/")):])

        os.makedirs(os.path.join(upper, REPO.lstrip("/")), exist_ok=True)
        run(*self.inside(), "umount", merged)
        self.save()

    def _start(self, name, binds):
        host = self.state["hosts"][name]
        common = os.path.join(self.dir, "fs", "common", "upper")
        top, merged = self._overlay(f"{common}:{self.state['root']}", name)
        upper = os.path.join(top, "upper")
        self._write(os.path.join(upper, "etc/hostname"), name + "\n")

        for end, mode in (("", 0o600), (".pub", 0o644)):
            self._write(
                os.path.join(upper, "etc/ssh/ssh_host_ed25519_key" + end),
                files.read(os.path.join(self.dir, "ssh",
                                        f"{name}-host-key{end}")), mode)

        net = self._cable(name, host)
        argv = [*self.inside(), "systemd-nspawn", "--quiet", "-D", merged,
                "-M", name, "--register=no", "--keep-unit", "--boot",
                f"--network-namespace-path={net}",
                "--capability=CAP_NET_ADMIN,CAP_NET_RAW",
                "--resolv-conf=off", "--timezone=off", "--link-journal=no",
                "--console=pipe"]

        if self.state["repo_from"]:
            argv.append(f"--bind-ro={self.state['repo_from']}:{REPO}")

        for bind in binds:
            argv.append(f"--bind-ro={bind}")

        log = os.path.join(self.folder("log"), f"{name}.log")

        with proc.Shield():
            record, _ = proc.spawn(
                name, self._grouped(name, argv), log,
                env=dict(os.environ, SYSTEMD_NSPAWN_API_VFS_WRITABLE=(
                    "yes" if self.state["nested"] else "network")))
            host.update(record=record, log=log, root=merged)
            self.save()

        self.say(f"{name} boots at {host['ip']}")

    def _grouped(self, name, argv):
        """ARGV in control groups of its own: two hosts in one would stop
        each other's services."""

        groups = []

        for top in cgroup_roots():
            groups.append(os.path.join(top, self.state["group"] + name))
            os.makedirs(groups[-1], exist_ok=True)

        return ["sh", "-c",
                'n=$1; shift; while test "$n" -gt 0; do '
                'echo 0 > "$1/cgroup.procs" || exit 1; shift; n=$((n - 1)); '
                'done; exec "$@"', "grouped", str(len(groups)), *groups, *argv]

    def _cable(self, name, host):
        """A network for the host, held by a file that is mounted."""

        index = int(host["ip"].rsplit(".", 1)[1])
        pid = int(run(*self.inside(), "unshare", "--net", "sh", "-c",
                      "sleep 600 >/dev/null 2>&1 & echo $!"))
        there = [*self.inside(), "nsenter", "-t", str(pid), "-n", "--", "ip"]

        run(*self.inside(), "ip", "link", "add", f"v{index}", "type", "veth",
            "peer", "name", "host0", "netns", str(pid))
        run(*self.inside(), "ip", "link", "set", f"v{index}", "master", "br0",
            "up")

        commands = [["link", "set", "lo", "up"],
                    ["address", "add", f"{host['ip']}/16", "dev", "host0"]]

        if "relay_ip" in host:
            commands.append(["address", "add", f"{host['relay_ip']}/32",
                             "dev", "host0"])

        commands += [["link", "set", "host0", "up"],
                     ["route", "add", "default", "via", f"{NET}.1"]]

        for argv in commands:
            run(*there, *argv)

        held = os.path.join(self.folder("fs", name), "net")
        files.write(held, "")
        run(*self.inside(), "mount", "--bind", f"/proc/{pid}/ns/net", held)
        run(*self.inside(), "kill", str(pid))
        host["cable"] = f"v{index}"

        return held

    def ssh(self, name, *command):
        """ARGV that runs COMMAND on a host."""

        if name not in self.state["hosts"]:
            raise StackError(f"no host {name}; there are "
                             + ", ".join(self.state["hosts"]))

        return [*self.inside("-n"), "ssh", "-F", self.state["ssh_config"],
                name, *command]

    def wait(self, name, deadline_s=120):
        host = self.state["hosts"][name]

        def booted():
            r = subprocess.run(
                self.ssh(name, "systemctl", "is-system-running", "--wait"),
                capture_output=True, text=True, check=False)
            host["is"] = r.stdout.strip()

            return host["is"] in ("running", "degraded")

        wait_for(f"{name} to boot", booted, host["log"], host["record"],
                 deadline_s)

        if host["is"] == "degraded":
            failed = run(*self.ssh(name, "systemctl", "--failed", "--plain",
                                   "--no-legend"))
            raise StackError(f"{name}: units failed at boot: {failed.strip()}")

    # ---- the rest

    def enter(self, name, argv):
        """ARGV to replace this process by: on a host, or at the hub, where
        names of hosts are known, too."""

        if name:
            return self.ssh(name, *argv)

        return [*self.inside("-n"), "unshare", "--mount", "--propagation",
                "slave", "sh", "-c",
                'mount --bind "$1" /etc/hosts; shift; exec "$@"', "hub",
                self.state["hosts_file"], *argv]

    def stop(self, name):
        """As if its power were cut."""

        self.keeper()
        host = self.state["hosts"].get(name)

        if host is None:
            raise StackError(f"no host {name}")

        proc.stop(host["record"], grace_s=0)
        cgroups_remove(self.state["group"] + name)

    def down(self, keep_logs=False):
        record = self.state.get("keeper")

        if record:
            # process 1 of the hosts' namespace takes all of it along; what
            # waits for it outside does not listen to SIGTERM

            inner = self.state.get("inner")

            if inner and proc.alive(inner):
                os.kill(inner["pid"], signal.SIGKILL)

            proc.stop(record, grace_s=1)

            for host in self.state["hosts"].values():
                if "record" in host:
                    proc.stop(host["record"], grace_s=1)

            wait_for("control groups to be empty", self._ungrouped,
                     record["log"], deadline_s=20)

        self.clear(keep_logs)

    def _ungrouped(self):
        cgroups_remove(self.state["group"])

        return not cgroups_of(self.state["group"])

    def clear(self, keep_logs=False):
        """What is left of a fleet whose keeper has ended."""

        for top in cgroups_of(GROUP):
            match = re.match(rf"{GROUP}(\d+)-(\d+)-", os.path.basename(top))

            if match and proc.start_time(int(match[1])) != int(match[2]):
                cgroups_remove(os.path.basename(top))

        for name in ("fs", "ssh") if keep_logs else ("fs", "ssh", "log"):
            shutil.rmtree(os.path.join(self.dir, name), ignore_errors=True)

        for name in ("hosts", "hosts.json"):
            try:
                os.unlink(os.path.join(self.dir, name))

            except FileNotFoundError:
                pass

        self.state = {}
