
/*
 * Copyright (C) rs-gateway contributors
 *
 * Tokens: their form, their header, their claims.  No signature is checked
 * here: that of each token is zeros.
 */


#include "tap.h"
#include "rs_jwt.h"
#include "rs_utf8.h"


#define NOW       1800000000
#define THUMB     "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
#define ALGS      RS_JWS_DEFAULT_ALGS
#define HEADER    "{\"alg\":\"RS256\"}"


static void test_algs(void);
static void test_form(void);
static void test_headers(void);
static void test_bounds(void);
static void test_claims(void);
static void test_others(void);


static char  token_text[2 * RS_JWT_MAX];


/* header and payload as text, a signature of so many zeros */

static rs_str_t
token(const char *header, const char *payload, size_t signature)
{
    size_t   n;
    uint8_t  zeros[2048];

    memset(zeros, 0, sizeof(zeros));

    n = rs_base64url_encode(token_text, (const uint8_t *) header,
                            strlen(header));
    token_text[n++] = '.';
    n += rs_base64url_encode(token_text + n, (const uint8_t *) payload,
                             strlen(payload));
    token_text[n++] = '.';
    n += rs_base64url_encode(token_text + n, zeros, signature);

    return (rs_str_t) { (uint8_t *) token_text, n };
}


static void
refused(rs_err_e rc, const char *const *why, const char *want,
    const char *what)
{
    if (!ok(rc == RS_E_UNAUTHENTICATED && strstr(*why, want) != NULL,
            "refused: %.60s", what))
    {
        printf("#   %d, \"%s\", want \"%s\"\n", (int) rc, *why, want);
    }
}


static void
test_algs(void)
{
    unsigned      i;
    rs_str_t      name;
    rs_jws_alg_e  alg;

    static const char *const  no[] = {
        "", "none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512",
        "rs256", "RS256 ", " RS256", "RS2566", "RS25", "RS1", "ES256K",
        "EdDSa", "A128GCM", "dir"
    };

    for (i = 0; i < RS_JWS_ALG_MAX; i++) {
        name = rs_str(rs_jws_alg_name((rs_jws_alg_e) i));
        ok(rs_jws_alg_parse(name, &alg) && alg == (rs_jws_alg_e) i,
           "%.*s", (int) name.len, (const char *) name.data);
    }

    for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        ok(!rs_jws_alg_parse(rs_str(no[i]), &alg), "no algorithm: \"%s\"",
           no[i]);
    }

    is_str(rs_str(rs_jws_alg_name(RS_JWS_ALG_MAX)), "", "none above");
    ok(!rs_jws_alg_parse(RS_STR("RS256\0"), &alg), "no NUL at the end");
}


/* eyJhbGciOiJSUzI1NiJ9 is {"alg":"RS256"}, e30 is {} */

static void
test_form(void)
{
    size_t       i;
    rs_jwt_t     jwt;
    const char  *why;

    static const char *const  bad[] = {
        "", ".", "..", "...", "a", "a.b", "eyJhbGciOiJSUzI1NiJ9",
        "eyJhbGciOiJSUzI1NiJ9.e30", "eyJhbGciOiJSUzI1NiJ9.e30.",
        "eyJhbGciOiJSUzI1NiJ9..AAAA", ".e30.AAAA",
        "eyJhbGciOiJSUzI1NiJ9.e30.AAAA.AAAA",
        "eyJhbGciOiJSUzI1NiJ9.e30.AAAA.", "eyJhbGciOiJSUzI1NiJ9.e30.AA==",
        "eyJhbGciOiJSUzI1NiJ9.e30.AAA+", "eyJhbGciOiJSUzI1NiJ9.e30.AAA/",
        "eyJhbGciOiJSUzI1NiJ9.e30.A", "eyJhbGciOiJSUzI1NiJ9.e30.AB",
        "eyJhbGciOiJSUzI1NiJ9=.e30.AAAA", "eyJhbGciOiJSUzI1NiJ9 .e30.AAAA",
        " eyJhbGciOiJSUzI1NiJ9.e30.AAAA", "eyJhbGciOiJSUzI1NiJ9.e30.AAAA\n",
        "eyJhbGciOiJSUzI1NiJ9.e3\0.AAAA", "eyJhbGciOiJSUzI1NiJ9.e3%30.AAAA",
        "eyJhbGciOiJSUzI1NiJ.e30.AAAA",
        "{\"alg\":\"RS256\"}.{}.AAAA"
    };

    is_rc(rs_jwt_parse(RS_STR("eyJhbGciOiJSUzI1NiJ9.e30.AAAA"), ALGS, &jwt,
                       &why), RS_OK, "the form");
    is_str(jwt.input, "eyJhbGciOiJSUzI1NiJ9.e30", "what is signed");
    is_int(jwt.signature_len, 3, "the signature");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        why = "";
        refused(rs_jwt_parse(rs_str(bad[i]), ALGS, &jwt, &why), &why, "",
                bad[i]);
        ok(why[0] != '\0', "with a reason");
    }
}


