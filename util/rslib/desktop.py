# Copyright (C) rs-gateway contributors
#
# The stack's desktop: Xvfb with a window manager and, for the demo, something
# to look at and to type into.

import os
import secrets
import select
import struct
import subprocess

from . import files
from .proc import StackError, alive, tail, wait_for

SIZE = "1280x720x24"


def _cookie(path):
    """An Xauthority file for any display of this machine (FamilyWild)."""

    def counted(data):
        return struct.pack("!H", len(data)) + data

    entry = (struct.pack("!H", 0xFFFF) + counted(b"") + counted(b"")
             + counted(b"MIT-MAGIC-COOKIE-1")
             + counted(secrets.token_bytes(16)))

    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    with os.fdopen(fd, "wb") as f:
        f.write(entry)

    return path


def _enter(stack):
    """In front of what runs where the agent does: X servers and their clients
    find each other by abstract sockets, which each network has of its own."""

    if not stack.args.agent_netns:
        return []

    return ["nsenter", "-t", str(stack.args.agent_netns), "-n", "-m", "-r",
            "--"]


def _xvfb(stack, auth):
    """Starts the X server; it says itself which display it took."""

    r, w = os.pipe()

    try:
        record = stack.run("xvfb", [
            *_enter(stack), "Xvfb", "-displayfd", str(w), "-screen", "0", SIZE, "-nolisten",
            "tcp", "-noreset", "-auth", auth], pass_fds=(w,))

    finally:
        os.close(w)

    with os.fdopen(r, "rb") as f:
        text = f.readline() if select.select([f], [], [], 15)[0] else b""

    if not text.strip().isdigit() or not alive(record):
        return None, record

    return ":" + text.decode().strip(), record


def _display(stack, auth):
    """Two X servers that start at once may both try the same display: the
    one that comes second ends, and is started again."""

    for _ in range(5):
        display, record = _xvfb(stack, auth)

        if display:
            return display, record

        stack.state["processes"].remove(record)

    raise StackError(f"Xvfb did not start; read {record['log']}"
                     + tail(record["log"]))


def start(stack, apps):
    folder = stack.folder("desktop")
    auth = _cookie(os.path.join(folder, "Xauthority"))
    display, x = _display(stack, auth)

    # xterm, when ended early, leaves a folder in TMPDIR

    env = dict(os.environ, DISPLAY=display, XAUTHORITY=auth, HOME=folder,
               TMPDIR=folder)

    ready = os.path.join(folder, "openbox.ready")

    if os.path.exists(ready):
        os.unlink(ready)

    # openbox runs its start-up command once it manages windows

    enter = _enter(stack)
    record = stack.run("openbox", [
        *enter, "openbox", "--sm-disable", "--startup",
        f"/usr/bin/touch {ready}"], env=env, cwd=folder)

    wait_for("openbox", lambda: os.path.exists(ready), record["log"], record)

    if apps:
        subprocess.run([*enter, "xsetroot", "-solid", "#24415e"], env=env,
                       timeout=10, check=True)

        for name, argv in (
                ("xclock", ["xclock", "-geometry", "180x180-40+40",
                            "-update", "1"]),
                ("xeyes", ["xeyes", "-geometry", "240x160-40-60"]),
                ("xterm", ["xterm", "-geometry", "100x30+60+60", "-fa",
                           "Monospace", "-fs", "11", "-title",
                           "A terminal on the remote desktop"])):
            stack.run(name, [*enter, *argv], env=env, cwd=folder)

    return {"display": display, "xauthority": auth, "size": SIZE,
            "enter": enter, "pid": x["pid"]}
