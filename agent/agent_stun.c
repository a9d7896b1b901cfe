
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the dialogue:
 *
 *     Binding                                   STUN: it answers
 *     Allocate -> 401, realm, nonce
 *     Allocate with the credential -> success   TURN: it takes it
 *                                  -> 438       another nonce
 *                                  -> 440       the other family
 *                                  -> else      it does not
 */

#include "agent_stun.h"

#include <gio/gio.h>
#include <stdio.h>
#include <string.h>


static void agent_stun_id(agent_stun_t *s);
static void agent_stun_sign(const agent_stun_t *s, rs_buf_t *b);
static gboolean agent_stun_challenge(agent_stun_t *s,
    const rs_stun_msg_t *m);
static gboolean agent_stun_keep(rs_str_t value, guint8 *dst, gsize *len);
static agent_stun_e agent_stun_success(agent_stun_t *s,
    const rs_stun_msg_t *m, agent_probe_t *probe);
static agent_stun_e agent_stun_error(agent_stun_t *s, const rs_stun_msg_t *m,
    agent_probe_t *probe);
static agent_stun_e agent_stun_done(agent_probe_t *probe,
    agent_probe_e result, char *detail);
static agent_stun_e agent_stun_again(agent_stun_t *s, agent_probe_t *probe);


void
agent_stun_init(agent_stun_t *s, const agent_turn_t *turn, gboolean binding)
{
    memset(s, 0, sizeof(*s));
    s->turn = turn;
    s->binding = binding;
    agent_stun_id(s);
}


static void
agent_stun_id(agent_stun_t *s)
{
    gsize  i;

    for (i = 0; i < sizeof(s->id); i++) {
        s->id[i] = (guint8) g_random_int_range(0, 256);
    }
}


gboolean
agent_stun_question(const agent_stun_t *s, rs_buf_t *b)
{
    if (s->binding) {
        rs_stun_begin(b, RS_STUN_REQUEST, RS_STUN_BINDING, s->id);
        rs_stun_put_fingerprint(b);
        return !b->overflow;
    }

    rs_stun_begin(b, RS_STUN_REQUEST, RS_STUN_ALLOCATE, s->id);
    rs_stun_put_u32(b, RS_STUN_A_TRANSPORT,
                    (uint32_t) RS_STUN_TRANSPORT_UDP << 24);

    if (s->family != 0) {
        rs_stun_put_u32(b, RS_STUN_A_ADDRESS_FAMILY,
                        (uint32_t) s->family << 24);
    }

    agent_stun_sign(s, b);
    rs_stun_put_fingerprint(b);

    return !b->overflow;
}


gboolean
agent_stun_goodbye(const agent_stun_t *s, rs_buf_t *b)
{
    rs_stun_begin(b, RS_STUN_REQUEST, RS_STUN_REFRESH, s->id);
    rs_stun_put_u32(b, RS_STUN_A_LIFETIME, 0);
    agent_stun_sign(s, b);
    rs_stun_put_fingerprint(b);

    return !b->overflow;
}


static void
agent_stun_sign(const agent_stun_t *s, rs_buf_t *b)
{
    if (!s->keyed) {
        return;
    }

    rs_stun_put(b, RS_STUN_A_USERNAME, rs_str(s->turn->username));
    rs_stun_put(b, RS_STUN_A_REALM,
                (rs_str_t) { (uint8_t *) s->realm, s->realm_len });
    rs_stun_put(b, RS_STUN_A_NONCE,
                (rs_str_t) { (uint8_t *) s->nonce, s->nonce_len });
    (void) rs_stun_put_integrity(b, (rs_str_t) { (uint8_t *) s->key,
                                                 sizeof(s->key) });
}


agent_stun_e
agent_stun_answer(agent_stun_t *s, const void *bytes, gsize len,
    agent_probe_t *probe)
{
    rs_str_t       id;
    rs_stun_msg_t  m;

    if (rs_stun_parse((rs_str_t) { (uint8_t *) bytes, len }, &m) != RS_OK) {
        return agent_stun_done(probe, AGENT_PROBE_STRANGE,
                               g_strdup("what came back is no STUN: another "
                                        "service has this port, or something "
                                        "on the way answers in its place"));
    }

    id = (rs_str_t) { s->id, sizeof(s->id) };

    if (!rs_str_eq(m.id, id)
        || m.method != (s->binding ? RS_STUN_BINDING : RS_STUN_ALLOCATE))
    {
        return AGENT_STUN_IGNORE;
    }

    switch (m.cls) {

    case RS_STUN_SUCCESS:
        return agent_stun_success(s, &m, probe);

    case RS_STUN_ERROR:
        return agent_stun_error(s, &m, probe);

    default:
        return AGENT_STUN_IGNORE;
    }
}


