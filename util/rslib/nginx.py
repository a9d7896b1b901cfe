# Copyright (C) rs-gateway contributors
#
# The stack's nginx nodes: the snippets of conf.d/ with this stack's values in
# front of them.  Each node has its own prefix, pid and logs.

import os
import secrets
import socket
import subprocess

from rsgw import rest

from . import files, netns, ports, redis
from .proc import StackError, wait_for

MAIN = """\
# made by rs-stack
{user}worker_processes {workers};
worker_rlimit_nofile {files};
pid {dir}/nginx.pid;
error_log {dir}/error.log {level};
daemon off;

include {conf_d}/rs-main.conf;
{stream}{main}
events {{
    worker_connections {connections};
}}

http {{
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;

    include {dir}/rs-site.conf;
    include {conf_d}/rs-http.conf;
    access_log {dir}/access.log rs;
{extra}
    server {{
{listen}
        server_name {names};
        ssl_certificate {tls}/cert.pem;
        ssl_certificate_key {tls}/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;

{behind}
        include {conf_d}/rs-locations.conf;
{oidc}    }}
}}
"""

BEHIND = """
        listen 127.0.0.1:{https} ssl proxy_protocol;
        set_real_ip_from 127.0.0.1;
        real_ip_header proxy_protocol;
"""

STREAM = """\
load_module {module};
{more}
stream {{
{servers}}}

"""

# one port 443

STREAM_443 = """\
    include {dir}/rs-stream-site.conf;
    include {conf_d}/rs-stream.conf;
"""

# ways into tunnels

STREAM_TUNNEL = """\
    server {{
        listen {ip}:{first}-{last} reuseport so_keepalive=on;
        listen {ip}:{first}-{last} udp reuseport;
        rs_tunnel;
    }}
"""

# what conf.d/rs-stream-site.conf is for a real site

STREAM_SITE = """\
map $ssl_preread_server_name $rs_443_by_name {{
    default rs_443_https;
    {turn_host} rs_443_turn;
}}

upstream rs_443_https {{
    server 127.0.0.1:{https};
}}

upstream rs_443_turn {{
    server 127.0.0.1:{turn};
}}

server {{
{listen}
    ssl_preread on;
    proxy_protocol on;
    proxy_pass $rs_443;
}}

server {{
    listen 127.0.0.1:{turn} proxy_protocol;
    proxy_pass {turns};
}}
"""

STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"


def _site(stack, index, ns):
    """What conf.d/rs-site.conf is for a real site."""

    users = stack.state["redis"]["users"]
    user = stack.args.redis_user

    if user not in users:
        raise StackError(f"redis-schema/acl makes no user \"{user}\" "
                         f"(it makes: {', '.join(users) or 'none'})")

    lines = [f"rs_redis {redis.url(stack, ns)} user={user} "
             f"password_file={users[user]};",
             f"rs_node node{index + 1};",
             "rs_drain_time 3s;",
             "rs_check_rate 100r/s burst=1000;",
             f"rs_identity_file {_identity(stack)};"]

    lines += _between(stack, index, ns)

    if stack.args.tunnel_ports:
        lines.append("rs_tunnel_ports {}-{};".format(*_tunnel_ports(stack)))

    turn = stack.state.get("turn")

    if turn:
        lines += [f"rs_stun_server {' '.join(turn['stun_urls'])};",
                  f"rs_turn_server default {' '.join(turn['turn_urls'])};",
                  f"rs_turn_secret_file {turn['secret_file']};"
                  if turn["mode"] == "static" else
                  f"rs_turn_key_file {turn['key_file']};"
                  f" rs_turn_realm {turn['realm']};"]

    if "issuer" in stack.state:
        lines += _oidc(stack)

    lines += ["map \"\" $rs_console_dir {",
              f"    default {_console()};", "}",
              "map \"\" $rs_console_issuer {",
              f"    default \"{stack.state.get('issuer', {}).get('url', '')}\";",
              "}"]

    return "\n".join(lines) + "\n"


