# Copyright (C) rs-gateway contributors
#
# Processes of a stack: start, remember, end.
#
# Each one is started in a session of its own, so what it forks (nginx's
# workers) is found by the session's number.  A process is remembered by pid
# *and* start time: a pid that was used again is a stranger and is left alone.

import os
import signal
import subprocess
import time


class StackError(Exception):
    """Something the person at the keyboard is told, with the cure."""


class Shield:
    """While one is held, an interruption waits: what was started is written
    down before anything else happens."""

    held = 0
    pending = False

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    @classmethod
    def install(cls):
        def interrupted(_signum, _frame):
            if cls.held:
                cls.pending = True

            else:
                raise KeyboardInterrupt

        for sig in cls.SIGNALS:
            signal.signal(sig, interrupted)

    @classmethod
    def last(cls):
        """From here on to the end, nothing interrupts."""

        cls.pending = False

        for sig in cls.SIGNALS:
            signal.signal(sig, signal.SIG_IGN)

    def __enter__(self):
        Shield.held += 1

    def __exit__(self, *_):
        Shield.held -= 1

        if Shield.pending and not Shield.held:
            Shield.pending = False
            raise KeyboardInterrupt


def _stat(pid):
    """Fields of /proc/PID/stat from the state on, or None."""

    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            data = f.read()

    except (FileNotFoundError, ProcessLookupError):
        return None

    return data[data.rindex(b")") + 2:].split()


def start_time(pid):
    """Clock ticks since boot at which PID began; None if it is gone."""

    fields = _stat(pid)

    if fields is None or fields[0] in (b"Z", b"X"):
        return None

    return int(fields[19])


def session_members(sid):
    """Live pids of session SID."""

    pids = []

    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue

        fields = _stat(int(name))

        if fields and fields[0] not in (b"Z", b"X") and int(fields[3]) == sid:
            pids.append(int(name))

    return pids


def spawn(name, argv, log, env=None, cwd=None, pass_fds=()):
    """Starts ARGV; gives the record that stop() wants, and the Popen."""

    # what others write there is not known: for the owner only

    with open(log, "ab", opener=lambda path, flags: os.open(
            path, flags, 0o600)) as out:
        try:
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=subprocess.STDOUT, env=env, cwd=cwd,
                                 pass_fds=pass_fds, start_new_session=True)

        except FileNotFoundError:
            raise StackError(f"{name}: no such program: {argv[0]}") from None

    record = {"name": name, "pid": p.pid, "start": start_time(p.pid),
              "log": log, "argv": argv}

    return record, p


def alive(record):
    return (record["start"] is not None
            and start_time(record["pid"]) == record["start"])


def _ours(record):
    """What is left of a process we started: itself and its session."""

    now = start_time(record["pid"])

    if now is not None and now != record["start"]:
        return []

    return session_members(record["pid"])


def _signal(pids, sig):
    for pid in pids:
        try:
            os.kill(pid, sig)

        except ProcessLookupError:
            pass


def _reap():
    """Takes in children that ended, if they are ours to take."""

    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass

    except ChildProcessError:
        pass


def stop(record, grace_s=10):
    """Ends one process with all of its session and waits until it is gone."""

    if alive(record):
        # a stopped process (a test's SIGSTOP) would not take the other one
        _signal([record["pid"]], signal.SIGTERM)
        _signal([record["pid"]], signal.SIGCONT)

    elif not _ours(record):
        return

    deadline = time.monotonic() + grace_s

    while time.monotonic() < deadline:
        _reap()

        if not alive(record):
            break

        time.sleep(0.01)

    # the leader is gone or deaf: what remains is told, then made to

    for sig, wait_s in ((signal.SIGTERM, 2), (signal.SIGKILL, 5)):
        deadline = time.monotonic() + wait_s
        _signal(_ours(record), sig)

        while time.monotonic() < deadline:
            _reap()

            if not _ours(record):
                return

            time.sleep(0.01)

    raise StackError(f"{record['name']} (pid {record['pid']}) does not end")


def wait_for(what, test, log, record=None, deadline_s=15):
    """Waits until TEST gives something true; it may raise OSError until
    then.  A process that dies meanwhile is told about at once."""

    end = time.monotonic() + deadline_s
    error = None

    while time.monotonic() < end:
        if record is not None and not alive(record):
            raise StackError(f"{what}: the process ended; read {log}"
                             + tail(log))

        try:
            got = test()

            if got:
                return got

        except OSError as e:
            error = e

        time.sleep(0.02)

    raise StackError(f"{what}: not within {deadline_s} s"
                     + (f" ({error})" if error else "")
                     + f"; read {log}" + tail(log))


def tail(path, lines=8):
    try:
        with open(path, "rb") as f:
            f.seek(0, os.SEEK_END)
            f.seek(max(0, f.tell() - 4096))
            text = f.read().decode("utf-8", "replace").rstrip()

    except OSError:
        return ""

    if not text:
        return ""

    return "\n  | " + "\n  | ".join(text.splitlines()[-lines:])
