# Copyright (C) rs-gateway contributors
#
# Redis, as each of those who use it would meet it: the tools by rsctl.conf,
# the gateway by its rs_redis, the TURN plugin by its own file.

import time

import redis

from . import conf, net

SENTINELS_MAX = 16


def _password(path):
    """(password, what is wrong)."""

    if not path:
        return None, None

    try:
        with open(path, encoding="utf-8") as f:
            line = f.readline(4096).rstrip("\r\n")

    except (OSError, UnicodeDecodeError) as e:
        return None, getattr(e, "strerror", None) or str(e)

    return (line, None) if line else (None, "its first line is empty")


def _tls(place, options):
    if not place["tls"]:
        return {}

    return {"ssl": True, "ssl_ca_certs": options.get("ca_file"),
            "ssl_certfile": options.get("certificate"),
            "ssl_keyfile": options.get("certificate_key"),
            "ssl_check_hostname": True}


def _client(host, port, who, **more):
    return redis.Redis(host=host, port=port, decode_responses=True,
                       socket_timeout=net.TIMEOUT_S,
                       socket_connect_timeout=net.TIMEOUT_S, **who, **more)


def _sentinels(place, options):
    """What each says its primary is: {host, port, result, primary}."""

    said = []
    password, _ = _password(options.get("sentinel_password_file"))
    who = {"username": options.get("sentinel_user"), "password": password} \
        if password else {}

    for host, port in place["hosts"][:SENTINELS_MAX]:
        entry = {"host": host, "port": port, "primary": None,
                 "result": net.tcp(host, port)}
        said.append(entry)

        if entry["result"] != "ok":
            continue

        c = _client(host, port, who, **_tls(place, options))

        try:
            answer = c.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME",
                                       place["name"])
            entry["primary"] = [answer[0], int(answer[1])] if answer else None

        except redis.RedisError as e:
            entry["result"], _ = _refusal(e)

        finally:
            c.close()

    return said


def _refusal(e):
    """(word, text) of what python3-redis raised."""

    text = str(e)
    kinds = redis.exceptions

    if isinstance(e, kinds.AuthenticationError) \
            or text.startswith(("WRONGPASS", "NOAUTH")) \
            or "invalid username-password" in text:
        return "password", text

    if isinstance(e, kinds.NoPermissionError) or text.startswith("NOPERM"):
        return "denied", text

    if isinstance(e, kinds.BusyLoadingError) or text.startswith("LOADING"):
        return "loading", text

    if isinstance(e, kinds.TimeoutError):
        return "timeout", text

    if "CERTIFICATE" in text.upper() or "SSL" in text:
        return "tls", text

    if isinstance(e, kinds.ConnectionError):
        return "unreachable", text

    return "error", text


def _server(client):
    """What a server says of itself; each part alone may be refused."""

    facts = {}

    for part in ("server", "memory", "persistence", "replication"):
        try:
            facts[part] = client.info(part)

        except redis.RedisError:
            facts[part] = {}

    try:
        before = time.time()
        s, us = client.time()
        facts["clock"] = s + us / 1e6 - (before + time.time()) / 2

    except redis.RedisError:
        facts["clock"] = None

    return facts


def _library(client):
    """What the function library answers: {result, text, version, serves}."""

    try:
        answer = client.execute_command("FCALL_RO", "rs_version", 0)

    except redis.RedisError as e:
        if "not found" in str(e).lower():
            return {"result": "missing", "text": str(e)}

        word, text = _refusal(e)

        return {"result": word, "text": text}

    numbers = [int(n) for n in answer[1:3]]

    return {"result": "ok", "version": numbers[0],
            "serves": numbers[1] if len(numbers) > 1 else numbers[0]}


def connect(label, url, options):
    """(client that has answered, {result, ...}); no client: result says why,
    in one word, text in the server's own."""

    got = {"who": label, "url": url, "user": options.get("user") or "default",
           "file": options.get("password_file"), "sentinels": []}

    try:
        place = conf.place(url)

    except ValueError:
        return None, dict(got, result="bad_url", text=url)

    password, problem = _password(options.get("password_file"))

    if problem:
        return None, dict(got, result="no_file", text=problem)

    who = {"username": options.get("user"), "password": password} \
        if password else {}

    if place["kind"] == "unix":
        got["where"] = place["path"]
        client = redis.Redis(unix_socket_path=place["path"],
                             decode_responses=True, db=place["db"],
                             socket_timeout=net.TIMEOUT_S, **who)

    else:
        host, port = place["hosts"][0]

        if place["kind"] == "sentinel":
            got["sentinels"] = _sentinels(place, options)
            named = [s["primary"] for s in got["sentinels"] if s["primary"]]

            if not named:
                return None, dict(got, result="no_primary", text="",
                                  where=url)

            host, port = max(named, key=named.count)

        got["where"] = f"{host}:{port}"
        result = net.tcp(host, port)

        if result != "ok":
            return None, dict(got, result=result, text="")

        client = _client(host, port, who, db=place["db"],
                         **_tls(place, options))

    return _greeted(client, got)


def _greeted(client, got):
    try:
        client.ping()

    except redis.RedisError as e:
        client.close()
        word, text = _refusal(e)

        # a socket nobody listens at

        if word == "unreachable" and ("refused" in text or "Error 2 " in text
                                      or "No such file" in text):
            word = "refused"

        return None, dict(got, result=word, text=text)

    return client, dict(got, result="ok", text="")


def login(label, url, options):
    """What one of the users meets, and what the server says of itself."""

    client, got = connect(label, url, options)

    if client is None:
        return got

    try:
        return dict(got, server=_server(client), library=_library(client))

    finally:
        client.close()


def gather(config, nginx, turn):
    """One login for each who has its place and password here."""

    users = []
    r = config.redis

    if r["url"]:
        users.append(("rsctl", r["url"],
                      {"user": r["user"] or "rs-deploy",
                       "password_file": r["password_file"],
                       "ca_file": r["ca_file"]}))

    if nginx and nginx["redis"]:
        users.append(("the gateway", nginx["redis"], nginx["redis_options"]))

    if turn and turn["conf"].get("redis", ["off"])[-1] != "off":
        c = turn["conf"]
        options = {k[6:] if k.startswith("redis_") else k: v[-1]
                   for k, v in c.items()
                   if k.startswith(("redis_", "sentinel_"))}
        users.append(("the TURN plugin", c["redis"][-1], options))

    return [login(*user) for user in users]
