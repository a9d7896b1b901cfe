#!/usr/bin/python3
#
# Copyright (C) rs-gateway contributors
#
# rs_redis_acl: ACL users of Redis or Sentinel, in the file they are read from
# at a start and in the server that runs.
#
# The running server is told by ACL SETUSER, one user at a time and only those
# that differ: ACL LOAD would end every connection there is.  What "differs"
# means is asked of the server itself: the rules wanted are given to a user
# that is switched off and removed again, and the two are compared.

import glob
import hashlib
import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rs_resp import (ARGUMENTS, RespError, login_of,
                                          pairs)

DOCUMENTATION = r"""
module: rs_redis_acl
short_description: ACL users of Redis or Sentinel
description:
  - Writes the file of ACL users and brings the running server to the same
    state without ending a connection.
options:
  path: {description: The ACL file., type: path, required: true}
  owner: {description: Its owner., type: str}
  group: {description: Its group., type: str}
  mode: {description: Its mode., type: raw}
  templates:
    description: Folder with *.acl; a user in it gets the rules that stand
      there.
    type: path
  rules:
    description: Rules of users, without passwords.
    type: dict
  passwords:
    description: A list of passwords for each user; a user without one is left
      out.
    type: dict
  host: {description: Where the server listens., type: str}
  port: {description: Its port., type: int}
  login_user: {description: Who may change users., type: str}
  login_passwords: {description: His passwords; the first good one is taken.,
    type: list, elements: str}
  timeout: {description: Seconds for each step., type: int}
"""

EXAMPLES = r"""
- name: Users of Redis
  rs_redis_acl:
    path: /etc/redis/rs-users.acl
    templates: /usr/share/rs-gateway/redis-schema/acl
    passwords: "{{ rs_redis_passwords }}"
    login_user: rs-admin
    login_passwords: "{{ rs_redis_passwords['rs-admin'] }}"
"""

PROBE = "rs-ansible-probe"

# as make-acl: off, but Redis loads its append-only file as this user

DEFAULT_OFF = "off resetpass resetchannels resetkeys ~rs:* -@all +@write"


def templates(folder):
    """User -> rules, of the schema's files; passwords are left open there."""

    out = {}

    for path in sorted(glob.glob(os.path.join(folder, "*.acl"))):
        with open(path, encoding="utf-8") as f:
            for line in f:
                if line.startswith("user "):
                    name, rules = line.split(None, 2)[1:]
                    out[name] = re.sub(r"(?:^on )?#@[a-z-]+@ ", "",
                                       rules.strip())

    return out


def hashes(passwords):
    return ["#" + hashlib.sha256(p.encode()).hexdigest() for p in passwords]


def wanted(params):
    """User -> rules with everything."""

    rules = dict(params["rules"] or {})

    if params["templates"]:
        rules = {**templates(params["templates"]), **rules}

    out = {"default": DEFAULT_OFF}

    for name, text in rules.items():
        passwords = params["passwords"].get(name)

        if passwords:
            out[name] = " ".join(["on", *hashes(passwords), text])

    return out


def in_order(value):
    """Redis lists commands as its hash table has them: any order."""

    if isinstance(value, list):
        return [in_order(v) for v in value]

    return sorted(value.split()) if isinstance(value, str) else value


def state(client, name):
    """What ACL GETUSER says, in an order of its own."""

    user = client.call("ACL", "GETUSER", name)

    if user is None:
        return None

    user = pairs(user)
    flags = set(user["flags"]) - {"on", "off", "sanitize-payload",
                                  "skip-sanitize-payload"}

    return {"flags": sorted(flags), "on": "on" in user["flags"],
            "passwords": sorted(user["passwords"]),
            "rest": {k: in_order(v) for k, v in user.items()
                     if k not in ("flags", "passwords")}}


def words(rules):
    """Rules for ACL SETUSER: a selector in brackets is one argument."""

    return re.findall(r"\([^)]*\)|\S+", rules)


def differs(client, name, rules):
    there = state(client, name)

    if there is None:
        return True

    try:
        client.call("ACL", "SETUSER", PROBE, "reset", *words(rules), "off")
        probe = state(client, PROBE)

    finally:
        client.call("ACL", "DELUSER", PROBE)

    probe["on"] = words(rules)[0] == "on"

    return there != probe


def live(module, users):
    """Brings the server to it; the names of users that were changed."""

    try:
        client = login_of(module.params)

    except ConnectionRefusedError:
        return []           # it reads the file when it starts

    try:
        changed = [n for n, rules in users.items()
                   if differs(client, n, rules)]
        gone = [n for n in client.call("ACL", "USERS") if n not in users]

        if not module.check_mode:
            for name in changed:
                client.call("ACL", "SETUSER", name, "reset",
                            *words(users[name]))

            for name in gone:
                client.call("ACL", "DELUSER", name)

        return changed + gone

    finally:
        client.close()


def file_differs(path, text):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read() != text

    except FileNotFoundError:
        return True


def write(path, text):
    """All or nothing, and never readable by others on the way."""

    tmp = f"{path}.{os.getpid()}"
    fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    with os.fdopen(fd, "w", encoding="utf-8") as f:
        f.write(text)

    os.replace(tmp, path)


def run(module):
    params = module.params

    if module.check_mode and params["templates"] \
            and not os.path.isdir(params["templates"]):
        module.exit_json(changed=True, users=[])

    users = wanted(params)
    text = "".join(f"user {name} {rules}\n" for name, rules in users.items())
    changed = live(module, users)
    differ = file_differs(params["path"], text)

    if differ and not module.check_mode:
        write(params["path"], text)

    changed_attributes = False

    if os.path.exists(params["path"]):
        changed_attributes = module.set_fs_attributes_if_different(
            module.load_file_common_arguments(params), False)

    module.exit_json(changed=bool(changed) or differ or changed_attributes,
                     users=changed)


def main():
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "templates": {"type": "path"},
            "rules": {"type": "dict"},
            "passwords": {"type": "dict", "required": True, "no_log": True},
            **ARGUMENTS},
        add_file_common_args=True, supports_check_mode=True)

    try:
        run(module)

    except (OSError, RespError) as e:
        module.fail_json(msg=f"ACL users: {e}")


if __name__ == "__main__":
    main()
