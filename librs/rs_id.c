
/*
 * Copyright (C) rs-gateway contributors
 *
 * Ids, secrets, credentials, positions.
 */


#include "rs_id.h"

#include <string.h>
#include <openssl/evp.h>


static int rs_id_alphabet(rs_str_t s, size_t len);
static rs_str_t rs_id_sub(rs_str_t s, size_t from, size_t len);
static rs_err_e rs_cred_set(rs_cred_t *c, rs_str_t tenant, rs_str_t secret,
    rs_str_t hashed);
static rs_str_t rs_cred_id(rs_cred_t *c, unsigned i, const char *prefix,
    rs_str_t bare);
static int rs_id_whole(rs_str_t id, const char *prefix, rs_str_t *bare);


/* len characters of the base32 alphabet */

static int
rs_id_alphabet(rs_str_t s, size_t len)
{
    size_t   i;
    uint8_t  c;

    if (s.len != len) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if ((c < 'a' || c > 'z') && (c < '2' || c > '7')) {
            return 0;
        }
    }

    return 1;
}


static rs_str_t
rs_id_sub(rs_str_t s, size_t from, size_t len)
{
    return (rs_str_t) { s.data + from, len };
}


rs_err_e
rs_tenant_check(rs_str_t s)
{
    size_t   i;
    uint8_t  c;

    if (s.len == 0 || s.len > RS_TENANT_MAX) {
        return RS_E_INVALID_VALUE;
    }

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-') {
            return RS_E_INVALID_VALUE;
        }
    }

    return RS_OK;
}


rs_err_e
rs_region_check(rs_str_t s)
{
    size_t   i;
    uint8_t  c;

    if (s.len == 0 || s.len > RS_REGION_MAX) {
        return RS_E_INVALID_VALUE;
    }

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
        {
            return RS_E_INVALID_VALUE;
        }
    }

    return RS_OK;
}


rs_err_e
rs_id_check(rs_str_t s, const char *prefix)
{
    rs_str_t  bare;

    return rs_id_whole(s, prefix, &bare) ? RS_OK : RS_E_INVALID_VALUE;
}


static int
rs_id_whole(rs_str_t id, const char *prefix, rs_str_t *bare)
{
    if (id.len != RS_ID_LEN || !rs_str_starts(id, rs_str(prefix))) {
        return 0;
    }

    *bare = rs_id_sub(id, RS_ID_PREFIX_LEN, RS_ID_BARE_LEN);

    return rs_id_alphabet(*bare, RS_ID_BARE_LEN);
}


rs_err_e
rs_secret_check(rs_str_t s)
{
    return rs_id_alphabet(s, RS_ID_SECRET_LEN) ? RS_OK : RS_E_INVALID_VALUE;
}


rs_err_e
rs_pin_check(rs_str_t s)
{
    size_t  i;

    if (s.len < RS_PIN_MIN || s.len > RS_PIN_MAX) {
        return RS_E_INVALID_VALUE;
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return RS_E_INVALID_VALUE;
        }
    }

    return RS_OK;
}


rs_err_e
rs_id_check_session(rs_str_t s)
{
    return rs_id_check(s, RS_ID_SESSION);
}


rs_err_e
rs_id_check_device(rs_str_t s)
{
    return rs_id_check(s, RS_ID_DEVICE);
}


rs_err_e
rs_id_check_participant(rs_str_t s)
{
    return rs_id_check(s, RS_ID_PARTICIPANT);
}


rs_err_e
rs_id_check_enrollment(rs_str_t s)
{
    return rs_id_check(s, RS_ID_ENROLLMENT);
}


rs_err_e
rs_id_check_tunnel(rs_str_t s)
{
    return rs_id_check(s, RS_ID_TUNNEL);
}


rs_err_e
rs_id_check_pipe(rs_str_t s)
{
    return rs_id_check(s, RS_ID_PIPE);
}


