# Copyright (C) rs-gateway contributors
#
# The gateway as its clients meet it.

import time

from . import check, fault, ok, warn

DAYS_WARN = 14

UNREACHED = {
    "refused": ("nothing listens there", "systemctl start nginx; is there a "
                "\"listen\" for this address?"),
    "timeout": ("no answer: a firewall drops it, or the host is down",
                "let TCP through (docs/operating/ports.md: nft list ruleset, "
                "and what stands in front of this host)"),
    "no_name": ("its name is not known here", "getent hosts NAME: correct "
                "url in rsctl.conf, or the name server"),
    "unreachable": ("cannot be reached", "ip route get its address"),
}


@check("rsctl.conf")
def configured(f):
    if f["gateway"] is None:
        return warn("does not say where the gateway is, so that is not "
                    "looked at", "url = https://... in [gateway] of "
                    "/etc/rs-gateway/rsctl.conf; rsctl init writes it")

    result = f["gateway"].get("ice", {}).get("result")

    if result in ("no_key", "no_file"):
        return warn(f"no API key ({f['gateway']['ice']['problem']}): the way "
                    "through TURN is not tried",
                    "rs-key create --name doctor --scopes ice, and key_file "
                    "in [gateway]")

    return ok(f["gateway"]["url"])


@check("gateway port", "nginx")
def port(f):
    g = f["gateway"]

    if g is None:
        return None

    if g["tcp"] != "ok":
        detail, cure = UNREACHED[g["tcp"]]
        return fault(f"TCP {g['where']}: {detail}", cure)

    return ok(f"TCP {g['where']}")


def judged(c, where, now, ca="ca_file in [gateway] of rsctl.conf"):
    """One certificate, as it was shown at WHERE."""

    if c["result"] != "ok":
        return fault(f"{where}: no TLS there: {c['problem']}",
                     "does that port speak TLS?")

    after, before = c.get("not_after"), c.get("not_before")

    if after is not None and after <= now:
        return fault(f"{where}: expired {_day(after)}",
                     "renew it (certbot renew, or your authority), then "
                     "reload who shows it")

    if before is not None and before > now:
        return fault(f"{where}: not valid before {_day(before)}",
                     "is the clock right?  Else take the certificate of "
                     "before")

    if not c["verified"]:
        if "mismatch" in c["problem"] or "not valid for" in c["problem"]:
            return fault(f"{where}: it is for {', '.join(c['names'])}",
                         "a certificate that has the name clients use")

        return fault(f"{where}: not trusted here: {c['problem']}",
                     "send the whole chain (fullchain.pem); for an "
                     f"authority of your own: {ca}")

    if after is None:
        return ok(where)

    days = int((after - now) // 86400)

    if days < DAYS_WARN:
        return warn(f"{where}: expires in {days} days, {_day(after)}",
                    "renew it; if something should do so by itself, it did "
                    "not")

    return ok(f"{where}: {days} days left")


def _day(at):
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))


@check("gateway certificate", "gateway port")
def certificate(f):
    g = f["gateway"]

    if g is None:
        return None

    if not g["tls"]:
        return fault(f"{g['url']} is not https: keys and tickets travel in "
                     "the clear", "url = https://... in rsctl.conf")

    return judged(g["certificate"], f"{g['host']} at {g['where']}", f["now"])


@check("gateway", "gateway port")
def alive(f):
    g = f["gateway"]

    if g is None:
        return None

    live = g["live"]

    if live["result"] != "ok":
        return fault(f"{g['url']}/health/live: {live['problem']}",
                     "error.log of nginx")

    if live["status"] == 404:
        return fault(f"{g['url']}: there is no gateway at this path",
                     "include rs/rs-locations.conf in its server {}, or "
                     "correct url in rsctl.conf")

    if live["status"] != 200:
        return fault(f"{g['url']}/health/live answers {live['status']}",
                     "error.log of nginx")

    version = (g["root"].get("json") or {}).get("api_version")

    return ok(f"API version {version}")


@check("gateway ready", "gateway", "Redis", "Redis password", "Redis library",
       "Redis eviction", "Redis replicas")
def ready(f):
    g = f["gateway"]

    if g is None:
        return None

    r = g["ready"]

    if r["result"] == "ok" and r["status"] == 200:
        return ok()

    code = (r.get("json") or {}).get("code")

    if code == "draining":
        return warn("it is draining: balancers look away from it",
                    "POST /drain with {\"drain\":false}, or restart nginx")

    return fault(f"/health/ready answers {r.get('status')}"
                 + (f" {code}" if code else r.get("problem", "")),
                 "its way to Redis: error.log of nginx says since when, and "
                 "why")
