# Copyright (C) rs-gateway contributors
#
# One REST call, with the stack's own CA and nobody else's.

import http.client
import json
import socket
import ssl
import urllib.parse

ANSWER_MAX = 16 << 20


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

    u = urllib.parse.urlsplit(url)
    headers = {"Accept": "application/json"}
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

    return r.status, answer
