#!/usr/bin/python3
#
# Copyright (C) rs-gateway contributors
#
# rs_api_key: an API key that is known beforehand, as one of a vault, in the
# fleet's Redis, which keeps its hash only.  Run on the primary.

import base64
import hashlib
import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rs_resp import (ARGUMENTS, RespError, login_of,
                                          pairs)

DOCUMENTATION = r"""
module: rs_api_key
short_description: An API key that is known beforehand
options:
  key: {description: "rsk_TENANT_ and 52 characters: 32 random bytes in base32.",
    type: str, required: true}
  name: {description: What people call it., type: str, required: true}
  scopes: {description: What it may do., type: list, elements: str}
  state: {description: Whether there is one., type: str, choices: [present,
    absent]}
  only: {description: Whether others of the same name are deleted., type: bool}
  host: {description: Where the server listens., type: str}
  port: {description: Its port., type: int}
  login_user: {description: Who may make keys., type: str}
  login_passwords: {description: His passwords; the first good one is taken.,
    type: list, elements: str}
  timeout: {description: Seconds for each step., type: int}
"""

EXAMPLES = r"""
- name: Key that drains nodes
  rs_api_key:
    key: "{{ vault_rs_node_key }}"
    name: ansible
    scopes: [node:drain]
    login_user: rs-deploy
"""


def fcall(client, name, keys, *args):
    answer = client.call("FCALL", name, len(keys), *keys, *args)

    return answer[0], answer[1:]


def new_id():
    return "key_" + base64.b32encode(os.urandom(16)).decode().lower() \
        .rstrip("=")


def others(module, client, both):
    """Deletes keys of this one's name; whether there were any."""

    own, listed = both
    base = own[:-len(own.rsplit(":", 1)[1])]
    found = False

    for _, digest in fcall(client, "rs_key_list", [listed])[1][0]:
        key = base + digest
        code, rest = fcall(client, "rs_key_get", [key])

        if key == own or code != "ok" \
                or pairs(rest[0])["name"] != module.params["name"]:
            continue

        found = True

        if not module.check_mode:
            fcall(client, "rs_key_delete", [key, listed])

    return found


def run(module, client, tenant):
    p = module.params
    scopes = " ".join(p["scopes"])
    key = (f"rs:{{{tenant}}}:key:"
           + hashlib.sha256(p["key"].encode()).hexdigest())
    both = [key, f"rs:{{{tenant}}}:keys"]
    code, rest = fcall(client, "rs_key_get", [key])
    there = pairs(rest[0]) if code == "ok" else {}

    if p["state"] == "absent":
        if there and not module.check_mode:
            fcall(client, "rs_key_delete", both)

        return bool(there)

    if (there.get("name"), there.get("scopes")) == (p["name"], scopes):
        return p["only"] and others(module, client, both)

    if not module.check_mode:
        code, _ = fcall(client, "rs_key_put", both,
                        there.get("id") or new_id(), p["name"], scopes, "", "")

        if code != "ok":
            module.fail_json(msg=f"API key {p['name']}: {code}")

    if p["only"]:
        others(module, client, both)

    return True


def main():
    module = AnsibleModule(
        argument_spec={
            "key": {"type": "str", "required": True, "no_log": True},
            "name": {"type": "str", "required": True},
            "scopes": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "default": "present",
                      "choices": ["present", "absent"]},
            "only": {"type": "bool", "default": False},
            **ARGUMENTS}, supports_check_mode=True)
    m = re.fullmatch(r"rsk_([a-z0-9-]{1,32})_[a-z2-7]{52}",
                     module.params["key"])

    if not m:
        module.fail_json(msg=f"API key {module.params['name']}: not of the "
                             "form rsk_TENANT_ and 52 of a-z, 2-7")

    try:
        client = login_of(module.params)

        try:
            changed = run(module, client, m.group(1))

        finally:
            client.close()

    except (OSError, RespError) as e:
        module.fail_json(msg=f"API key {module.params['name']}: {e}")

    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()
