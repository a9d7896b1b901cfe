# Copyright (C) rs-gateway contributors
#
# The stack's agent: enrolled through the REST interface, as any device is.

import os
import subprocess

from rsgw import rest

from . import files
from .proc import StackError, wait_for


def _conf(stack, folder):
    """agent.conf; what --agent-conf says goes over what stands here."""

    keys = {"ca_file": stack.state["ca"],
            "name": "Demo desktop",
            "consent": "notify" if stack.args.apps else "none",
            "state_dir": os.path.join(folder, "state"),
            "display": stack.state["desktop"]["display"]}

    issuer = stack.state.get("issuer")

    if issuer:
        keys.update({"operator_issuer": issuer["url"],
                     "operator_audience": issuer["client_id"],
                     "operator_algorithms": stack.args.oidc_alg,
                     "operator_groups": "technicians;admins"})

    sections = {"agent": keys}

    for pair in stack.args.agent_conf:
        name, _, value = pair.partition("=")
        section, _, key = name.partition(".")

        # a key may have dots of its own, as "command NAME.param.P"

        sections.setdefault(section if key else "agent",
                            {})[key or section] = value

    return files.write(os.path.join(folder, "agent.conf"), "".join(
        f"[{section}]\n" + "".join(f"{k}={v}\n" for k, v in keys.items())
        for section, keys in sections.items()))


def _env(stack):
    env = dict(os.environ,
               XAUTHORITY=stack.state["desktop"]["xauthority"],
               DISPLAY=stack.state["desktop"]["display"],
               # proxies of this machine's user have no part in the stack
               no_proxy="*")

    for pair in stack.args.agent_env:
        key, _, value = pair.partition("=")
        env[key] = value

    return env


def start(stack):
    args, state = stack.args, stack.state
    folder = stack.folder("agent")
    conf, env = _conf(stack, folder), _env(stack)
    node = state["nodes"][0]
    where = ((stack.http_ip, state["balancer"]["port"])
             if "balancer" in state else (node["ip"], node["https_port"]))
    key = files.read(state["api_key_file"]).strip()
    os.makedirs(os.path.join(folder, "state"), mode=0o700, exist_ok=True)

    def api(method, path, body=None):
        status, answer = rest.call(method, state["base"] + path, body, key,
                                   state["ca"], where)

        if status not in (200, 201):
            raise StackError(f"{method} {path}: {status} {answer}; read "
                             f"{node['error_log']}")

        return answer

    enrolment = api("POST", "/enrollments", {"ttl_s": 300})
    inside = state["desktop"]["enter"]

    # the token by standard input: nobody on this machine can read it there

    r = subprocess.run([*inside, args.agent_path, "--config", conf,
                        "--token-file", "-", "enroll", state["base"]],
                       input=enrolment["token"] + "\n", env=env,
                       capture_output=True, text=True, check=False,
                       timeout=30)

    if r.returncode:
        raise StackError("rs-agent enroll: "
                         + (r.stderr or r.stdout).strip())

    verbose = ["--verbose"] if args.log_level == "debug" else []
    record = stack.run("agent", [*inside, args.agent_path, *verbose,
                                 "--config", conf, "run"], env=env)

    devices = api("GET", "/devices")["items"]

    if len(devices) != 1:
        raise StackError(f"{len(devices)} devices after one enrolment")

    device = devices[0]["id"]

    wait_for("agent", lambda: api("GET", f"/devices/{device}")["online"],
             record["log"], record)

    return {"device_id": device, "pid": record["pid"], "log": record["log"],
            "conf": conf, "state_dir": os.path.join(folder, "state")}
