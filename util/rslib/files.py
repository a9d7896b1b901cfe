# Copyright (C) rs-gateway contributors
#
# Files of a stack: where the repository's own are, and writing new ones.

import os
import secrets

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


def top(*names):
    return os.path.join(TOP, *names)


def write(path, text, mode=0o644):
    """Writes a whole file, never half of one; MODE holds from the start."""

    new = f"{path}.new"

    if os.path.exists(new):
        os.unlink(new)

    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)

    with os.fdopen(fd, "w", encoding="utf-8") as f:
        f.write(text)

    os.chmod(new, mode)
    os.replace(new, path)

    return path


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def secret(path):
    """A new secret of 256 bits in a file only its owner can read."""

    value = secrets.token_hex(32)
    write(path, value + "\n", 0o600)

    return value


def open_to_all(path):
    """May any user of this machine reach PATH?"""

    path = os.path.abspath(path)

    while True:
        if not os.stat(path).st_mode & 0o001 and os.path.isdir(path):
            return False

        if path == "/":
            return True

        path = os.path.dirname(path)
