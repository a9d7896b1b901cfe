#!/usr/bin/python3
#
# Copyright (C) rs-gateway contributors
#
# rs_redis_restart: starts a Redis server anew without taking the primary
# away: where it is the primary and has replicas, a Sentinel hands that over
# first.  Done when the server is in step again.  One host at a time
# ("throttle: 1").

import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rs_resp import (ARGUMENTS, RespError, info, login,
                                          login_of)

DOCUMENTATION = r"""
module: rs_redis_restart
short_description: Starts a Redis server anew, in step with its replicas
options:
  unit: {description: Its systemd unit., type: str}
  sentinel_port: {description: Port of the Sentinel of this host., type: int}
  sentinel_name: {description: Its name for the primary; empty, where there is
    no Sentinel., type: str}
  sentinel_user: {description: User at the Sentinel., type: str}
  sentinel_passwords: {description: His passwords., type: list, elements: str}
  patience: {description: Seconds for each of the three steps., type: int}
  host: {description: Where the server listens., type: str}
  port: {description: Its port., type: int}
  login_user: {description: User at the server., type: str}
  login_passwords: {description: His passwords., type: list, elements: str}
  timeout: {description: Seconds for each command., type: int}
"""

EXAMPLES = r"""
- name: Start Redis anew
  rs_redis_restart:
    sentinel_name: rs-main
  throttle: 1
"""

TROUBLE = (OSError, RespError)


def replication(p):
    try:
        client = login_of(p)

        try:
            return info(client, "replication")

        finally:
            client.close()

    except TROUBLE:
        return {}


def wait(module, what, good):
    end = time.monotonic() + module.params["patience"]

    while not good(replication(module.params)):
        if time.monotonic() > end:
            module.fail_json(msg=f"after {module.params['patience']} s {what}")

        time.sleep(0.2)


def hand_over(module):
    p = module.params
    client = login(p["host"], p["sentinel_port"], p["sentinel_user"],
                   p["sentinel_passwords"], p["timeout"])

    try:
        client.call("SENTINEL", "FAILOVER", p["sentinel_name"])

    finally:
        client.close()

    wait(module, "this server is still the primary: see the log of Sentinel",
         lambda r: r.get("role") == "slave"
         and r.get("master_link_status") == "up")


def run(module):
    p = module.params
    there = replication(p)

    if p["sentinel_name"] and there.get("role") == "master" \
            and int(there.get("connected_slaves", 0)):
        hand_over(module)

    rc, _, err = module.run_command(["systemctl", "restart", p["unit"]])

    if rc:
        module.fail_json(msg=f"{p['unit']}: {err.strip()}; see: "
                             f"journalctl -u {p['unit']}")

    wait(module, "this server is not in step with its primary: see its log",
         lambda r: r.get("role") == "master"
         or r.get("master_link_status") == "up")


def main():
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "default": "redis-server"},
            "sentinel_port": {"type": "int", "default": 26379},
            "sentinel_name": {"type": "str", "default": ""},
            "sentinel_user": {"type": "str", "default": "default"},
            "sentinel_passwords": {"type": "list", "elements": "str",
                                   "default": [], "no_log": True},
            "patience": {"type": "int", "default": 120},
            **ARGUMENTS}, supports_check_mode=True)

    try:
        if not module.check_mode:
            run(module)

    except TROUBLE as e:
        module.fail_json(msg=f"restart of Redis: {e}")

    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
