
/*
 * Copyright (C) rs-gateway contributors
 *
 * ICE servers.
 */


#include "rs_ice.h"
#include "rs_host.h"


static rs_err_e rs_ice_check_host(rs_str_t s);
static int rs_ice_is_own(const rs_ice_t *ice, size_t i);
static void rs_ice_write_urls(rs_buf_t *b, const rs_str_t *urls, size_t n);


static rs_err_e
rs_ice_check_host(rs_str_t s)
{
    rs_host_t  host;

    return rs_host_parse(s, &host);
}


rs_err_e
rs_ice_check_stun_url(rs_str_t url)
{
    rs_str_t  scheme, rest;

    if (url.len > RS_ICE_URL_MAX
        || !rs_str_split(url, ':', &scheme, &rest)
        || (!rs_str_eq(scheme, RS_STR("stun"))
            && !rs_str_eq(scheme, RS_STR("stuns"))))
    {
        return RS_E_INVALID_VALUE;
    }

    return rs_ice_check_host(rest);
}


rs_err_e
rs_ice_check_turn_url(rs_str_t url)
{
    int       tls;
    rs_str_t  scheme, rest, query;

    if (url.len > RS_ICE_URL_MAX
        || !rs_str_split(url, ':', &scheme, &rest))
    {
        return RS_E_INVALID_VALUE;
    }

    tls = rs_str_eq(scheme, RS_STR("turns"));

    if (!tls && !rs_str_eq(scheme, RS_STR("turn"))) {
        return RS_E_INVALID_VALUE;
    }

    /* DTLS to a TURN server is spoken by no browser */

    if (rs_str_split(rest, '?', &rest, &query)
        && !rs_str_eq(query, RS_STR("transport=tcp"))
        && (tls || !rs_str_eq(query, RS_STR("transport=udp"))))
    {
        return RS_E_INVALID_VALUE;
    }

    return rs_ice_check_host(rest);
}


static int
rs_ice_is_own(const rs_ice_t *ice, size_t i)
{
    return ice->region.len != 0
           && rs_str_eq(ice->turn[i].region, ice->region);
}


size_t
rs_ice_order(const rs_ice_t *ice, size_t i)
{
    int     own;
    size_t  n, k;

    n = 0;
    k = 0;

    for (own = 1; own >= 0; own--) {
        for (k = 0; k < ice->nturn; k++) {
            if (rs_ice_is_own(ice, k) == own && n++ == i) {
                return k;
            }
        }
    }

    return 0;
}


static void
rs_ice_write_urls(rs_buf_t *b, const rs_str_t *urls, size_t n)
{
    size_t  i;

    rs_buf_cstr(b, "{\"urls\":[");

    for (i = 0; i < n; i++) {
        if (i) {
            rs_buf_char(b, ',');
        }

        rs_buf_json(b, urls[i]);
    }

    rs_buf_char(b, ']');
}


rs_err_e
rs_ice_credential(const rs_ice_t *ice, char *username, size_t *len,
    char *password)
{
    rs_str_t  user;

    *len = 0;

    if (ice->secret.len == 0 && ice->key == NULL) {
        return RS_OK;
    }

    *len = rs_turn_user_format(username, &ice->user);

    if (*len == 0) {
        return RS_E_INVALID_VALUE;
    }

    user.data = (uint8_t *) username;
    user.len = *len;

    return ice->key ? rs_turn_key_password(password, ice->key, ice->realm,
                                           user)
                    : rs_turn_password(password, ice->secret, user);
}


rs_err_e
rs_ice_write(rs_buf_t *b, const rs_ice_t *ice)
{
    char                  username[RS_TURN_USERNAME_MAX];
    char                  password[RS_TURN_PASSWORD_LEN];
    size_t                i;
    rs_err_e              rc;
    rs_str_t              user, credential;
    const char           *comma;
    const rs_ice_turn_t  *turn;

    user.data = (uint8_t *) username;
    credential.data = (uint8_t *) password;
    credential.len = sizeof(password);

    rc = rs_ice_credential(ice, username, &user.len, password);

    if (rc != RS_OK) {
        return rc;
    }

    rs_buf_cstr(b, "{\"iceServers\":[");
    comma = "";

    if (ice->nstun) {
        rs_ice_write_urls(b, ice->stun, ice->nstun);
        rs_buf_char(b, '}');
        comma = ",";
    }

    for (i = 0; user.len && i < ice->nturn; i++) {
        turn = &ice->turn[rs_ice_order(ice, i)];

        if (turn->n == 0) {
            continue;
        }

        rs_buf_cstr(b, comma);
        rs_ice_write_urls(b, turn->urls, turn->n);
        rs_buf_cstr(b, ",\"username\":");
        rs_buf_json(b, user);
        rs_buf_cstr(b, ",\"credential\":");
        rs_buf_json(b, credential);

        if (turn->region.len) {
            rs_buf_cstr(b, ",\"region\":");
            rs_buf_json(b, turn->region);
        }

        rs_buf_char(b, '}');
        comma = ",";
    }

    rs_buf_cstr(b, "],\"iceTransportPolicy\":\"");
    rs_buf_cstr(b, ice->relay_only ? "relay" : "all");
    rs_buf_cstr(b, "\",\"ttl_s\":");
    rs_buf_u64(b, ice->ttl_s);
    rs_buf_char(b, '}');

    return RS_OK;
}


size_t
rs_ice_size(const rs_ice_t *ice)
{
    size_t                i, k, size;
    const rs_ice_turn_t  *turn;

    /* an escaped character takes six; quotes and comma of a URL three */

    size = 128;

    for (i = 0; i < ice->nstun; i++) {
        size += ice->stun[i].len * 6 + 3;
    }

    for (k = 0; k < ice->nturn; k++) {
        turn = &ice->turn[k];
        size += RS_TURN_USERNAME_MAX + RS_TURN_PASSWORD_LEN + 80
                + turn->region.len * 6;

        for (i = 0; i < turn->n; i++) {
            size += turn->urls[i].len * 6 + 3;
        }
    }

    return size;
}