static agent_stun_e
agent_stun_success(agent_stun_t *s, const rs_stun_msg_t *m,
    agent_probe_t *probe)
{
    rs_stun_addr_t            a;
    g_autofree char          *text = NULL;
    g_autoptr(GInetAddress)   address = NULL;

    if (!s->binding
        && (!s->keyed
            || rs_stun_verify(m, (rs_str_t) { s->key, sizeof(s->key) })
               != RS_OK))
    {
        return agent_stun_done(probe, AGENT_PROBE_STRANGE,
                               g_strdup("it says yes without knowing the "
                                        "credential"));
    }

    probe->seen[0] = '\0';

    if (rs_stun_attr_addr(m, RS_STUN_A_XOR_MAPPED_ADDRESS, &a)) {
        address = g_inet_address_new_from_bytes(a.ip,
                                        a.family == RS_STUN_FAMILY_IPV6
                                        ? G_SOCKET_FAMILY_IPV6
                                        : G_SOCKET_FAMILY_IPV4);
        text = g_inet_address_to_string(address);

        (void) snprintf(probe->seen, sizeof(probe->seen),
                        a.family == RS_STUN_FAMILY_IPV6 ? "[%s]:%u" : "%s:%u",
                        text, a.port);
    }

    return agent_stun_done(probe, AGENT_PROBE_OK, NULL);
}


static agent_stun_e
agent_stun_error(agent_stun_t *s, const rs_stun_msg_t *m,
    agent_probe_t *probe)
{
    char       clean[128];
    gsize      len;
    unsigned   code;
    rs_str_t   reason;

    if (!rs_stun_attr_error(m, &code, &reason)) {
        return agent_stun_done(probe, AGENT_PROBE_STRANGE,
                               g_strdup("an error without a number came "
                                        "back"));
    }

    if (!s->binding
        && ((code == 401 && !s->keyed) || (code == 438 && s->keyed))
        && agent_stun_challenge(s, m))
    {
        return agent_stun_again(s, probe);
    }

    if (code == 440 && s->keyed && s->family == 0) {
        s->family = RS_STUN_FAMILY_IPV6;
        return agent_stun_again(s, probe);
    }

    probe->code = code;

    /* a stranger's words, for people */

    for (len = 0; len < reason.len && len < sizeof(clean) - 1; len++) {
        clean[len] = (reason.data[len] >= ' ' && reason.data[len] < 0x7f)
                     ? (char) reason.data[len] : '?';
    }

    clean[len] = '\0';

    return agent_stun_done(probe, AGENT_PROBE_REFUSED,
                           g_strdup_printf("the server answers %u %s", code,
                                           clean));
}


static gboolean
agent_stun_challenge(agent_stun_t *s, const rs_stun_msg_t *m)
{
    rs_str_t  realm, nonce;

    if (!rs_stun_attr(m, RS_STUN_A_NONCE, &nonce)
        || !agent_stun_keep(nonce, s->nonce, &s->nonce_len))
    {
        return FALSE;
    }

    if (rs_stun_attr(m, RS_STUN_A_REALM, &realm)
        && !agent_stun_keep(realm, s->realm, &s->realm_len))
    {
        return FALSE;
    }

    s->keyed = rs_stun_key(s->key, rs_str(s->turn->username),
                           (rs_str_t) { s->realm, s->realm_len },
                           rs_str(s->turn->credential)) == RS_OK;

    return s->keyed;
}


static gboolean
agent_stun_keep(rs_str_t value, guint8 *dst, gsize *len)
{
    if (value.len == 0 || value.len > AGENT_STUN_TEXT) {
        return FALSE;
    }

    memcpy(dst, value.data, value.len);
    *len = value.len;

    return TRUE;
}


static agent_stun_e
agent_stun_again(agent_stun_t *s, agent_probe_t *probe)
{
    if (++s->turns == AGENT_STUN_TURNS) {
        return agent_stun_done(probe, AGENT_PROBE_STRANGE,
                               g_strdup("it asks for another nonce again and "
                                        "again"));
    }

    agent_stun_id(s);

    return AGENT_STUN_AGAIN;
}


static agent_stun_e
agent_stun_done(agent_probe_t *probe, agent_probe_e result, char *detail)
{
    probe->result = result;
    g_free(probe->detail);
    probe->detail = detail;

    return AGENT_STUN_DONE;
}


const char *
agent_probe_word(agent_probe_e result)
{
    static const char *const  words[] = {
        "ok", "name", "silent", "closed", "tls", "refused", "strange"
    };

    return words[result];
}


void
agent_probe_clear(agent_probe_t *probe)
{
    g_clear_pointer(&probe->detail, g_free);
}
