
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Proofs of operators, against an issuer played by the test over https: who
 * is accepted, what is refused and why, and how the issuer's keys are got,
 * kept and asked for again.  The clocks run on as the test says.
 */

#include "agent_operator.h"
#include "agent_issuer.h"
#include "agent_json.h"
#include "tap.h"

#include <glib/gstdio.h>
#include <libsoup/soup.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define AUDIENCE    "rs-console"
#define DEADLINE_S  20

/* what the issuer answers with, instead of a key set */

typedef enum {
    PLAY_WELL = 0,
    PLAY_DOWN,                      /* 503 */
    PLAY_OTHER,                     /* another issuer's document */
    PLAY_PLAIN,                     /* keys by http */
    PLAY_MOVED,                     /* a redirect to where keys are */
    PLAY_BIG,
    PLAY_RUBBISH,
    PLAY_SILENT                     /* takes the request, and that is it */
} play_e;


typedef struct {
    char                  *dir;
    char                  *cert;
    SoupServer            *server;
    char                  *issuer;
    play_e                 play;
    guint                  asked;       /* discovery documents */
    guint                  given;       /* key sets */
    SoupServerMessage     *paused;

    EVP_PKEY              *signing;
    const char            *kid;
    EVP_PKEY              *browser;

    json_t                *vectors;
    agent_config_t        *config;
    agent_operator_t      *operator;

    guint                  told;
    agent_who_t            who;
} fixture_t;


static gint64  late_us;                 /* the clocks are ahead */


gint64
g_get_monotonic_time(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * G_USEC_PER_SEC + ts.tv_nsec / 1000 + late_us;
}


gint64
g_get_real_time(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return ts.tv_sec * G_USEC_PER_SEC + ts.tv_nsec / 1000 + late_us;
}


static gint64
now_s(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}


static const char *
text_of(const json_t *obj, const char *name)
{
    return json_string_value(json_object_get(obj, name));
}


static char *
base64url(const guint8 *data, gsize len)
{
    char  *text;

    text = g_malloc(RS_BASE64URL_LEN(len) + 1);
    text[rs_base64url_encode(text, data, len)] = '\0';

    return text;
}


/* ---- keys, tokens and proofs */

static json_t *
jwk_of(EVP_PKEY *pkey)
{
    guint8             x[32], y[32];
    BIGNUM            *n;
    g_autofree char   *tx = NULL;
    g_autofree char   *ty = NULL;

    n = NULL;
    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &n);
    BN_bn2binpad(n, x, sizeof(x));
    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &n);
    BN_bn2binpad(n, y, sizeof(y));
    BN_free(n);

    tx = base64url(x, sizeof(x));
    ty = base64url(y, sizeof(y));

    return json_pack("{s:s, s:s, s:s, s:s}", "kty", "EC", "crv", "P-256",
                     "x", tx, "y", ty);
}


/* ES256: r, s */

static char *
sign(EVP_PKEY *pkey, const void *data, gsize len)
{
    size_t                n;
    guint8                der[80], raw[64];
    ECDSA_SIG            *sig;
    EVP_MD_CTX           *ctx;
    const unsigned char  *p = der;

    n = sizeof(der);
    ctx = EVP_MD_CTX_new();
    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey);
    EVP_DigestSign(ctx, der, &n, data, len);
    EVP_MD_CTX_free(ctx);

    sig = d2i_ECDSA_SIG(NULL, &p, (long) n);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32);
    ECDSA_SIG_free(sig);

    return base64url(raw, sizeof(raw));
}


static char *
part(json_t *obj)
{
    g_autofree char  *text = agent_json_text(obj);

    return base64url((const guint8 *) text, strlen(text));
}


/* takes claims over */

static char *
token_of(fixture_t *f, json_t *claims)
{
    g_autofree char  *header = NULL;
    g_autofree char  *payload = part(claims);
    g_autofree char  *input = NULL;
    g_autofree char  *signature = NULL;

    header = part(json_pack("{s:s, s:s}", "alg", "ES256", "kid", f->kid));
    input = g_strconcat(header, ".", payload, NULL);
    signature = sign(f->signing, input, strlen(input));

    return g_strconcat(input, ".", signature, NULL);
}