rs_err_e
rs_id_check_recording(rs_str_t s)
{
    return rs_id_check(s, RS_ID_RECORDING);
}


rs_err_e
rs_id_check_group(rs_str_t s)
{
    return rs_id_check(s, RS_ID_GROUP);
}


void
rs_id_format(char *dst, const char *prefix,
    const uint8_t random[RS_ID_RANDOM_LEN])
{
    memcpy(dst, prefix, RS_ID_PREFIX_LEN);
    (void) rs_base32_encode(dst + RS_ID_PREFIX_LEN, random, RS_ID_RANDOM_LEN);
}


void
rs_secret_format(char *dst, const uint8_t random[RS_ID_SECRET_RANDOM_LEN])
{
    (void) rs_base32_encode(dst, random, RS_ID_SECRET_RANDOM_LEN);
}


rs_err_e
rs_hash_hex(rs_str_t text, char *dst)
{
    uint8_t   digest[32];
    unsigned  len;

    if (EVP_Digest(text.data, text.len, digest, &len, EVP_sha256(), NULL)
        != 1)
    {
        return RS_E_INTERNAL;
    }

    (void) rs_hex_encode(dst, digest, sizeof(digest));

    return RS_OK;
}


rs_err_e
rs_hash_pair(rs_str_t a, rs_str_t b, char *dst)
{
    rs_buf_t  buf;
    uint8_t   text[RS_ID_SECRET_LEN + 1 + RS_ORIGIN_MAX];

    rs_buf_init(&buf, text, sizeof(text));
    rs_buf_str(&buf, a);
    rs_buf_char(&buf, '\0');
    rs_buf_str(&buf, b);

    return buf.overflow ? RS_E_INVALID_VALUE
                        : rs_hash_hex(rs_buf_get(&buf), dst);
}


rs_err_e
rs_ticket_bind(rs_str_t secret, rs_str_t origin, char *dst)
{
    size_t    i;
    uint8_t   text[RS_ORIGIN_MAX];
    rs_str_t  s;

    if (origin.len == 0 || origin.len > RS_ORIGIN_MAX) {
        return RS_E_INVALID_VALUE;
    }

    for (i = 0; i < origin.len; i++) {
        text[i] = origin.data[i];

        if (text[i] >= 'A' && text[i] <= 'Z') {
            text[i] = (uint8_t) (text[i] + ('a' - 'A'));
        }
    }

    s = (rs_str_t) { text, origin.len };

    if (rs_str_starts(s, RS_STR("https://")) && s.len > 4
        && rs_str_eq(rs_id_sub(s, s.len - 4, 4), RS_STR(":443")))
    {
        s.len -= 4;

    } else if (rs_str_starts(s, RS_STR("http://"))
               && rs_str_eq(rs_id_sub(s, s.len - 3, 3), RS_STR(":80")))
    {
        s.len -= 3;
    }

    return rs_hash_pair(secret, s, dst);
}


rs_err_e
rs_pos_parse(rs_str_t s, rs_pos_t *pos)
{
    rs_str_t  epoch, n;

    if (!rs_str_split(s, '-', &epoch, &n)
        || !rs_u64_parse(epoch, UINT64_MAX, &pos->epoch)
        || !rs_u64_parse(n, UINT64_MAX, &pos->n))
    {
        return RS_E_INVALID_VALUE;
    }

    return RS_OK;
}


size_t
rs_pos_format(const rs_pos_t *pos, char *dst, size_t size)
{
    rs_buf_t  b;

    rs_buf_init(&b, dst, size);
    rs_buf_u64(&b, pos->epoch);
    rs_buf_char(&b, '-');
    rs_buf_u64(&b, pos->n);

    return b.overflow ? 0 : b.len;
}


int
rs_pos_cmp(const rs_pos_t *a, const rs_pos_t *b)
{
    if (a->epoch != b->epoch) {
        return (a->epoch < b->epoch) ? -1 : 1;
    }

    if (a->n != b->n) {
        return (a->n < b->n) ? -1 : 1;
    }

    return 0;
}


