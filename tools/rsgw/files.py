# Copyright (C) rs-gateway contributors
#
# Reading and writing small files, whole ones only, and secrets in them.

import os
import secrets


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
