# Copyright (C) rs-gateway contributors
#
# A network namespace for one node: a process that only sleeps holds it, and
# it is gone, with its cable, when that process is.  Redis and clients are on
# this side of the cable; each side has two addresses, so that the way to
# Redis can break by itself:
#
#     hub   .1  clients, balancer     <->   .2  node, to everybody
#           .5  Redis                 <->   .6  node, to Redis
#
# A way is broken by a wrong link address of the neighbour: packets leave and
# nobody takes them, as with a cable that is cut; nothing is refused.

import os
import subprocess

from .proc import StackError, wait_for

NOBODY = "02:00:00:00:00:99"

# name of a cut: (on the node's side, where to), (on the hub's side, ...)

CUTS = {"to-redis": [("node", 5)], "from-redis": [("hub", 6)],
        "redis": [("node", 5), ("hub", 6)],
        "clients": [("node", 1), ("hub", 2)],
        "all": [("node", 1), ("node", 5), ("hub", 2), ("hub", 6)]}


def _run(*argv):
    r = subprocess.run(argv, capture_output=True, text=True, check=False)

    if r.returncode:
        raise StackError(f"{' '.join(argv)}: "
                         f"{(r.stderr or r.stdout).strip()}")


def enter(pid):
    """What stands in front of a command that runs in the namespace."""

    return ["nsenter", "-t", str(pid), "-n", "--"]


def _separate(pid):
    return (os.readlink(f"/proc/{pid}/ns/net")
            != os.readlink("/proc/self/ns/net"))


def make(stack, name, index):
    """Gives what stack.json says of the namespace."""

    record = stack.run(f"{name}-net", ["unshare", "--net", "sleep",
                                       "infinity"])
    pid = record["pid"]

    wait_for(f"the namespace of {name}", lambda: _separate(pid),
             record["log"], record)

    net = f"10.{100 + stack.base // 1000}.{index + 1}"
    hub, inside = f"rs{stack.base // 1000}n{index + 1}", enter(pid)

    _run("ip", "link", "add", hub, "type", "veth", "peer", "name", "rs0",
         "netns", str(pid))

    for argv in (["ip", "link", "set", "lo", "up"],
                 ["ip", "address", "add", f"{net}.2/29", "dev", "rs0"],
                 ["ip", "address", "add", f"{net}.6/29", "dev", "rs0"],
                 ["ip", "link", "set", "rs0", "up"],
                 ["ip", "route", "add", f"{net}.5/32", "dev", "rs0", "src",
                  f"{net}.6"]):
        _run(*inside, *argv)

    for argv in (["ip", "address", "add", f"{net}.1/29", "dev", hub],
                 ["ip", "address", "add", f"{net}.5/29", "dev", hub],
                 ["ip", "link", "set", hub, "up"]):
        _run(*argv)

    return {"pid": pid, "hub": hub, "net": net, "node_ip": f"{net}.2",
            "redis_ip": f"{net}.5"}


def remove(ns):
    """The cable, in case the kernel is still busy with the namespace."""

    subprocess.run(["ip", "link", "del", ns["hub"]], capture_output=True,
                   check=False)


def cut(ns, what, broken=True):
    """Breaks one way, or mends it."""

    for side, last in CUTS[what]:
        prefix = enter(ns["pid"]) if side == "node" else []
        dev = "rs0" if side == "node" else ns["hub"]
        neighbour = f"{ns['net']}.{last}"

        if broken:
            _run(*prefix, "ip", "neighbour", "replace", neighbour, "lladdr",
                 NOBODY, "dev", dev, "nud", "permanent")

        else:
            _run(*prefix, "ip", "neighbour", "del", neighbour, "dev", dev)
