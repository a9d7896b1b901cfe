
/*
 * Copyright (C) rs-gateway contributors
 *
 * Ids, credentials and positions, each taken apart and put together again.
 */


#include "tap.h"
#include "rs_id.h"


#define A26  "aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B26  "bbbbbbbbbbbbbbbbbbbbbbbbbb"
#define S52  "ssssssssssssssssssssssssss234567ssssssssssssssssssss"

/* printf %s ... | sha256sum */
#define S52_HASH                                                             \
    "f4ccdeb358740997446e2424a7eae99069afd91156a5303ee343a6053e8b7ae2"


static void test_ids(void);
static void test_hash(void);
static void test_api_key(void);
static void test_enroll(void);
static void test_ticket(void);
static void test_resume(void);
static void test_positions(void);
static void refuses(const char *what,
    rs_err_e (*parse)(rs_str_t s, rs_cred_t *c), const char *const *bad);


static void
test_ids(void)
{
    char      id[RS_ID_LEN], secret[RS_ID_SECRET_LEN];
    uint8_t   random[32];
    rs_str_t  s;

    memset(random, 0xff, sizeof(random));
    rs_id_format(id, RS_ID_SESSION, random);
    s = (rs_str_t) { (uint8_t *) id, sizeof(id) };
    is_str(s, "ses_777777777777777777777777" "74", "an id of ones");
    is_rc(rs_id_check(s, RS_ID_SESSION), RS_OK, "is one");

    rs_secret_format(secret, random);
    s = (rs_str_t) { (uint8_t *) secret, sizeof(secret) };
    is_rc(rs_secret_check(s), RS_OK, "a secret is one");
    ok(secret[51] == 'q' && secret[0] == '7', "a secret of ones");

    is_rc(rs_id_check(RS_STR("par_" A26), RS_ID_PARTICIPANT), RS_OK, "par_");
    is_rc(rs_id_check_session(RS_STR("ses_" A26)), RS_OK, "session");
    is_rc(rs_id_check_device(RS_STR("dev_" A26)), RS_OK, "device");
    is_rc(rs_id_check_participant(RS_STR("par_" A26)), RS_OK, "participant");
    is_rc(rs_id_check_enrollment(RS_STR("enr_" A26)), RS_OK, "enrolment");
    is_rc(rs_id_check_tunnel(RS_STR("tun_" A26)), RS_OK, "tunnel");
    is_rc(rs_id_check_tunnel(RS_STR("pip_" A26)), RS_E_INVALID_VALUE,
          "a pipe is none");
    is_rc(rs_id_check_pipe(RS_STR("pip_" A26)), RS_OK, "pipe");
    is_rc(rs_id_check_pipe(RS_STR("tun_" A26)), RS_E_INVALID_VALUE,
          "a tunnel is none");
    is_rc(rs_id_check_group(RS_STR("grp_" A26)), RS_OK, "group");
    is_rc(rs_id_check_session(RS_STR("dev_" A26)), RS_E_INVALID_VALUE,
          "not another kind");
    is_rc(rs_id_check_session(RS_STR("ses_" A26 "a")), RS_E_INVALID_VALUE,
          "too long");
    is_rc(rs_id_check_session(RS_STR("ses_aaaaaaaaaaaaaaaaaaaaaaaaa")),
          RS_E_INVALID_VALUE, "too short");
    is_rc(rs_id_check_session(RS_STR("ses_aaaaaaaaaaaaaaaaaaaaaaaaa1")),
          RS_E_INVALID_VALUE, "1 is not of the alphabet");
    is_rc(rs_id_check_session(RS_STR("ses_aaaaaaaaaaaaaaaaaaaaaaaaaA")),
          RS_E_INVALID_VALUE, "nor are capitals");
    is_rc(rs_id_check_session(rs_str(NULL)), RS_E_INVALID_VALUE, "nothing");

    is_rc(rs_tenant_check(RS_STR("a-0")), RS_OK, "a tenant");
    is_rc(rs_tenant_check(RS_STR("abcdefghijklmnopqrstuvwxyz012345")), RS_OK,
          "of 32");
    is_rc(rs_tenant_check(RS_STR("abcdefghijklmnopqrstuvwxyz0123456")),
          RS_E_INVALID_VALUE, "not of 33");
    is_rc(rs_tenant_check(RS_STR("")), RS_E_INVALID_VALUE, "not of none");
    is_rc(rs_tenant_check(RS_STR("a_b")), RS_E_INVALID_VALUE, "underscore");
    is_rc(rs_tenant_check(RS_STR("A")), RS_E_INVALID_VALUE, "capital");
    is_rc(rs_tenant_check(RS_STR("a}")), RS_E_INVALID_VALUE, "brace");
}


