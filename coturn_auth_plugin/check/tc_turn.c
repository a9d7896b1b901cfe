
/*
 * Copyright (C) rs-gateway contributors
 *
 * The TURN client: transactions with the long-term credential (RFC 8489,
 * 6.2 and 9.2), one allocation and what belongs to it (RFC 8656).
 *
 * A request is written anew for each attempt (401 tells realm and nonce, 438
 * a new nonce), from its arguments: XORed addresses depend on the
 * transaction's id.  Answers that are signed must be signed right; an error
 * that is not signed is believed, since its text is what this tool is for.
 */


#include "tc_turn.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>


#define TC_TURN_MESSAGE_MAX   1500
#define TC_TURN_NONCE_MAX     763     /* RFC 8489, 14.10, 14.9 */
#define TC_TURN_REALM_MAX     763
#define TC_TURN_RTO_US        500000  /* 6.2.1 */
#define TC_TURN_ATTEMPTS      4       /* 401 and 438 of one request */
#define TC_TURN_LIFETIME      600     /* s, asked for */
#define TC_TURN_REOPENS       3       /* from other ports, RFC 8656, 7.4 */


typedef struct tc_tx_s  tc_tx_t;

struct tc_tx_s {
    tc_tx_t             *next;
    tc_turn_t           *turn;
    struct event        *timer;

    unsigned             method;
    uint32_t             lifetime;
    unsigned             channel;
    unsigned             npeers;
    rs_stun_addr_t       peers[TC_TURN_PEERS_MAX];

    tc_turn_done_pt      done;
    void                *data;

    unsigned             attempts;
    uint64_t             deadline;    /* of this attempt */
    uint64_t             rto;
    uint8_t              id[RS_STUN_ID_LEN];
    size_t               len;
    uint8_t              message[TC_TURN_MESSAGE_MAX];
};


struct tc_turn_s {
    tc_env_t            *env;
    const tc_server_t   *server;
    const tc_cred_t     *cred;
    const tc_turn_ops_t *ops;
    void                *ctx;
    tc_io_t             *io;
    tc_tx_t             *txs;
    struct event        *refresh;

    uint8_t              key[RS_STUN_KEY_LEN];
    size_t               realm_len;   /* 0: none yet */
    size_t               nonce_len;
    uint8_t              realm[TC_TURN_REALM_MAX];
    uint8_t              nonce[TC_TURN_NONCE_MAX];

    rs_stun_addr_t       relayed;
    rs_stun_addr_t       mapped;
    uint32_t             lifetime;
    unsigned             relay_family;

    uint64_t             opened;
    uint64_t             connected;
    uint64_t             allocated;

    unsigned             reopens;
    unsigned             busy;
    unsigned             failed:1;
    unsigned             gone:1;
};


static void tc_turn_on_ready(void *ctx);
static void tc_turn_on_frame(void *ctx, const rs_stun_frame_t *f);
static void tc_turn_on_failed(void *ctx, const tc_error_t *e);
static void tc_turn_on_allocated(void *data, const tc_error_t *e);
static int tc_turn_reopen(tc_turn_t *t);
static void tc_turn_on_refresh(evutil_socket_t fd, short what, void *data);
static void tc_turn_on_refreshed(void *data, const tc_error_t *e);
static void tc_turn_answer(tc_turn_t *t, const rs_stun_msg_t *m);
static int tc_turn_challenge(tc_turn_t *t, tc_tx_t *tx,
    const rs_stun_msg_t *m, unsigned code, tc_error_t *e);
static int tc_turn_success(tc_turn_t *t, const tc_tx_t *tx,
    const rs_stun_msg_t *m, tc_error_t *e);
static void tc_turn_fail(tc_turn_t *t, const tc_error_t *e);
static void tc_turn_leave(tc_turn_t *t);
static tc_tx_t *tc_tx_new(tc_turn_t *t, unsigned method,
    tc_turn_done_pt done, void *data);