static json_t *
claims_of(fixture_t *f)
{
    char                  thumb[RS_OPERATOR_THUMBPRINT_LEN];
    json_t               *obj;
    rs_json_error_t       err;
    rs_operator_proof_t   proof;
    g_autofree char      *none = g_strnfill(86, 'A');

    obj = json_pack("{s:s, s:o, s:s}", "id_token", "a.b.c",
                    "key", jwk_of(f->browser), "signature", none);
    g_assert(rs_operator_proof_read(obj, &proof, &err) == RS_OK);
    rs_operator_thumbprint(&proof, thumb);
    json_decref(obj);

    return json_pack("{s:s, s:s, s:s, s:s%, s:s, s:[s, s], s:I, s:I}",
                     "iss", f->issuer, "aud", AUDIENCE, "sub", "u-anna",
                     "nonce", thumb, sizeof(thumb), "name", "Anna",
                     "groups", "support", "berlin",
                     "iat", (json_int_t) now_s(),
                     "exp", (json_int_t) now_s() + 300);
}


static rs_operator_line_t
line_of(fixture_t *f)
{
    rs_operator_line_t  line;

    line.session_id = rs_str(text_of(f->vectors, "session_id"));
    line.device_id = rs_str(text_of(f->vectors, "device_id"));
    line.participant_id = rs_str(text_of(f->vectors, "participant_id"));
    line.pc = 3;
    line.offer = rs_str(text_of(f->vectors, "offer_fingerprint"));
    line.answer = rs_str(NULL);

    return line;
}


/* takes claims over */

static json_t *
proof_of(fixture_t *f, json_t *claims)
{
    gsize                n;
    guint8               data[RS_OPERATOR_SIGNED_MAX];
    rs_operator_line_t   line = line_of(f);
    g_autofree char     *token = token_of(f, claims);
    g_autofree char     *signature = NULL;

    n = rs_operator_signed(data, &line);
    signature = sign(f->browser, data, n);

    return json_pack("{s:s, s:o, s:s}", "id_token", token,
                     "key", jwk_of(f->browser), "signature", signature);
}


/* ---- the issuer */

static void
answer(SoupServerMessage *msg, json_t *obj)
{
    char  *text = agent_json_text(obj);

    soup_server_message_set_status(msg, 200, NULL);
    soup_server_message_set_response(msg, "application/json",
                                     SOUP_MEMORY_TAKE, text, strlen(text));
}


static void
on_discovery(SoupServer *server, SoupServerMessage *msg, const char *path,
    GHashTable *query, gpointer data)
{
    fixture_t        *f = data;
    g_autofree char  *keys = NULL;

    (void) server;
    (void) path;
    (void) query;

    f->asked++;
    keys = g_strconcat(f->issuer, "/keys", NULL);

    switch (f->play) {

    case PLAY_DOWN:
        soup_server_message_set_status(msg, 503, NULL);
        return;

    case PLAY_SILENT:
        f->paused = g_object_ref(msg);
        soup_server_message_pause(msg);
        return;

    case PLAY_MOVED:
        soup_server_message_set_redirect(msg, 302, keys);
        return;

    case PLAY_OTHER:
        answer(msg, json_pack("{s:s, s:s}", "issuer",
                              "https://evil.example", "jwks_uri", keys));
        return;

    case PLAY_PLAIN:
        answer(msg, json_pack("{s:s, s:s}", "issuer", f->issuer, "jwks_uri",
                              "http://127.0.0.1:1/keys"));
        return;

    default:
        answer(msg, json_pack("{s:s, s:s}", "issuer", f->issuer, "jwks_uri",
                              keys));
        return;
    }
}


static void
on_keys(SoupServer *server, SoupServerMessage *msg, const char *path,
    GHashTable *query, gpointer data)
{
    json_t           *jwk;
    fixture_t        *f = data;
    g_autofree char  *big = NULL;

    (void) server;
    (void) path;
    (void) query;

    f->given++;

    if (f->play == PLAY_RUBBISH) {
        answer(msg, json_pack("{s:[]}", "keys"));
        return;
    }

    jwk = jwk_of(f->signing);
    json_object_set_new(jwk, "kid", json_string(f->kid));
    big = g_strnfill((f->play == PLAY_BIG) ? RS_JWKS_MAX : 1, 'x');

    answer(msg, json_pack("{s:[o], s:s}", "keys", jwk, "more", big));
}


