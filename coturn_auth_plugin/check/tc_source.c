
/*
 * Copyright (C) rs-gateway contributors
 *
 * Servers and credentials.  Files are bounded, and wiped from memory when
 * they were read.
 */


#include "tc_source.h"

#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

#include "rs_host.h"
#include "rs_ice.h"


#define TC_SOURCE_FILE_MAX   (16 * 1024 * 1024)
#define TC_SOURCE_CREDS_MAX  100000
#define TC_SOURCE_PORT       3478
#define TC_SOURCE_PORT_TLS   5349


typedef struct {
    char            *data;
    size_t           len;
} tc_file_t;


static tc_server_t *tc_source_add(tc_side_t *side);
static int tc_source_parse(tc_server_t *s, rs_str_t uri);
static int tc_source_keep(tc_side_t *side, unsigned transports,
    tc_error_t *e);
static int tc_source_has(const tc_side_t *side, const tc_server_t *s);
static int tc_source_creds(tc_side_t *side, const tc_file_t *file,
    tc_error_t *e);
static int tc_source_line(tc_cred_t *cred, rs_str_t line);
static int tc_source_ice(tc_side_t *side, const tc_file_t *file,
    tc_error_t *e);
static int tc_source_entry(tc_side_t *side, const json_t *entry,
    tc_cred_t *cred, tc_error_t *e);
static int tc_source_entry_uri(tc_side_t *side, const json_t *uri,
    const tc_cred_t *cred, tc_error_t *e);
static int tc_source_set(char *dst, size_t max, rs_str_t s);
static int tc_source_read(const char *name, tc_file_t *file, tc_error_t *e);


int
tc_source_uri(tc_side_t *side, const char *uri)
{
    tc_server_t  *s;

    s = tc_source_add(side);

    if (s == NULL) {
        fprintf(stderr, "rs-turn-check: at most %d servers\n",
                TC_SERVERS_MAX);
        return 0;
    }

    if (!tc_source_parse(s, rs_str(uri))) {
        fprintf(stderr, "rs-turn-check: \"%s\" is not "
                "turn:HOST[:PORT][?transport=udp|tcp] or "
                "turns:HOST[:PORT]\n", uri);
        return 0;
    }

    return 1;
}


static tc_server_t *
tc_source_add(tc_side_t *side)
{
    tc_server_t  *s;

    if (side->server == NULL) {
        side->server = calloc(TC_SERVERS_MAX, sizeof(tc_server_t));
    }

    if (side->server == NULL || side->n == TC_SERVERS_MAX) {
        return NULL;
    }

    s = &side->server[side->n++];
    memset(s, 0, sizeof(tc_server_t));

    return s;
}


static int
tc_source_parse(tc_server_t *s, rs_str_t uri)
{
    rs_str_t   scheme, rest, query;
    rs_host_t  host;

    if (rs_ice_check_turn_url(uri) != RS_OK
        || !tc_source_set(s->uri, TC_URI_MAX, uri))
    {
        return 0;
    }

    (void) rs_str_split(uri, ':', &scheme, &rest);
    (void) rs_str_split(rest, '?', &rest, &query);

    if (rs_host_parse(rest, &host) != RS_OK) {
        return 0;
    }

    if (rs_str_eq(scheme, RS_STR("turns"))) {
        s->transport = TC_TLS;

    } else {
        s->transport = rs_str_eq(query, RS_STR("transport=tcp")) ? TC_TCP
                                                                 : TC_UDP;
    }

    s->port = host.port;

    if (s->port == 0) {
        s->port = s->transport == TC_TLS ? TC_SOURCE_PORT_TLS
                                         : TC_SOURCE_PORT;
    }

    if (host.host.len && host.host.data[0] == '[') {
        host.host.data++;
        host.host.len -= 2;
    }

    return tc_source_set(s->host, TC_HOST_MAX - 1, host.host);
}


/* text without NULs; 1, or 0: it is too long */

static int
tc_source_set(char *dst, size_t max, rs_str_t s)
{
    if (s.len > max || memchr(s.data, '\0', s.len) != NULL) {
        return 0;
    }

    memcpy(dst, s.data, s.len);
    dst[s.len] = '\0';

    return 1;
}


int
tc_source_load(tc_side_t *side, unsigned transports, tc_error_t *e)
{
    int         rc;
    tc_file_t   file;
    const char *name;

    name = side->ice ? side->ice : side->credentials;

    if (name == NULL) {
        return tc_source_keep(side, transports, e);
    }

    if (!tc_source_read(name, &file, e)) {
        return 0;
    }

    rc = side->ice ? tc_source_ice(side, &file, e)
                   : tc_source_creds(side, &file, e);

    OPENSSL_cleanse(file.data, file.len);
    free(file.data);

    return rc && tc_source_keep(side, transports, e);
}


/*
 * Only what was chosen, and nothing twice.  turn: without a transport is of
 * UDP, but if TCP was chosen then of TCP (too).
 */