static int tc_tx_go(tc_tx_t *tx);
static int tc_tx_start(tc_tx_t *tx);
static void tc_tx_write(const tc_tx_t *tx, rs_buf_t *b);
static void tc_tx_send(tc_tx_t *tx);
static void tc_tx_on_timer(evutil_socket_t fd, short what, void *data);
static void tc_tx_finish(tc_tx_t *tx, const tc_error_t *e);
static void tc_tx_free(tc_tx_t *tx);
static const char *tc_tx_step(const tc_tx_t *tx);


static const tc_io_ops_t  tc_turn_io_ops = {
    tc_turn_on_ready,
    tc_turn_on_frame,
    tc_turn_on_failed
};


tc_turn_t *
tc_turn_open(tc_env_t *env, const tc_server_t *server, const tc_cred_t *cred,
    unsigned relay_family, const tc_turn_ops_t *ops, void *ctx,
    tc_error_t *e)
{
    tc_turn_t  *t;

    t = calloc(1, sizeof(tc_turn_t));

    if (t == NULL) {
        tc_error_text(e, "connect", "no memory");
        return NULL;
    }

    t->env = env;
    t->server = server;
    t->cred = cred;
    t->ops = ops;
    t->ctx = ctx;
    t->relay_family = relay_family;
    t->opened = tc_now_us();
    t->refresh = evtimer_new(env->base, tc_turn_on_refresh, t);

    if (t->refresh != NULL) {
        t->io = tc_io_open(env, server, &tc_turn_io_ops, t, e);

    } else {
        tc_error_text(e, "connect", "no memory");
    }

    if (t->io == NULL) {
        tc_turn_free(t);
        return NULL;
    }

    return t;
}


void
tc_turn_free(tc_turn_t *t)
{
    t->gone = 1;
    t->busy++;
    tc_turn_leave(t);
}


static void
tc_turn_leave(tc_turn_t *t)
{
    if (--t->busy || !t->gone) {
        return;
    }

    while (t->txs != NULL) {
        tc_tx_free(t->txs);
    }

    if (t->refresh != NULL) {
        event_free(t->refresh);
    }

    if (t->io != NULL) {
        tc_io_close(t->io);
    }

    OPENSSL_cleanse(t->key, sizeof(t->key));
    free(t);
}


/* ---- what the connection tells */


static void
tc_turn_on_ready(void *ctx)
{
    tc_tx_t     *tx;
    tc_turn_t   *t;
    tc_error_t   e;

    t = ctx;
    t->busy++;
    t->connected = tc_now_us();

    tx = tc_tx_new(t, RS_STUN_ALLOCATE, tc_turn_on_allocated, t);

    if (!tc_tx_go(tx)) {
        memset(&e, 0, sizeof(tc_error_t));
        tc_error_text(&e, "allocate", "the request cannot be made");
        tc_turn_fail(t, &e);
    }

    tc_turn_leave(t);
}


static void
tc_turn_on_frame(void *ctx, const rs_stun_frame_t *f)
{
    tc_turn_t      *t;
    rs_stun_msg_t   m;

    t = ctx;
    t->busy++;

    if (f->channel) {
        if (!t->failed && t->allocated) {
            t->ops->data(t->ctx, f->channel, f->body);
        }

    } else if (rs_stun_parse(f->body, &m) == RS_OK
               && (m.cls == RS_STUN_SUCCESS || m.cls == RS_STUN_ERROR))
    {
        tc_turn_answer(t, &m);
    }

    tc_turn_leave(t);
}


static void
tc_turn_on_failed(void *ctx, const tc_error_t *e)
{
    tc_turn_t  *t;

    t = ctx;
    t->busy++;
    tc_turn_fail(t, e);
    tc_turn_leave(t);
}


/* once; what was under way is dropped, its owners hear of it by this */

static void
tc_turn_fail(tc_turn_t *t, const tc_error_t *e)
{
    if (t->failed || t->gone) {
        return;
    }

    t->failed = 1;

    while (t->txs != NULL) {
        tc_tx_free(t->txs);
    }

    (void) event_del(t->refresh);
    t->ops->failed(t->ctx, e);
}