def _between(stack, index, ns):
    """How the nodes reach each other: the key is the same for all."""

    if stack.args.nodes == 1:
        return []

    path = stack.secret_path("node.key")
    ip = ns["node_ip"] if ns else stack.http_ip
    first, last = ports.between(stack.base, index, stack.args.nodes,
                                stack.args.workers)

    if not os.path.exists(path):
        files.write(path, secrets.token_hex(32) + "\n", 0o600)

    return [f"rs_node_listen {ip}:{first}-{last};",
            f"rs_node_key_file {path};"]


def _oidc(stack):
    """By address, since nginx would want a resolver for a name; and it
    compares names of certificates only, no addresses."""

    issuer = stack.state["issuer"]

    return [f"rs_oidc issuer={issuer['url']} "
            f"client_id={issuer['client_id']};",
            f"rs_oidc_algorithms {stack.args.oidc_alg};",
            "rs_oidc_tenant_claim tenants;",
            "rs_oidc_role observer observers;",
            "rs_oidc_role technician technicians;",
            "rs_oidc_role admin admins;",
            "rs_oidc_role auditor auditors;",
            "rs_jwks_request /_rs_jwks;",
            f"proxy_ssl_trusted_certificate {stack.state['ca']};",
            # nginx compares with names only, not with addresses
            "proxy_ssl_name localhost;",
            "map \"\" $rs_jwks_uri {",
            f"    default https://{issuer['ip']}:{issuer['port']}/jwks;", "}"]


def _identity(stack):
    """The fleet's, made for the first node and the same for all."""

    path = stack.secret_path("identity.pem")

    if not os.path.exists(path):
        r = subprocess.run([files.top("tools", "rs-identity"), "new", path],
                           capture_output=True, text=True, check=False)

        if r.returncode:
            raise StackError(r.stderr.strip())

    return path


def _console():
    folder = files.top("build", "console")

    if not os.path.exists(os.path.join(folder, "index.html")):
        raise StackError(f"no {folder}: run make console")

    return folder


def _user(stack):
    """Workers of a root master run as www-data if it can reach the files."""

    if os.geteuid() != 0:
        return ""

    name = "root"

    if (files.open_to_all(_console())
            and files.open_to_all(stack.dir)
            and "www-data:" in files.read("/etc/passwd")
            and files.read("/proc/self/uid_map").split()[0:2] == ["0", "0"]
            and int(files.read("/proc/self/uid_map").split()[2]) > 65536):
        name = "www-data"

    return f"user {name};\n"


def _ipv6_loopback():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
            return True

    except OSError:
        return False


def _listen(stack, index, ns):
    tls, http = stack.base + ports.HTTPS + index, stack.base + ports.HTTP + index
    ips = [ns["node_ip"] if ns else stack.http_ip]

    # "localhost" is what people type

    if ips[0] != "127.0.0.1":
        ips.append("127.0.0.1")

    if stack.args.ip6:
        ips.append(f"[{stack.args.ip6}]")

    if _ipv6_loopback() and not ns:
        ips.append("[::1]")

    lines = [f"listen {ip}:{tls} ssl reuseport;" for ip in ips]

    if stack.args.http:
        lines += [f"listen {ip}:{http} reuseport;" for ip in ips]

    return "\n".join("        " + line for line in lines)


def _tunnel_ports(stack):
    """Any node serves any of them, so they are the same for all."""

    return stack.base + ports.TUNNEL_MIN, stack.base + ports.TUNNEL_MAX


def _tunnel_ip(index, ns):
    """Nodes of one machine cannot share address and port."""

    return ns["node_ip"] if ns else f"127.0.0.{index + 1}"


