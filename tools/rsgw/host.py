# Copyright (C) rs-gateway contributors
#
# The host rsctl runs on: its programs, services and addresses.

import os
import shutil
import socket
import subprocess

from .errors import ToolError

TIMEOUT_S = 90
SHARE = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))


def share(*names):
    """A file of the packages: below /usr/share/rs-gateway, or a checkout."""

    return os.path.join(SHARE, *names)


def has(program):
    return shutil.which(program, path=_path()) is not None


def _path():
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def run(*argv, cure=None, check=True, text=None, timeout_s=TIMEOUT_S):
    """A program's output; ToolError with what it said when it fails."""

    try:
        r = subprocess.run(argv, capture_output=True, text=True, check=False,
                           timeout=timeout_s, input=text,
                           stdin=None if text is not None
                           else subprocess.DEVNULL,
                           env={**os.environ, "PATH": _path(),
                                "LC_ALL": "C.UTF-8"})

    except FileNotFoundError:
        raise ToolError(f"{argv[0]} is not installed", cure) from None

    except subprocess.TimeoutExpired:
        raise ToolError(f"{' '.join(argv)}: no end after {timeout_s} s",
                        cure) from None

    if check and r.returncode:
        raise ToolError(f"{' '.join(argv)}: "
                        f"{(r.stderr or r.stdout).strip()}", cure)

    return r


def systemd():
    """Does systemd run this host?"""

    return os.path.isdir("/run/systemd/system")


def systemctl(*args):
    unit = args[-1]

    return run("systemctl", *args,
               cure=f"journalctl -u {unit} says more")


def active(unit):
    return run("systemctl", "is-active", "--quiet", unit,
               check=False).returncode == 0


def own_address():
    """The address others see this host by; no packet is sent."""

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
            return s.getsockname()[0]

        except OSError:
            return None


def has_ipv6():
    return os.path.exists("/proc/net/if_inet6")


def coturn_version():
    """(4, 6, 1); None: there is no coturn."""

    if not has("turnserver"):
        return None

    r = run("turnserver", "--version", check=False)

    for word in (r.stdout + r.stderr).replace("-", " ").split():
        parts = word.split(".")

        if len(parts) == 3 and all(p.isdigit() for p in parts):
            return tuple(map(int, parts))

    raise ToolError("turnserver --version says no version",
                    "is coturn installed right?  apt install --reinstall "
                    "coturn")
