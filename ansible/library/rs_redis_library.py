#!/usr/bin/python3
#
# Copyright (C) rs-gateway contributors
#
# rs_redis_library: the function library of the gateway in Redis, the one of a
# file.  Run on the primary; replicas get it from there.

import re

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rs_resp import (ARGUMENTS, RespError, login_of,
                                          pairs)

DOCUMENTATION = r"""
module: rs_redis_library
short_description: The function library of the gateway
options:
  path: {description: The library., type: path, required: true}
  older: {description: Whether an older version may replace a newer one., type:
    bool}
  replicas: {description: How many replicas must have it., type: int}
  host: {description: Where the server listens., type: str}
  port: {description: Its port., type: int}
  login_user: {description: Who may., type: str}
  login_passwords: {description: His passwords; the first good one is taken.,
    type: list, elements: str}
  timeout: {description: Seconds for each step., type: int}
"""

EXAMPLES = r"""
- name: Function library
  rs_redis_library:
    path: /usr/share/rs-gateway/redis-schema/lib/rs.lua
    login_user: rs-deploy
"""

WAIT_MS = 2000


def version_of(code):
    m = re.search(r"^local VERSION = ([0-9]+)", code, re.M)

    return int(m.group(1)) if m else 0


def there(client):
    libraries = client.call("FUNCTION", "LIST", "LIBRARYNAME", "rs",
                            "WITHCODE")

    return pairs(libraries[0])["library_code"] if libraries else ""


def run(module, client, code):
    p = module.params
    old = there(client)

    if old == code:
        return False, old

    if version_of(old) > version_of(code) and not p["older"]:
        module.fail_json(msg=f"Redis has version {version_of(old)} of the "
                         f"library, {p['path']} is {version_of(code)}: an "
                         "older one is for plays/rollback.yml, which first "
                         "takes the gateways back")

    if not module.check_mode:
        client.call("FUNCTION", "LOAD", "REPLACE", code)

        if p["replicas"] and client.call("WAIT", p["replicas"], WAIT_MS) \
                < p["replicas"]:
            module.warn("not all replicas have the library yet")

    return True, old


def main():
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "older": {"type": "bool", "default": False},
            "replicas": {"type": "int", "default": 0},
            **ARGUMENTS}, supports_check_mode=True)

    try:
        with open(module.params["path"], encoding="utf-8") as f:
            code = f.read()

        client = login_of(module.params)

        try:
            changed, old = run(module, client, code)

        finally:
            client.close()

    except (OSError, RespError) as e:
        module.fail_json(msg=f"function library: {e}")

    module.exit_json(changed=changed, version=version_of(code),
                     before=version_of(old))


if __name__ == "__main__":
    main()