def _stream(stack, folder, index, ns):
    """What stands in the main context for TCP and UDP as they are."""

    args = stack.args
    more, servers = "", ""

    if not args.port_443 and not args.tunnel_ports:
        return ""

    if not os.path.exists(STREAM_MODULE):
        raise StackError(f"no {STREAM_MODULE}: make deps")

    if args.port_443:
        _stream_443(stack, folder)
        servers += STREAM_443.format(dir=folder, conf_d=files.top("conf.d"))

    if args.tunnel_ports:
        first, last = _tunnel_ports(stack)
        more = f"load_module {args.stream_module};\n"
        servers += STREAM_TUNNEL.format(ip=_tunnel_ip(index, ns), first=first,
                                        last=last)

    return STREAM.format(module=STREAM_MODULE, more=more, servers=servers)


def _stream_443(stack, folder):
    args, turn = stack.args, stack.state["turn"]

    ips = [stack.http_ip, *([f"[{args.ip6}]"] if args.ip6 else [])]
    host = f"[{turn['ip']}]" if ":" in turn["ip"] else turn["ip"]

    files.write(os.path.join(folder, "rs-stream-site.conf"),
                STREAM_SITE.format(
                    turn_host=args.turn_host,
                    https=stack.base + ports.FRONT_HTTPS,
                    turn=stack.base + ports.FRONT_TURN,
                    listen="".join(f"    listen {ip}:443;\n" for ip in ips),
                    turns=f"{host}:{turn['tls_port']}"))


def _env(args):
    return dict(os.environ, **dict(pair.split("=", 1)
                                   for pair in args.nginx_env))


def start(stack, index, tls_dir, names, ns):
    args = stack.args
    name = f"node{index + 1}"
    folder = stack.folder(name)

    # "modules/" of rs-main.conf is below the prefix

    modules = os.path.join(folder, "modules")
    os.makedirs(modules, exist_ok=True)
    so = os.path.join(modules, "ngx_http_rs_signal_module.so")

    if os.path.lexists(so):
        os.unlink(so)

    os.symlink(os.path.abspath(args.module), so)

    files.write(os.path.join(folder, "rs-site.conf"), _site(stack, index, ns))

    conf = files.write(os.path.join(folder, "nginx.conf"), MAIN.format(
        user=_user(stack), workers=args.workers, dir=folder,
        level=args.log_level, conf_d=files.top("conf.d"),
        main="".join(f"{line}\n" for line in args.main_conf),
        connections=args.connections, files=args.connections + 1024,
        listen=_listen(stack, index, ns), names=" ".join(names), tls=tls_dir,
        oidc=(f"        include {files.top('conf.d')}/rs-oidc.conf;\n"
              if "issuer" in stack.state else ""),
        extra="".join(f"    {line}\n" for line in args.http_conf),
        stream=_stream(stack, folder, index, ns),
        behind=(BEHIND.format(https=stack.base + ports.FRONT_HTTPS)
                if args.port_443 else "")))

    log = os.path.join(folder, "error.log")
    record = stack.run(name, [*(netns.enter(ns["pid"]) if ns else []),
                              args.nginx, "-p", folder + "/", "-c", conf,
                              "-e", log], env=_env(args))

    tls_port = stack.base + ports.HTTPS + index
    ip = ns["node_ip"] if ns else stack.http_ip
    host = ip if ns else stack.name
    where = host if args.port_443 else f"{host}:{tls_port}"
    base = f"https://{where}/rs/v1"
    ca = os.path.join(tls_dir, "ca.pem")

    def ready():
        status, _ = rest.call("GET", base + "/health/ready", ca=ca,
                              connect=(ip, 443 if args.port_443
                                       else tls_port))
        return status == 200

    wait_for(name, ready, log, record)

    node = {"name": name, "url": f"https://{where}/",
            "base": base, "ip": ip, "https_port": tls_port, "pid": record["pid"],
            "error_log": log,
            "access_log": os.path.join(folder, "access.log"), "conf": conf,
            "pid_file": os.path.join(folder, "nginx.pid")}

    if ns:
        node["netns"] = ns

    if args.tunnel_ports:
        node["tunnel_ip"] = _tunnel_ip(index, ns)

    if args.http:
        http_port = stack.base + ports.HTTP + index
        node["http_port"] = http_port
        node["http_base"] = f"http://{ip}:{http_port}/rs/v1"

    return node
