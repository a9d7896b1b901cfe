# Copyright (C) rs-gateway contributors
#
# REST: one call, with a CA of one's own where there is one; and a client whose
# refusals say what helps.

import http.client
import json
import socket
import ssl
import time
import urllib.parse

from .errors import ToolError

ANSWER_MAX = 16 << 20
TIMEOUT_S = 10
PATIENCE_S = 30         # for a gateway that is busy or starts
PAGE = 200

CURES = {
    401: "is the key in key_file right, and not expired?  rsctl keys create "
         "makes another",
    403: "the key has not the scope for it: rsctl keys create --scopes ...",
    404: "rsctl devices, rsctl sessions list what there is",
    429: "too many calls from here; try again in a while",
    503: "the gateway cannot reach its Redis, or is draining: rsctl doctor",
}


class _Connection(http.client.HTTPSConnection):
    """TLS to CONNECT's address under the name of the URL."""

    def __init__(self, host, port, context, connect, timeout):
        super().__init__(host, port, timeout=timeout, context=context)
        self._target = connect or (host, port)
        self._tls = context

    def connect(self):
        sock = socket.create_connection(self._target, self.timeout)
        self.sock = self._tls.wrap_socket(sock, server_hostname=self.host)


def call(method, url, body=None, key=None, ca=None, connect=None,
         timeout_s=5):
    """Gives (status, answer); raises OSError when there is none."""

    status, _, answer = _call(method, url, body, key, ca, connect, timeout_s,
                              {})

    return status, answer


def _call(method, url, body, key, ca, connect, timeout_s, more):
    u = urllib.parse.urlsplit(url)
    headers = {"Accept": "application/json", **more}
    data = None

    if key:
        headers["Authorization"] = f"Bearer {key}"

    if body is not None:
        headers["Content-Type"] = "application/json"
        data = json.dumps(body).encode()

    if u.scheme == "https":
        conn = _Connection(u.hostname, u.port or 443,
                           ssl.create_default_context(cafile=ca), connect,
                           timeout_s)

    else:
        conn = http.client.HTTPConnection(u.hostname, u.port or 80,
                                          timeout=timeout_s)

    try:
        path = u.path + (f"?{u.query}" if u.query else "")
        conn.request(method, path, body=data, headers=headers)
        r = conn.getresponse()
        text = r.read(ANSWER_MAX + 1)

        if len(text) > ANSWER_MAX:
            raise OSError(f"{method} {url}: the answer is too long")

    except http.client.HTTPException as e:
        raise OSError(f"{method} {url}: {e!r}") from None

    finally:
        conn.close()

    try:
        answer = json.loads(text) if text else None

    except ValueError:
        answer = text.decode("utf-8", "replace")

    return r.status, r.headers, answer


class RestError(ToolError):
    """The gateway said no: status, and the code of its problem."""

    def __init__(self, text, cure=None, status=0, code=None):
        super().__init__(text, cure)
        self.status = status
        self.code = code


class Client:
    """The gateway at URL (https://HOST/BASE), as who KEY says.

    ADDRESS (host:port) is where its host is reached, if not by its name.
    Answers that ask to come again later are waited for, PATIENCE_S in all.
    """

    def __init__(self, url, key=None, ca=None, address=None,
                 progress=lambda text="": None, patience_s=PATIENCE_S):
        u = urllib.parse.urlsplit(url)

        try:
            local = u.hostname in ("localhost", "127.0.0.1", "::1")
            good = (u.scheme in ("https", "http") and u.hostname
                    and not (u.username or u.query or u.fragment)
                    and u.port != 0)

        except ValueError:
            good = local = False

        if not good:
            raise ToolError(f"url {url}: not https://HOST/BASE")

        if u.scheme == "http" and not local:
            raise ToolError(f"url {url}: the API key would travel in the "
                            "clear; use https")

        self.url = url.rstrip("/")
        self.host = u.hostname
        self._key = key
        self._ca = ca
        self._connect = _address(address) if address else None
        self._progress = progress
        self._patience_s = patience_s

    def get(self, path, **query):
        return self.call("GET", path, query=query)

    def call(self, method, path, body=None, query=None, headers=None):
        """The answer of a call that went well; RestError else."""

        return self.with_headers(method, path, body, query, headers)[0]

    def with_headers(self, method, path, body=None, query=None,
                     headers=None):
        """The same, and the answer's headers."""

        url = self.url + path
        given = {k: v for k, v in (query or {}).items() if v is not None}

        if given:
            url += "?" + urllib.parse.urlencode(given)

        until = time.monotonic() + self._patience_s

        while True:
            status, said, answer = self._try(method, url, body, headers or {})

            if status < 300:
                return answer, said

            wait = _later(status, said)

            if wait is None or time.monotonic() + wait > until:
                raise _refused(method, path, status, answer)

            self._progress(f"{self.host} is busy ({status}), again in "
                           f"{wait} s")
            time.sleep(wait)

    def _try(self, method, url, body, headers):
        try:
            return _call(method, url, body, self._key, self._ca,
                         self._connect, TIMEOUT_S, headers)

        except ssl.SSLCertVerificationError as e:
            raise RestError(f"{self.url}: {e.verify_message}",
                            "[gateway] ca_file of rsctl.conf names the "
                            "authority the certificate is of") from None

        except OSError as e:
            raise RestError(f"{self.url} cannot be reached: "
                            f"{e.strerror or e}",
                            "is nginx up there?  rsctl doctor looks") \
                from None

    def items(self, path, limit=None, **query):
        """All items of a list, page by page, LIMIT of them at most."""

        found, cursor = [], None

        while True:
            answer = self.get(path, limit=PAGE, cursor=cursor, **query)

            if not isinstance(answer, dict) \
                    or not isinstance(answer.get("items"), list):
                raise RestError(f"GET {path}: no list came back")

            found += answer["items"]
            cursor = answer.get("next_cursor")

            if limit and len(found) >= limit:
                return found[:limit]

            if not cursor:
                return found

            self._progress(f"{len(found)} so far")


def _address(text):
    host, _, port = text.rpartition(":")

    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ToolError(f"address {text}: not HOST:PORT")

    return host.strip("[]"), int(port)


def _later(status, headers):
    """Seconds to wait before the same once more; None: do not."""

    after = headers.get("Retry-After", "")

    if status not in (429, 503) or not after.isdigit():
        return None

    return max(1, int(after))


def _refused(method, path, status, answer):
    said = answer if isinstance(answer, dict) else {}
    what = said.get("detail") or said.get("title") or "no reason given"
    where = f" (at {said['pointer']})" if said.get("pointer") else ""

    return RestError(f"{method} {path}: {status} {what}{where}",
                     CURES.get(status), status, said.get("code"))
