# Copyright (C) rs-gateway contributors
#
# This host: rights, disks, files with secrets.

from . import check, fault, ok, warn

FREE_WARN, FREE_FAULT = 0.10, 0.03


@check("rights")
def rights(f):
    if f["host"]["root"]:
        return ok("root: all can be looked at")

    return warn("not root: files and processes of others are not looked at",
                "sudo rsctl doctor")


@check("disk")
def disk(f):
    worst, low = None, 1.0

    for d in f["host"]["disks"]:
        if min(d["free"], d["inodes"]) <= low:
            worst, low = d, min(d["free"], d["inodes"])

    if worst is None:
        return None

    what = "of its space" if worst["free"] <= worst["inodes"] \
        else "of its inodes"
    detail = (f"{worst['path']} ({', '.join(worst['holds'])}) has "
              f"{low * 100:.0f} % {what} left")

    if low < FREE_WARN:
        return (fault if low < FREE_FAULT else warn)(
            detail, "make room: journalctl --vacuum-size=200M, old logs and "
            "packages (apt-get clean), or a larger disk")

    return ok(detail)


@check("secrets")
def secrets(f):
    """Files with passwords and keys that the configuration names."""

    files = {}

    for part in ("nginx", "plugin"):
        files.update((f[part] or {}).get("secrets", {}))

    if not files:
        return None

    missing = sorted(p for p, why in files.items() if why == "is missing")
    bad = sorted(p for p, why in files.items() if why and p not in missing)

    if bad:
        return fault(f"{', '.join(bad)} can be read by everybody",
                     f"chmod 600 {' '.join(bad)}, and change what is in it: "
                     "it is known to whoever was on this host")

    if missing:
        return warn(f"{', '.join(missing)}: no such file",
                    "make it, or correct the name where it is configured")

    return ok(f"{len(files)} files, not readable by everybody")
