# Copyright (C) rs-gateway contributors
#
# This host: whether its clock is kept right, room on its disks, who may read
# its secrets, and the processes of the others.

import os
import stat
import time

from . import net

# where each part writes

FOLDERS = (("/", "the system"), ("/var/log", "logs"),
           ("/var/lib/redis", "Redis"), ("/var/log/nginx", "nginx' logs"),
           ("/var/lib/rs-turn-authd", "the TURN plugin"),
           ("/var/lib/rs-agent", "the agent"))


def disks():
    """One entry for each file system: {path, holds, free, inodes}, the last
    two as fractions."""

    found = {}

    for path, holds in FOLDERS:
        try:
            device = os.stat(path).st_dev
            v = os.statvfs(path)

        except OSError:
            continue

        entry = found.setdefault(device, {
            "path": path, "holds": [],
            "free": v.f_bavail / v.f_blocks if v.f_blocks else 1.0,
            "free_bytes": v.f_bavail * v.f_frsize,
            "inodes": v.f_favail / v.f_files if v.f_files else 1.0})
        entry["holds"].append(holds)

    return list(found.values())


def synchronised():
    """Does something keep the clock right?  None: nobody here can tell."""

    # the clock of a container is that of the host around it

    if not os.path.isdir("/run/systemd/system") \
            or os.path.exists("/run/systemd/container"):
        return None

    status, out, _ = net.run(["timedatectl", "show", "-p", "NTPSynchronized",
                              "--value"], 5)

    return {"yes": True, "no": False}.get(out.strip()) if status == 0 \
        else None


def secret(path):
    """What is wrong with a file that holds a secret, or None."""

    try:
        st = os.stat(path)

    except FileNotFoundError:
        return "is missing"

    except OSError:
        return None             # not for us to see: so not for everybody

    if st.st_mode & stat.S_IRWXO:
        return "can be read by everybody"

    return None


def processes(name):
    """{pid, since, argv} of those that run as NAME."""

    found = []
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    tick = os.sysconf("SC_CLK_TCK")

    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue

        try:
            with open(f"/proc/{entry}/stat", "rb") as f:
                data = f.read()

            comm = data[data.index(b"(") + 1:data.rindex(b")")].decode()

            if comm != name[:15]:
                continue

            with open(f"/proc/{entry}/cmdline", "rb") as f:
                argv = f.read().decode("utf-8", "replace").split("\0")

        except (OSError, ValueError):
            continue

        fields = data[data.rindex(b")") + 2:].split()
        found.append({"pid": int(entry), "argv": argv[:-1],
                      "since": boot + int(fields[19]) / tick})

    return found


def maps(pid):
    """What a process has mapped, or None: not for us to see."""

    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8",
                  errors="replace") as f:
            return f.read()

    except OSError:
        return None


def gather():
    return {"root": os.geteuid() == 0, "disks": disks(),
            "synchronised": synchronised()}