/* NULL: it is taken */

static const struct {
    const char  *header;
    const char  *why;
} headers[] = {
    { "{\"alg\":\"RS256\"}", NULL },
    { "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"1\"}", NULL },
    { "{\"alg\":\"RS256\",\"typ\":\"jwt\"}", NULL },
    { "{\"alg\":\"RS256\",\"typ\":\"application/jwt\"}", NULL },
    { "{\"alg\":\"RS256\",\"kid\":\"../../etc/passwd\"}", NULL },
    { "{\"alg\":\"RS256\",\"x5t\":\"AAAA\",\"more\":{\"a\":[1]}}", NULL },

    { "{}", "alg" },
    { "[]", "JSON" },
    { "null", "JSON" },
    { "\"RS256\"", "JSON" },
    { "{\"alg\":\"RS256\"", "JSON" },
    { "{\"alg\":\"RS256\"} {}", "JSON" },
    { "{\"alg\":\"RS256\",\"alg\":\"RS256\"}", "JSON" },
    { "{\"alg\":\"RS256\",\"\\u0061lg\":\"none\"}", "JSON" },
    { "{\"alg\":\"RS256\",\"kid\":\"\\u0000\"}", "JSON" },
    { "{\"alg\":\"RS256\",\"kid\":\"\xff\"}", "JSON" },
    { "{\"alg\":null}", "alg" },
    { "{\"alg\":256}", "alg" },
    { "{\"alg\":[\"RS256\"]}", "alg" },
    { "{\"alg\":\"\"}", "alg" },
    { "{\"alg\":\"none\"}", "alg" },
    { "{\"alg\":\"None\"}", "alg" },
    { "{\"alg\":\"nonE\"}", "alg" },
    { "{\"alg\":\"HS256\"}", "alg" },
    { "{\"alg\":\"RS384\"}", "alg" },
    { "{\"Alg\":\"RS256\"}", "alg" },
    { "{\"alg\":\"ES256\"}", "length" },
    { "{\"alg\":\"RS256\",\"crit\":[]}", "crit" },
    { "{\"alg\":\"RS256\",\"crit\":[\"exp\"],\"exp\":1}", "crit" },
    { "{\"alg\":\"RS256\",\"jku\":\"https://a.example/\"}", "jku" },
    { "{\"alg\":\"RS256\",\"jwk\":{}}", "jwk" },
    { "{\"alg\":\"RS256\",\"x5u\":\"https://a.example/\"}", "x5u" },
    { "{\"alg\":\"RS256\",\"x5c\":[]}", "x5c" },
    { "{\"alg\":\"RS256\",\"b64\":false}", "b64" },
    { "{\"alg\":\"RS256\",\"zip\":\"DEF\"}", "zip" },
    { "{\"alg\":\"RS256\",\"enc\":\"A128GCM\"}", "enc" },
    { "{\"alg\":\"RS256\",\"cty\":\"JWT\"}", "cty" },
    { "{\"alg\":\"RS256\",\"jku\":null}", "jku" },
    { "{\"alg\":\"RS256\",\"typ\":\"at+jwt\"}", "typ" },
    { "{\"alg\":\"RS256\",\"typ\":\"logout+jwt\"}", "typ" },
    { "{\"alg\":\"RS256\",\"typ\":\"JOSE\"}", "typ" },
    { "{\"alg\":\"RS256\",\"typ\":1}", "typ" },
    { "{\"alg\":\"RS256\",\"kid\":\"\"}", "kid" },
    { "{\"alg\":\"RS256\",\"kid\":null}", "kid" },
    { "{\"alg\":\"RS256\",\"kid\":1}", "kid" },
    { "{\"alg\":\"RS256\",\"kid\":\"a\\nb\"}", "kid" }
};