static void
test_hash(void)
{
    char  hash[RS_ID_HASH_LEN];

    is_rc(rs_hash_hex(RS_STR("abc"), hash), RS_OK, "FIPS 180-2, B.1");
    is_str((rs_str_t) { (uint8_t *) hash, sizeof(hash) },
           "ba7816bf8f01cfea414140de5dae2223"
           "b00361a396177a9cb410ff61f20015ad", "its digest");
    is_rc(rs_hash_hex(RS_STR(""), hash), RS_OK, "of nothing");
    is_str((rs_str_t) { (uint8_t *) hash, sizeof(hash) },
           "e3b0c44298fc1c149afbf4c8996fb924"
           "27ae41e4649b934ca495991b7852b855", "its digest");
}


static void
refuses(const char *what, rs_err_e (*parse)(rs_str_t s, rs_cred_t *c),
    const char *const *bad)
{
    size_t     i;
    rs_cred_t  c;

    for (i = 0; bad[i] != NULL; i++) {
        ok(parse(rs_str(bad[i]), &c) == RS_E_UNAUTHENTICATED
           && c.session_id.len == 0 && c.tenant.len == 0,
           "%s refuses number %zu", what, i);
    }
}


static void
test_api_key(void)
{
    char       text[RS_ID_API_KEY_MAX], hash[RS_ID_HASH_LEN];
    size_t     len;
    rs_cred_t  c;

    static const char *const  bad[] = {
        "", "rsk_", "rsk_default", "rsk_default_", "rsk__" S52,
        "rse_default_" S52, "rsk_default_" S52 "s", "rsk_Default_" S52,
        "rsk_default." S52, "rsk_default_" A26, " rsk_default_" S52,
        "rsk_abcdefghijklmnopqrstuvwxyz0123456_" S52,
        "rsk_default_x_" S52, NULL
    };

    is_rc(rs_api_key_parse(RS_STR("rsk_default_" S52), &c), RS_OK, "API key");
    is_str(c.tenant, "default", "its tenant");
    is_str(c.secret, S52, "its secret");

    (void) rs_hash_hex(RS_STR("rsk_default_" S52), hash);
    ok(memcmp(c.hash, hash, sizeof(hash)) == 0, "the hash of all of it");

    len = rs_api_key_format(text, RS_STR("default"), RS_STR(S52));
    is_str((rs_str_t) { (uint8_t *) text, len }, "rsk_default_" S52,
           "put together");
    is_int(rs_api_key_format(text, RS_STR("De"), RS_STR(S52)), 0,
           "not with a bad tenant");
    is_int(rs_api_key_format(text, RS_STR("d"), RS_STR(A26)), 0,
           "not with a bad secret");

    refuses("API key", rs_api_key_parse, bad);
}


