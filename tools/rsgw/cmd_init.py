# Copyright (C) rs-gateway contributors
#
# rsctl init: from installed packages to a gateway that serves, on one host.
# Shows what it would write, writes it, has nginx test the whole, asks, and
# only then touches a service.  A no, or a test that fails, leaves everything
# as it was.  Run again it does what is missing, and nothing if nothing is.

import argparse
import base64
import hashlib
import ipaddress
import os
import re
import secrets
import time

from . import admin, host, options, pki, site
from .changes import Changes
from .errors import ToolError
from .rest import Client, RestError

HELP = "sets a gateway up on this host"

EPILOG = """\
nginx, the module, the console and rs-tools have to be installed; Redis, coturn
and rs-turn-auth are set up, too, where they are (apt install rs-gateway brings
all of them).

  rsctl init --fqdn support.example.net --self-signed
  rsctl init --fqdn support.example.net \\
      --certificate /etc/ssl/site.pem --certificate-key /etc/ssl/site.key
  rsctl init --fqdn support.example.net --redis rediss://redis.example.net \\
      --redis-passwords /root/redis --no-turn

Without any option for it, the certificate is what certbot has made for the
name, in /etc/letsencrypt/live.
"""

RELAY = "198.18.255.1"      # of a range nobody routes; on the loopback interface
READY_S = 30
DUPLICATES_MAX = 16


def arguments(parser):
    p = parser
    p.add_argument("--fqdn", type=options.host, required=True,
                   help="the name browsers and devices have for the gateway")
    p.add_argument("--address", type=address, metavar="IP",
                   help="of this host, on which coturn listens (default: the "
                        "one packets leave from)")
    p.add_argument("--relay-address", type=address, metavar="IP",
                   default=RELAY,
                   help="which coturn relays on and nothing else uses "
                        "(default: %(default)s, on the loopback interface)")
    p.add_argument("--certificate", metavar="FILE",
                   help="PEM, with the authority's own certificates behind it")
    p.add_argument("--certificate-key", metavar="FILE", dest="key",
                   help="PEM, without a passphrase")
    p.add_argument("--self-signed", action="store_true",
                   help="make an authority and a certificate; whoever "
                        "connects has to be given the authority")
    p.add_argument("--redis", metavar="URL",
                   help="a Redis of one's own (default: an instance for the "
                        "gateway alone is set up here)")
    p.add_argument("--redis-passwords", metavar="DIR",
                   help="with a file for each of its users: "
                        + ", ".join(site.REDIS_USERS))
    p.add_argument("--redis-ca", metavar="FILE",
                   help="of a rediss:// that has an authority of its own")
    p.add_argument("--no-turn", dest="turn", action="store_false",
                   help="leave coturn alone")
    p.add_argument("--yes", action="store_true", help="do not ask")
    p.add_argument("--dry-run", action="store_true",
                   help="show what would change, and end")


def address(text):
    try:
        ip = ipaddress.ip_address(text)

    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: no address") from None

    if ip.version != 4 or ip.is_loopback or ip.is_multicast \
            or ip.is_unspecified:
        raise argparse.ArgumentTypeError(
            f"{text!r}: not an IPv4 address of a host")

    return text


# ---- before anything is changed


def check(args):
    if os.geteuid() != 0:
        raise ToolError("only root may set a gateway up", "sudo rsctl init ...")

    if not host.has("nginx") or not os.path.isdir(site.NGINX):
        raise ToolError("there is no nginx here",
                        "apt install rs-gateway brings what is needed")

    if bool(args.redis) != bool(args.redis_passwords):
        raise options.usage("--redis and --redis-passwords belong together")

    if not args.redis and not host.has("redis-server"):
        raise ToolError("there is no Redis here",
                        "apt install redis-server, or name one by --redis and "
                        "--redis-passwords")

    if args.turn and not (host.has("turnserver")
                          and host.has("rs-turn-authd")):
        raise ToolError("there is no coturn with its plugin here: without "
                        "TURN many networks let nobody through",
                        "apt install coturn rs-turn-auth, or say --no-turn")

    args.address = args.address or host.own_address()

    if args.turn and not args.address:
        raise ToolError("this host has no address that packets leave from",
                        "name one by --address")

    if args.turn and args.address == args.relay_address:
        raise options.usage("--relay-address must be another one than "
                            "--address: nothing else may use it")


