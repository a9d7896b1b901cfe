# Copyright (C) rs-gateway contributors
#
# A certification authority for one stack and a certificate for its names.

import ipaddress
import os
import subprocess

from .proc import StackError


def _openssl(*args):
    r = subprocess.run(["openssl", *args], capture_output=True, text=True,
                       check=False)

    if r.returncode:
        raise StackError(f"openssl {args[0]}: {r.stderr.strip()}")


def _san(name):
    try:
        return f"IP:{ipaddress.ip_address(name)}"

    except ValueError:
        return f"DNS:{name}"


def make(folder, names):
    """Makes ca.pem, cert.pem and key.pem in FOLDER, valid for a month."""

    os.makedirs(folder, exist_ok=True)

    def path(name):
        return os.path.join(folder, name)

    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    _openssl("req", "-x509", *ec, "-keyout", path("ca.key"), "-out",
             path("ca.pem"), "-days", "30", "-subj", "/CN=rs-stack test CA",
             "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    _openssl("req", *ec, "-keyout", path("key.pem"), "-out", path("cert.csr"),
             "-subj", "/CN=rs-stack")

    with open(path("cert.ext"), "w", encoding="ascii") as f:
        f.write("basicConstraints=critical,CA:FALSE\n"
                "keyUsage=critical,digitalSignature\n"
                "extendedKeyUsage=serverAuth\n"
                "subjectAltName=" + ",".join(map(_san, names)) + "\n")

    _openssl("x509", "-req", "-in", path("cert.csr"), "-CA", path("ca.pem"),
             "-CAkey", path("ca.key"), "-CAcreateserial", "-days", "30",
             "-extfile", path("cert.ext"), "-out", path("cert.pem"))

    # nobody signs anything with this authority again

    for name in ("ca.key", "ca.srl", "cert.csr", "cert.ext"):
        if os.path.exists(path(name)):
            os.unlink(path(name))