static void
test_enroll(void)
{
    char       text[RS_ID_ENROLL_MAX];
    size_t     len;
    rs_cred_t  c;

    static const char *const  bad[] = {
        "", "rse_", "rse_t_" S52, "rse_t_" A26, "rse_t_" A26 "_",
        "rsk_t_" A26 "_" S52, "rse_t_" A26 "a_" S52, "rse_t_A" A26 "_" S52,
        "rse_T_" A26 "_" S52, "rse_t_" A26 "_" S52 "_", NULL
    };

    is_rc(rs_enroll_parse(RS_STR("rse_t-1_" A26 "_" S52), &c), RS_OK,
          "enrolment token");
    is_str(c.tenant, "t-1", "its tenant");
    is_str(c.enrollment_id, "enr_" A26, "its enrolment");
    is_str(c.secret, S52, "its secret");
    is_str((rs_str_t) { (uint8_t *) c.hash, RS_ID_HASH_LEN }, S52_HASH,
           "its hash is that of the secret");

    len = rs_enroll_format(text, c.tenant, c.enrollment_id, c.secret);
    is_str((rs_str_t) { (uint8_t *) text, len }, "rse_t-1_" A26 "_" S52,
           "put together");
    is_int(rs_enroll_format(text, c.tenant, RS_STR("ses_" A26), c.secret), 0,
           "not with another kind of id");
    is_int(rs_enroll_format(text, c.tenant, c.enrollment_id, c.tenant), 0,
           "not with a bad secret");
    is_int(rs_enroll_format(text, RS_STR(""), c.enrollment_id, c.secret), 0,
           "not without a tenant");

    refuses("enrolment token", rs_enroll_parse, bad);
}


static void
test_ticket(void)
{
    char       text[RS_ID_TICKET_MAX];
    size_t     len;
    rs_cred_t  c;

    static const char *const  bad[] = {
        "", ".", "t.", "t." A26, "t." A26 S52 "s", "t." A26 "." S52,
        "T." A26 S52, "." A26 S52, "t.A" A26 S52, "t.1aaaaaaaaaaaaaaaaaaaaaaaaa"
        S52, "t." A26 "1sssssssssssssssssssssssssssssssssssssssssssssssssss",
        "abcdefghijklmnopqrstuvwxyz0123456." A26 S52, NULL
    };

    is_rc(rs_ticket_parse(RS_STR("default." A26 S52), &c), RS_OK, "ticket");
    is_str(c.tenant, "default", "its tenant");
    is_str(c.session_id, "ses_" A26, "its session");
    is_str(c.secret, S52, "its secret");
    is_str((rs_str_t) { (uint8_t *) c.hash, RS_ID_HASH_LEN }, S52_HASH,
           "its hash");

    len = rs_ticket_format(text, c.tenant, c.session_id, c.secret);
    is_str((rs_str_t) { (uint8_t *) text, len }, "default." A26 S52,
           "put together");
    is_int(rs_ticket_format(text, c.tenant, RS_STR("dev_" A26), c.secret), 0,
           "not of a device");
    is_int(rs_ticket_format(text, RS_STR("a.b"), c.session_id, c.secret), 0,
           "not of such a tenant");
    is_int(rs_ticket_format(text, c.tenant, c.session_id, c.session_id), 0,
           "not with such a secret");

    refuses("ticket", rs_ticket_parse, bad);

    is_rc(rs_pipe_ticket_parse(RS_STR("default." A26 S52), &c), RS_OK,
          "ticket of a pipe");
    is_str(c.tenant, "default", "its tenant");
    is_str(c.pipe_id, "pip_" A26, "its pipe");
    ok(c.session_id.len == 0, "and no session");
    is_str((rs_str_t) { (uint8_t *) c.hash, RS_ID_HASH_LEN }, S52_HASH,
           "its hash");

    len = rs_pipe_ticket_format(text, c.tenant, c.pipe_id, c.secret);
    is_str((rs_str_t) { (uint8_t *) text, len }, "default." A26 S52,
           "put together");
    is_int(rs_pipe_ticket_format(text, c.tenant, RS_STR("ses_" A26),
                                 c.secret), 0, "not of a session");

    refuses("ticket of a pipe", rs_pipe_ticket_parse, bad);
}


