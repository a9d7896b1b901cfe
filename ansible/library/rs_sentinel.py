#!/usr/bin/python3
#
# Copyright (C) rs-gateway contributors
#
# rs_sentinel: what a Sentinel that runs watches, and how.  It keeps that in a
# file of its own, so it is told by commands; the passwords, which no command
# shows, are compared with that file.

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rs_resp import (ARGUMENTS, RespError, login_of,
                                          pairs)

DOCUMENTATION = r"""
module: rs_sentinel
short_description: What a Sentinel watches
options:
  name: {description: Its name for the primary., type: str, required: true}
  primary: {description: Address of the primary when it knows none., type: str,
    required: true}
  primary_port: {description: Port of the primary., type: int}
  quorum: {description: How many Sentinels have to agree., type: int,
    required: true}
  settings: {description: As of SENTINEL SET., type: dict}
  secrets: {description: The same of what nobody may read., type: dict}
  config: {description: The file it writes., type: path, required: true}
  host: {description: Where it listens., type: str}
  port: {description: Its port., type: int}
  login_user: {description: Who may., type: str}
  login_passwords: {description: His passwords; the first good one is taken.,
    type: list, elements: str}
  timeout: {description: Seconds for each step., type: int}
"""

EXAMPLES = r"""
- name: Sentinel watches the primary
  rs_sentinel:
    name: rs-main
    primary: 192.0.2.41
    quorum: 2
    config: /etc/redis/rs-sentinel.conf
    settings: {down-after-milliseconds: 5000}
"""

HIDDEN = ("auth-user", "auth-pass")


def in_file(path, name):
    """What the file has of settings no command shows."""

    out = {}

    with open(path, encoding="utf-8") as f:
        for line in f:
            w = line.split()

            if len(w) == 4 and w[0] == "sentinel" and w[2] == name \
                    and w[1] in HIDDEN:
                out[w[1]] = w[3].strip('"')

    return out


def run(module, client):
    p, done = module.params, []

    try:
        there = pairs(client.call("SENTINEL", "MASTER", p["name"]))

    except RespError:
        there = None
        done.append("monitor")

        if module.check_mode:
            return done

        client.call("SENTINEL", "MONITOR", p["name"], p["primary"],
                    p["primary_port"], p["quorum"])
        there = pairs(client.call("SENTINEL", "MASTER", p["name"]))

    there.update(in_file(p["config"], p["name"]))

    for key, value in {"quorum": p["quorum"], **p["settings"],
                       **p["secrets"]}.items():
        if there.get(key) == str(value):
            continue

        done.append(key)

        if not module.check_mode:
            client.call("SENTINEL", "SET", p["name"], key, value)

    return done


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "primary": {"type": "str", "required": True},
            "primary_port": {"type": "int", "default": 6379},
            "quorum": {"type": "int", "required": True},
            "settings": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "config": {"type": "path", "required": True},
            **{**ARGUMENTS, "port": {"type": "int", "default": 26379}}},
        supports_check_mode=True)

    try:
        client = login_of(module.params)

        try:
            done = run(module, client)
            state = pairs(client.call("SENTINEL", "MASTER",
                                      module.params["name"]))

        except RespError:
            if not module.check_mode:
                raise

            state = {}

        finally:
            client.close()

    except (OSError, RespError) as e:
        module.fail_json(msg=f"Sentinel: {e}")

    module.exit_json(changed=bool(done), settings=done,
                     primary=state.get("ip", ""),
                     flags=state.get("flags", ""),
                     sentinels=int(state.get("num-other-sentinels", 0)) + 1,
                     replicas=int(state.get("num-slaves", 0)))


if __name__ == "__main__":
    main()
