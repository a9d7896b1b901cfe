# Copyright (C) rs-gateway contributors
#
# TURN: the plugin and coturn on this host, the servers clients are offered,
# and the way through them.

from . import check, fault, ok, warn
from .gateway import judged

PRINT = ("rs-turn-authd --print-turnserver-conf --guard --output "
         "/etc/turnserver.conf, then systemctl restart coturn")


# ---- the plugin

@check("TURN plugin configuration")
def configuration(f):
    p = f["plugin"]

    if p is None:
        return None

    if p["unreadable"]:
        return warn(f"{p['path']} is not readable here", "sudo rsctl doctor")

    if p["program"] is None:
        return fault(f"{p['path']} is there, rs-turn-authd is not",
                     "apt install rs-turn-auth")

    if not p["valid"]:
        return fault(p["problem"].splitlines()[-1] if p["problem"]
                     else "is refused", f"correct {p['path']}: "
                     "rs-turn-authd --check-conf")

    return ok(p["path"])


@check("TURN plugin", "TURN plugin configuration")
def plugin(f):
    p = f["plugin"]

    if p is None or "health" not in p:
        return None

    h = p["health"]

    if h["result"] != "ok" or h["status"] != 200:
        return fault(f"rs-turn-authd does not answer at {p['listen']}: "
                     f"{h.get('status') or h['result']}",
                     "systemctl start rs-turn-authd; why it ended: "
                     "journalctl -u rs-turn-authd")

    return ok(f"answers at {p['listen']}")


@check("TURN plugin in sync", "TURN plugin", "Redis", "Redis password",
       "Redis library", "Redis replicas")
def in_sync(f):
    m = (f["plugin"] or {}).get("metrics") or {}

    if ("rs_turn_in_sync",) not in m:
        return None

    if m.get(("rs_turn_stale",)):
        return fault("it was without Redis for too long: no credential is "
                     "taken", "redis in rs-turn-authd.conf: can this host "
                     "reach it?  journalctl -u rs-turn-authd")

    if not m[("rs_turn_in_sync",)] and f["plugin"]["conf"].get(
            "redis", ["off"])[-1] != "off":
        return fault("it does not follow Redis: who was revoked goes on "
                     "relaying", "journalctl -u rs-turn-authd says why")

    return ok()


# ---- coturn

@check("coturn")
def coturn(f):
    """By what this host knows, and by those it offers that answer nobody."""

    c, servers = f["coturn"], _real(f["servers"])

    if c is not None and c["process"] is None:
        return fault(f"no turnserver runs with {c['path']}",
                     "systemctl start coturn; why it ended: "
                     "journalctl -u coturn")

    for at in sorted({(s["host"], s["port"]) for s in servers}):
        of = [s for s in servers if s["host"] == at[0]]

        if all(s["result"] != "ok" for s in of) and c is None:
            return fault(f"{at[0]} answers on none of its ports: "
                         + ", ".join(f"{s['transport'].upper()} {s['port']} "
                                     f"{s['result']}" for s in of),
                         "systemctl start coturn there, or let these ports "
                         "through (docs/operating/ports.md)")

    if c is None and not servers:
        return None

    return ok(f"runs as process {c['process']['pid']}" if c
              else f"{len({s['host'] for s in servers})} servers answer")


@check("coturn guard", "coturn")
def guard(f):
    c = f["coturn"]
    version = _version(f)

    if c is None or version is None or version >= (4, 13) \
            or not f["plugin"]:
        return None

    if c.get("guard") is None:
        return warn("who is not root cannot see whether it is loaded",
                    "sudo rsctl doctor")

    text = ".".join(map(str, version))

    if not c["guard"]:
        return fault(f"coturn {text} runs without it: anybody can end it by "
                     "a user name", "Environment=LD_PRELOAD=/usr/lib/"
                     "rs-gateway/rs-turn-guard.so in its unit, then "
                     "systemctl restart coturn")

    return ok(f"loaded into coturn {text}")


def _version(f):
    for key in (f["plugin"] or {}).get("metrics") or {}:
        if key[0] == "rs_turn_coturn_info":
            try:
                return tuple(int(n) for n in key[1].split("."))

            except ValueError:
                return None

    return None