static void
tc_turn_answer(tc_turn_t *t, const rs_stun_msg_t *m)
{
    tc_tx_t     *tx;
    rs_str_t     reason, key;
    rs_err_e     rc;
    unsigned     code;
    tc_error_t   e;

    for (tx = t->txs; tx != NULL; tx = tx->next) {
        if (tx->method == m->method
            && memcmp(tx->id, m->id.data, RS_STUN_ID_LEN) == 0)
        {
            break;
        }
    }

    if (tx == NULL || t->failed || t->gone) {
        return;
    }

    memset(&e, 0, sizeof(tc_error_t));
    key = (rs_str_t) { t->key, sizeof(t->key) };
    rc = rs_stun_verify(m, key);

    if (m->integrity && rc != RS_OK && t->realm_len) {
        return;
    }

    if (m->cls == RS_STUN_ERROR) {
        if (!rs_stun_attr_error(m, &code, &reason)) {
            tc_error_text(&e, tc_tx_step(tx), "an error without a code");

        } else if ((code == 401 || code == 438)
                   && tc_turn_challenge(t, tx, m, code, &e))
        {
            return;

        } else {
            tc_error_set(&e, tc_tx_step(tx), code,
                         reason.len ? reason : RS_STR("no reason given"));
        }

    } else if (rc == RS_OK) {
        if (tc_turn_success(t, tx, m, &e)) {
            tc_tx_finish(tx, NULL);
            return;
        }

    } else {

        /* not signed: anybody's (9.2.5) */

        return;
    }

    tc_tx_finish(tx, &e);
}


/* 1: it was sent again; 0: it is refused, *e may say more */

static int
tc_turn_challenge(tc_turn_t *t, tc_tx_t *tx, const rs_stun_msg_t *m,
    unsigned code, tc_error_t *e)
{
    rs_str_t  realm, nonce;

    if (++tx->attempts >= TC_TURN_ATTEMPTS
        || (code == 401 && t->realm_len)
        || !rs_stun_attr(m, RS_STUN_A_NONCE, &nonce)
        || nonce.len > sizeof(t->nonce))
    {
        return 0;
    }

    if (t->realm_len == 0) {
        if (!rs_stun_attr(m, RS_STUN_A_REALM, &realm)
            || realm.len == 0
            || realm.len > sizeof(t->realm))
        {
            return 0;
        }

        if (t->env->realm != NULL
            && !rs_str_eq(realm, rs_str(t->env->realm)))
        {
            tc_error_text(e, tc_tx_step(tx),
                          "the server's realm is \"%.*s\", not \"%s\"",
                          (int) realm.len, (const char *) realm.data,
                          t->env->realm);
            return 0;
        }

        if (rs_stun_key(t->key, rs_str(t->cred->username), realm,
                        rs_str(t->cred->password)) != RS_OK)
        {
            tc_error_text(e, tc_tx_step(tx),
                          "OpenSSL gives no MD5: is FIPS mode on?");
            return 0;
        }

        memcpy(t->realm, realm.data, realm.len);
        t->realm_len = realm.len;
    }

    memcpy(t->nonce, nonce.data, nonce.len);
    t->nonce_len = nonce.len;

    if (!tc_tx_start(tx)) {
        tc_error_text(e, tc_tx_step(tx), "the request cannot be made");
        return 0;
    }

    return 1;
}


/* 1: all is there that must be */