static void
make_certificate(fixture_t *f)
{
    int                 status;
    g_autofree char    *make = NULL;
    g_autofree char    *err = NULL;

    f->cert = g_build_filename(f->dir, "cert.pem", NULL);
    make = g_strdup_printf("sh -c 'cd %s && openssl req -x509 -newkey ec "
                           "-pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                           "-subj /CN=g -addext subjectAltName=IP:127.0.0.1 "
                           "-keyout k -out c && cat k c > cert.pem && "
                           "rm k c'", f->dir);

    if (!g_spawn_command_line_sync(make, NULL, &err, &status, NULL)
        || status != 0)
    {
        printf("not ok - %s\n", make);
        exit(1);
    }
}


static void
start(fixture_t *f)
{
    GSList                       *uris;
    json_error_t                  error;
    const char                   *top = getenv("RS_TOP");
    g_autofree char              *path = NULL;
    g_autoptr(GTlsCertificate)    cert = NULL;

    memset(f, 0, sizeof(fixture_t));

    path = g_build_filename(top ? top : AGENT_TOP,
                            "docs/protocol/vectors/proof.json", NULL);
    f->vectors = json_load_file(path, JSON_ALLOW_NUL, &error);

    f->dir = g_dir_make_tmp("agent-XXXXXX", NULL);
    make_certificate(f);

    f->signing = EVP_EC_gen("P-256");
    f->kid = "k1";
    f->browser = EVP_EC_gen("P-256");

    cert = g_tls_certificate_new_from_file(f->cert, NULL);
    f->server = soup_server_new("tls-certificate", cert, NULL);
    soup_server_add_handler(f->server, "/.well-known/openid-configuration",
                            on_discovery, f, NULL);
    soup_server_add_handler(f->server, "/keys", on_keys, f, NULL);
    soup_server_listen_local(f->server, 0,
                             SOUP_SERVER_LISTEN_IPV4_ONLY
                             |SOUP_SERVER_LISTEN_HTTPS, NULL);
    uris = soup_server_get_uris(f->server);
    f->issuer = g_strdup_printf("https://127.0.0.1:%d",
                                g_uri_get_port(uris->data));
    g_slist_free_full(uris, (GDestroyNotify) g_uri_unref);

    f->config = agent_config_new();
    g_free(f->config->state_dir);
    f->config->state_dir = g_strdup(f->dir);
    f->config->ca_file = g_strdup(f->cert);
    f->config->operator_issuer = g_strdup(f->issuer);
    f->config->operator_audience = g_strdup(AUDIENCE);
    f->config->operator_users = g_strsplit("u-anna", ";", 0);
}


/* as after a start of the agent; cached: with what the last one kept */

static void
restart(fixture_t *f, gboolean cached)
{
    g_autofree char     *path = NULL;
    g_autoptr(GError)    error = NULL;

    g_clear_pointer(&f->operator, agent_operator_free);
    path = g_build_filename(f->dir, "operator-keys.json", NULL);

    if (!cached) {
        g_unlink(path);
    }

    f->asked = 0;
    f->given = 0;
    f->operator = agent_operator_new(f->config, &error);

    if (f->operator == NULL) {
        printf("not ok - %s\n", error->message);
        exit(1);
    }
}


static void
stop(fixture_t *f)
{
    guint              i;
    g_autofree char   *path = NULL;

    g_clear_pointer(&f->operator, agent_operator_free);

    for (i = 0; i < 100; i++) {
        g_main_context_iteration(NULL, FALSE);
    }

    path = g_build_filename(f->dir, "operator-keys.json", NULL);
    g_unlink(path);
    g_unlink(f->cert);
    g_rmdir(f->dir);
    soup_server_disconnect(f->server);
    g_object_unref(f->server);
    agent_config_free(f->config);
    agent_who_clear(&f->who);
    EVP_PKEY_free(f->signing);
    EVP_PKEY_free(f->browser);
    json_decref(f->vectors);
    g_free(f->issuer);
    g_free(f->cert);
    g_free(f->dir);
}


/* ---- */

static void
on_done(void *data, agent_who_t *who)
{
    fixture_t  *f = data;

    f->told++;
    agent_who_clear(&f->who);
    f->who = *who;
    memset(who, 0, sizeof(agent_who_t));
}


static gboolean
tick(gpointer data)
{
    (void) data;

    return G_SOURCE_CONTINUE;
}


static void
settle(fixture_t *f)
{
    guint            timer = g_timeout_add(20, tick, NULL);
    struct timespec  from, at;

    clock_gettime(CLOCK_MONOTONIC, &from);

    do {
        g_main_context_iteration(NULL, TRUE);
        clock_gettime(CLOCK_MONOTONIC, &at);
    } while (f->told == 0 && at.tv_sec - from.tv_sec < DEADLINE_S);

    g_source_remove(timer);
}