@check("coturn CLI", "coturn", "TURN plugin")
def cli(f):
    m = (f["plugin"] or {}).get("metrics") or {}

    if ("rs_turn_cli_up",) not in m or f["plugin"]["conf"].get(
            "cli", [""])[-1] == "off":
        return None

    if not m[("rs_turn_cli_up",)]:
        return fault("the plugin is not let in by coturn's CLI: nothing that "
                     "was revoked can be ended", "cli_password_file has to "
                     f"be what turnserver.conf was printed with: {PRINT}")

    return ok()


@check("realm")
def realm(f):
    """One word in three files; credentials of another one are refused."""

    said = {}

    if f["nginx"] and f["nginx"]["turn"] == "key" and f["nginx"]["realm"]:
        said["rs_turn_realm of nginx"] = f["nginx"]["realm"]

    if f["plugin"] and f["plugin"]["conf"].get("realm"):
        said["realm of rs-turn-authd.conf"] = f["plugin"]["conf"]["realm"][-1]

    if f["coturn"] and f["coturn"]["realm"]:
        said["realm of turnserver.conf"] = f["coturn"]["realm"]

    report = (f["path"] or {}).get("report") or {}
    shown = {c.get("realm") for c in report.get("checks", [])} - {None, ""}

    for name in shown:
        said["what a TURN server says"] = name

    if not said:
        return None

    if len(set(said.values())) > 1:
        return fault(", ".join(f"{who} is \"{name}\""
                               for who, name in said.items()),
                     "the same word everywhere, then reload nginx and "
                     "restart rs-turn-authd and coturn")

    return ok(next(iter(said.values())))


@check("peer floor", "TURN plugin configuration")
def floor(f):
    """What turnserver.conf denies by itself, when nobody answers it."""

    c = f["coturn"]

    if c is None:
        return None

    if c["denied"] == 0:
        return fault(f"{c['path']} has no denied-peer-ip: relays reach "
                     "private networks whenever the plugin does not answer",
                     PRINT)

    if c.get("missing_denied"):
        return fault(f"{c['path']} lacks {c['missing_denied']} of the "
                     "denied-peer-ip lines the policy needs", PRINT)

    other = [k for k in c.get("missing", []) if k not in ("denied-peer-ip",
                                                          "realm")]

    if other:
        return warn(f"{c['path']} is not what rs-turn-authd prints: "
                    f"{', '.join(other)}", PRINT)

    if c["process"] and c["changed"] > c["process"]["since"] + 1:
        return warn(f"{c['path']} is newer than the coturn that runs",
                    "systemctl restart coturn: it reads it at its start only")

    return ok(f"{c['denied']} ranges denied in {c['path']}")


@check("relay address")
def relay(f):
    k = f["kernel"]

    if k is None:
        return None

    if k["shared_relay"]:
        return warn(f"{', '.join(k['shared_relay'])} is both relay_ip and "
                    "listening_ip: whoever has a relay reaches the UDP "
                    "services of this host", "an address of its own for "
                    "relays, and the rules of rs-turn-authd --print-nft")

    if k["rules"] is False:
        return fault("the kernel has no rules for it: whoever has a relay "
                     "reaches the UDP services of this host",
                     "rs-turn-authd --print-nft --output "
                     "/etc/nftables.d/rs-turn.nft; nft -f it, and include it "
                     "in /etc/nftables.conf")

    if k["reserved"] is False:
        return warn(f"the kernel gives ports {k['range']} to others, too",
                    "rs-turn-authd --print-sysctl --output "
                    "/etc/sysctl.d/60-rs-turn.conf; sysctl --system")

    return ok("rules and reserved ports are there" if k["rules"]
              else "ports are reserved")


# ---- what clients are offered

def _real(servers):
    return [s for s in servers if s["result"] != "bad_url"]


