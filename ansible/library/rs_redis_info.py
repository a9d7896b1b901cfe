#!/usr/bin/python3
#
# Copyright (C) rs-gateway contributors
#
# rs_redis_info: who of some Redis servers is the primary, and whether this one
# follows it.  Looks only.

from collections import Counter

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rs_resp import (ARGUMENTS, RespError, info, login,
                                          login_of)

DOCUMENTATION = r"""
module: rs_redis_info
short_description: Who is the primary, and how is this server
description:
  - Asks the Sentinels first; most of those that answer decide.  When none
    does, the one server that says it is the primary and has replicas, or
    devices in it, is the one.
options:
  nodes: {description: Addresses of all servers., type: list, elements: str,
    required: true}
  sentinel_port: {description: Port of the Sentinels., type: int}
  sentinel_name: {description: Their name for the primary., type: str}
  sentinel_user: {description: User at the Sentinels., type: str}
  sentinel_passwords: {description: His passwords., type: list, elements: str}
  host: {description: Where this server listens., type: str}
  port: {description: Port of all servers., type: int}
  login_user: {description: User at the servers., type: str}
  login_passwords: {description: His passwords., type: list, elements: str}
  timeout: {description: Seconds for each step., type: int}
"""

EXAMPLES = r"""
- name: Who is the primary
  rs_redis_info:
    nodes: [192.0.2.41, 192.0.2.42, 192.0.2.43]
    sentinel_name: rs-main
"""

TROUBLE = (OSError, RespError)


def of_sentinels(p):
    """What most Sentinels say, or ""."""

    said = Counter()

    for node in p["nodes"] if p["sentinel_name"] else []:
        try:
            client = login(node, p["sentinel_port"], p["sentinel_user"],
                           p["sentinel_passwords"], p["timeout"])

            try:
                where = client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME",
                                    p["sentinel_name"])

            finally:
                client.close()

        except TROUBLE:
            continue

        if where:
            said[where[0]] += 1

    return said.most_common(1)[0][0] if said else ""


def of_servers(p):
    """The one primary among the servers with something in it, or ""."""

    found = []

    for node in p["nodes"]:
        try:
            client = login(node, p["port"], p["login_user"],
                           p["login_passwords"], p["timeout"])

            try:
                there = info(client, "replication")
                size = client.call("DBSIZE")

            finally:
                client.close()

        except TROUBLE:
            continue

        if there.get("role") == "master" and (
                int(there.get("connected_slaves", 0)) or size):
            found.append(node)

    return found[0] if len(found) == 1 else ""


def here(p):
    try:
        client = login_of(p)

        try:
            there = info(client, "replication")
            version = info(client, "server").get("redis_version", "")

        finally:
            client.close()

    except TROUBLE as e:
        return {"running": False, "trouble": str(e), "role": "", "link": "",
                "of": "", "replicas": 0, "version": ""}

    return {"running": True, "trouble": "",
            "role": there.get("role", ""),
            "of": there.get("master_host", ""),
            "link": there.get("master_link_status", ""),
            "replicas": int(there.get("connected_slaves", 0)),
            "version": version}


def main():
    module = AnsibleModule(
        argument_spec={
            "nodes": {"type": "list", "elements": "str", "required": True},
            "sentinel_port": {"type": "int", "default": 26379},
            "sentinel_name": {"type": "str", "default": ""},
            "sentinel_user": {"type": "str", "default": "default"},
            "sentinel_passwords": {"type": "list", "elements": "str",
                                   "default": [], "no_log": True},
            **ARGUMENTS}, supports_check_mode=True)
    p = module.params

    module.exit_json(changed=False, primary=of_sentinels(p) or of_servers(p),
                     here=here(p))


if __name__ == "__main__":
    main()