def certificate(args, changes):
    """Sets args.certificate, args.key and args.ca."""

    live = f"/etc/letsencrypt/live/{args.fqdn}"
    args.ca = None

    if bool(args.certificate) != bool(args.key):
        raise options.usage("--certificate and --certificate-key belong "
                            "together")

    if args.certificate and args.self_signed:
        raise options.usage("either --certificate or --self-signed")

    if args.self_signed:
        self_signed(args, changes)

    elif not args.certificate:
        if not os.path.exists(f"{live}/fullchain.pem"):
            raise options.usage("which certificate?  --certificate and "
                                "--certificate-key, or --self-signed, or "
                                "certbot's for the name")

        args.certificate = f"{live}/fullchain.pem"
        args.key = f"{live}/privkey.pem"

    if not args.self_signed:
        matching(args)


def self_signed(args, changes):
    names = {"ca": "ca.pem", "certificate": "cert.pem", "key": "key.pem"}

    for key, name in names.items():
        setattr(args, key, f"{site.TLS}/{name}")

    # what is there, is of this name and has a month left stays

    r = host.run("openssl", "x509", "-noout", "-checkhost", args.fqdn,
                 "-checkend", "2592000", "-in", args.certificate, check=False)

    if r.returncode == 0 and "NOT" not in r.stdout:
        texts = [read(p) for p in (args.ca, args.certificate, args.key)]

    else:
        texts = pki.make(args.fqdn)

    for path, text in zip((args.ca, args.certificate, args.key), texts):
        secret = path == args.key
        changes.file(path, text, 0o600 if secret else 0o644, hidden=True)


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()

    except (OSError, UnicodeDecodeError) as e:
        raise ToolError(f"{path}: {getattr(e, 'strerror', None) or e}") \
            from None


def matching(args):
    """Is the certificate of this name, and the key its key?"""

    for path in (args.certificate, args.key):
        read(path)

    said = host.run("openssl", "x509", "-noout", "-checkhost", args.fqdn,
                    "-in", args.certificate).stdout

    if "NOT" in said:
        raise ToolError(f"{args.certificate} is not for {args.fqdn}")

    public = [host.run("openssl", *how).stdout for how in (
        ("x509", "-noout", "-pubkey", "-in", args.certificate),
        ("pkey", "-pubout", "-passin", "pass:", "-in", args.key))]

    if public[0] != public[1]:
        raise ToolError(f"{args.key} is not the key of {args.certificate}")


# ---- nginx


def nginx_test(plan, changes, out):
    """nginx -t of what is written.

    Of what nginx.conf and rs-http.conf both have the former stays: rs-http.conf
    is then a copy without it.
    """

    for _ in range(DUPLICATES_MAX):
        r = host.run("nginx", "-t", check=False)

        if r.returncode == 0:
            return

        m = re.search(r'"(\w+)" directive is duplicate in '
                      rf"{site.RS}/rs-http\.conf:", r.stderr)

        if not m or m.group(1) in plan.left_out:
            break

        out.step(f"nginx.conf has {m.group(1)} already: that one stays")
        plan.left_out.add(m.group(1))
        plan.add_nginx(changes)
        changes.write()

    raise ToolError(f"nginx refuses the configuration: {r.stderr.strip()}",
                    "nothing was changed")


# ---- services


def redis_up(plan, changed, out):
    if plan.own_redis:
        again = any(p.startswith(site.REDIS) for p in changed)
        out.step(f"starting {site.REDIS_UNIT}")
        host.systemctl("enable", "--quiet", site.REDIS_UNIT)
        host.systemctl("restart" if again else "start", site.REDIS_UNIT)

    out.step("loading the function library")
    argv = [host.share("redis-schema", "load"), "--redis", plan.redis,
            "--password-file", f"{site.OWN}/redis/rs-deploy",
            *(["--ca-file", plan.redis_ca] if plan.redis_ca else [])]
    wait(out, "Redis", lambda: host.run(*argv))


def wait(out, what, attempt):
    """Until it does not fail any more, READY_S at most."""

    until = time.monotonic() + READY_S

    while True:
        try:
            return attempt()

        except ToolError:
            if time.monotonic() > until:
                raise

        out.progress(f"waiting for {what}")
        time.sleep(0.2)