/* takes proof over; want: NULL = verified, else part of the reason */

static void
check(fixture_t *f, json_t *proof, const char *want, const char *what)
{
    rs_operator_line_t  line = line_of(f);

    f->told = 0;
    agent_operator_check(f->operator, &line, proof, on_done, f);
    json_decref(proof);
    ok(f->told == 0, "%s: not inside the call", what);
    settle(f);

    if (!ok(f->told == 1
            && f->who.verified == (want == NULL)
            && (want == NULL || strstr(f->who.reason, want) != NULL),
            "%s: %s", what, want ? want : "verified"))
    {
        printf("#   told %u times: %s\n", f->told,
               f->who.reason ? f->who.reason : "verified");
    }
}


static json_t *
with(json_t *claims, const char *name, json_t *value)
{
    json_object_set_new(claims, name, value);

    return claims;
}


static void
test_good(fixture_t *f)
{
    restart(f, FALSE);
    check(f, proof_of(f, claims_of(f)), NULL, "a user of the list");
    is_str(f->who.name, "Anna", "by name");
    is_str(f->who.user, "u-anna", "and id");
    is_str(f->who.issuer, f->issuer, "of this issuer");
    is_int(f->asked, 1, "one look at the issuer");

    check(f, proof_of(f, claims_of(f)), NULL, "once more");
    is_int(f->asked, 1, "with the keys at hand");

    g_strfreev(f->config->operator_users);
    f->config->operator_users = NULL;
    f->config->operator_groups = g_strsplit("nobody;berlin", ";", 0);
    check(f, proof_of(f, claims_of(f)), NULL, "by a group");

    check(f, proof_of(f, with(claims_of(f), "groups",
                              json_string("nobody"))), NULL,
          "by the only group");
    check(f, proof_of(f, with(claims_of(f), "groups",
                              json_string("other"))), "does not accept Anna",
          "of no such group");
    check(f, proof_of(f, with(claims_of(f), "groups", json_true())),
          "does not accept Anna", "groups of another type");

    f->config->operator_users = g_strsplit("u-ann;U-anna", ";", 0);
    check(f, proof_of(f, with(claims_of(f), "groups", json_array())),
          "does not accept Anna", "names that are almost alike");

    g_strfreev(f->config->operator_users);
    f->config->operator_users = g_strsplit("*", ";", 0);
    check(f, proof_of(f, with(claims_of(f), "sub", json_string("x"))), NULL,
          "everybody of the issuer");

    check(f, proof_of(f, with(claims_of(f), "name",
                              json_string("\xe2\x80\xae" "annA\n\n<b>x</b>"))),
          NULL, "a name that is not printable");
    is_str(f->who.name, "u-anna", "is not shown");
    check(f, proof_of(f, with(claims_of(f), "name", json_integer(1))), NULL,
          "without a name");
    is_str(f->who.name, "u-anna", "the id stands for it");
}


static void
test_tokens(fixture_t *f)
{
    json_t    *proof;
    EVP_PKEY  *other;

    restart(f, FALSE);

    check(f, proof_of(f, with(claims_of(f), "aud", json_string("other"))),
          "ID token", "for another application");
    check(f, proof_of(f, with(claims_of(f), "iss",
                              json_string("https://evil.example"))),
          "ID token", "of another issuer");
    check(f, proof_of(f, with(claims_of(f), "azp", json_string("other"))),
          "ID token", "made for another party");
    check(f, proof_of(f, with(claims_of(f), "exp",
                              json_integer(now_s() - 61))), "ID token",
          "expired");
    check(f, proof_of(f, with(with(claims_of(f), "iat",
                                   json_integer(now_s() - 330)), "exp",
                              json_integer(now_s() - 30))), NULL,
          "expired within the skew");
    check(f, proof_of(f, with(claims_of(f), "iat",
                              json_integer(now_s() + 120))), "ID token",
          "of tomorrow");
    check(f, proof_of(f, with(claims_of(f), "nonce", json_null())),
          "ID token", "renewed without a nonce");
    check(f, proof_of(f, with(claims_of(f), "nonce",
                              json_string(text_of(json_object_get(
                                  f->vectors, "operator"), "thumbprint")))),
          "another browser's key", "for another key");

    /* signed by somebody under the issuer's kid */

    other = f->signing;
    f->signing = EVP_EC_gen("P-256");
    proof = proof_of(f, claims_of(f));
    EVP_PKEY_free(f->signing);
    f->signing = other;
    check(f, proof, "ID token", "a forged token");

    f->config->operator_algorithms = RS_JWS_MASK(RS_JWS_RS256);
    check(f, proof_of(f, claims_of(f)), "ID token",
          "an algorithm that is not allowed");
    f->config->operator_algorithms = RS_JWS_DEFAULT_ALGS;

    proof = proof_of(f, claims_of(f));
    json_object_set_new(proof, "id_token", json_string("a.b"));
    check(f, proof, "ID token", "no token");

    check(f, json_string("proof"), "malformed", "no proof");
}