static int
tc_turn_success(tc_turn_t *t, const tc_tx_t *tx, const rs_stun_msg_t *m,
    tc_error_t *e)
{
    uint32_t  lifetime;

    switch (tx->method) {

    case RS_STUN_ALLOCATE:
        if (!rs_stun_attr_addr(m, RS_STUN_A_XOR_RELAYED_ADDRESS, &t->relayed)
            || !rs_stun_attr_u32(m, RS_STUN_A_LIFETIME, &lifetime))
        {
            tc_error_text(e, "allocate",
                          "success without a relayed address or a lifetime");
            return 0;
        }

        (void) rs_stun_attr_addr(m, RS_STUN_A_XOR_MAPPED_ADDRESS, &t->mapped);
        t->lifetime = lifetime;
        break;

    case RS_STUN_REFRESH:
        if (rs_stun_attr_u32(m, RS_STUN_A_LIFETIME, &lifetime)) {
            t->lifetime = lifetime;
        }

        break;

    default:
        break;
    }

    return 1;
}


/* ---- the allocation */


static void
tc_turn_on_allocated(void *data, const tc_error_t *e)
{
    tc_turn_t       *t;
    struct timeval   tv;

    t = data;

    if (e != NULL) {
        if (e->code != 437 || !tc_turn_reopen(t)) {
            tc_turn_fail(t, e);
        }

        return;
    }

    t->allocated = tc_now_us();
    tv = tc_timeval((uint64_t) t->lifetime * 1000000 / 2);
    (void) event_add(t->refresh, &tv);

    t->ops->allocated(t->ctx);
}


/*
 * The server has an allocation for our address and port: of one who had the
 * port a moment before us.  1: we try another one.
 */

static int
tc_turn_reopen(tc_turn_t *t)
{
    tc_io_t     *io;
    tc_error_t   ignored;

    if (t->reopens == TC_TURN_REOPENS) {
        return 0;
    }

    memset(&ignored, 0, sizeof(tc_error_t));
    io = tc_io_open(t->env, t->server, &tc_turn_io_ops, t, &ignored);

    if (io == NULL) {
        return 0;
    }

    tc_io_close(t->io);
    t->io = io;
    t->reopens++;

    /* what was told of the old address need not be so for the new one */

    t->realm_len = 0;
    t->nonce_len = 0;

    return 1;
}


static void
tc_turn_on_refresh(evutil_socket_t fd, short what, void *data)
{
    tc_tx_t     *tx;
    tc_turn_t   *t;
    tc_error_t   e;

    (void) fd;
    (void) what;
    t = data;
    t->busy++;

    tx = tc_tx_new(t, RS_STUN_REFRESH, tc_turn_on_refreshed, t);

    if (tx != NULL) {
        tx->lifetime = TC_TURN_LIFETIME;
    }

    if (!tc_tx_go(tx)) {
        memset(&e, 0, sizeof(tc_error_t));
        tc_error_text(&e, "refresh", "the request cannot be made");
        tc_turn_fail(t, &e);
    }

    tc_turn_leave(t);
}


static void
tc_turn_on_refreshed(void *data, const tc_error_t *e)
{
    tc_turn_t       *t;
    struct timeval   tv;

    t = data;

    if (e != NULL) {
        tc_turn_fail(t, e);
        return;
    }

    tv = tc_timeval((uint64_t) t->lifetime * 1000000 / 2);
    (void) event_add(t->refresh, &tv);
}


int
tc_turn_permit(tc_turn_t *t, const rs_stun_addr_t *peers, unsigned n,
    tc_turn_done_pt done, void *data)
{
    tc_tx_t  *tx;

    tx = tc_tx_new(t, RS_STUN_CREATE_PERMISSION, done, data);

    if (tx == NULL) {
        return 0;
    }

    tx->npeers = n < TC_TURN_PEERS_MAX ? n : TC_TURN_PEERS_MAX;
    memcpy(tx->peers, peers, tx->npeers * sizeof(rs_stun_addr_t));

    return tc_tx_go(tx);
}


int
tc_turn_bind(tc_turn_t *t, unsigned channel, const rs_stun_addr_t *peer,
    tc_turn_done_pt done, void *data)
{
    tc_tx_t  *tx;

    tx = tc_tx_new(t, RS_STUN_CHANNEL_BIND, done, data);

    if (tx == NULL) {
        return 0;
    }

    tx->channel = channel;
    tx->npeers = 1;
    tx->peers[0] = *peer;

    return tc_tx_go(tx);
}


