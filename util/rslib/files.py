# Copyright (C) rs-gateway contributors
#
# Files of a stack: where the repository's own are; and, from the operators'
# tools, writing new ones.

import os

from rsgw.files import read, secret, write                      # noqa: F401

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


def top(*names):
    return os.path.join(TOP, *names)


def open_to_all(path):
    """May any user of this machine reach PATH?"""

    path = os.path.abspath(path)

    while True:
        if not os.stat(path).st_mode & 0o001 and os.path.isdir(path):
            return False

        if path == "/":
            return True

        path = os.path.dirname(path)
