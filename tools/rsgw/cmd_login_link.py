# Copyright (C) rs-gateway contributors
#
# rsctl login-link: a link that signs a browser in where there is no OpenID
# provider, or not yet.  Good once, for ten minutes; Redis has the hash of its
# secret only.  The secret stands in the fragment, which no browser sends.

import base64
import getpass
import hashlib
import secrets
import socket
import time
import urllib.parse

from . import admin, options
from .errors import ToolError

HELP = "prints a link that signs a browser in, once"

EPILOG = """\
The link is good once, for 10 minutes; what it signs in is an API key with a
name of "link: ...", which rsctl keys list shows and rsctl keys revoke ends.
It is made in Redis, with the password of its user rs-deploy: no API key is
wanted for it.

  rsctl login-link
  rsctl login-link --name "Ada" --scopes devices:read,sessions:read --for 1h
"""

SECRET_BYTES = 32
OPEN_S = 600
PREFIX = "link: "


def arguments(parser):
    parser.add_argument("--name", type=options.name,
                        help="of who gets it; devices and the audit show it "
                             "(default: who runs this, and where)")
    parser.add_argument("--scopes", type=options.scopes, default="*",
                        help="what the browser may do, separated by commas "
                             "(default: *, all of the tenant)")
    parser.add_argument("--for", dest="ttl_s", metavar="TIME",
                        type=options.duration, default=12 * 3600,
                        help="how long it stays signed in, as 30m (default: "
                             "12h)")
    parser.add_argument("--tenant", type=options.tenant, default="default",
                        help="whose console (default: default)")


def console(config):
    """Where the console is: beside the gateway's base, as conf.d/ has it."""

    u = urllib.parse.urlsplit(config.need("gateway", "url"))

    return f"{u.scheme}://{u.netloc}/console/"


def drop_expired(client, tenant):
    """Keys of links that are void for a day take no room in the list."""

    keys = f"rs:{{{tenant}}}:keys"

    for key_id, hashed in admin.fcall(client, "rs_key_list", [keys])[0]:
        name = f"rs:{{{tenant}}}:key:{hashed}"

        try:
            flat = admin.fcall(client, "rs_key_get", [name])[0]
            k = dict(zip(flat[::2], flat[1::2]))

            if k["name"].startswith(PREFIX) and k["expires_at"] \
                    and int(k["expires_at"]) < time.time() - 86400:
                admin.fcall(client, "rs_key_delete", [name, keys])

        except admin.AdminError as e:
            if str(e) != "not_found":       # revoked meanwhile
                raise


def run(args, ctx):
    where = console(ctx.config)
    client = ctx.redis()
    secret = base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode() \
        .lower().rstrip("=")
    hashed = hashlib.sha256(secret.encode()).hexdigest()
    name = args.name or f"{getpass.getuser()} at {socket.gethostname()}"

    drop_expired(client, args.tenant)
    admin.fcall(client, "rs_login_put",
                [f"rs:{{{args.tenant}}}:login:{hashed}"],
                (PREFIX + name)[:128], args.scopes, args.ttl_s)

    if not admin.confirmed(client):
        raise ToolError("the link is made, but not on a replica yet: try "
                        "again once Redis' replicas are back")

    link = f"{where}#login=rso_{args.tenant}_{secret}"

    if ctx.out.json:
        ctx.out.data({"url": link, "expires_at": int(time.time()) + OPEN_S})
        return

    ctx.out.line(link)
    ctx.out.step("good once, for 10 minutes")