int
tc_turn_release(tc_turn_t *t, tc_turn_done_pt done, void *data)
{
    (void) event_del(t->refresh);

    return tc_tx_go(tc_tx_new(t, RS_STUN_REFRESH, done, data));
}


int
tc_turn_send(tc_turn_t *t, unsigned channel, rs_str_t data)
{
    size_t   pad;
    uint8_t  head[RS_STUN_CHANNEL_HEADER];
    uint8_t  padded[2048];

    rs_stun_channel_header(head, channel, data.len);

    if (t->server->transport != TC_UDP) {
        pad = RS_STUN_PADDED(data.len) - data.len;

        if (pad) {
            if (data.len + pad > sizeof(padded)) {
                return 0;
            }

            memcpy(padded, data.data, data.len);
            memset(padded + data.len, 0, pad);
            data = (rs_str_t) { padded, data.len + pad };
        }
    }

    return tc_io_send(t->io, (rs_str_t) { head, sizeof(head) }, data);
}


const rs_stun_addr_t *
tc_turn_relayed(const tc_turn_t *t)
{
    return &t->relayed;
}


const rs_stun_addr_t *
tc_turn_mapped(const tc_turn_t *t)
{
    return &t->mapped;
}


uint64_t
tc_turn_connect_us(const tc_turn_t *t)
{
    return t->connected ? t->connected - t->opened : 0;
}


uint64_t
tc_turn_allocate_us(const tc_turn_t *t)
{
    return t->allocated ? t->allocated - t->opened : 0;
}


rs_str_t
tc_turn_realm(const tc_turn_t *t)
{
    return (rs_str_t) { t->realm, t->realm_len };
}


const tc_cert_t *
tc_turn_cert(const tc_turn_t *t)
{
    return tc_io_cert(t->io);
}


/* ---- transactions */


static tc_tx_t *
tc_tx_new(tc_turn_t *t, unsigned method, tc_turn_done_pt done, void *data)
{
    tc_tx_t  *tx;

    tx = calloc(1, sizeof(tc_tx_t));

    if (tx == NULL) {
        return NULL;
    }

    tx->turn = t;
    tx->method = method;
    tx->done = done;
    tx->data = data;
    tx->timer = evtimer_new(t->env->base, tc_tx_on_timer, tx);

    if (tx->timer == NULL) {
        free(tx);
        return NULL;
    }

    tx->next = t->txs;
    t->txs = tx;

    return tx;
}


/* the first attempt; 0: tx is freed, or was NULL */

static int
tc_tx_go(tc_tx_t *tx)
{
    if (tx == NULL) {
        return 0;
    }

    if (!tc_tx_start(tx)) {
        tc_tx_free(tx);
        return 0;
    }

    return 1;
}


/* one attempt, with what is known of realm and nonce */

static int
tc_tx_start(tc_tx_t *tx)
{
    rs_buf_t  b;

    rs_buf_init(&b, tx->message, sizeof(tx->message));

    if (tx->turn->failed || RAND_bytes(tx->id, sizeof(tx->id)) != 1) {
        return 0;
    }

    tc_tx_write(tx, &b);

    if (b.overflow) {
        return 0;
    }

    tx->len = b.len;
    tx->rto = TC_TURN_RTO_US;
    tx->deadline = tc_now_us() + (uint64_t) tx->turn->env->timeout_ms * 1000;
    tc_tx_send(tx);

    return 1;
}