int
rs_pos_is_next(const rs_pos_t *pos, const rs_pos_t *next)
{
    return pos->epoch == next->epoch && pos->n != UINT64_MAX
           && next->n == pos->n + 1;
}


static rs_err_e
rs_cred_set(rs_cred_t *c, rs_str_t tenant, rs_str_t secret, rs_str_t hashed)
{
    memset(c, 0, sizeof(rs_cred_t));

    if (rs_tenant_check(tenant) != RS_OK || rs_secret_check(secret) != RS_OK) {
        return RS_E_UNAUTHENTICATED;
    }

    c->tenant = tenant;
    c->secret = secret;

    return rs_hash_hex(hashed, c->hash);
}


static rs_str_t
rs_cred_id(rs_cred_t *c, unsigned i, const char *prefix, rs_str_t bare)
{
    memcpy(c->ids[i], prefix, RS_ID_PREFIX_LEN);
    memcpy(c->ids[i] + RS_ID_PREFIX_LEN, bare.data, RS_ID_BARE_LEN);

    return (rs_str_t) { (uint8_t *) c->ids[i], RS_ID_LEN };
}


rs_err_e
rs_api_key_parse(rs_str_t s, rs_cred_t *c)
{
    rs_str_t  tenant, secret;

    memset(c, 0, sizeof(rs_cred_t));

    if (s.len > RS_ID_API_KEY_MAX || !rs_str_starts(s, RS_STR("rsk_"))
        || !rs_str_split(rs_id_sub(s, 4, s.len - 4), '_', &tenant, &secret))
    {
        return RS_E_UNAUTHENTICATED;
    }

    return rs_cred_set(c, tenant, secret, s);
}


static rs_err_e
rs_once_parse(rs_str_t prefix, rs_str_t s, rs_cred_t *c)
{
    rs_str_t  tenant, secret;

    memset(c, 0, sizeof(rs_cred_t));

    if (s.len > RS_ID_API_KEY_MAX || !rs_str_starts(s, prefix)
        || !rs_str_split(rs_id_sub(s, 4, s.len - 4), '_', &tenant, &secret))
    {
        return RS_E_UNAUTHENTICATED;
    }

    return rs_cred_set(c, tenant, secret, secret);
}


rs_err_e
rs_bootstrap_parse(rs_str_t s, rs_cred_t *c)
{
    return rs_once_parse(RS_STR("rsb_"), s, c);
}


rs_err_e
rs_login_parse(rs_str_t s, rs_cred_t *c)
{
    return rs_once_parse(RS_STR("rso_"), s, c);
}


rs_err_e
rs_enroll_parse(rs_str_t s, rs_cred_t *c)
{
    rs_err_e  rc;
    rs_str_t  tenant, rest, id, secret;

    memset(c, 0, sizeof(rs_cred_t));

    if (s.len > RS_ID_ENROLL_MAX || !rs_str_starts(s, RS_STR("rse_"))
        || !rs_str_split(rs_id_sub(s, 4, s.len - 4), '_', &tenant, &rest)
        || !rs_str_split(rest, '_', &id, &secret)
        || !rs_id_alphabet(id, RS_ID_BARE_LEN))
    {
        return RS_E_UNAUTHENTICATED;
    }

    rc = rs_cred_set(c, tenant, secret, secret);

    if (rc == RS_OK) {
        c->enrollment_id = rs_cred_id(c, 0, RS_ID_ENROLLMENT, id);
    }

    return rc;
}


/* id: what the ticket is of, without prefix, when RS_OK */