/* as a gateway in the middle would have it */

static void
test_bound(fixture_t *f)
{
    json_t             *proof, *mine;
    EVP_PKEY           *other;
    rs_operator_line_t  line = line_of(f);

    restart(f, FALSE);
    check(f, proof_of(f, claims_of(f)), NULL, "to begin with");

    proof = proof_of(f, claims_of(f));
    line.offer = rs_str(text_of(f->vectors, "answer_fingerprint"));
    f->told = 0;
    agent_operator_check(f->operator, &line, proof, on_done, f);
    settle(f);
    ok(!f->who.verified && strstr(f->who.reason, "on the way") != NULL,
       "another certificate was put into the offer");

    line = line_of(f);
    line.session_id = RS_STR("ses_zzzzzzzzzzzzzzzzzzzzzzzzzz");
    f->told = 0;
    agent_operator_check(f->operator, &line, proof, on_done, f);
    settle(f);
    ok(!f->who.verified, "a proof of another session");

    line = line_of(f);
    line.pc++;
    f->told = 0;
    agent_operator_check(f->operator, &line, proof, on_done, f);
    settle(f);
    ok(!f->who.verified, "a proof of an earlier offer");

    /* somebody else's token, with one's own key */

    other = f->browser;
    f->browser = EVP_EC_gen("P-256");
    mine = proof_of(f, claims_of(f));
    json_object_set(mine, "id_token", json_object_get(proof, "id_token"));
    check(f, mine, "another browser's key", "a replayed token");
    EVP_PKEY_free(f->browser);
    f->browser = other;

    json_decref(proof);
}


static void
test_keys(fixture_t *f)
{
    EVP_PKEY  *old;

    restart(f, FALSE);
    check(f, proof_of(f, claims_of(f)), NULL, "with the first key");
    is_int(f->asked, 1, "one fetch");

    old = f->signing;
    f->signing = EVP_EC_gen("P-256");
    f->kid = "k2";
    check(f, proof_of(f, claims_of(f)), "ID token",
          "a new kid right after a fetch");
    is_int(f->asked, 1, "no second one within a minute");

    late_us += 61 * G_USEC_PER_SEC;
    check(f, proof_of(f, claims_of(f)), NULL, "a minute later");
    is_int(f->asked, 2, "the issuer was asked again");

    f->kid = "made-up";
    check(f, proof_of(f, claims_of(f)), "ID token", "another unknown kid");
    check(f, proof_of(f, claims_of(f)), "ID token", "and again");
    is_int(f->asked, 2, "costs nothing");
    f->kid = "k2";
    EVP_PKEY_free(old);

    /* what is kept */

    f->play = PLAY_DOWN;
    restart(f, TRUE);
    check(f, proof_of(f, claims_of(f)), NULL,
          "the issuer is down: keys of the process before");
    is_int(f->asked, 0, "which are fresh");

    late_us += 2 * 3600 * (gint64) G_USEC_PER_SEC;
    check(f, proof_of(f, claims_of(f)), NULL, "two hours later they serve");

    while (f->asked == 0) {
        g_main_context_iteration(NULL, TRUE);
    }

    ok(TRUE, "while the issuer is asked for newer ones");

    late_us += 23 * 3600 * (gint64) G_USEC_PER_SEC;
    check(f, proof_of(f, claims_of(f)), "503", "a day later they do not");

    restart(f, TRUE);
    check(f, proof_of(f, claims_of(f)), "503", "nor does the file");

    f->play = PLAY_WELL;
    late_us += 61 * G_USEC_PER_SEC;
    check(f, proof_of(f, claims_of(f)), NULL, "until the issuer is back");
}


