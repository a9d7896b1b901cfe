#!/usr/bin/python3
#
# Copyright (C) rs-gateway contributors
#
# rs_redis_config: settings of a Redis or Sentinel that runs, by CONFIG SET, so
# that nothing has to be started anew for them.

import re

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rs_resp import (ARGUMENTS, RespError, login_of,
                                          pairs)

DOCUMENTATION = r"""
module: rs_redis_config
short_description: Settings of a running Redis or Sentinel
options:
  settings: {description: Name and value., type: dict}
  secrets: {description: The same of what nobody may read., type: dict}
  sentinel: {description: Whether it is a Sentinel., type: bool}
  host: {description: Where the server listens., type: str}
  port: {description: Its port., type: int}
  login_user: {description: Who may., type: str}
  login_passwords: {description: His passwords; the first good one is taken.,
    type: list, elements: str}
  timeout: {description: Seconds for each step., type: int}
"""

EXAMPLES = r"""
- name: How much memory there is
  rs_redis_config:
    settings: {maxmemory: 1gb}
"""

UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000 ** 2,
         "mb": 1024 ** 2, "g": 1000 ** 3, "gb": 1024 ** 3}


def plain(text):
    """A size as CONFIG GET says it, in bytes."""

    text = str(text)
    m = re.fullmatch(r"([0-9]+)([kmg]?b?)", text, re.I)

    return str(int(m.group(1)) * UNITS[m.group(2).lower()]) if m else text


def main():
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "sentinel": {"type": "bool", "default": False},
            **ARGUMENTS}, supports_check_mode=True)
    words = ("SENTINEL", "CONFIG") if module.params["sentinel"] \
        else ("CONFIG",)
    wanted = {**module.params["settings"], **module.params["secrets"]}
    changed = []

    try:
        client = login_of(module.params)

        try:
            for name, value in wanted.items():
                there = pairs(client.call(*words, "GET", name))

                if name not in there:
                    module.fail_json(msg=f"this server has no setting {name}")

                if plain(there[name]) == plain(value):
                    continue

                changed.append(name)

                if not module.check_mode:
                    client.call(*words, "SET", name, value)

        finally:
            client.close()

    except (OSError, RespError) as e:
        module.fail_json(msg=f"settings of Redis: {e}")

    module.exit_json(changed=bool(changed), settings=changed)


if __name__ == "__main__":
    main()
