# Copyright (C) rs-gateway contributors
#
# A certificate authority of one's own and a certificate of it, for hosts that
# no public authority reaches.  Whoever connects has to be given the authority.

import os
import tempfile

from .host import run

CA_DAYS = 3650
DAYS = 397              # what browsers take at most

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

EXTENSIONS = """\
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=DNS:{name}
"""


def make(name):
    """The texts of authority, certificate and its key; nothing is kept.

    The authority's own key is thrown away: it signs this certificate and no
    other one, so there is nothing to steal.
    """

    with tempfile.TemporaryDirectory() as d:
        def path(file):
            return os.path.join(d, file)

        run("openssl", "req", "-x509", *EC, "-keyout", path("ca.key"), "-out",
            path("ca.pem"), "-days", str(CA_DAYS), "-subj",
            f"/CN=rs-gateway of {name}"[:60], "-addext",
            "basicConstraints=critical,CA:TRUE,pathlen:0", "-addext",
            "keyUsage=critical,keyCertSign,cRLSign")
        run("openssl", "req", *EC, "-keyout", path("key.pem"), "-out",
            path("cert.csr"), "-subj", "/CN=rs-gateway")

        with open(path("cert.ext"), "w", encoding="ascii") as f:
            f.write(EXTENSIONS.format(name=name))

        run("openssl", "x509", "-req", "-in", path("cert.csr"), "-CA",
            path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial",
            "-days", str(DAYS), "-extfile", path("cert.ext"), "-out",
            path("cert.pem"))

        found = []

        for file in ("ca.pem", "cert.pem", "key.pem"):
            with open(path(file), encoding="ascii") as f:
                found.append(f.read())

        return found
