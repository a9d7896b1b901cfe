# Copyright (C) rs-gateway contributors
#
# rs-eventd.conf: lines of "key = value"; what is not known, or no value of
# its kind, is said with its line.

import ipaddress
import os
import re
import secrets
import socket
from urllib.parse import urlsplit

from . import post

KEY_MIN = 32            # characters of the key of webhooks


class ConfigError(Exception):
    """Told as it is."""


def _number(low, high):
    def read(text):
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ConfigError(f"\"{text}\" is not a number from {low} to "
                              f"{high}")
        return int(text)

    return read


def _flag(text):
    if text not in ("on", "off"):
        raise ConfigError(f"\"{text}\" is neither on nor off")

    return text == "on"


def _networks(text):
    try:
        return [ipaddress.ip_network(n) for n in text.split()]

    except ValueError as e:
        raise ConfigError(f"{e}; networks are like 10.0.0.0/8") from None


def _listen(text):
    host, _, port = text.rpartition(":")

    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"\"{text}\" is not address:port")

    return host.strip("[]"), int(port)


def _name(text):
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        raise ConfigError(f"\"{text}\" is not 1 to 64 of letters, digits, "
                          "\".\", \"_\" and \"-\"")
    return text


def _tenants(text):
    for name in text.split():
        if not re.fullmatch(r"[a-z0-9-]{1,32}", name):
            raise ConfigError(f"\"{name}\" is no tenant")

    return text.split()


def _redis(text):
    """("unix", path), ("redis" or "rediss", host, port, db) or ("sentinel",
    [(host, port)], primary)."""

    if text.startswith("unix:"):
        return ("unix", text[len("unix:"):])

    try:
        u = urlsplit(text)

        if u.scheme in ("redis", "rediss") and u.hostname and not u.username:
            return (u.scheme, u.hostname, u.port or 6379,
                    int(u.path.strip("/") or 0))

    except ValueError:
        u = None

    m = re.fullmatch(r"sentinel://([^/@]+)/([A-Za-z0-9._-]+)", text)

    if not m:
        raise ConfigError(f"\"{text}\" is not unix:/path, redis://host:port/db, "
                          "rediss://host:port/db or "
                          "sentinel://host:port,host:port/name, without user "
                          "and password")

    hosts = []

    for one in m.group(1).split(","):
        host, _, port = one.rpartition(":") if ":" in one else (one, "", "26379")

        if not host or not port.isdigit():
            raise ConfigError(f"\"{one}\" is not host:port of a Sentinel")

        hosts.append((host, int(port)))

    return ("sentinel", hosts, m.group(2))


# key -> (how its value is read, default); None: it has to be there

KEYS = {
    "redis": (_redis, None),
    "redis_user": (str, "rs-eventd"),
    "redis_password_file": (str, ""),
    "redis_tls": (_flag, "off"),
    "redis_ca_file": (str, ""),
    "sentinel_user": (str, ""),
    "sentinel_password_file": (str, ""),
    "webhook_key_file": (str, None),
    "name": (_name, ""),
    "listen": (_listen, "127.0.0.1:9478"),
    "tenants": (_tenants, ""),
    "allow_http": (_flag, "off"),
    "allow_networks": (_networks, ""),
    "ca_file": (str, ""),
    "timeout_s": (_number(1, 60), "10"),
    "retry_min_s": (_number(1, 3600), "2"),
    "retry_max_s": (_number(1, 86400), "3600"),
    "give_up_s": (_number(1, 604800), "86400"),
    "connections": (_number(1, 1024), "64"),
    "lease_s": (_number(3, 60), "10"),
    "poll_s": (_number(1, 300), "10"),
}


def first_line(path, what):
    try:
        with open(path, encoding="utf-8") as f:
            line = f.readline().strip()

    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{what} {path}: {e}") from None

    if not line:
        raise ConfigError(f"{what} {path}: its first line is empty")

    return line


class Config:
    """Each key is an attribute; besides redis_password, sentinel_password,
    webhook_key (bytes) and tls."""

    def __init__(self, text):
        values = {}

        for n, line in enumerate(text.split("\n"), 1):
            line = line.strip()

            if not line or line.startswith("#"):
                continue

            key, found, value = (p.strip() for p in line.partition("="))

            try:
                if not found or key not in KEYS:
                    raise ConfigError(f"\"{key}\" is none of "
                                      + ", ".join(KEYS))

                if key in values:
                    raise ConfigError(f"\"{key}\" stands here again")

                values[key] = KEYS[key][0](value)

            except ConfigError as e:
                raise ConfigError(f"line {n}: {e}") from None

        for key, (read, default) in KEYS.items():
            if key not in values:
                if default is None:
                    raise ConfigError(f"\"{key}\" is missing")

                values[key] = read(default) if default else (
                    [] if read in (_networks, _tenants) else "")

        self.__dict__.update(values)
        self._files()

    def _files(self):
        def password(key):
            path = getattr(self, key)
            return first_line(path, key) if path else None

        self.redis_password = password("redis_password_file")
        self.sentinel_password = password("sentinel_password_file")
        self.webhook_key = first_line(self.webhook_key_file,
                                      "webhook_key_file").encode()

        if len(self.webhook_key) < KEY_MIN:
            raise ConfigError(f"webhook_key_file: its key has less than "
                              f"{KEY_MIN} characters; it is that of "
                              "rs_webhook_key_file of the gateways")

        try:
            self.tls = post.tls_context(self.ca_file or None)

        except OSError as e:
            raise ConfigError(f"ca_file {self.ca_file}: {e}") from None

        if not self.name:
            host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:48]
            self.name = f"{host}-{secrets.token_hex(4)}"


def load(path):
    try:
        with open(path, encoding="utf-8") as f:
            text = f.read()

    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(str(e)) from None

    try:
        return Config(text)

    except ConfigError as e:
        raise ConfigError(f"{os.path.basename(path)}: {e}") from None
