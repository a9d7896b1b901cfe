
/*
 * Copyright (C) rs-gateway contributors
 *
 * Addresses of pages, what is none, and which rule lets which through.
 */


#include "tap.h"
#include "rs_weburl.h"


static int
allowed(const char *rule, const char *url)
{
    rs_weburl_t       u;
    rs_weburl_rule_t  r;

    if (rs_weburl_rule_parse(rs_str(rule), &r) != RS_OK) {
        return -1;
    }

    if (rs_weburl_parse(rs_str(url), &u) != RS_OK) {
        return -2;
    }

    return rs_weburl_match(&r, &u);
}


static void
test_urls(void)
{
    size_t       i;
    char         big[RS_WEBURL_MAX + 2];
    rs_weburl_t  u;

    static const char *const  bad[] = {
        "", "http", "http:", "http://", "https:///x", "ftp://a/", "//a/",
        "file:///etc/passwd", "chrome://version/", "javascript:alert(1)",
        "HTTP://a/", "view-source:http://a/", "http://a b/", "http://a/ b",
        "http://u@a/", "http://u:p@a/", "http://a:0/", "http://a:65536/",
        "http://a:x/", "http://a:/", "http://.a/", "http://a" "..test/",
        "http://a" "..test/", "http://[::1/", "http://[]/", "http://[::1]x/",
        "http://[g::]/", "http://a%2e/", "http://a/\n", " http://a/"
    };

    static const char *const  good[] = {
        "http://a", "https://a.b.example./", "http://127.0.0.1:8080/x?y#z",
        "https://[2001:db8::1]:8443/", "http://a?x", "http://a#x",
        "https://b\xc3\xbc" "cher.example/", "http://a_b/"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_weburl_parse(rs_str(bad[i]), &u) == RS_E_INVALID_VALUE,
           "no address: %s", bad[i]);
    }

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ok(rs_weburl_parse(rs_str(good[i]), &u) == RS_OK, "an address: %s",
           good[i]);
    }

    ok(rs_weburl_parse(rs_str("https://A.test:444/p/q?r#s"), &u) == RS_OK
       && u.https && u.port == 444 && rs_str_eq(u.host, RS_STR("A.test"))
       && rs_str_eq(u.path, RS_STR("/p/q?r")), "its parts");
    ok(rs_weburl_parse(rs_str("http://[::1]/"), &u) == RS_OK
       && !u.https && u.port == 80 && rs_str_eq(u.host, RS_STR("[::1]")),
       "an IPv6 address and the scheme's port");

    memset(big, 'a', sizeof(big));
    memcpy(big, "http://a/", sizeof("http://a/") - 1);
    ok(rs_weburl_parse((rs_str_t) { (uint8_t *) big, RS_WEBURL_MAX }, &u)
       == RS_OK
       && rs_weburl_parse((rs_str_t) { (uint8_t *) big, RS_WEBURL_MAX + 1 },
                          &u) == RS_E_INVALID_VALUE, "its length");
}


static void
test_rules(void)
{
    size_t            i;
    rs_weburl_rule_t  r;

    static const char *const  bad[] = {
        "", "*", "https://a", "a/*", "ftp://a/*", "https://*a/*",
        "https://a.*/*", "https://a/*b*", "https://a/#*", "https://a:*/",
        "https:///", "https:a/*", "https://u@a/*", "https://a/ *",
        "https://*./*", "HTTPS://a/*", "https://a?x*"
    };

    static const struct {
        const char  *rule;
        const char  *url;
        int          allowed;
    } cases[] = {
        { "https://*.example.com/*", "https://www.example.com/", 1 },
        { "https://*.example.com/*", "https://a.b.EXAMPLE.com/x?y", 1 },
        { "https://*.example.com/*", "https://example.com/", 0 },
        { "https://*.example.test/*", "https://evilexample.test/", 0 },
        { "https://*.example.com/*", "https://example.com.evil.test/", 0 },
        { "https://*.example.com/*", "http://www.example.com/", 0 },
        { "https://*.example.com/*", "https://www.example.com:8443/", 0 },
        { "*://shop.example/*", "http://shop.example/", 1 },
        { "*://shop.example/*", "https://shop.example", 1 },
        { "*://shop.example/*", "https://shop.example?x", 1 },
        { "*://shop.example/a*", "https://shop.example?x", 0 },
        { "*://*/*", "http://127.0.0.1/latest", 1 },
        { "http://a:8080/*", "http://a:8080/", 1 },
        { "http://a:8080/*", "http://a/", 0 },
        { "https://a/shop/*", "https://a/shop/x", 1 },
        { "https://a/shop/*", "https://a/shop", 0 },
        { "https://a/shop/*", "https://a/Shop/x", 0 },
        { "https://a/shop/*", "https://a/x#/shop/", 0 },
        { "https://a/", "https://a", 1 },
        { "https://a/", "https://a/x", 0 },
        { "https://[::1]/*", "https://[::1]/x", 1 },
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_weburl_rule_parse(rs_str(bad[i]), &r) == RS_E_INVALID_VALUE,
           "no rule: %s", bad[i]);
    }

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ok(allowed(cases[i].rule, cases[i].url) == cases[i].allowed,
           "%s and %s", cases[i].rule, cases[i].url);
    }
}


int
main(void)
{
    test_urls();
    test_rules();

    return tap_done();
}
