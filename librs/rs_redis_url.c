
/*
 * Copyright (C) rs-gateway contributors
 *
 * Where Redis is.
 */


#include "rs_redis_url.h"


typedef struct {
    const char         *name;
    unsigned            sentinel;
    unsigned            tls;
} rs_redis_scheme_t;


static const char *rs_redis_url_path(rs_str_t path, rs_redis_url_t *url);
static const char *rs_redis_url_server(rs_str_t text, rs_redis_url_t *url);
static const char *rs_redis_url_local(rs_str_t text, rs_redis_url_t *url);
static int rs_redis_url_visible(rs_str_t s);


static const rs_redis_scheme_t  rs_redis_schemes[] = {
    { "redis://", 0, 0 },
    { "rediss://", 0, 1 },
    { "sentinel://", 1, 0 },
    { "sentinel+tls://", 1, 1 },
    { NULL, 0, 0 }
};


const char *
rs_redis_url_parse(rs_str_t text, rs_redis_url_t *url)
{
    int                       more;
    size_t                    i;
    rs_str_t                  prefix, rest, path, server;
    const char               *error;
    const rs_redis_scheme_t  *scheme;

    *url = (rs_redis_url_t) { .n = 0 };

    if (rs_str_starts(text, RS_STR("unix:"))) {
        return rs_redis_url_local(text, url);
    }

    for (scheme = rs_redis_schemes; scheme->name; scheme++) {
        prefix = rs_str(scheme->name);

        if (text.len > prefix.len && rs_str_starts(text, prefix)) {
            break;
        }
    }

    if (scheme->name == NULL) {
        return "must be redis://host[:port][/db], "
               "sentinel://host[:port][,...]/name[/db], the same with "
               "rediss:// or sentinel+tls://, or unix:/path";
    }

    url->sentinel = scheme->sentinel & 1;
    url->tls = scheme->tls & 1;

    rest = (rs_str_t) { text.data + prefix.len, text.len - prefix.len };

    for (i = 0; i < rest.len; i++) {
        if (rest.data[i] == '@') {
            return "no password belongs into the URL: the user and a file "
                   "with the password are given apart";
        }
    }

    (void) rs_str_split(rest, '/', &rest, &path);

    error = rs_redis_url_path(path, url);
    if (error) {
        return error;
    }

    do {
        more = 0;
        server = rest;

        if (url->sentinel) {
            more = rs_str_split(rest, ',', &server, &rest);
        }

        error = rs_redis_url_server(server, url);
        if (error) {
            return error;
        }

    } while (more);

    return NULL;
}


/* what comes after the slash: "", "db"; of Sentinel "name", "name/[db]" */

static const char *
rs_redis_url_path(rs_str_t path, rs_redis_url_t *url)
{
    uint64_t  db;
    rs_str_t  master;

    if (url->sentinel) {
        if (path.len == 0) {
            return "after the Sentinels comes \"/\" and the name they have "
                   "for the primary";
        }

        (void) rs_str_split(path, '/', &master, &path);

        if (master.len == 0) {
            return "the name of the primary is empty";
        }

        if (master.len > RS_REDIS_MASTER_MAX
            || !rs_redis_url_visible(master))
        {
            return "the name of the primary is no name";
        }

        url->master = master;
    }

    if (path.len == 0) {
        return NULL;
    }

    if (!rs_u64_parse(path, RS_REDIS_DB_MAX, &db)) {
        return "the database after \"/\" must be a number";
    }

    url->db = (unsigned) db;

    return NULL;
}


static const char *
rs_redis_url_server(rs_str_t text, rs_redis_url_t *url)
{
    rs_host_t           host;
    rs_redis_server_t  *server;

    if (url->n == RS_REDIS_SERVERS_MAX) {
        return "more than 16 Sentinels";
    }

    if (text.len == 0) {
        return "a host is empty";
    }

    if (rs_host_parse(text, &host) != RS_OK) {
        return "a host must be a name, an IPv4 address, or an IPv6 address "
               "in brackets, and a port from 1 to 65535";
    }

    if (host.host.data[0] == '[') {
        host.host.data++;
        host.host.len -= 2;
    }

    if (host.port == 0) {
        host.port = url->sentinel ? RS_REDIS_SENTINEL_PORT : RS_REDIS_PORT;
    }

    server = &url->servers[url->n++];
    server->text = text;
    server->host = host.host;
    server->port = host.port;

    return NULL;
}


static const char *
rs_redis_url_local(rs_str_t text, rs_redis_url_t *url)
{
    size_t    i;
    rs_str_t  path;

    path = (rs_str_t) { text.data + 5, text.len - 5 };

    if (path.len == 0 || path.data[0] != '/') {
        return "after \"unix:\" comes a path that begins with \"/\"";
    }

    if (path.len > RS_REDIS_UNIX_MAX) {
        return "the path of a socket has at most 107 bytes";
    }

    for (i = 0; i < path.len; i++) {
        if (path.data[i] < 0x20) {
            return "a control character is in the path of the socket";
        }
    }

    url->local = 1;
    url->n = 1;
    url->servers[0].text = text;
    url->servers[0].host = path;

    return NULL;
}


static int
rs_redis_url_visible(rs_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] <= 0x20 || s.data[i] >= 0x7f) {
            return 0;
        }
    }

    return 1;
}
