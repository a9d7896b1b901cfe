#!/usr/bin/python3
#
# Copyright (C) rs-gateway contributors
#
# Where rsctl restore puts files: nowhere but there, and for their owner only,
# whatever somebody has laid beside them.

import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "lib"))

from rstest import done, equal, ok                          # noqa: E402
from rsgw.cmd_restore import _place                         # noqa: E402

with tempfile.TemporaryDirectory() as folder:
    to, away = (os.path.join(folder, n) for n in ("identity.pem", "away"))

    for what, lay in (
            ("a link", lambda: os.symlink(away, to + ".new")),
            ("an open file", lambda: os.close(os.open(
                to + ".new", os.O_WRONLY | os.O_CREAT, 0o666)))):
        lay()

        if not os.path.islink(to + ".new"):
            os.chmod(to + ".new", 0o666)

        _place({to: b"secret\n"})

        with open(to, "rb") as f:
            equal(f.read(), b"secret\n", f"{what}: the file is there")

        ok(not os.path.islink(to), f"{what}: itself")
        equal(os.stat(to).st_mode & 0o777, 0o600, f"{what}: for its owner")
        ok(not os.path.exists(away), f"{what}: and nothing elsewhere")
        equal(os.listdir(folder), ["identity.pem"], f"{what}: nothing is left")

done()
