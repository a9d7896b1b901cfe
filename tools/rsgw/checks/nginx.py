# Copyright (C) rs-gateway contributors
#
# nginx where it is on this host.

from . import check, fault, ok, warn


@check("nginx configuration")
def configuration(f):
    n = f["nginx"]

    if n is None:
        return None

    if n["valid"]:
        if n["problems"]:
            return warn(n["problems"][0], "nginx -t shows all of it")

        return ok("nginx -t")

    detail = n["problems"][0] if n["problems"] else n["text"][-300:]

    if not f["host"]["root"]:
        return warn(f"cannot be tested: {detail}", "sudo rsctl doctor")

    return fault(detail, "correct it; nginx -t tells when it is right, and "
                 "until then a reload changes nothing")


@check("nginx", "nginx configuration")
def running(f):
    n = f["nginx"]

    if n is None or not n["valid"]:
        return None

    m = n["master"]

    if m is None:
        return fault("does not run", "systemctl start nginx; why it ended: "
                     "journalctl -u nginx")

    if m["module"] is None:
        return ok(f"runs as process {m['pid']}")

    if not m["module"]:
        return fault("runs without the gateway's module",
                     "include rs/rs-main.conf at the top of nginx.conf, then "
                     "systemctl restart nginx")

    if m["replaced"]:
        return warn("the module on disk is newer than the one that runs",
                    "a reload keeps the old one: drain, then systemctl "
                    "restart nginx")

    return ok(f"runs as process {m['pid']}, with the module")


@check("identity")
def identity(f):
    n = f["nginx"]

    if n is None or not n["valid"]:
        return None

    if not n["identity"]:
        return warn("devices pin no identity: a new certificate authority "
                    "would orphan them", "rs-identity new "
                    "/etc/nginx/rs/identity.pem, and rs_identity_file in "
                    "rs-site.conf of all nodes")

    return ok("rs_identity_file is set")