static void
test_headers(void)
{
    size_t       i;
    rs_err_e     rc;
    rs_jwt_t     jwt;
    const char  *why;

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        why = "";
        rc = rs_jwt_parse(token(headers[i].header, "{}", 256), ALGS, &jwt,
                          &why);

        if (headers[i].why == NULL) {
            ok(rc == RS_OK, "taken: %s (%s)", headers[i].header, why);

        } else {
            refused(rc, &why, headers[i].why, headers[i].header);
        }
    }
}


static void
test_bounds(void)
{
    char         text[RS_JWT_MAX];
    size_t       n;
    rs_jwt_t     jwt;
    const char  *why;

    for (n = RS_JWT_KID_MAX; n <= RS_JWT_KID_MAX + 1; n++) {
        (void) snprintf(text, sizeof(text),
                        "{\"alg\":\"RS256\",\"kid\":\"%0*d\"}", (int) n, 1);
        is_rc(rs_jwt_parse(token(text, "{}", 256), ALGS, &jwt, &why),
              n == RS_JWT_KID_MAX ? RS_OK : RS_E_UNAUTHENTICATED,
              "a kid of 256 bytes, and of 257");
    }

    (void) snprintf(text, sizeof(text), "{\"alg\":\"RS256\",\"a\":\"%0*d\"}",
                    RS_JWT_HEADER_MAX, 1);
    refused(rs_jwt_parse(token(text, "{}", 256), ALGS, &jwt, &why), &why,
            "header is too long", "a header above its bound");

    (void) snprintf(text, sizeof(text),
                    "{\"alg\":\"RS256\",\"a\":%.*s1%.*s}", 16,
                    "[[[[[[[[[[[[[[[[", 16, "]]]]]]]]]]]]]]]]");
    refused(rs_jwt_parse(token(text, "{}", 256), ALGS, &jwt, &why), &why,
            "JSON", "a header too deep");

    is_rc(rs_jwt_parse(token(HEADER, "{}", 1024), ALGS, &jwt, &why), RS_OK,
          "a signature of 1024 bytes");
    refused(rs_jwt_parse(token(HEADER, "{}", 1025), ALGS, &jwt, &why), &why,
            "signature is too long", "one of 1025");

    is_rc(rs_jwt_parse(token("{\"alg\":\"ES256\"}", "{}", 64), ALGS, &jwt,
                       &why), RS_OK, "r || s of ES256");

    for (n = 62; n <= 72; n++) {

        if (n != 64) {
            refused(rs_jwt_parse(token("{\"alg\":\"ES256\"}", "{}", n), ALGS,
                                 &jwt, &why), &why, "length",
                    "any other length, as DER has");
        }
    }

    memset(text, 'a', sizeof(text));
    refused(rs_jwt_parse((rs_str_t) { (uint8_t *) token_text,
                                      RS_JWT_MAX + 1 }, ALGS, &jwt, &why),
            &why, "too long", "a token above its bound");
}


