# Copyright (C) rs-gateway contributors
#
# TURN: the plugin and coturn where they are on this host, the servers that
# clients are offered, and the way through them by rs-turn-check.

import json
import os
import re
import time

from . import conf, host, net

CONF = "/etc/rs-turn-authd/rs-turn-authd.conf"
SERVER_CONF = "/etc/turnserver.conf"
SERVERS_MAX = 32
CHECK_TIME_S = 60
SETTLE_S = 5


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()

    except OSError:
        return None


def plugin(config):
    """rs-turn-authd on this host; None: there is none."""

    path = config.turn["conf"] or CONF
    text = _read(path)

    if text is None:
        return {"path": path, "conf": {}, "unreadable": True} \
            if os.path.exists(path) or config.turn["conf"] else None

    program = config.turn["authd"] or net.program("rs-turn-authd",
                                                  "/usr/sbin", "/sbin")
    got = {"path": path, "conf": conf.authd(text), "unreadable": False,
           "program": program}

    if program:
        status, _, err = net.run([program, "-c", path, "--check-conf"])
        got["valid"], got["problem"] = status == 0, err.strip()

    listen = got["conf"].get("metrics_listen", ["127.0.0.1:16381"])[-1]

    if listen != "off":
        at, _, port = listen.rpartition(":")
        got["listen"] = listen
        got["health"], got["metrics"] = _asked(at.strip("[]"), int(port))

    got["secrets"] = {v[-1]: host.secret(v[-1])
                      for k, v in got["conf"].items()
                      if k.endswith("_file") and k != "redis_ca_file"
                      or k == "pkey"}

    return got


def _asked(at, port):
    """(health, metrics); who has just been started gets a while to find its
    coturn and its Redis."""

    end = time.monotonic() + SETTLE_S

    while True:
        health = net.get("http", at, port, "/health")
        numbers = metrics(net.get("http", at, port,
                                  "/metrics").get("body", ""))

        if not numbers or time.monotonic() > end \
                or numbers.get(("rs_turn_cli_up",)) \
                and numbers.get(("rs_turn_in_sync",)):
            return health, numbers

        time.sleep(0.2)


def metrics(text):
    """name{label="x"} value -> {(name, x, ...): value}, without "relay"."""

    found = {}

    for line in text.splitlines():
        m = re.fullmatch(r'(\w+)(?:\{(.*)\})? ([-+.\w]+)', line)

        if m:
            labels = re.findall(r'(\w+)="([^"]*)"', m[2] or "")
            found[(m[1], *(v for k, v in labels if k != "relay"))] = \
                float(m[3])

    return found


def coturn(config, authd):
    """turnserver on this host: its file against what the plugin prints."""

    path = config.turn["turnserver_conf"] or SERVER_CONF
    text = _read(path)

    if text is None:
        return None

    have = conf.turnserver(text)
    running = [p for p in host.processes("turnserver") if path in p["argv"]
               or f"--config={path}" in p["argv"]]
    got = {"path": path, "realm": dict(have).get("realm"),
           "denied": sum(1 for k, _ in have if k == "denied-peer-ip"),
           "changed": os.stat(path).st_mtime,
           "process": running[0] if running else None}

    if running:
        text = host.maps(running[0]["pid"])
        got["guard"] = None if text is None else "rs-turn-guard.so" in text

    if authd and authd.get("valid"):
        guard = ["--guard"] if got.get("guard", True) else []
        status, out, _ = net.run([authd["program"], "-c", authd["path"],
                                  "--print-turnserver-conf", *guard])

        if status == 0:
            want = set(conf.turnserver(out))
            missing = want - set(have)

            # names only: values may be passwords

            got["missing"] = sorted({k for k, _ in missing})
            got["missing_denied"] = sum(1 for k, _ in missing
                                        if k == "denied-peer-ip")

    return got


def kernel(authd):
    """What else --print-nft and --print-sysctl ask of this host."""

    if not authd or not authd.get("valid"):
        return None

    status, out, _ = net.run([authd["program"], "-c", authd["path"],
                              "--print-sysctl"])
    want = re.search(r"= *(\d+)-(\d+)", out) if status == 0 else None
    reserved = _read("/proc/sys/net/ipv4/ip_local_reserved_ports") or ""
    ranges = [tuple(map(int, (r.split("-") * 2)[:2]))
              for r in reserved.strip().split(",") if r]
    nft = net.program("nft", "/usr/sbin", "/sbin")
    rules = net.run([nft, "list", "table", "inet", "rs_turn"], 5)[0] \
        if nft and os.geteuid() == 0 else None
    own = {ip for ip in authd["conf"].get("relay_ip", [])}

    return {"reserved": None if not want else any(
                a <= int(want[1]) and int(want[2]) <= b for a, b in ranges),
            "range": f"{want[1]}-{want[2]}" if want else "",
            "shared_relay": sorted(own & set(
                authd["conf"].get("listening_ip", []))),
            "rules": None if rules is None else rules == 0}


def urls(gateway, nginx):
    """What clients are offered, from the gateway itself or else its file."""

    ice = (gateway or {}).get("ice", {})
    found = []

    if ice.get("result") == "ok":
        for server in ice["answer"].get("iceServers", []):
            u = server.get("urls", [])
            found += [u] if isinstance(u, str) else u

    elif nginx:
        found = nginx["turn_urls"]

    return list(dict.fromkeys(found))[:SERVERS_MAX]


def servers(offered, ca):
    """Each URL: {url, scheme, host, port, transport, result}."""

    got = []

    for url in offered:
        try:
            scheme, at, port, transport = conf.turn_url(url)

        except ValueError:
            got.append({"url": url, "result": "bad_url"})
            continue

        entry = {"url": url, "scheme": scheme, "host": at, "port": port,
                 "transport": transport}
        entry["result"] = (net.stun if transport == "udp"
                           else net.tcp)(at, port)

        if transport == "tls" and entry["result"] == "ok":
            entry["certificate"] = net.certificate(at, port, at, ca)

        got.append(entry)

    return got


def path(config, gateway, authd):
    """rs-turn-check's report, of relays and of what must be denied."""

    ice = (gateway or {}).get("ice", {})
    program = config.turn["check"] or net.program("rs-turn-check")

    if ice.get("result") != "ok":
        return None

    if not program:
        return {"result": "no_program"}

    allowed = (config.turn["allowed"] or "").replace(",", " ").split()

    for key in ("relay", "allow", "lan"):
        allowed += (authd or {}).get("conf", {}).get(key, [])

    argv = [program, "--ice", "-", "--json", "--no-progress", "--insecure",
            "--timeout", "2000", "--count", "40", "--rate", "200", "--denied"]

    for cidr in allowed:
        argv += ["--allowed", cidr]

    if config.gateway["ca_file"]:
        argv += ["--ca", config.gateway["ca_file"]]

    status, out, err = net.run(argv, CHECK_TIME_S, json.dumps(ice["answer"]))

    try:
        return {"result": "ok", "report": json.loads(out)}

    except ValueError:
        return {"result": "failed", "status": status, "text": err.strip()}