static void
test_resume(void)
{
    char       text[RS_ID_RESUME_MAX];
    size_t     len;
    rs_cred_t  c;

    static const char *const  bad[] = {
        "", "...", "d." A26 "." B26 "." S52, "d." A26 "." B26 "." S52 ".",
        "d." A26 "." B26 "." S52 ".1", "d." A26 "." B26 "." S52 ".1-",
        "d." A26 "." B26 "." S52 ".1-2-3", "d." A26 "." B26 "." S52 ".01-2",
        "d." A26 "." S52 ".1-2", "d." A26 "." B26 "." S52 ".1-2.",
        "d." A26 "a." B26 "." S52 ".1-2", "d." A26 ".B" B26 "." S52 ".1-2",
        "." A26 "." B26 "." S52 ".1-2", NULL
    };

    is_rc(rs_resume_parse(RS_STR("d." A26 "." B26 "." S52 ".3-17"), &c),
          RS_OK, "resume token and position");
    is_str(c.tenant, "d", "its tenant");
    is_str(c.session_id, "ses_" A26, "its session");
    is_str(c.participant_id, "par_" B26, "its participant");
    is_str(c.secret, S52, "its secret");
    is_str((rs_str_t) { (uint8_t *) c.hash, RS_ID_HASH_LEN }, S52_HASH,
           "its hash");
    is_int(c.position.epoch, 3, "its epoch");
    is_int(c.position.n, 17, "its number");

    len = rs_resume_format(text, c.tenant, c.session_id, c.participant_id,
                           c.secret);
    is_str((rs_str_t) { (uint8_t *) text, len }, "d." A26 "." B26 "." S52,
           "put together");
    is_int(rs_resume_format(text, c.tenant, c.participant_id, c.session_id,
                            c.secret), 0, "not the other way round");
    is_int(rs_resume_format(text, c.tenant, c.session_id, c.session_id,
                            c.secret), 0, "not with two sessions");
    is_int(rs_resume_format(text, RS_STR("D"), c.session_id,
                            c.participant_id, c.secret), 0, "bad tenant");
    is_int(rs_resume_format(text, c.tenant, c.session_id, c.participant_id,
                            c.tenant), 0, "bad secret");

    refuses("resume", rs_resume_parse, bad);
}


static void
test_guest(void)
{
    char       text[RS_ID_GUEST_MAX];
    size_t     len;
    rs_cred_t  c;

    static const char  *bad[] = {
        "", "rsl_", "rsl_d_" A26 "_" B26 "_", "rsl_d_" A26 "_" B26,
        "rsl_d_" A26 B26 "_" S52, "rsl_d_" A26 "_" B26 S52,
        "rsl__" A26 "_" B26 "_" S52, "rse_d_" A26 "_" B26 "_" S52,
        "rsl_D_" A26 "_" B26 "_" S52, "d." A26 "." B26 "." S52,
        "rsl_d_" A26 "_" B26 "_" S52 "_", " rsl_d_" A26 "_" B26 "_" S52, NULL
    };

    is_rc(rs_guest_parse(RS_STR("rsl_d_" A26 "_" B26 "_" S52), &c), RS_OK,
          "a guest link");
    is_str(c.tenant, "d", "its tenant");
    is_str(c.session_id, "ses_" A26, "its session");
    is_str(c.link_id, "lnk_" B26, "its id");
    is_str((rs_str_t) { (uint8_t *) c.hash, RS_ID_HASH_LEN }, S52_HASH,
           "its hash");

    len = rs_guest_format(text, c.tenant, c.session_id, c.link_id, c.secret);
    is_str((rs_str_t) { (uint8_t *) text, len },
           "rsl_d_" A26 "_" B26 "_" S52, "put together");
    is_int(rs_guest_format(text, c.tenant, c.link_id, c.session_id,
                           c.secret), 0, "not the other way round");
    is_int(rs_guest_format(text, RS_STR("D"), c.session_id, c.link_id,
                           c.secret), 0, "bad tenant");
    is_int(rs_guest_format(text, c.tenant, c.session_id, c.link_id,
                           c.tenant), 0, "bad secret");

    refuses("guest", rs_guest_parse, bad);
}