static rs_err_e
rs_ticket_split(rs_str_t s, rs_cred_t *c, rs_str_t *id)
{
    rs_str_t  tenant, rest, secret;

    memset(c, 0, sizeof(rs_cred_t));

    if (s.len > RS_ID_TICKET_MAX
        || !rs_str_split(s, '.', &tenant, &rest)
        || rest.len != RS_ID_BARE_LEN + RS_ID_SECRET_LEN)
    {
        return RS_E_UNAUTHENTICATED;
    }

    *id = rs_id_sub(rest, 0, RS_ID_BARE_LEN);
    secret = rs_id_sub(rest, RS_ID_BARE_LEN, RS_ID_SECRET_LEN);

    if (!rs_id_alphabet(*id, RS_ID_BARE_LEN)) {
        return RS_E_UNAUTHENTICATED;
    }

    return rs_cred_set(c, tenant, secret, secret);
}


rs_err_e
rs_ticket_parse(rs_str_t s, rs_cred_t *c)
{
    rs_err_e  rc;
    rs_str_t  id;

    rc = rs_ticket_split(s, c, &id);

    if (rc == RS_OK) {
        c->session_id = rs_cred_id(c, 0, RS_ID_SESSION, id);
    }

    return rc;
}


rs_err_e
rs_pipe_ticket_parse(rs_str_t s, rs_cred_t *c)
{
    rs_err_e  rc;
    rs_str_t  id;

    rc = rs_ticket_split(s, c, &id);

    if (rc == RS_OK) {
        c->pipe_id = rs_cred_id(c, 0, RS_ID_PIPE, id);
    }

    return rc;
}


rs_err_e
rs_guest_parse(rs_str_t s, rs_cred_t *c)
{
    rs_err_e  rc;
    rs_str_t  tenant, session, link, secret, rest;

    memset(c, 0, sizeof(rs_cred_t));

    if (s.len > RS_ID_GUEST_MAX || !rs_str_starts(s, RS_STR("rsl_"))
        || !rs_str_split(rs_id_sub(s, 4, s.len - 4), '_', &tenant, &rest)
        || !rs_str_split(rest, '_', &session, &rest)
        || !rs_str_split(rest, '_', &link, &secret)
        || !rs_id_alphabet(session, RS_ID_BARE_LEN)
        || !rs_id_alphabet(link, RS_ID_BARE_LEN))
    {
        return RS_E_UNAUTHENTICATED;
    }

    rc = rs_cred_set(c, tenant, secret, secret);

    if (rc == RS_OK) {
        c->session_id = rs_cred_id(c, 0, RS_ID_SESSION, session);
        c->link_id = rs_cred_id(c, 1, RS_ID_LINK, link);
    }

    return rc;
}


rs_err_e
rs_resume_parse(rs_str_t s, rs_cred_t *c)
{
    rs_err_e  rc;
    rs_pos_t  position;
    rs_str_t  tenant, session, participant, secret, rest;

    memset(c, 0, sizeof(rs_cred_t));

    if (s.len > RS_ID_RESUME_MAX + 1 + RS_POS_MAX
        || !rs_str_split(s, '.', &tenant, &rest)
        || !rs_str_split(rest, '.', &session, &rest)
        || !rs_str_split(rest, '.', &participant, &rest)
        || !rs_str_split(rest, '.', &secret, &rest)
        || !rs_id_alphabet(session, RS_ID_BARE_LEN)
        || !rs_id_alphabet(participant, RS_ID_BARE_LEN)
        || rs_pos_parse(rest, &position) != RS_OK)
    {
        return RS_E_UNAUTHENTICATED;
    }

    rc = rs_cred_set(c, tenant, secret, secret);

    if (rc == RS_OK) {
        c->session_id = rs_cred_id(c, 0, RS_ID_SESSION, session);
        c->participant_id = rs_cred_id(c, 1, RS_ID_PARTICIPANT, participant);
        c->position = position;
    }

    return rc;
}


size_t
rs_api_key_format(char *dst, rs_str_t tenant, rs_str_t secret)
{
    rs_buf_t  b;

    if (rs_tenant_check(tenant) != RS_OK || rs_secret_check(secret) != RS_OK) {
        return 0;
    }

    rs_buf_init(&b, dst, RS_ID_API_KEY_MAX);
    rs_buf_cstr(&b, "rsk_");
    rs_buf_str(&b, tenant);
    rs_buf_char(&b, '_');
    rs_buf_str(&b, secret);

    return b.len;
}


