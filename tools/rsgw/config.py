# Copyright (C) rs-gateway contributors
#
# rsctl.conf: where the gateway and its Redis are, and the files with the
# secrets for both.  An unknown section or key is an error: a typing mistake
# must not mean "default".
#
#   [gateway]
#   url = https://support.example.net/rs/v1
#   key_file = /etc/rs-gateway/rsctl.key
#   ca_file = /etc/rs-gateway/ca.pem         only for an authority of one's own
#   address = 127.0.0.1:443                  reach the url's host there
#
#   [redis]
#   url = redis://127.0.0.1:6379/0           or rediss://, unix:, sentinel://
#   user = rs-deploy
#   password_file = /etc/rs-gateway/redis.password
#   ca_file = /etc/rs-gateway/redis-ca.pem   rediss:// only
#
# and, for rsctl doctor, what is not where it looks first:
#
#   [nginx]
#   command = /usr/sbin/nginx -c /etc/nginx/nginx.conf
#
#   [turn]
#   conf = /etc/rs-turn-authd/rs-turn-authd.conf
#   turnserver_conf = /etc/turnserver.conf
#   authd = /usr/sbin/rs-turn-authd
#   check = /usr/bin/rs-turn-check
#   allowed = 198.51.100.0/24                peers that relays may reach
#
# and for rsctl backup:
#
#   [backup]
#   user = rs-backup
#   password_file = /etc/rs-gateway/redis-backup.password

import configparser
import os

from .errors import ToolError

PATH = "/etc/rs-gateway/rsctl.conf"

KEYS = {
    "gateway": ("url", "key_file", "ca_file", "address"),
    "redis": ("url", "user", "password_file", "ca_file"),
    "nginx": ("command",),
    "turn": ("conf", "turnserver_conf", "authd", "check", "allowed"),
    "backup": ("user", "password_file"),
}


class Config:
    """config.gateway["url"], ...; a key that is not given is None."""

    def __init__(self, path=None):
        self.path = path or os.environ.get("RSCTL_CONFIG") or PATH
        self.given = bool(path or os.environ.get("RSCTL_CONFIG"))

        for section, keys in KEYS.items():
            setattr(self, section, dict.fromkeys(keys))

        self._read()
        self._environment()

    def _read(self):
        p = configparser.ConfigParser(interpolation=None, strict=True,
                                      delimiters=("=",),
                                      inline_comment_prefixes=None)

        try:
            with open(self.path, encoding="utf-8") as f:
                p.read_file(f)

        except FileNotFoundError:
            if self.given:
                raise ToolError(f"{self.path}: there is no such file") \
                    from None
            return

        except (OSError, UnicodeDecodeError, configparser.Error) as e:
            raise ToolError(f"{self.path}: {_reason(e)}") from None

        for section in p.sections():
            if section not in KEYS:
                raise ToolError(f"{self.path}: no section [{section}] is "
                                f"known; there are: {', '.join(KEYS)}")

            for key, value in p.items(section):
                if key not in KEYS[section]:
                    raise ToolError(
                        f"{self.path}: [{section}] has no key {key!r}; there "
                        f"are: {', '.join(KEYS[section])}")

                getattr(self, section)[key] = value or None

    def _environment(self):
        for section, key, name in (("gateway", "url", "RSCTL_URL"),
                                   ("gateway", "key_file", "RSCTL_KEY_FILE"),
                                   ("gateway", "ca_file", "RSCTL_CA_FILE"),
                                   ("gateway", "address", "RSCTL_ADDRESS"),
                                   ("redis", "url", "RS_REDIS")):
            value = os.environ.get(name)

            if value:
                getattr(self, section)[key] = value

    def need(self, section, key):
        value = getattr(self, section)[key]

        if not value:
            raise ToolError(f"{self.path}: [{section}] has no {key}",
                            f"put \"{key} = ...\" there; rsctl init does")

        return value

    def secret(self, section, key, env=None):
        """The first line of the file that KEY names, or what ENV has."""

        if env and os.environ.get(env):
            return os.environ[env]

        return first_line(self.need(section, key), f"[{section}] {key}")


def _reason(e):
    return e.strerror if isinstance(e, OSError) and e.strerror \
        else str(e).replace("\n", " ")


def first_line(path, what):
    try:
        with open(path, encoding="utf-8") as f:
            line = f.readline(4096).strip()

    except (OSError, UnicodeDecodeError) as e:
        raise ToolError(f"{what} {path}: {_reason(e)}") from None

    if not line:
        raise ToolError(f"{what} {path}: its first line is empty")

    return line
