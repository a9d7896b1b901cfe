# Copyright (C) rs-gateway contributors
#
# Which addresses webhooks may be at.  A tenant's administrator names a URL,
# and the daemon stands inside: so only public addresses are called, unless
# the configuration says more.  A name is looked up once for each attempt and
# the address that was looked at is the one that is connected to.

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(Exception):
    """Told to the administrator of the webhook, as it is."""


def _inner(address):
    """The IPv4 address inside an IPv6 one, if there is any."""

    if address.version == 6:
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xffffffff)

        return (address.ipv4_mapped or address.sixtofour
                or (address.teredo[1] if address.teredo else None))

    return None


def allowed(text, networks=()):
    """May this address be called?  networks: also these, and what is in them."""

    address = ipaddress.ip_address(text.split("%")[0])

    if any(address in n for n in networks):
        return True

    inner = _inner(address)

    if inner is not None and not allowed(str(inner), networks):
        return False

    return address.is_global and not address.is_multicast


def parts(url, allow_http):
    """(TLS?, host, port, what is asked for); Refused."""

    try:
        u = urlsplit(url)
        port = u.port

    except ValueError as e:
        raise Refused(f"the URL cannot be read: {e}") from None

    if u.scheme not in ("https", "http") or not u.hostname:
        raise Refused("the URL is not https://host/path")

    if u.scheme == "http" and not allow_http:
        raise Refused("http:// is not called; use https://, or set "
                      "\"allow_http\" of rs-eventd")

    path = (u.path or "/") + (f"?{u.query}" if u.query else "")

    return (u.scheme == "https", u.hostname,
            port or (443 if u.scheme == "https" else 80), path)


async def addresses(host, port, networks):
    """Those of a host that may be called; Refused when none may."""

    loop = asyncio.get_running_loop()

    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    except (OSError, UnicodeError) as e:
        raise Refused(f"{host} is not known: {e}") from None

    names = list(dict.fromkeys(entry[4][0] for entry in found))
    good = [n for n in names if allowed(n, networks)]

    if not good:
        raise Refused(f"{host} is {', '.join(names)}, which is no public "
                      "address; see \"allow_networks\" of rs-eventd")

    return good
