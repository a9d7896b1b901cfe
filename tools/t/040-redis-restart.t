#!/usr/bin/python3
#
# Copyright (C) rs-gateway contributors
#
# A Redis with an append-only file and the users of make-acl is restarted, and
# has what functions wrote; nobody can log in as "default".

import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "lib"))

from rstest import TOP, done, equal, folder, like, ok, run, wait_for  # noqa: E402
from rslib.proc import StackError                           # noqa: E402
from rslib.redis import Client                              # noqa: E402

here = folder()
sock = os.path.join(here, "sock")
passwords = os.path.join(here, "pw")
os.mkdir(passwords, 0o700)

for user in ("rs-gateway", "rs-deploy"):
    run("sh", "-c", f"openssl rand -hex 32 > {passwords}/{user}")

equal(run(f"{TOP}/redis-schema/acl/make-acl", "--passwords", passwords,
          "--output", f"{here}/users.acl")[0], 0, "make-acl")

with open(f"{here}/redis.conf", "w", encoding="ascii") as f:
    f.write(f"port 0\nunixsocket {sock}\ndir {here}\naclfile "
            f"{here}/users.acl\nappendonly yes\nauto-aof-rewrite-percentage "
            f"0\nsave \"\"\nlogfile {here}/log\n")

deploy = ["--socket", sock, "--password-file", f"{passwords}/rs-deploy"]


def started():
    process = subprocess.Popen(["redis-server", f"{here}/redis.conf"])

    def answers():
        try:
            with Client(sock) as c:
                c.call("AUTH", "rs-deploy", open(
                    f"{passwords}/rs-deploy", encoding="ascii").read().strip())
                return c.call("PING") == "PONG"

        except (OSError, StackError):
            return False

    wait_for("Redis", answers)

    return process


def ended(process):
    process.terminate()
    process.wait(10)


def keys():
    return run(f"{TOP}/tools/rs-key", "list", *deploy)[1]


redis = started()

try:
    equal(run(f"{TOP}/redis-schema/load", *deploy)[0], 0, "the library")
    equal(run(f"{TOP}/tools/rs-key", "create", *deploy, "--name", "kept",
              "--scopes", "ice")[0], 0, "an API key")
    before = keys()
    like(before, r"key_[a-z2-7]{26}.*kept", "is listed")
    ended(redis)
    redis = started()
    equal(keys(), before, "and still is, after a restart")

    with open(f"{here}/log", encoding="utf-8") as f:
        ok("CRITICAL" not in f.read(), "nothing was left out of the file")

    for what, command in (("without a name", ("GET", "rs:{a}:keys")),
                          ("as default", ("AUTH", "default", "")),
                          ("without a password", ("AUTH", ""))):
        with Client(sock) as c:
            try:
                ok(False, f"nobody comes in {what}", c.call(*command))

            except StackError as e:
                like(str(e), "NOAUTH|WRONGPASS", f"nobody comes in {what}")

finally:
    ended(redis)

done()