@check("TURN ports", "coturn")
def ports(f):
    bad = [s for s in f["servers"] if s["result"] != "ok"]

    if not f["servers"]:
        return None

    for s in bad:
        if s["result"] == "bad_url":
            return fault(f"{s['url']} is no TURN URL", "correct "
                         "rs_turn_server in rs-site.conf")

    if bad:
        s = bad[0]
        kind = "UDP" if s["transport"] == "udp" else "TCP"
        other = any(o["result"] == "ok" and o["host"] == s["host"]
                    for o in f["servers"])

        if s["result"] == "refused":
            return fault(f"{kind} {s['port']} of {s['host']} ({s['url']}): "
                         "nothing listens there", "does turnserver.conf have "
                         "this port?  Else correct rs_turn_server")

        return fault(f"{kind} {s['port']} of {s['host']} is blocked: no "
                     "answer" + (", while others of its ports answer"
                                 if other else ""),
                     f"let {kind} {s['port']} through (docs/operating/"
                     "ports.md: nft list ruleset, and what stands in front "
                     "of it)")

    seen = dict.fromkeys(f"{'UDP' if s['transport'] == 'udp' else 'TCP'} "
                         f"{s['port']}" for s in f["servers"])

    return ok(", ".join(seen))


@check("TURN certificate", "TURN ports")
def certificate(f):
    found = [(s, judged(s["certificate"], f"{s['host']}:{s['port']}",
                        f["now"]))
             for s in f["servers"] if "certificate" in s]

    for state in ("FAULT", "warn"):
        for _, got in found:
            if got[0] == state:
                return got

    return found[0][1] if found else None


@check("TURN path", "gateway certificate", "gateway ready", "TURN plugin",
       "TURN plugin in sync", "coturn", "realm", "clock", "TURN ports")
def path(f):
    """A relay by each transport, packets through it and back."""

    ice = (f["gateway"] or {}).get("ice")

    if ice is None or ice["result"] in ("no_key", "no_file"):
        return None             # rsctl.conf tells of it

    if ice["result"] == "status":
        cure = {401: "the key in key_file is not known: rs-key create",
                403: "the key needs the scope \"ice\": rs-key create "
                     "--scopes ice"}

        return fault(f"POST /ice answers {ice['status']} {ice['code'] or ''}",
                     cure.get(ice["status"], "error.log of nginx"))

    if ice["result"] != "ok":
        return fault(f"POST /ice: {ice['problem']}", "error.log of nginx")

    p = f["path"]

    if p["result"] == "no_program":
        return warn("not tried: there is no rs-turn-check",
                    "apt install rs-turn-auth")

    if p["result"] != "ok":
        return fault(f"rs-turn-check: {p['text']}", "rs-turn-check(1)")

    if not p["report"]["checks"]:
        return warn("the gateway offers no TURN server",
                    "rs_turn_server in rs-site.conf")

    for c in p["report"]["checks"]:
        if c["error"]:
            e = c["error"]
            code = f" {e['code']}" if e.get("code") else ""

            return fault(f"{c['uri']}: {e.get('step', '')}{code}: "
                         f"{e['text']}", e.get("hint")
                         or "journalctl -u coturn -u rs-turn-authd")

        lost = c.get("relay", {}).get("loss_percent", 0)

        if lost > 10:
            return fault(f"{c['uri']}: {lost:.0f} % of the packets are lost",
                         "UDP of the relay ports between the servers, and "
                         "the load of the host")

    return ok(", ".join(
        f"{c['transport'].upper()} "
        f"{c['relay']['round_trip_ms']['p50']:.0f} ms"
        for c in p["report"]["checks"] if "relay" in c))


@check("TURN peers", "TURN path", "peer floor")
def peers(f):
    """What a relay must not reach, asked of the servers themselves."""

    report = (f["path"] or {}).get("report") or {}

    for d in report.get("denied", []):
        if d["holes_count"]:
            holes = ", ".join(d["holes"][:3])

            return fault(f"{d['uri']} lets relays reach {d['holes_count']} "
                         f"addresses they must not: {holes}",
                         "the floor of the peer policy in turnserver.conf: "
                         f"{PRINT}; what is meant to be reached: allowed in "
                         "[turn] of rsctl.conf")

        if d["error"]:
            return warn(f"{d['uri']}: {d['error'].get('text')}",
                        "rs-turn-check --denied --no-relay")

    probes = sum(d["probes"] for d in report.get("denied", []))

    return ok(f"{probes} private addresses refused") if probes else None