static void
test_bootstrap(void)
{
    rs_cred_t  c;

    static const char  *bad[] = {
        "", "rsb_", "rsb_d_", "rsb__" S52, "rsb_d" S52, "rsk_d_" S52,
        "rsb_D_" S52, "rsb_d_" S52 "a", "rsb_d_" A26, " rsb_d_" S52, NULL
    };

    is_rc(rs_bootstrap_parse(RS_STR("rsb_d_" S52), &c), RS_OK,
          "a bootstrap token");
    is_str(c.tenant, "d", "its tenant");
    is_str((rs_str_t) { (uint8_t *) c.hash, RS_ID_HASH_LEN }, S52_HASH,
           "its hash");

    refuses("bootstrap", rs_bootstrap_parse, bad);

    is_rc(rs_login_parse(RS_STR("rso_d_" S52), &c), RS_OK, "a login token");
    is_str(c.tenant, "d", "its tenant");
    is_str((rs_str_t) { (uint8_t *) c.hash, RS_ID_HASH_LEN }, S52_HASH,
           "its hash");
    is_rc(rs_login_parse(RS_STR("rsb_d_" S52), &c), RS_E_UNAUTHENTICATED,
          "a bootstrap token signs nobody in");
    refuses("login", rs_login_parse, bad);
}


static void
binds(const char *a, const char *b, int same)
{
    char  one[RS_ID_HASH_LEN], two[RS_ID_HASH_LEN];

    ok(rs_ticket_bind(RS_STR(S52), rs_str(a), one) == RS_OK
       && rs_ticket_bind(RS_STR(S52), rs_str(b), two) == RS_OK
       && (memcmp(one, two, sizeof(one)) == 0) == same,
       "\"%s\" is %s\"%s\"", a, same ? "" : "not ", b);
}


static void
test_pairs(void)
{
    char     one[RS_ID_HASH_LEN], two[RS_ID_HASH_LEN];
    uint8_t  origin[RS_ORIGIN_MAX + 1];

    /* of "a", a zero byte and "bc" */

    is_rc(rs_hash_pair(RS_STR("a"), RS_STR("bc"), one), RS_OK, "a pair");
    is_rc(rs_hash_hex((rs_str_t) { (const uint8_t *) "a\0bc", 4 }, two),
          RS_OK, "by hand");
    ok(memcmp(one, two, sizeof(one)) == 0, "is what it should be");
    is_rc(rs_hash_pair(RS_STR("ab"), RS_STR("c"), two), RS_OK, "another");
    ok(memcmp(one, two, sizeof(one)) != 0, "has another hash");

    binds("https://a.test", "https://a.test", 1);
    binds("https://a.test", "HTTPS://A.test:443", 1);
    binds("http://a.test", "http://a.test:80", 1);
    binds("https://a.test", "http://a.test", 0);
    binds("https://a.test", "https://a.test:80", 0);
    binds("https://a.test", "https://a.test:8443", 0);
    binds("https://a.test", "https://b.test", 0);
    binds("http://a.test:443", "http://a.test", 0);
    binds("https://a.test", "https://a.test/", 0);

    memset(origin, 'a', sizeof(origin));
    is_rc(rs_ticket_bind(RS_STR(S52), (rs_str_t) { origin, RS_ORIGIN_MAX },
                         one), RS_OK, "as long as it may be");
    is_rc(rs_ticket_bind(RS_STR(S52),
                         (rs_str_t) { origin, RS_ORIGIN_MAX + 1 }, one),
          RS_E_INVALID_VALUE, "one more");
    is_rc(rs_ticket_bind(RS_STR(S52), RS_STR(""), one), RS_E_INVALID_VALUE,
          "none");
    is_rc(rs_ticket_bind(RS_STR(S52), RS_STR("a"), one), RS_OK, "a short one");

    is_rc(rs_pin_check(RS_STR("1234")), RS_OK, "a PIN");
    is_rc(rs_pin_check(RS_STR("012345678901")), RS_OK, "a long one");
    is_rc(rs_pin_check(RS_STR("123")), RS_E_INVALID_VALUE, "too short");
    is_rc(rs_pin_check(RS_STR("0123456789012")), RS_E_INVALID_VALUE,
          "too long");
    is_rc(rs_pin_check(RS_STR("12a4")), RS_E_INVALID_VALUE, "digits only");
    is_rc(rs_pin_check(RS_STR("")), RS_E_INVALID_VALUE, "not empty");
}