#define ISS   "\"iss\":\"https://id.example\""
#define SUB   "\"sub\":\"anna\""
#define AUD   "\"aud\":\"console\""
#define EXP   "\"exp\":1800000600"
#define IAT   "\"iat\":1799999990"
#define NONCE "\"nonce\":\"" THUMB "\""
#define ALL   ISS "," SUB "," AUD "," EXP "," IAT "," NONCE


static const struct {
    const char  *claims;
    const char  *why;
} claims[] = {
    { "{" ALL "}", NULL },
    { "{" ALL ",\"nbf\":1800000059,\"azp\":\"console\"}", NULL },
    { "{" ISS "," SUB "," EXP "," IAT "," NONCE ",\"aud\":[\"console\"]}",
      NULL },
    { "{" ISS "," SUB "," EXP "," IAT "," NONCE ",\"azp\":\"console\","
      "\"aud\":[\"a\",\"console\"]}", NULL },
    { "{" ISS "," SUB "," AUD "," IAT "," NONCE ",\"exp\":1.8000006e9}",
      NULL },
    { "{" ISS "," SUB "," AUD "," EXP "," NONCE ",\"iat\":1800000060}",
      NULL },
    { "{" ISS "," SUB "," AUD "," NONCE
      ",\"iat\":1799999900,\"exp\":1799999941}", NULL },

    { "[]", "JSON" },
    { "{" ALL "," ISS "}", "twice" },
    { "{" ALL "", "JSON" },
    { "{" SUB "," AUD "," EXP "," IAT "," NONCE "}", "iss" },
    { "{" ALL ",\"x\":\"\\u0000\"}", "JSON" },
    { "{\"iss\":\"https://id.example/\"," SUB "," AUD "," EXP "," IAT ","
      NONCE "}", "iss" },
    { "{\"iss\":\"https://ID.example\"," SUB "," AUD "," EXP "," IAT ","
      NONCE "}", "iss" },
    { "{\"iss\":[\"https://id.example\"]," SUB "," AUD "," EXP "," IAT ","
      NONCE "}", "iss" },
    { "{" ISS "," AUD "," EXP "," IAT "," NONCE "}", "sub" },
    { "{" ISS ",\"sub\":\"\"," AUD "," EXP "," IAT "," NONCE "}", "sub" },
    { "{" ISS ",\"sub\":7," AUD "," EXP "," IAT "," NONCE "}", "sub" },
    { "{" ISS ",\"sub\":\"a\\tb\"," AUD "," EXP "," IAT "," NONCE "}",
      "sub" },
    { "{" ISS "," SUB "," EXP "," IAT "," NONCE "}", "aud" },
    { "{" ISS "," SUB "," EXP "," IAT "," NONCE ",\"aud\":\"other\"}",
      "aud" },
    { "{" ISS "," SUB "," EXP "," IAT "," NONCE ",\"aud\":[]}", "aud" },
    { "{" ISS "," SUB "," EXP "," IAT "," NONCE ",\"aud\":[\"console\",1]}",
      "aud" },
    { "{" ISS "," SUB "," EXP "," IAT "," NONCE ",\"aud\":{\"console\":1}}",
      "aud" },
    { "{" ISS "," SUB "," EXP "," IAT "," NONCE
      ",\"aud\":[\"a\",\"console\"]}", "azp" },
    { "{" ALL ",\"azp\":\"other\"}", "azp" },
    { "{" ALL ",\"azp\":[\"console\"]}", "azp" },
    { "{" ISS "," SUB "," AUD "," IAT "," NONCE "}", "exp" },
    { "{" ISS "," SUB "," AUD "," IAT "," NONCE ",\"exp\":\"1800000600\"}",
      "exp" },
    { "{" ISS "," SUB "," AUD "," IAT "," NONCE ",\"exp\":null}", "exp" },
    { "{" ISS "," SUB "," AUD "," IAT "," NONCE ",\"exp\":true}", "exp" },
    { "{" ISS "," SUB "," AUD "," IAT "," NONCE ",\"exp\":-1}", "exp" },
    { "{" ISS "," SUB "," AUD "," IAT "," NONCE ",\"exp\":1e300}", "exp" },
    { "{" ISS "," SUB "," AUD "," IAT "," NONCE ",\"exp\":1e400}", "JSON" },
    { "{" ISS "," SUB "," AUD "," IAT "," NONCE
      ",\"exp\":99999999999999999999}", "JSON" },
    { "{" ISS "," SUB "," AUD "," IAT "," NONCE ",\"exp\":1799999940}",
      "expired" },
    { "{" ISS "," SUB "," AUD "," EXP "," NONCE "}", "iat" },
    { "{" ISS "," SUB "," AUD "," EXP "," NONCE ",\"iat\":\"1\"}", "iat" },
    { "{" ISS "," SUB "," AUD "," EXP "," NONCE ",\"iat\":1800000061}",
      "future" },
    { "{" ISS "," SUB "," AUD "," EXP "," NONCE ",\"iat\":1799996339}",
      "too long ago" },
    { "{" ISS "," SUB "," AUD "," NONCE
      ",\"iat\":1800000050,\"exp\":1800000050}", "before it is issued" },
    { "{" ALL ",\"nbf\":1800000061}", "not valid yet" },
    { "{" ALL ",\"nbf\":\"1\"}", "nbf" },
    { "{" ISS "," SUB "," AUD "," EXP "," IAT "}", "no \"nonce\"" },
    { "{" ISS "," SUB "," AUD "," EXP "," IAT ",\"nonce\":null}", "nonce" },
    { "{" ISS "," SUB "," AUD "," EXP "," IAT ",\"nonce\":\"\"}", "nonce" },
    { "{" ISS "," SUB "," AUD "," EXP "," IAT ",\"nonce\":\"abc\"}",
      "thumbprint" },
    { "{" ISS "," SUB "," AUD "," EXP "," IAT ",\"nonce\":\"" THUMB "A\"}",
      "thumbprint" },
    { "{" ISS "," SUB "," AUD "," EXP "," IAT
      ",\"nonce\":\"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xt\"}",
      "thumbprint" }
};


