# Copyright (C) rs-gateway contributors
#
# Which addresses webhooks may be at.  A tenant's administrator names a URL,
# and the daemon stands inside: so only public addresses are called, unless
# the configuration says more.  A name is looked up once for each attempt and
# the address that was looked at is the one that is connected to.

import asyncio
import collections
import concurrent.futures
import ipaddress
import socket
from urllib.parse import urlsplit

NAT64 = ipaddress.ip_network("64:ff9b::/96")

# the only IPv6 addresses of the Internet; outside are a site's own ones, and
# IPv4 ones in forms that ipaddress does not look into

GLOBAL6 = ipaddress.ip_network("2000::/3")

# public by their looks, but of the host's own surroundings: protocols, and
# what clouds tell their machines

INSIDE = [ipaddress.ip_network(n) for n in
          ("192.0.0.0/24", "168.63.129.16/32", "3fff::/20")]


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

    if any(address in n for n in INSIDE):
        return False

    if address.version == 6 and address not in GLOBAL6 \
            and address not in NAT64:
        return False

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


class Resolver:
    """Looks names up, each in a thread.

    None can be ended: one whose servers are silent holds its thread for long
    after nobody waits for it.  So threads are counted until they are free, and
    a tenant has its share of them.
    """

    def __init__(self, threads, share):
        self.pool = concurrent.futures.ThreadPoolExecutor(threads, "lookup")
        self.share = share
        self.busy = collections.Counter()

    async def look(self, tenant, host, port):
        """What getaddrinfo() says; Refused, OSError, UnicodeError."""

        if self.busy[tenant] >= self.share:
            raise Refused("names of this tenant's webhooks are looked up "
                          "still: their servers do not answer")

        loop = asyncio.get_running_loop()
        lookup = self.pool.submit(socket.getaddrinfo, host, port,
                                  type=socket.SOCK_STREAM)
        self.busy[tenant] += 1

        # what is not begun yet ends with who waits for it, and is free, too

        def free(_):
            try:
                loop.call_soon_threadsafe(self._free, tenant)

            except RuntimeError:        # the loop has ended
                pass

        lookup.add_done_callback(free)

        return await asyncio.wrap_future(lookup)

    def _free(self, tenant):
        self.busy[tenant] -= 1

        if not self.busy[tenant]:
            del self.busy[tenant]


async def addresses(host, port, networks, look):
    """Those of a host that may be called; Refused when none may.

    look(host, port): a Resolver's, for the tenant.
    """

    try:
        found = await look(host, port)

    except (OSError, UnicodeError) as e:
        raise Refused(f"{host} is not known: {e}") from None

    names = list(dict.fromkeys(entry[4][0] for entry in found))
    good = [n for n in names if allowed(n, networks)]

    if not good:
        # which ones it has is nothing a tenant is told of the network inside

        raise Refused(f"{host} has no public address; see "
                      "\"allow_networks\" of rs-eventd")

    return good