static int
tc_source_keep(tc_side_t *side, unsigned transports, tc_error_t *e)
{
    unsigned     i;
    tc_side_t    all;
    tc_server_t  s;

    all = *side;
    side->server = NULL;
    side->n = 0;

    for (i = 0; i < all.n; i++) {
        s = all.server[i];

        if ((transports & 1U << TC_TCP) && s.transport == TC_UDP
            && strchr(s.uri, '?') == NULL && !tc_source_has(side, &s))
        {
            s.transport = TC_TCP;

            if (!tc_source_has(side, &s) && side->n < TC_SERVERS_MAX) {
                *tc_source_add(side) = s;
            }

            s.transport = TC_UDP;
        }

        if ((transports == 0 || (transports & 1U << s.transport))
            && !tc_source_has(side, &s) && side->n < TC_SERVERS_MAX)
        {
            *tc_source_add(side) = s;
        }
    }

    free(all.server);

    if (all.n && side->n == 0) {
        tc_error_text(e, "usage", "no server has a transport that was "
                      "chosen by --transport");
        return 0;
    }

    return 1;
}


static int
tc_source_has(const tc_side_t *side, const tc_server_t *s)
{
    unsigned  i;

    for (i = 0; i < side->n; i++) {
        if (side->server[i].transport == s->transport
            && side->server[i].port == s->port
            && side->server[i].creds == s->creds
            && strcmp(side->server[i].host, s->host) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* a line each: username, blanks, password; # begins a comment */

static int
tc_source_creds(tc_side_t *side, const tc_file_t *file, tc_error_t *e)
{
    size_t    lines, n;
    unsigned  i;
    rs_str_t  rest, line;

    lines = 1;

    for (n = 0; n < file->len; n++) {
        lines += file->data[n] == '\n';
    }

    if (lines > TC_SOURCE_CREDS_MAX) {
        tc_error_text(e, "usage", "\"%s\" has more than %d lines",
                      side->credentials, TC_SOURCE_CREDS_MAX);
        return 0;
    }

    side->creds = calloc(lines, sizeof(tc_cred_t));

    if (side->creds == NULL) {
        tc_error_text(e, "usage", "no memory for the credentials");
        return 0;
    }

    rest = (rs_str_t) { (const uint8_t *) file->data, file->len };

    for (n = 1; rest.len; n++) {
        (void) rs_str_split(rest, '\n', &line, &rest);

        if (line.len && line.data[line.len - 1] == '\r') {
            line.len--;
        }

        if (line.len == 0 || line.data[0] == '#') {
            continue;
        }

        if (!tc_source_line(&side->creds[side->ncreds], line)) {
            tc_error_text(e, "usage", "\"%s\", line %zu: not a username of "
                          "at most %d bytes, a blank, and a password of at "
                          "most %d", side->credentials, n, TC_USERNAME_MAX,
                          TC_PASSWORD_MAX);
            return 0;
        }

        side->ncreds++;
    }

    if (side->ncreds == 0) {
        tc_error_text(e, "usage", "\"%s\" has no line \"username password\"",
                      side->credentials);
        return 0;
    }

    for (i = 0; i < side->n; i++) {
        side->server[i].creds = side->creds;
        side->server[i].ncreds = side->ncreds;
    }

    return 1;
}


static int
tc_source_line(tc_cred_t *cred, rs_str_t line)
{
    size_t    i;
    rs_str_t  username, password;

    for (i = 0; i < line.len; i++) {
        if (line.data[i] == ' ' || line.data[i] == '\t') {
            break;
        }
    }

    username = (rs_str_t) { line.data, i };

    while (i < line.len && (line.data[i] == ' ' || line.data[i] == '\t')) {
        i++;
    }

    password = (rs_str_t) { line.data + i, line.len - i };

    return username.len
           && password.len
           && tc_source_set(cred->username, TC_USERNAME_MAX, username)
           && tc_source_set(cred->password, TC_PASSWORD_MAX, password);
}


/*
 * {"iceServers": [{"urls": ..., "username": ..., "credential": ...}]}; the
 * list may be one object, urls one text; what is not TURN is left out.
 */

static int
tc_source_ice(tc_side_t *side, const tc_file_t *file, tc_error_t *e)
{
    int            rc;
    size_t         i, n;
    json_t        *doc, *list, *entry;
    json_error_t   je;

    doc = json_loadb(file->data, file->len, JSON_REJECT_DUPLICATES, &je);

    if (doc == NULL) {
        tc_error_text(e, "usage", "\"%s\" is not JSON: line %d: %s",
                      side->ice, je.line, je.text);
        return 0;
    }

    rc = 1;
    list = json_object_get(doc, "iceServers");
    n = json_is_object(list) ? 1 : json_array_size(list);
    side->creds = calloc(n + 1, sizeof(tc_cred_t));

    for (i = 0; i < n && rc && side->creds != NULL; i++) {
        entry = json_is_object(list) ? list : json_array_get(list, i);
        rc = tc_source_entry(side, entry, &side->creds[i], e);
    }

    side->ncreds = (unsigned) n;
    json_decref(doc);

    if (rc && side->n == 0) {
        tc_error_text(e, "usage", "\"%s\" names no TURN server: is it what "
                      "POST /ice answers?", side->ice);
        return 0;
    }

    return rc;
}


static int
tc_source_entry(tc_side_t *side, const json_t *entry, tc_cred_t *cred,
    tc_error_t *e)
{
    size_t         i;
    const char    *username, *password;
    const json_t  *urls;

    username = json_string_value(json_object_get(entry, "username"));
    password = json_string_value(json_object_get(entry, "credential"));
    urls = json_object_get(entry, "urls");

    if (username == NULL && password == NULL) {
        return 1;
    }

    if (username == NULL || password == NULL
        || !tc_source_set(cred->username, TC_USERNAME_MAX, rs_str(username))
        || !tc_source_set(cred->password, TC_PASSWORD_MAX, rs_str(password)))
    {
        tc_error_text(e, "usage", "\"%s\": an entry whose username or "
                      "credential is missing or too long", side->ice);
        return 0;
    }

    if (json_is_string(urls)) {
        return tc_source_entry_uri(side, urls, cred, e);
    }

    for (i = 0; i < json_array_size(urls); i++) {
        if (!tc_source_entry_uri(side, json_array_get(urls, i), cred, e)) {
            return 0;
        }
    }

    return 1;
}


static int
tc_source_entry_uri(tc_side_t *side, const json_t *uri, const tc_cred_t *cred,
    tc_error_t *e)
{
    rs_str_t      text;
    tc_server_t  *s;

    text = rs_str(json_string_value(uri));

    if (!rs_str_starts(text, RS_STR("turn:"))
        && !rs_str_starts(text, RS_STR("turns:")))
    {
        return 1;
    }

    s = tc_source_add(side);

    if (s == NULL || !tc_source_parse(s, text)) {
        tc_error_text(e, "usage", "\"%s\": \"%.*s\" is not a TURN URI, or "
                      "there are more than %d", side->ice, (int) text.len,
                      (const char *) text.data, TC_SERVERS_MAX);
        return 0;
    }

    s->creds = cred;
    s->ncreds = 1;

    return 1;
}


int
tc_source_share(const tc_side_t *from, tc_side_t *to, tc_error_t *e)
{
    unsigned  i;

    for (i = 0; i < to->n; i++) {
        if (to->server[i].ncreds) {
            continue;
        }

        if (from->n == 0) {
            tc_error_text(e, "usage", "the second server needs "
                          "--peer-credentials");
            return 0;
        }

        to->server[i].creds = from->server[0].creds;
        to->server[i].ncreds = from->server[0].ncreds;
    }

    return 1;
}


void
tc_source_free(tc_side_t *side)
{
    if (side->creds != NULL) {
        OPENSSL_cleanse(side->creds, side->ncreds * sizeof(tc_cred_t));
        free(side->creds);
    }

    free(side->server);
    side->creds = NULL;
    side->ncreds = 0;
    side->server = NULL;
    side->n = 0;
}


static int
tc_source_read(const char *name, tc_file_t *file, tc_error_t *e)
{
    FILE    *f;
    char    *data;
    size_t   size;

    memset(file, 0, sizeof(tc_file_t));
    f = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");

    if (f == NULL) {
        tc_error_text(e, "usage", "\"%s\": %s", name, strerror(errno));
        return 0;
    }

    for (size = 65536; size <= TC_SOURCE_FILE_MAX; size *= 2) {
        data = malloc(size + 1);

        if (data == NULL) {
            break;
        }

        if (file->data != NULL) {
            memcpy(data, file->data, file->len);
            OPENSSL_cleanse(file->data, file->len);
            free(file->data);
        }

        file->data = data;
        file->len += fread(data + file->len, 1, size - file->len, f);

        if (file->len < size) {
            break;
        }
    }

    if (ferror(f) || !feof(f)) {
        tc_error_text(e, "usage", "\"%s\" cannot be read, or is larger than "
                      "%d bytes", name, TC_SOURCE_FILE_MAX);
        OPENSSL_cleanse(file->data, file->len);
        free(file->data);
        file->data = NULL;
    }

    if (f != stdin) {
        (void) fclose(f);
    }

    return file->data != NULL;
}


int
tc_server_resolve(tc_server_t *s, int family, tc_error_t *e)
{
    int               rc;
    char              port[8];
    struct addrinfo   hints, *list;

    if (s->addrlen) {
        return 1;
    }

    memset(&hints, 0, sizeof(hints));
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;

    (void) snprintf(port, sizeof(port), "%u", s->port);
    rc = getaddrinfo(s->host, port, &hints, &list);

    if (rc != 0) {
        tc_error_text(e, "resolve", "%s: %s", s->host, gai_strerror(rc));
        return 0;
    }

    memcpy(&s->addr, list->ai_addr, list->ai_addrlen);
    s->addrlen = list->ai_addrlen;
    freeaddrinfo(list);

    return 1;
}