static rs_err_e
check(const char *payload, int nonce, rs_jwt_t *jwt, rs_jwt_claims_t *c,
    const char **why)
{
    rs_err_e        rc;
    rs_jwt_rules_t  rules;

    memset(&rules, 0, sizeof(rules));
    rules.issuer = RS_STR("https://id.example");
    rules.client_id = RS_STR("console");
    rules.now_s = NOW;
    rules.skew_s = 60;
    rules.max_age_s = 3600;
    rules.nonce = nonce;

    *why = "";
    rc = rs_jwt_parse(token(HEADER, payload, 256), ALGS, jwt, why);

    return rc == RS_OK ? rs_jwt_claims(jwt, &rules, c, why) : rc;
}


static void
test_claims(void)
{
    size_t            i;
    rs_err_e          rc;
    rs_jwt_t          jwt;
    const char       *why;
    rs_jwt_claims_t   c;

    for (i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        rc = check(claims[i].claims, 1, &jwt, &c, &why);

        if (claims[i].why == NULL) {
            ok(rc == RS_OK, "good: %s (%s)", claims[i].claims, why);

        } else {
            refused(rc, &why, claims[i].why, claims[i].claims);
        }

        rs_jwt_done(&jwt);
    }

    is_rc(check("{" ALL "}", 1, &jwt, &c, &why), RS_OK, "a good token");
    is_str(c.sub, "anna", "sub");
    is_str(c.nonce, THUMB, "nonce");
    is_int((uint64_t) c.exp, 1800000600, "exp");
    is_int((uint64_t) c.iat, 1799999990, "iat");
    rs_jwt_done(&jwt);
    rs_jwt_done(&jwt);

    is_rc(check("{" ISS "," SUB "," AUD "," EXP "," IAT "}", 0, &jwt, &c,
                &why), RS_OK, "a nonce need not be where it is optional");
    is_int(c.nonce.len, 0, "and is none");
    rs_jwt_done(&jwt);

    is_rc(check("{" ISS "," SUB "," AUD "," EXP "," IAT
                ",\"nonce\":\"abc\"}", 0, &jwt, &c, &why), RS_OK,
          "nor be a thumbprint");
    rs_jwt_done(&jwt);
}


