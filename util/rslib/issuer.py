# Copyright (C) rs-gateway contributors
#
# The stack's OpenID provider: e2e/issuer, over https with the stack's
# certificate.  Its accounts stand in DIR/issuer/accounts.json.

import json
import os
import secrets
import shutil

from rsgw import rest

from . import files, ports
from .proc import StackError, wait_for

CLIENT = "rs-console"

# name: who it is, which groups, which tenants

ACCOUNTS = {
    "anna": ("Anna Technician", ["technicians"], ["default"]),
    "otto": ("Otto Observer", ["observers"], ["default"]),
    "ada": ("Ada Admin", ["admins"], ["default"]),
    "udo": ("Udo Auditor", ["auditors"], ["default"]),
    "max": ("Max of two Tenants", ["technicians"], ["default", "acme"]),
    "nobody": ("Nobody in particular", [], []),
}


def _accounts():
    return {name: {"password": secrets.token_urlsafe(9), "name": full,
                   "groups": groups, "tenants": tenants}
            for name, (full, groups, tenants) in ACCOUNTS.items()}


def _pages(stack):
    """Where the console may be, as the issuer has to know it."""

    hosts = [f"{stack.name}:{stack.base + ports.HTTPS + i}"
             for i in range(stack.args.nodes)]

    if stack.args.balancer:
        hosts.insert(0, f"{stack.name}:{stack.base + ports.BALANCER}")

    return [f"https://{host}/console/{page}"
            for host in hosts for page in ("", "index.html")]


def _node():
    if not os.path.isdir(files.top("e2e", "node_modules", "oidc-provider")):
        raise StackError("e2e/node_modules/oidc-provider: not there: make "
                         "deps")

    node = shutil.which("node")

    if node is None:
        raise StackError("node: not found: make deps")

    return node


def start(stack, tls_dir):
    args = stack.args
    folder = stack.folder("issuer")
    port = stack.base + ports.ISSUER
    url = f"https://{stack.name}:{port}"
    pages = _pages(stack)
    accounts = files.write(os.path.join(folder, "accounts.json"),
                           json.dumps(_accounts(), indent=1) + "\n", 0o600)

    conf = files.write(os.path.join(folder, "issuer.json"), json.dumps({
        "host": stack.http_ip, "port": port, "issuer": url,
        "cert": os.path.join(tls_dir, "cert.pem"),
        "key": os.path.join(tls_dir, "key.pem"),
        "accounts": accounts,
        "keys": os.path.join(folder, "keys.json"),
        "clients": [{"client_id": CLIENT, "redirect_uris": pages,
                     "post_logout_redirect_uris": pages}],
        "alg": args.oidc_alg,
        "id_token_ttl_s": args.oidc_ttl}, indent=1) + "\n")

    record = stack.run("issuer", [_node(), files.top(
        "e2e", "issuer", "issuer.mjs"), conf])
    jwks = url + "/jwks"

    def ready():
        status, _ = rest.call("GET", jwks, ca=stack.state["ca"],
                              connect=(stack.http_ip, port))
        return status == 200

    wait_for("issuer", ready, record["log"], record)

    return {"url": url, "client_id": CLIENT, "jwks_uri": jwks,
            "ip": stack.http_ip, "port": port, "pid": record["pid"],
            "redirect_uris": pages, "accounts_file": accounts,
            "conf": conf, "log": record["log"]}
