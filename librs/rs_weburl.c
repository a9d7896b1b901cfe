
/*
 * Copyright (C) rs-gateway contributors
 *
 * Pure.  Whatever is not plainly an address is none: what a browser would
 * make of it is not guessed.
 */


#include "rs_weburl.h"


#define RS_WEBURL_HTTP   80
#define RS_WEBURL_HTTPS  443


static int rs_weburl_plain(rs_str_t s);
static int rs_weburl_host(rs_str_t s);
static int rs_weburl_port(rs_str_t s, unsigned *port);
static int rs_weburl_authority(rs_str_t s, rs_str_t *host, unsigned *port);
static void rs_weburl_cut(rs_str_t s, rs_str_t *authority, rs_str_t *rest);


rs_err_e
rs_weburl_parse(rs_str_t s, rs_weburl_t *url)
{
    rs_str_t  authority, rest, tail;

    if (s.len > RS_WEBURL_MAX || !rs_weburl_plain(s)) {
        return RS_E_INVALID_VALUE;
    }

    if (rs_str_starts(s, RS_STR("https://"))) {
        url->https = 1;
        url->port = RS_WEBURL_HTTPS;
        s.data += sizeof("https://") - 1;
        s.len -= sizeof("https://") - 1;

    } else if (rs_str_starts(s, RS_STR("http://"))) {
        url->https = 0;
        url->port = RS_WEBURL_HTTP;
        s.data += sizeof("http://") - 1;
        s.len -= sizeof("http://") - 1;

    } else {
        return RS_E_INVALID_VALUE;
    }

    rs_weburl_cut(s, &authority, &rest);

    if (!rs_weburl_authority(authority, &url->host, &url->port)
        || !rs_weburl_host(url->host))
    {
        return RS_E_INVALID_VALUE;
    }

    (void) rs_str_split(rest, '#', &url->path, &tail);

    return RS_OK;
}


rs_err_e
rs_weburl_rule_parse(rs_str_t s, rs_weburl_rule_t *rule)
{
    size_t    i;
    rs_str_t  scheme, authority;

    if (s.len > RS_WEBURL_RULE_MAX || !rs_weburl_plain(s)) {
        return RS_E_INVALID_VALUE;
    }

    if (!rs_str_split(s, ':', &scheme, &s)
        || !rs_str_starts(s, RS_STR("//")))
    {
        return RS_E_INVALID_VALUE;
    }

    rule->http = rs_str_eq(scheme, RS_STR("http"))
                 || rs_str_eq(scheme, RS_STR("*"));
    rule->https = rs_str_eq(scheme, RS_STR("https"))
                  || rs_str_eq(scheme, RS_STR("*"));

    if (!rule->http && !rule->https) {
        return RS_E_INVALID_VALUE;
    }

    s.data += 2;
    s.len -= 2;
    rs_weburl_cut(s, &authority, &rule->path);
    rule->port = 0;

    if (rule->path.len == 0 || rule->path.data[0] != '/'
        || !rs_weburl_authority(authority, &rule->host, &rule->port))
    {
        return RS_E_INVALID_VALUE;
    }

    rule->any = rs_str_eq(rule->host, RS_STR("*")) ? 1 : 0;
    rule->below = !rule->any && rs_str_starts(rule->host, RS_STR("*."));

    if (rule->below) {
        rule->host.data += 2;
        rule->host.len -= 2;
    }

    if (!rule->any && !rs_weburl_host(rule->host)) {
        return RS_E_INVALID_VALUE;
    }

    rule->prefix = (rule->path.data[rule->path.len - 1] == '*');

    if (rule->prefix) {
        rule->path.len--;
    }

    for (i = 0; i < rule->path.len; i++) {
        if (rule->path.data[i] == '*' || rule->path.data[i] == '#') {
            return RS_E_INVALID_VALUE;
        }
    }

    return RS_OK;
}


int
rs_weburl_match(const rs_weburl_rule_t *rule, const rs_weburl_t *url)
{
    unsigned  port;
    rs_str_t  path, tail;

    if (!(url->https ? rule->https : rule->http)) {
        return 0;
    }

    port = rule->port ? rule->port
                      : (url->https ? RS_WEBURL_HTTPS : RS_WEBURL_HTTP);

    if (port != url->port) {
        return 0;
    }

    if (rule->below) {

        if (url->host.len < rule->host.len + 2) {
            return 0;
        }

        tail.data = url->host.data + url->host.len - rule->host.len;
        tail.len = rule->host.len;

        if (tail.data[-1] != '.' || !rs_str_eq_ci(tail, rule->host)) {
            return 0;
        }

    } else if (!rule->any && !rs_str_eq_ci(url->host, rule->host)) {
        return 0;
    }

    path = url->path;

    if (path.len == 0) {
        path = RS_STR("/");

    } else if (path.data[0] != '/') {

        /* "?query" right behind the host: of the page "/" */

        return rule->prefix && rule->path.len == 1;
    }

    return rule->prefix ? rs_str_starts(path, rule->path)
                        : rs_str_eq(path, rule->path);
}


/* neither blanks nor controls, nor what some take for a slash */

static int
rs_weburl_plain(rs_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] <= 0x20 || s.data[i] == 0x7f || s.data[i] == '\\') {
            return 0;
        }
    }

    return 1;
}


/* s at its first "/", "?" or "#" */

static void
rs_weburl_cut(rs_str_t s, rs_str_t *authority, rs_str_t *rest)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '/' || s.data[i] == '?' || s.data[i] == '#') {
            break;
        }
    }

    authority->data = s.data;
    authority->len = i;
    rest->data = s.data + i;
    rest->len = s.len - i;
}


/* port is left alone where none is named */

static int
rs_weburl_authority(rs_str_t s, rs_str_t *host, unsigned *port)
{
    size_t    i;
    rs_str_t  number;

    if (s.len != 0 && s.data[0] == '[') {

        for (i = 1; i < s.len && s.data[i] != ']'; i++) { }

        if (i == s.len) {
            return 0;
        }

        host->data = s.data;
        host->len = i + 1;
        number.data = s.data + i + 1;
        number.len = s.len - i - 1;

        if (number.len == 0) {
            return 1;
        }

        if (number.data[0] != ':') {
            return 0;
        }

        number.data++;
        number.len--;

        return rs_weburl_port(number, port);
    }

    return rs_str_split(s, ':', host, &number) ? rs_weburl_port(number, port)
                                               : 1;
}


static int
rs_weburl_port(rs_str_t s, unsigned *port)
{
    uint64_t  value;

    if (!rs_u64_parse(s, 65535, &value) || value == 0) {
        return 0;
    }

    *port = (unsigned) value;

    return 1;
}


/* a name, maybe of other letters than ASCII's, or an address */

static int
rs_weburl_host(rs_str_t s)
{
    size_t   i, label;
    uint8_t  c;

    if (s.len == 0 || s.len > RS_WEBURL_HOST_MAX) {
        return 0;
    }

    if (s.data[0] == '[') {

        for (i = 1; i + 1 < s.len; i++) {
            c = s.data[i];

            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')
                  || (c >= 'A' && c <= 'F') || c == ':' || c == '.'))
            {
                return 0;
            }
        }

        return s.len > 3 && s.data[s.len - 1] == ']';
    }

    label = 0;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (c == '.') {

            if (label == 0) {
                return 0;
            }

            label = 0;
            continue;
        }

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
              || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c >= 0x80))
        {
            return 0;
        }

        label++;
    }

    return 1;
}