static void
test_others(void)
{
    rs_jwt_t         jwt;
    rs_str_t         v[3];
    const char      *why;
    rs_jwt_claims_t  c;

    is_rc(check("{" ALL ",\"a\":\"x\",\"b\":[\"x\",\"y\"],\"c\":[],"
                "\"d\":{\"e\":{\"f~/g\":[\"z\"]}},\"/d\":\"slash\","
                "\"n\":null,\"i\":7,\"m\":[\"x\",7],\"s\":\"\","
                "\"https://a.example/t\":\"u\",\"l\":[\"\\u202eabc\"]}", 1,
                &jwt, &c, &why), RS_OK, "a token with more");

    is_int((uint64_t) rs_jwt_string(&jwt, RS_STR("a"), v), 1, "a string");
    is_str(v[0], "x", "its value");
    is_int((uint64_t) rs_jwt_strings(&jwt, RS_STR("a"), v, 3), 1,
           "a string is an array of one");
    is_int((uint64_t) rs_jwt_strings(&jwt, RS_STR("b"), v, 3), 2, "two");
    is_str(v[1], "y", "the second");
    ok(rs_jwt_strings(&jwt, RS_STR("b"), v, 1) == -1, "too many");
    ok(rs_jwt_string(&jwt, RS_STR("b"), v) == -1, "an array is no string");
    ok(rs_jwt_strings(&jwt, RS_STR("c"), v, 3) == 0, "none in it");
    ok(rs_jwt_strings(&jwt, RS_STR("n"), v, 3) == 0, "null is none");
    ok(rs_jwt_string(&jwt, RS_STR("n"), v) == 0, "null is none");
    ok(rs_jwt_string(&jwt, RS_STR("z"), v) == 0, "not there");
    ok(rs_jwt_string(&jwt, RS_STR("i"), v) == -1, "a number");
    ok(rs_jwt_strings(&jwt, RS_STR("d"), v, 3) == -1, "an object");
    ok(rs_jwt_strings(&jwt, RS_STR("m"), v, 3) == -1, "a number in it");
    ok(rs_jwt_string(&jwt, RS_STR("s"), v) == -1, "an empty one");
    ok(rs_jwt_strings(&jwt, RS_STR("l"), v, 3) == -1,
       "one that turns the direction round");
    ok(rs_jwt_strings(&jwt, RS_STR("/d/e/f~0~1g"), v, 3) == 1,
       "by a pointer");
    is_str(v[0], "z", "its value");
    ok(rs_jwt_string(&jwt, RS_STR("/~1d"), v) == 1, "a name with a slash");
    is_str(v[0], "slash", "its value");
    ok(rs_jwt_string(&jwt, RS_STR("https://a.example/t"), v) == 1,
       "a name that is a URL");
    ok(rs_jwt_string(&jwt, RS_STR("/d/x/y"), v) == 0, "a pointer to nothing");
    ok(rs_jwt_string(&jwt, RS_STR("/a/b"), v) == 0, "through a string");
    ok(rs_jwt_string(&jwt, RS_STR("/d/e/f~2"), v) == 0, "a bad escape");
    ok(rs_jwt_string(&jwt, RS_STR("/"), v) == 0, "an empty name");
    ok(rs_jwt_string(&jwt, RS_STR(""), v) == 0, "no name");

    rs_jwt_done(&jwt);
}


int
main(void)
{
    test_algs();
    test_form();
    test_headers();
    test_bounds();
    test_claims();
    test_others();

    return tap_done();
}
