# Copyright (C) rs-gateway contributors
#
# The stack's services, rs-render and rs-record: each enrolled through the
# REST interface as a device of its kind, with a folder of its own.

import os
import subprocess

from rsgw import rest

from . import files
from .proc import StackError, wait_for


def _render(stack, folder):
    """What render.conf has here, and the command line behind it."""

    return {
        "documents": {"viewer": files.top("build", "viewer")},
        "pool": {"launcher": "plain",
                 "runtime_dir": os.path.join(folder, "run")},
        "documents": {"viewer": files.top("build", "viewer")},
    }


def _record(stack, folder):
    """Recordings, for an auditor whose key is made here."""

    cert = os.path.join(folder, "auditor.pem")

    if not os.path.exists(cert):
        key = stack.secret_path("auditor.key")

        r = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-days", "3650", "-subj", "/CN=rs-stack auditor",
             "-keyout", key, "-out", cert],
            capture_output=True, text=True, check=False)

        if r.returncode:
            raise StackError(f"openssl: {r.stderr.strip()}")

    return {
        "recorder": {"directory": os.path.join(folder, "recordings"),
                     "auditors": cert},
    }


# kind: its program, what its configuration has, the option that adds to it

KINDS = {
    "renderer": ("render", _render),
    "recorder": ("record", _record),
}


def _conf(stack, folder, name, sections):
    sections = {"agent": {"ca_file": stack.state["ca"],
                          "name": f"Demo {name}",
                          "state_dir": os.path.join(folder, "state")},
                **sections}

    for pair in getattr(stack.args, f"{name}_conf"):
        where, _, value = pair.partition("=")
        section, _, key = where.partition(".")

        if not key:
            raise StackError(f"--{name}-conf {pair}: SECTION.KEY=VALUE is "
                             "wanted")

        sections.setdefault(section, {})[key] = value

    return files.write(os.path.join(folder, f"{name}.conf"), "".join(
        f"[{section}]\n" + "".join(f"{k}={v}\n" for k, v in keys.items())
        for section, keys in sections.items()))


def start(stack, kind):
    args, state = stack.args, stack.state
    name, sections = KINDS[kind]
    folder = stack.folder(name)
    node = state["nodes"][0]
    where = ((stack.http_ip, state["balancer"]["port"])
             if "balancer" in state else (node["ip"], node["https_port"]))
    key = files.read(state["api_key_file"]).strip()
    program = getattr(args, f"{name}_path")

    if not os.path.exists(program):
        raise StackError(f"{program}: no such file: make all")

    for part, mode in (("state", 0o700), ("run", 0o755),
                       ("recordings", 0o700)):
        os.makedirs(os.path.join(folder, part), mode=mode, exist_ok=True)

    conf = _conf(stack, folder, name, sections(stack, folder))

    # proxies of this machine's user have no part in the stack

    env = dict(os.environ, no_proxy="*")

    def api(method, path, body=None):
        status, answer = rest.call(method, state["base"] + path, body, key,
                                   state["ca"], where)

        if status not in (200, 201):
            raise StackError(f"{method} {path}: {status} {answer}; read "
                             f"{node['error_log']}")

        return answer

    enrolment = api("POST", "/enrollments", {"ttl_s": 300, "kind": kind})

    r = subprocess.run([program, "--config", conf, "--token-file", "-",
                        "enroll", state["base"]],
                       input=enrolment["token"] + "\n", env=env,
                       capture_output=True, text=True, check=False,
                       timeout=30)

    # "enrolled as dev_... at URL"

    words = r.stdout.split()

    if r.returncode or words[:2] != ["enrolled", "as"]:
        raise StackError(f"rs-{name} enroll: "
                         + (r.stderr or r.stdout).strip())

    device = words[2]
    verbose = ["--verbose"] if args.log_level == "debug" else []
    record = stack.run(name, [program, *verbose, "--config", conf], env=env)

    wait_for(f"rs-{name}",
             lambda: api("GET", f"/devices/{device}")["online"],
             record["log"], record)

    return {"device_id": device, "pid": record["pid"], "log": record["log"],
            "conf": conf, "dir": folder}