static void
tc_tx_write(const tc_tx_t *tx, rs_buf_t *b)
{
    unsigned          i;
    const tc_turn_t  *t;

    t = tx->turn;
    rs_stun_begin(b, RS_STUN_REQUEST, tx->method, tx->id);

    switch (tx->method) {

    case RS_STUN_ALLOCATE:
        rs_stun_put_u32(b, RS_STUN_A_TRANSPORT,
                        (uint32_t) RS_STUN_TRANSPORT_UDP << 24);

        if (t->relay_family) {
            rs_stun_put_u32(b, RS_STUN_A_ADDRESS_FAMILY,
                            (uint32_t) t->relay_family << 24);
        }

        break;

    case RS_STUN_REFRESH:
        rs_stun_put_u32(b, RS_STUN_A_LIFETIME, tx->lifetime);

        if (t->relayed.family == RS_STUN_FAMILY_IPV6) {
            rs_stun_put_u32(b, RS_STUN_A_ADDRESS_FAMILY,
                            (uint32_t) RS_STUN_FAMILY_IPV6 << 24);
        }

        break;

    case RS_STUN_CHANNEL_BIND:
        rs_stun_put_u32(b, RS_STUN_A_CHANNEL_NUMBER,
                        (uint32_t) tx->channel << 16);
        break;

    default:
        break;
    }

    for (i = 0; i < tx->npeers; i++) {
        rs_stun_put_addr(b, RS_STUN_A_XOR_PEER_ADDRESS, &tx->peers[i]);
    }

    rs_stun_put(b, RS_STUN_A_SOFTWARE, RS_STR("rs-turn-check"));

    if (t->realm_len) {
        rs_stun_put(b, RS_STUN_A_USERNAME, rs_str(t->cred->username));
        rs_stun_put(b, RS_STUN_A_REALM, tc_turn_realm(t));
        rs_stun_put(b, RS_STUN_A_NONCE,
                    (rs_str_t) { t->nonce, t->nonce_len });
        (void) rs_stun_put_integrity(b, (rs_str_t) { t->key,
                                                     sizeof(t->key) });
    }

    rs_stun_put_fingerprint(b);
}


/* over UDP again and again, until its deadline */

static void
tc_tx_send(tc_tx_t *tx)
{
    uint64_t         now, wait;
    struct timeval   tv;

    now = tc_now_us();
    wait = tx->deadline > now ? tx->deadline - now : 0;

    if (tx->turn->server->transport == TC_UDP && wait > tx->rto) {
        wait = tx->rto;
        tx->rto *= 2;
    }

    (void) tc_io_send(tx->turn->io, (rs_str_t) { tx->message, tx->len },
                      (rs_str_t) { NULL, 0 });

    tv = tc_timeval(wait);
    (void) event_add(tx->timer, &tv);
}


static void
tc_tx_on_timer(evutil_socket_t fd, short what, void *data)
{
    tc_tx_t     *tx;
    tc_turn_t   *t;
    tc_error_t   e;

    (void) fd;
    (void) what;
    tx = data;
    t = tx->turn;

    if (tc_now_us() < tx->deadline) {
        tc_tx_send(tx);
        return;
    }

    memset(&e, 0, sizeof(tc_error_t));
    tc_error_text(&e, tc_tx_step(tx), "no answer within %u ms",
                  t->env->timeout_ms);

    t->busy++;
    tc_tx_finish(tx, &e);
    tc_turn_leave(t);
}


static void
tc_tx_finish(tc_tx_t *tx, const tc_error_t *e)
{
    void             *data;
    tc_turn_done_pt   done;

    done = tx->done;
    data = tx->data;

    tc_tx_free(tx);
    done(data, e);
}


static void
tc_tx_free(tc_tx_t *tx)
{
    tc_tx_t  **p;

    for (p = &tx->turn->txs; *p != NULL; p = &(*p)->next) {
        if (*p == tx) {
            *p = tx->next;
            break;
        }
    }

    event_free(tx->timer);
    free(tx);
}


static const char *
tc_tx_step(const tc_tx_t *tx)
{
    switch (tx->method) {

    case RS_STUN_ALLOCATE:
        return "allocate";

    case RS_STUN_REFRESH:
        return "refresh";

    case RS_STUN_CREATE_PERMISSION:
        return "permission";

    case RS_STUN_CHANNEL_BIND:
        return "channel";

    default:
        return "request";
    }
}
