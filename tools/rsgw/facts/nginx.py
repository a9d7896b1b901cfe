# Copyright (C) rs-gateway contributors
#
# nginx on this host: what it says of its configuration, the gateway's
# directives in there, and whether it runs with the module that is installed.

import os
import shlex

from . import conf, host, net

MODULE = "ngx_http_rs_signal_module.so"


def _lines(text):
    """What nginx complains of, without where and when it said so."""

    found = []

    for line in text.splitlines():
        for level in ("[emerg]", "[alert]", "[error]", "[warn]"):
            if level in line:
                found.append(line.split(level, 1)[1].strip())

    return found


def _folder(command):
    """Where relative names of files begin: beside nginx.conf."""

    if "-c" in command[:-1]:
        return os.path.dirname(command[command.index("-c") + 1])

    return "/etc/nginx"


def _running(directives, folder):
    """The master process, by its pid file."""

    path = (conf.values(directives, "pid") or [["/run/nginx.pid"]])[-1][0]

    try:
        with open(os.path.join(folder, path), encoding="ascii") as f:
            pid = int(f.read())

        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            alive = f.read().strip() == "nginx"

    except (OSError, ValueError):
        return None

    if not alive:
        return None

    text = host.maps(pid)
    lines = [m for m in (text or "").splitlines() if MODULE in m]

    return {"pid": pid, "module": None if text is None else bool(lines),
            "replaced": any(m.endswith("(deleted)") for m in lines)}


def gather(config):
    """None: there is no nginx with the gateway here."""

    command = shlex.split(config.nginx["command"] or "") \
        or [net.program("nginx", "/usr/sbin", "/usr/local/sbin")]

    if not command[0]:
        return None

    folder = _folder(command)
    status, out, err = net.run([*command, "-T"])
    directives = conf.nginx(out) if status == 0 else []

    if status == 0 and not any(d[0].startswith("rs_") for d in directives):
        return None             # it serves something else

    if status != 0 and not os.path.exists(os.path.join(folder, "rs")) \
            and not config.nginx["command"]:
        return None

    one = {name: (conf.values(directives, name) or [None])[-1]
           for name in ("rs_redis", "rs_turn_realm", "rs_turn_key_file",
                        "rs_turn_secret_file", "rs_identity_file",
                        "rs_identity_statements", "rs_webhook_key_file")}

    files = [v[0] for k, v in one.items() if v and k.endswith("_file")]
    redis = conf.pairs(one["rs_redis"] or [])
    files += [v for k, v in redis.items()
              if k in ("password_file", "sentinel_password_file",
                       "certificate_key")]

    return {"valid": status == 0, "problems": _lines(err),
            "text": err.strip(), "folder": folder,
            "redis": (one["rs_redis"] or [None])[0],
            "redis_options": {k: _absolute(folder, v) if k.endswith("file")
                              else v for k, v in redis.items()},
            "realm": (one["rs_turn_realm"] or [None])[0],
            "turn": "key" if one["rs_turn_key_file"]
            else "secret" if one["rs_turn_secret_file"] else None,
            "turn_urls": sum((v[1:] for v in
                              conf.values(directives, "rs_turn_server")), []),
            "identity": bool(one["rs_identity_file"]),
            "shared": {k: _absolute(folder, v[0]) for k, v in one.items()
                       if v and k.endswith(("_file", "_statements"))},
            "master": _running(directives, folder),
            "secrets": {_absolute(folder, f): host.secret(
                _absolute(folder, f)) for f in files}}


def _absolute(folder, path):
    return os.path.join(folder, path)
