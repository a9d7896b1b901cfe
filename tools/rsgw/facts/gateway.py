# Copyright (C) rs-gateway contributors
#
# The gateway as its clients meet it: name and port, certificate, health, and
# what POST /ice gives to whoever has a key.

import json
from urllib.parse import urlsplit

from ..errors import ToolError
from .. import rest
from . import net


def _ice(config, url, where):
    """The answer of POST /ice: {result, status, answer}.  The key goes to a
    server whose certificate is right, or nowhere."""

    path = config.gateway["key_file"]

    try:
        key = config.secret("gateway", "key_file", "RSCTL_KEY")

    except ToolError as e:
        return {"result": "no_key" if not path else "no_file",
                "problem": str(e)}

    try:
        status, answer = rest.call("POST", url.rstrip("/") + "/ice", None, key,
                                   config.gateway["ca_file"], where)

    except OSError as e:
        return {"result": net.why(e), "problem": str(e)}

    if status != 200 or not isinstance(answer, dict):
        code = answer.get("code") if isinstance(answer, dict) else None
        return {"result": "status", "status": status, "code": code}

    return {"result": "ok", "answer": answer}


def _json(answer):
    try:
        return json.loads(answer.get("body") or "null")

    except ValueError:
        return None


def gather(config):
    """None: rsctl.conf does not say where it is."""

    url = config.gateway["url"]

    if not url:
        return None

    u = urlsplit(url)
    port = u.port or (443 if u.scheme == "https" else 80)
    base = u.path.rstrip("/")
    where = None

    if config.gateway["address"]:
        host, _, at = config.gateway["address"].rpartition(":")
        where = (host.strip("[]"), int(at)) if at.isdigit() and host \
            else (config.gateway["address"], port)

    target = where or (u.hostname, port)
    got = {"url": url, "host": u.hostname, "where": f"{target[0]}:{target[1]}",
           "tls": u.scheme == "https", "tcp": net.tcp(*target)}

    if got["tcp"] != "ok":
        return got

    if got["tls"]:
        got["certificate"] = net.certificate(*target, u.hostname,
                                             config.gateway["ca_file"])

    for name, path in (("live", "/health/live"), ("ready", "/health/ready"),
                       ("root", "/")):
        got[name] = net.get(u.scheme, u.hostname, port, base + path, where)
        got[name]["json"] = _json(got[name])

    got["ice"] = _ice(config, url, where)

    return got


