# Copyright (C) rs-gateway contributors
#
# What can be reached: TCP, STUN over UDP, a TLS certificate, a GET.  Nothing
# raises: how it went is a word, OK or one of those of why().

import http.client
import os
import re
import secrets
import socket
import ssl
import struct
import subprocess
import tempfile
import time

TIMEOUT_S = 3
BODY_MAX = 4 << 20
STUN_TRIES = 3


def why(e):
    """The word for an OSError of the network."""

    if isinstance(e, ConnectionRefusedError):
        return "refused"

    if isinstance(e, (TimeoutError, socket.timeout)):
        return "timeout"

    if isinstance(e, socket.gaierror):
        return "no_name"

    if isinstance(e, ssl.SSLError):
        return "tls"

    if isinstance(e, FileNotFoundError):
        return "refused"        # a unix socket that nobody made

    return "unreachable"


def tcp(host, port):
    try:
        with socket.create_connection((host, port), TIMEOUT_S):
            return "ok"

    except OSError as e:
        return why(e)


def stun(host, port):
    """RFC 8489: does a Binding request get its answer?  Lost ones are sent
    again; a port that nobody has is told by ICMP."""

    ident = secrets.token_bytes(12)
    request = struct.pack("!HHI12s", 1, 0, 0x2112A442, ident)

    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_DGRAM)[0]

        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.settimeout(TIMEOUT_S / STUN_TRIES)
            s.connect(address)

            for _ in range(STUN_TRIES):
                s.send(request)

                try:
                    answer = s.recv(1500)

                except socket.timeout:
                    continue

                if answer[:2] == b"\x01\x01" and answer[8:20] == ident:
                    return "ok"

        return "timeout"

    except OSError as e:
        return why(e)


# ---- TLS

def _dates(der):
    """not_before, not_after, names of a certificate, by openssl."""

    with tempfile.NamedTemporaryFile() as f:
        f.write(der)
        f.flush()

        try:
            r = subprocess.run(
                ["openssl", "x509", "-inform", "DER", "-in", f.name, "-noout",
                 "-dates", "-ext", "subjectAltName"], capture_output=True,
                text=True, check=False, timeout=10)

        except (OSError, subprocess.TimeoutExpired):
            return {}

    got = {}

    for line in r.stdout.splitlines():
        key, _, value = line.partition("=")

        if key in ("notBefore", "notAfter"):
            got[{"notBefore": "not_before", "notAfter": "not_after"}[key]] = \
                ssl.cert_time_to_seconds(value)

    got["names"] = re.findall(r"(?:DNS|IP Address):([^,\s]+)", r.stdout)

    return got


def certificate(host, port, name, ca=None):
    """The certificate HOST:PORT shows to whoever asks for NAME.

    {result, verified, problem, not_before, not_after, names}: verified tells
    what the system's authorities, or CA, say of it; problem is their reason.
    """

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    try:
        with socket.create_connection((host, port), TIMEOUT_S) as s, \
                context.wrap_socket(s, server_hostname=name) as t:
            der = t.getpeercert(True)

    except (OSError, ValueError) as e:
        return {"result": why(e), "problem": str(e)}

    got = {"result": "ok", "verified": True, "problem": "", **_dates(der)}

    try:
        context = ssl.create_default_context(cafile=ca)

        with socket.create_connection((host, port), TIMEOUT_S) as s, \
                context.wrap_socket(s, server_hostname=name):
            pass

    except ssl.SSLCertVerificationError as e:
        got.update(verified=False, problem=e.verify_message)

    except (OSError, ValueError) as e:
        got.update(verified=False, problem=str(e))

    return got


# ---- HTTP

class _Https(http.client.HTTPSConnection):
    """TLS to another address than the one the name has."""

    def __init__(self, host, port, context, where):
        super().__init__(host, port, timeout=TIMEOUT_S, context=context)
        self._where, self._tls = where, context

    def connect(self):
        self.sock = self._tls.wrap_socket(
            socket.create_connection(self._where, self.timeout),
            server_hostname=self.host)


def get(scheme, host, port, path, where=None):
    """GET without any credential, so whose certificate it is does not matter
    here: {result, status, date, body}; date is what "Date" said minus this
    host's clock, in seconds."""

    if scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        c = _Https(host, port, context, where or (host, port))

    else:
        c = http.client.HTTPConnection(*(where or (host, port)),
                                       timeout=TIMEOUT_S)

    try:
        c.request("GET", path, headers={"Host": host})
        r = c.getresponse()
        body = r.read(BODY_MAX).decode("utf-8", "replace")
        now = time.time()

        return {"result": "ok", "status": r.status, "body": body,
                "date": _offset(r.getheader("Date"), now)}

    except http.client.HTTPException as e:
        return {"result": "not_http", "problem": repr(e)}

    except OSError as e:
        return {"result": why(e), "problem": str(e)}

    finally:
        c.close()


def _offset(date, now):
    """"Date" has whole seconds: half of one is its mean error."""

    try:
        return http.client.email.utils.parsedate_to_datetime(
            date).timestamp() + 0.5 - now

    except (TypeError, ValueError, AttributeError):
        return None


def program(name, *folders):
    """Its path, also where a user's PATH does not lead."""

    for folder in [*os.environ.get("PATH", "").split(":"), *folders]:
        path = os.path.join(folder, name)

        if folder and os.access(path, os.X_OK):
            return path

    return None


def run(argv, timeout_s=15, data=None):
    """(exit status, stdout, stderr); status None: it could not be run."""

    try:
        r = subprocess.run(argv, capture_output=True, text=True, check=False,
                           errors="replace", timeout=timeout_s, input=data)

    except (OSError, subprocess.TimeoutExpired) as e:
        return None, "", str(e)

    return r.returncode, r.stdout, r.stderr
