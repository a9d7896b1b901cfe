
/*
 * Copyright (C) rs-gateway contributors
 *
 * Secrets, places and types of webhooks.
 */


#include "rs_webhook.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string.h>


#define RS_WEBHOOK_MAC_LEN     32
#define RS_WEBHOOK_TEXT_MAX    (16 + RS_TENANT_MAX + RS_ID_LEN + 24)


const char *const  rs_event_types[] = {
    "device.enrolled",
    "device.updated",
    "device.moved",
    "device.removed",
    "device.online",
    "device.offline",
    "session.created",
    "session.state",
    "session.ended",
    "participant.joined",
    "participant.left",
    "consent.asked",
    "consent.given",
    "consent.denied",
    "consent.timeout",
    "recording.started",
    "recording.stopped",
    "tunnel.created",
    "tunnel.updated",
    "tunnel.deleted",
    "tunnel.admitted",
    "tunnel.opened",
    "tunnel.refused",
    "tunnel.closed",
    "command.started",
    "command.refused",
    "command.ended",
    NULL
};


rs_err_e
rs_webhook_secret(char *dst, rs_str_t key, rs_str_t tenant, rs_str_t id,
    uint64_t n)
{
    uint8_t   text[RS_WEBHOOK_TEXT_MAX], mac[RS_WEBHOOK_MAC_LEN];
    unsigned  len;
    rs_buf_t  b;

    if (key.len < RS_WEBHOOK_KEY_MIN || key.len > INT32_MAX) {
        return RS_E_INVALID_VALUE;
    }

    rs_buf_init(&b, text, sizeof(text));
    rs_buf_cstr(&b, "rs-webhook");
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, tenant);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, id);
    rs_buf_char(&b, '\0');
    rs_buf_u64(&b, n);

    if (b.overflow) {
        return RS_E_INVALID_VALUE;
    }

    len = 0;

    if (HMAC(EVP_sha256(), key.data, (int) key.len, text, b.len, mac, &len)
        == NULL
        || len != sizeof(mac))
    {
        return RS_E_INTERNAL;
    }

    memcpy(dst, "whsec_", 6);
    (void) rs_base64_encode(dst + 6, mac, sizeof(mac));

    OPENSSL_cleanse(mac, sizeof(mac));

    return RS_OK;
}


rs_err_e
rs_webhook_url_check(rs_str_t url)
{
    size_t    i, begin;
    uint8_t   c;
    rs_str_t  host;

    if (url.len > RS_WEBHOOK_URL_MAX) {
        return RS_E_INVALID_VALUE;
    }

    begin = rs_str_starts(url, RS_STR("https://")) ? 8
            : rs_str_starts(url, RS_STR("http://")) ? 7 : 0;

    if (begin == 0) {
        return RS_E_INVALID_VALUE;
    }

    host.data = url.data + begin;
    host.len = 0;

    for (i = begin; i < url.len; i++) {
        c = url.data[i];

        if (c <= 0x20 || c >= 0x7f || strchr("\"#<>\\^`{|}", c)) {
            return RS_E_INVALID_VALUE;
        }

        if (host.len == i - begin && c != '/' && c != '?') {

            if (c == '@') {
                return RS_E_INVALID_VALUE;
            }

            host.len++;
        }
    }

    return host.len && host.data[0] != ':' ? RS_OK : RS_E_INVALID_VALUE;
}


int
rs_event_type(rs_str_t name)
{
    int  i;

    for (i = 0; rs_event_types[i]; i++) {
        if (rs_str_eq(name, rs_str(rs_event_types[i]))) {
            return i;
        }
    }

    return -1;
}
