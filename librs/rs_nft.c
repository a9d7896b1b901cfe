
/*
 * Copyright (C) rs-gateway contributors
 *
 * Rules of the kernel, as nft prints them.
 */


#include "rs_nft.h"

#include <jansson.h>
#include <string.h>


static int rs_nft_is(const json_t *object, const char *key,
    const char *value);
static int rs_nft_same(const json_t *a, const json_t *b, const char *key);
static int rs_nft_at_input(const json_t *list, const json_t *rule);
static int rs_nft_drops(const json_t *rule, const rs_ip_t *ip);
static int rs_nft_match(const json_t *match, const rs_ip_t *ip);
static int rs_nft_value(const json_t *value, const rs_ip_t *ip);
static int rs_nft_range(const json_t *range, const rs_ip_t *ip);
static int rs_nft_addr(const json_t *value, rs_ip_t *ip);


rs_err_e
rs_nft_closed(rs_str_t text, const rs_ip_t *ip)
{
    json_t    *root, *list, *rule;
    size_t     i;
    rs_err_e   rc;

    if (text.len > RS_NFT_MAX) {
        return RS_E_BODY_TOO_LARGE;
    }

    root = json_loadb((const char *) text.data, text.len, 0, NULL);
    list = json_object_get(root, "nftables");

    if (!json_is_array(list)) {
        json_decref(root);
        return RS_E_INVALID_JSON;
    }

    rc = RS_E_NOT_FOUND;

    json_array_foreach(list, i, rule) {
        rule = json_object_get(rule, "rule");

        if (rule != NULL && rs_nft_drops(rule, ip)
            && rs_nft_at_input(list, rule))
        {
            rc = RS_OK;
            break;
        }
    }

    json_decref(root);

    return rc;
}


static int
rs_nft_is(const json_t *object, const char *key, const char *value)
{
    const char  *text;

    text = json_string_value(json_object_get(object, key));

    return text != NULL && strcmp(text, value) == 0;
}


static int
rs_nft_same(const json_t *a, const json_t *b, const char *key)
{
    const char  *text;

    text = json_string_value(json_object_get(a, key));

    return text != NULL && rs_nft_is(b, key, text);
}


/* its chain is one that packets to this host pass */

static int
rs_nft_at_input(const json_t *list, const json_t *rule)
{
    size_t       i;
    json_t      *chain;
    const char  *name;

    name = json_string_value(json_object_get(rule, "chain"));

    if (name == NULL) {
        return 0;
    }

    json_array_foreach(list, i, chain) {
        chain = json_object_get(chain, "chain");

        if (chain != NULL && rs_nft_is(chain, "name", name)
            && rs_nft_same(chain, rule, "family")
            && rs_nft_same(chain, rule, "table"))
        {
            return rs_nft_is(chain, "hook", "input");
        }
    }

    return 0;
}


static int
rs_nft_drops(const json_t *rule, const rs_ip_t *ip)
{
    int      to, drop;
    json_t  *list, *expr, *match;
    size_t   i;

    list = json_object_get(rule, "expr");
    to = 0;
    drop = 0;

    json_array_foreach(list, i, expr) {
        match = json_object_get(expr, "match");

        if (match != NULL) {
            if (!rs_nft_match(match, ip)) {
                return 0;
            }

            to = 1;

        } else if (json_object_get(expr, "drop") != NULL
                   || json_object_get(expr, "reject") != NULL)
        {
            drop = 1;

        } else if (json_object_get(expr, "counter") == NULL
                   && json_object_get(expr, "log") == NULL)
        {
            return 0;
        }
    }

    return to && drop;
}


/* its destination, and nothing else */

static int
rs_nft_match(const json_t *match, const rs_ip_t *ip)
{
    json_t  *payload, *right;
    size_t   i;

    payload = json_object_get(json_object_get(match, "left"), "payload");

    if (!rs_nft_is(match, "op", "==")
        || !rs_nft_is(payload, "field", "daddr")
        || !rs_nft_is(payload, "protocol",
                      ip->len == RS_IP_V4 ? "ip" : "ip6"))
    {
        return 0;
    }

    right = json_object_get(match, "right");

    if (!json_is_array(json_object_get(right, "set"))) {
        return rs_nft_value(right, ip);
    }

    json_array_foreach(json_object_get(right, "set"), i, match) {
        if (rs_nft_value(match, ip)) {
            return 1;
        }
    }

    return 0;
}


static int
rs_nft_value(const json_t *value, const rs_ip_t *ip)
{
    char            text[RS_IP_TEXT_MAX + sizeof("/4294967296")];
    json_t         *prefix;
    rs_buf_t        b;
    rs_ip_t         one;
    json_int_t      len;
    const char     *addr;
    rs_ip_range_t   range;

    if (json_is_object(value)) {
        prefix = json_object_get(value, "prefix");

        if (prefix == NULL) {
            return rs_nft_range(json_object_get(value, "range"), ip);
        }

        addr = json_string_value(json_object_get(prefix, "addr"));
        len = json_integer_value(json_object_get(prefix, "len"));

        if (addr == NULL || len <= 0 || len > 128) {
            return 0;
        }

        rs_buf_init(&b, text, sizeof(text));
        rs_buf_cstr(&b, addr);
        rs_buf_char(&b, '/');
        rs_buf_u64(&b, (uint64_t) len);

        return !b.overflow
               && rs_ip_range_parse(rs_buf_get(&b), &range) == RS_OK
               && rs_ip_cmp(&range.first, ip) <= 0
               && rs_ip_cmp(&range.last, ip) >= 0;
    }

    return rs_nft_addr(value, &one) && rs_ip_cmp(&one, ip) == 0;
}


static int
rs_nft_range(const json_t *range, const rs_ip_t *ip)
{
    rs_ip_t  first, last;

    return rs_nft_addr(json_array_get(range, 0), &first)
           && rs_nft_addr(json_array_get(range, 1), &last)
           && rs_ip_cmp(&first, ip) <= 0 && rs_ip_cmp(&last, ip) >= 0;
}


static int
rs_nft_addr(const json_t *value, rs_ip_t *ip)
{
    return json_is_string(value)
           && rs_ip_parse(rs_str(json_string_value(value)), ip) == RS_OK;
}
