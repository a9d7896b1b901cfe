#!/usr/bin/python3
#
# Copyright (C) rs-gateway contributors
#
# rs_haproxy: has a haproxy that runs choose a server, or choose another one,
# through its admin socket.  Connections that are open are not touched, and
# nothing is written down: a reload forgets it.

import socket
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: rs_haproxy
short_description: Whether haproxy chooses a server
options:
  socket: {description: The admin socket., type: path}
  backend: {description: The backend., type: str, required: true}
  server: {description: The server in it., type: str, required: true}
  state:
    description:
      - ready, and wait until its checks are passed; drain, no new
        connections.
    type: str
    required: true
    choices: [ready, drain]
  timeout: {description: Seconds to wait for a server that is to be ready.,
    type: int}
"""

EXAMPLES = r"""
- name: The balancer looks elsewhere
  rs_haproxy:
    backend: rs_gateways
    server: gw1
    state: drain
"""

STEP = 5            # seconds, of one command
ANSWER_MAX = 1 << 20


class HaproxyError(Exception):
    pass


def ask(path, command):
    """One command; what haproxy says to it."""

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(STEP)
        s.connect(path)
        s.sendall(command.encode() + b"\n")
        out = b""

        while len(out) < ANSWER_MAX:
            more = s.recv(65536)

            if not more:
                return out.decode(errors="replace")

            out += more

    raise HaproxyError(f"\"{command}\": more than {ANSWER_MAX} bytes")


def status(p):
    """As UP, DOWN 1/2, DRAIN, MAINT."""

    lines = ask(p["socket"], "show stat").lstrip("# ").splitlines()
    names = lines[0].split(",") if lines else []

    for line in lines[1:]:
        row = dict(zip(names, line.split(",")))

        if (row.get("pxname"), row.get("svname")) == (p["backend"],
                                                      p["server"]):
            return row.get("status", "")

    raise HaproxyError(f"there is no server {p['server']} in the backend "
                       f"{p['backend']}")


def tell(p):
    said = ask(p["socket"], f"set server {p['backend']}/{p['server']} state "
                            f"{p['state']}").strip()

    if said:
        raise HaproxyError(said)


def wait_up(p):
    end = time.monotonic() + p["timeout"]

    while status(p) != "UP":
        if time.monotonic() > end:
            raise HaproxyError(f"{p['server']} is {status(p)} after "
                               f"{p['timeout']} s: its checks fail")

        time.sleep(0.1)


def run(module):
    p = module.params

    # a server that is drained and fails its checks is shown as DOWN

    is_ = status(p)
    changed = is_ != "UP" if p["state"] == "ready" \
        else not is_.startswith("DRAIN")

    if changed and not module.check_mode:
        tell(p)

    if p["state"] == "ready" and not module.check_mode:
        wait_up(p)

    module.exit_json(changed=changed)


def main():
    module = AnsibleModule(
        argument_spec={
            "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
            "backend": {"type": "str", "required": True},
            "server": {"type": "str", "required": True},
            "state": {"type": "str", "required": True,
                      "choices": ["ready", "drain"]},
            "timeout": {"type": "int", "default": 30}},
        supports_check_mode=True)

    for name in ("backend", "server"):
        if not module.params[name].replace("_", "").replace("-", "") \
                .replace(".", "").isalnum():
            module.fail_json(msg=f"{name} \"{module.params[name]}\": letters, "
                             "digits, _, - and . are wanted")

    try:
        run(module)

    except (OSError, HaproxyError) as e:
        module.fail_json(msg=f"haproxy: {e}")


if __name__ == "__main__":
    main()