size_t
rs_enroll_format(char *dst, rs_str_t tenant, rs_str_t enrollment_id,
    rs_str_t secret)
{
    rs_buf_t  b;
    rs_str_t  bare;

    if (rs_tenant_check(tenant) != RS_OK || rs_secret_check(secret) != RS_OK
        || !rs_id_whole(enrollment_id, RS_ID_ENROLLMENT, &bare))
    {
        return 0;
    }

    rs_buf_init(&b, dst, RS_ID_ENROLL_MAX);
    rs_buf_cstr(&b, "rse_");
    rs_buf_str(&b, tenant);
    rs_buf_char(&b, '_');
    rs_buf_str(&b, bare);
    rs_buf_char(&b, '_');
    rs_buf_str(&b, secret);

    return b.len;
}


static size_t
rs_ticket_write(char *dst, rs_str_t tenant, const char *prefix, rs_str_t id,
    rs_str_t secret)
{
    rs_buf_t  b;
    rs_str_t  bare;

    if (rs_tenant_check(tenant) != RS_OK || rs_secret_check(secret) != RS_OK
        || !rs_id_whole(id, prefix, &bare))
    {
        return 0;
    }

    rs_buf_init(&b, dst, RS_ID_TICKET_MAX);
    rs_buf_str(&b, tenant);
    rs_buf_char(&b, '.');
    rs_buf_str(&b, bare);
    rs_buf_str(&b, secret);

    return b.len;
}


size_t
rs_ticket_format(char *dst, rs_str_t tenant, rs_str_t session_id,
    rs_str_t secret)
{
    return rs_ticket_write(dst, tenant, RS_ID_SESSION, session_id, secret);
}


size_t
rs_pipe_ticket_format(char *dst, rs_str_t tenant, rs_str_t pipe_id,
    rs_str_t secret)
{
    return rs_ticket_write(dst, tenant, RS_ID_PIPE, pipe_id, secret);
}


size_t
rs_guest_format(char *dst, rs_str_t tenant, rs_str_t session_id,
    rs_str_t link_id, rs_str_t secret)
{
    rs_buf_t  b;
    rs_str_t  session, link;

    if (rs_tenant_check(tenant) != RS_OK || rs_secret_check(secret) != RS_OK
        || !rs_id_whole(session_id, RS_ID_SESSION, &session)
        || !rs_id_whole(link_id, RS_ID_LINK, &link))
    {
        return 0;
    }

    rs_buf_init(&b, dst, RS_ID_GUEST_MAX);
    rs_buf_cstr(&b, "rsl_");
    rs_buf_str(&b, tenant);
    rs_buf_char(&b, '_');
    rs_buf_str(&b, session);
    rs_buf_char(&b, '_');
    rs_buf_str(&b, link);
    rs_buf_char(&b, '_');
    rs_buf_str(&b, secret);

    return b.len;
}


size_t
rs_resume_format(char *dst, rs_str_t tenant, rs_str_t session_id,
    rs_str_t participant_id, rs_str_t secret)
{
    rs_buf_t  b;
    rs_str_t  session, participant;

    if (rs_tenant_check(tenant) != RS_OK || rs_secret_check(secret) != RS_OK
        || !rs_id_whole(session_id, RS_ID_SESSION, &session)
        || !rs_id_whole(participant_id, RS_ID_PARTICIPANT, &participant))
    {
        return 0;
    }

    rs_buf_init(&b, dst, RS_ID_RESUME_MAX);
    rs_buf_str(&b, tenant);
    rs_buf_char(&b, '.');
    rs_buf_str(&b, session);
    rs_buf_char(&b, '.');
    rs_buf_str(&b, participant);
    rs_buf_char(&b, '.');
    rs_buf_str(&b, secret);

    return b.len;
}