static void
test_issuer(fixture_t *f)
{
    f->play = PLAY_OTHER;
    restart(f, FALSE);
    check(f, proof_of(f, claims_of(f)), "another issuer's",
          "a document of another issuer");

    f->play = PLAY_PLAIN;
    restart(f, FALSE);
    check(f, proof_of(f, claims_of(f)), "no https URL", "keys by http");

    f->play = PLAY_MOVED;
    restart(f, FALSE);
    check(f, proof_of(f, claims_of(f)), "302", "a redirect");
    is_int(f->given, 0, "is not followed");

    f->play = PLAY_BIG;
    restart(f, FALSE);
    check(f, proof_of(f, claims_of(f)), "more than", "too much");

    f->play = PLAY_RUBBISH;
    restart(f, FALSE);
    check(f, proof_of(f, claims_of(f)), "of no use", "no keys");

    g_free(f->config->ca_file);
    f->config->ca_file = NULL;
    f->play = PLAY_WELL;
    restart(f, FALSE);
    check(f, proof_of(f, claims_of(f)), "does not give its discovery",
          "a certificate of no CA that is trusted");
    is_int(f->asked, 0, "nothing was asked");
    f->config->operator_ca_file = g_strdup(f->cert);
    restart(f, FALSE);
    check(f, proof_of(f, claims_of(f)), NULL, "a CA of the issuer's own");
}


static void
test_gone(fixture_t *f)
{
    guint                timer = g_timeout_add(20, tick, NULL);
    agent_check_t       *waiting;
    json_t              *proof = proof_of(f, claims_of(f));
    rs_operator_line_t   line = line_of(f);

    f->play = PLAY_SILENT;
    restart(f, FALSE);
    f->told = 0;
    waiting = agent_operator_check(f->operator, &line, proof, on_done, f);

    while (f->paused == NULL) {
        g_main_context_iteration(NULL, TRUE);
    }

    agent_check_cancel(waiting);
    ok(f->told == 0, "who goes while the issuer is asked is told nothing");

    (void) agent_operator_check(f->operator, &line, proof, on_done, f);
    settle(f);
    ok(f->told == 1 && !f->who.verified
       && strstr(f->who.reason, "within") != NULL,
       "an issuer that says nothing is waited for %d s",
       AGENT_ISSUER_FETCH_S);
    g_clear_object(&f->paused);

    restart(f, FALSE);
    f->told = 0;
    (void) agent_operator_check(f->operator, &line, proof, on_done, f);

    while (f->paused == NULL) {
        g_main_context_iteration(NULL, TRUE);
    }

    g_clear_pointer(&f->operator, agent_operator_free);
    g_clear_object(&f->paused);
    ok(f->told == 0, "nor is anybody told when the agent ends");

    g_source_remove(timer);
    json_decref(proof);
    f->play = PLAY_WELL;
}


static void
test_file(fixture_t *f)
{
    json_t              *jwk;
    agent_operator_t    *none;
    g_autofree char     *path = g_build_filename(f->dir, "jwks", NULL);
    g_autofree char     *text = NULL;
    g_autoptr(GError)    error = NULL;

    f->config->operator_jwks_file = g_strdup(path);
    none = agent_operator_new(f->config, &error);
    ok(none == NULL && strstr(error->message, path) != NULL,
       "a file that is not there is an error at the start");

    jwk = jwk_of(f->signing);
    json_object_set_new(jwk, "kid", json_string(f->kid));
    text = agent_json_text(json_pack("{s:[o]}", "keys", jwk));
    g_file_set_contents(path, text, -1, NULL);

    restart(f, FALSE);
    check(f, proof_of(f, claims_of(f)), NULL, "keys of a file");
    is_int(f->asked, 0, "the issuer is not asked");

    g_file_set_contents(path, "{}", -1, NULL);
    check(f, proof_of(f, claims_of(f)), "of no use",
          "a file that was broken since");
    is_int(f->asked, 0, "and nobody is asked instead");

    g_unlink(path);
    g_clear_pointer(&f->config->operator_jwks_file, g_free);
}


int
main(void)
{
    fixture_t  f;

    start(&f);
    test_good(&f);
    test_tokens(&f);
    test_bound(&f);
    test_keys(&f);
    test_issuer(&f);
    test_gone(&f);
    test_file(&f);
    stop(&f);

    return done();
}