static void
test_positions(void)
{
    char      text[RS_POS_MAX];
    size_t    i, len;
    rs_pos_t  p, q;

    static const char  *bad[] = {
        "", "-", "1", "1-", "-1", "1-2-3", "+1-2", "1--2", "1-02", " 1-2",
        "1-2 ", "18446744073709551616-0", "0-18446744073709551616", "a-b"
    };

    is_rc(rs_pos_parse(RS_STR("18446744073709551615-18446744073709551615"),
                       &p), RS_OK, "the largest position");
    len = rs_pos_format(&p, text, sizeof(text));
    is_int(len, RS_POS_MAX, "is as long as they get");
    is_str((rs_str_t) { (uint8_t *) text, len },
           "18446744073709551615-18446744073709551615", "and comes back");
    is_int(rs_pos_format(&p, text, sizeof(text) - 1), 0, "does not fit");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_pos_parse(rs_str(bad[i]), &p) == RS_E_INVALID_VALUE,
           "\"%s\" is no position", bad[i]);
    }

    p = (rs_pos_t) { 1, 9 };
    q = (rs_pos_t) { 1, 10 };
    ok(rs_pos_cmp(&p, &q) < 0 && rs_pos_cmp(&q, &p) > 0
       && rs_pos_cmp(&p, &p) == 0, "order in an epoch");
    ok(rs_pos_is_next(&p, &q), "the next one");
    ok(!rs_pos_is_next(&q, &p) && !rs_pos_is_next(&p, &p), "not before it");

    q = (rs_pos_t) { 2, 0 };
    ok(rs_pos_cmp(&p, &q) < 0 && rs_pos_cmp(&q, &p) > 0, "order of epochs");
    ok(!rs_pos_is_next(&p, &q), "another epoch is not next");

    p = (rs_pos_t) { 1, UINT64_MAX };
    q = (rs_pos_t) { 1, 0 };
    ok(!rs_pos_is_next(&p, &q), "it does not wrap");
}


static void
test_regions(void)
{
    size_t  i;
    char    text[RS_REGION_MAX + 2];

    static const char *const  good[] = { "eu", "EU-West_1.a", "0", "-" };
    static const char *const  bad[] = {
        "", "eu west", "eu\"", "<b>", "\xc3\xa9", "a/b", "a\n"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        is_rc(rs_region_check(rs_str(good[i])), RS_OK, good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_rc(rs_region_check(rs_str(bad[i])), RS_E_INVALID_VALUE,
              "no region");
    }

    memset(text, 'a', sizeof(text));
    text[RS_REGION_MAX] = '\0';
    is_rc(rs_region_check(rs_str(text)), RS_OK, "as long as it may be");
    text[RS_REGION_MAX] = 'a';
    text[RS_REGION_MAX + 1] = '\0';
    is_rc(rs_region_check(rs_str(text)), RS_E_INVALID_VALUE, "longer");
}


int
main(void)
{
    test_ids();
    test_hash();
    test_api_key();
    test_enroll();
    test_ticket();
    test_resume();
    test_guest();
    test_bootstrap();
    test_pairs();
    test_positions();
    test_regions();

    return tap_done();
}