def turn_up(changed, out):
    out.step("starting rs-turn-authd and coturn")
    host.systemctl("enable", "--quiet", site.TURN_HOST_UNIT)
    host.systemctl("restart", site.TURN_HOST_UNIT)
    host.systemctl("enable", "--quiet", "rs-turn-authd")
    host.systemctl("restart" if any(p.startswith(site.AUTHD)
                                    for p in changed) else "start",
                   "rs-turn-authd")
    host.systemctl("enable", "--quiet", "coturn")
    host.systemctl("restart" if any("turn" in p for p in changed)
                   else "start", "coturn")


def nginx_up(out):
    out.step("reloading nginx")
    host.systemctl("enable", "--quiet", "nginx")
    host.systemctl("reload-or-restart", "nginx")


def api_key(ctx):
    """rsctl's own, by Redis: there is no other key that could make one."""

    path = f"{site.OWN}/rsctl.key"

    if os.path.exists(path):
        return

    secret = base64.b32encode(secrets.token_bytes(32)).decode().lower() \
        .rstrip("=")
    key_id = "key_" + base64.b32encode(secrets.token_bytes(16)).decode() \
        .lower().rstrip("=")
    key = f"rsk_default_{secret}"
    hashed = hashlib.sha256(key.encode()).hexdigest()

    admin.fcall(ctx.redis(), "rs_key_put",
                [f"rs:{{default}}:key:{hashed}", "rs:{default}:keys"], key_id,
                "rsctl", "* node:drain", "", "")

    made = Changes()
    made.file(path, key + "\n", 0o600, hidden=True)
    made.write()


def ready(args, ctx):
    client = Client(f"https://{args.fqdn}/rs/v1", ca=args.ca,
                    address="127.0.0.1:443", progress=ctx.out.progress,
                    patience_s=0)

    def attempt():
        try:
            client.get("/health/ready")

        except RestError as e:
            e.cure = "/var/log/nginx/error.log says why"
            raise

    wait(ctx.out, "the gateway", attempt)


# ----


def show(changes, args, ctx):
    """False: there is nothing to write."""

    lines = list(changes.diff())

    for line in lines:
        ctx.out.line(line)

    if not lines:
        ctx.out.step("all files are as they should be")

    return bool(lines)


def apply(args, ctx, plan, changes):
    changed = [f.path for f in changes.pending()]

    try:
        changes.write()
        nginx_test(plan, changes, ctx.out)
        ctx.out.step("nginx -t: the configuration is right")

        if changed and not args.yes:
            ctx.out.ask(f"Serve https://{args.fqdn}/ with this?")

    except BaseException:
        changes.put_back()
        ctx.out.step("everything is as it was")
        raise

    return changed


def run(args, ctx):
    check(args)

    changes = Changes()
    certificate(args, changes)
    plan = site.Site(args)
    plan.add_all(changes)
    show(changes, args, ctx)

    if args.dry_run:
        return

    changed = apply(args, ctx, plan, changes)

    if not host.systemd():
        raise ToolError("the files are there, but systemd does not run this "
                        "host: nothing was started",
                        "start Redis, rs-turn-authd, coturn and nginx, then "
                        "run this again")

    host.systemctl("daemon-reload")
    redis_up(plan, changed, ctx.out)

    if plan.coturn:
        turn_up(changed, ctx.out)

        if not host.has("nft"):
            ctx.out.step("WARNING: nft is missing, so the kernel does not "
                         "guard the relay address: apt install nftables, "
                         "then run this again")

    nginx_up(ctx.out)
    api_key(ctx)
    ready(args, ctx)
    finish(args, ctx)


def finish(args, ctx):
    if ctx.out.json:
        ctx.out.data({"url": f"https://{args.fqdn}/console/", "ca": args.ca})
        return

    ctx.out.line(f"https://{args.fqdn}/ serves.")
    ctx.out.line("Open to the outside: TCP 80, 443"
                 + (", 5349, TCP and UDP 3478" if args.turn else "") + ".")

    if args.ca:
        ctx.out.line(f"Browsers and devices have to trust {args.ca}.")

    ctx.out.line("Sign in by what this prints:  rsctl login-link")
