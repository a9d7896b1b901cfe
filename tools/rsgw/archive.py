# Copyright (C) rs-gateway contributors
#
# The file a backup is: records, one JSON object a line, compressed, encrypted
# under a passphrase, and authenticated.  It can be read without this program:
#
#   rs-gateway-backup 1 SALT                    a line; SALT: 32 hex digits
#   ...                                         openssl enc, of gzip, of lines
#   32 bytes                                    HMAC-SHA-256 of all before
#
#   tail -n +2 FILE | head -c -32 | openssl enc -d -aes-256-cbc -md sha256 \
#       -pbkdf2 -iter 600000 -pass file:PASSPHRASE | zcat
#
# The key of the HMAC is scrypt(passphrase, SALT).  A file is checked as a
# whole before any of it is decrypted.

import gzip
import hashlib
import hmac
import json
import os
import re
import secrets
import stat
import subprocess
import threading
import zlib

from .errors import ToolError

MAGIC = b"rs-gateway-backup 1 "
CIPHER = ["enc", "-aes-256-cbc", "-md", "sha256", "-pbkdf2", "-iter",
          "600000", "-salt"]
TAG = 32                    # bytes of the HMAC
PIECE = 1 << 16
LINE_MAX = 64 << 20         # bytes of a record
PASSPHRASE_MIN, PASSPHRASE_MAX = 16, 500


def passphrase(path):
    """The first line of PATH, which nobody else may read."""

    try:
        mode = os.stat(path).st_mode

        with open(path, "rb") as f:
            line = f.readline(PASSPHRASE_MAX + 2).rstrip(b"\r\n")

    except OSError as e:
        raise ToolError(f"passphrase file {path}: {e.strerror}",
                        "openssl rand -hex 32 > FILE; chmod 600 FILE, and a "
                        "copy of it elsewhere") from None

    if mode & (stat.S_IRWXG | stat.S_IRWXO) & ~stat.S_IRGRP:
        raise ToolError(f"passphrase file {path}: others can read it",
                        f"chmod 600 {path}, and another passphrase")

    if not PASSPHRASE_MIN <= len(line) <= PASSPHRASE_MAX:
        raise ToolError(f"passphrase file {path}: its first line has "
                        f"{len(line)} characters; {PASSPHRASE_MIN} to "
                        f"{PASSPHRASE_MAX} are wanted",
                        "openssl rand -hex 32 makes a good one")

    return line


def _authenticator(secret, header):
    salt = bytes.fromhex(header[len(MAGIC):].decode("ascii"))
    key = hashlib.scrypt(secret, salt=salt, n=1 << 15, r=8, p=1,
                         maxmem=64 << 20, dklen=32)
    mac = hmac.new(key, digestmod=hashlib.sha256)
    mac.update(header + b"\n")

    return mac


def _openssl(way, path):
    try:
        return subprocess.Popen(["openssl", *CIPHER, way, "-pass",
                                 f"file:{path}"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)

    except FileNotFoundError:
        raise ToolError("there is no openssl", "apt install openssl") \
            from None


class Writer:
    """with Writer(out, passphrase_file) as w: w.put({...}).  OUT is complete
    only when that has ended without an exception."""

    def __init__(self, out, path):
        header = MAGIC + secrets.token_hex(16).encode()
        self._mac = _authenticator(passphrase(path), header)
        self._out = out
        self._out.write(header + b"\n")
        self._child = _openssl("-e", path)
        self._error = None
        self._thread = threading.Thread(target=self._drain)
        self._thread.start()
        self._zip = gzip.GzipFile(fileobj=self._child.stdin, mode="wb",
                                  filename="", mtime=0)

    def _drain(self):
        try:
            while piece := self._child.stdout.read1(PIECE):
                self._mac.update(piece)
                self._out.write(piece)

        except OSError as e:        # the disk is full: told when it ends
            self._error = e

            while self._child.stdout.read1(PIECE):
                pass

    def put(self, record):
        self._zip.write(json.dumps(record, separators=(",", ":")).encode()
                        + b"\n")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self._zip.close()

        self._child.stdin.close()
        self._thread.join()
        self._child.stdout.close()
        status = self._child.wait()

        if kind is not None:
            return

        if self._error is not None:
            raise self._error

        if status:
            raise ToolError(f"openssl enc ended with status {status}")

        self._out.write(self._mac.digest())
        self._out.flush()


class Reader:
    """Checks the whole file first; then records() as often as wanted."""

    def __init__(self, path, passphrase_file):
        self.path = path
        self._passphrase_file = passphrase_file
        secret = passphrase(passphrase_file)

        try:
            self._check(secret)

        except OSError as e:
            raise ToolError(f"{path}: {e.strerror}") from None

    def _check(self, secret):
        with open(self.path, "rb") as f:
            size = os.fstat(f.fileno()).st_size
            header = f.readline(128)

            if not re.fullmatch(re.escape(MAGIC) + rb"[0-9a-f]{32}\n",
                                header):
                raise ToolError(f"{self.path}: not a backup of this gateway",
                                "or of a later release: use its rsctl")

            self._begin, self._end = len(header), size - TAG

            if self._end < self._begin:
                raise ToolError(f"{self.path}: it is not whole")

            mac = _authenticator(secret, header.rstrip(b"\n"))

            for piece in self._pieces(f):
                mac.update(piece)

            if not hmac.compare_digest(mac.digest(), f.read(TAG)):
                raise ToolError(f"{self.path}: the passphrase is another "
                                "one, or the file is not whole",
                                "the passphrase file it was made with; else "
                                "another copy of it")

    def _pieces(self, f):
        left = self._end - self._begin

        while left > 0:
            piece = f.read(min(PIECE, left))

            if not piece:
                raise ToolError(f"{self.path}: it became shorter")

            left -= len(piece)
            yield piece

    def _feed(self, to):
        try:
            with open(self.path, "rb") as f, to:
                f.seek(self._begin)

                for piece in self._pieces(f):
                    to.write(piece)

        except (OSError, ToolError):    # whoever reads meets an early end
            pass

    def records(self):
        child = _openssl("-d", self._passphrase_file)
        thread = threading.Thread(target=self._feed, args=(child.stdin,))
        thread.start()

        try:
            with gzip.GzipFile(fileobj=child.stdout) as lines:
                while line := lines.readline(LINE_MAX + 1):
                    if len(line) > LINE_MAX:
                        raise ToolError(f"{self.path}: a record is larger "
                                        f"than {LINE_MAX} bytes")

                    yield json.loads(line)

        except (OSError, EOFError, ValueError, zlib.error) as e:
            raise ToolError(f"{self.path}: cannot be read: {e}") from None

        finally:
            child.kill()
            thread.join()
            child.stdout.close()
            child.wait()
