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


EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def authority(folder):
    """Makes ca.pem and ca.key in FOLDER."""

    os.makedirs(folder, mode=0o755, exist_ok=True)
    _openssl("req", "-x509", *EC, "-keyout", os.path.join(folder, "ca.key"),
             "-out", os.path.join(folder, "ca.pem"), "-days", "30", "-subj",
             "/CN=rs-stack test CA", "-addext",
             "basicConstraints=critical,CA:TRUE,pathlen:0", "-addext",
             "keyUsage=critical,keyCertSign,cRLSign")


def sign(folder, names):
    """Makes cert.pem and key.pem by the authority in FOLDER, valid for a
    month."""

    def path(name):
        return os.path.join(folder, name)

    _openssl("req", *EC, "-keyout", path("key.pem"), "-out", path("cert.csr"),
             "-subj", "/CN=rs-stack")

    with open(path("cert.ext"), "w", encoding="ascii") as f:
        f.write("basicConstraints=critical,CA:FALSE\n"
                "keyUsage=critical,digitalSignature\n"
                "extendedKeyUsage=serverAuth\n"
                "subjectAltName=" + ",".join(map(_san, names)) + "\n")

    _openssl("x509", "-req", "-in", path("cert.csr"), "-CA", path("ca.pem"),
             "-CAkey", path("ca.key"), "-CAcreateserial", "-days", "30",
             "-extfile", path("cert.ext"), "-out", path("cert.pem"))

    for name in ("ca.srl", "cert.csr", "cert.ext"):
        if os.path.exists(path(name)):
            os.unlink(path(name))


def make(folder, names):
    """Makes ca.pem, cert.pem and key.pem in FOLDER; nobody signs anything
    with this authority again."""

    authority(folder)
    sign(folder, names)
    os.unlink(os.path.join(folder, "ca.key"))
