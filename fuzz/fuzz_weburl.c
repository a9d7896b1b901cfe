
/*
 * Copyright (C) rs-gateway contributors
 *
 * A rule and an address, a line each: parts stay inside of what came, and a
 * rule of everything leaves nothing out.
 */


#include "fuzz.h"
#include "rs_weburl.h"


static void
inside(rs_str_t part, rs_str_t whole)
{
    CHECK(part.len == 0
          || (part.data >= whole.data
              && part.data + part.len <= whole.data + whole.len));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rs_str_t          all, first, second;
    rs_weburl_t       url;
    rs_weburl_rule_t  rule, any;

    all = (rs_str_t) { data, size };
    (void) rs_str_split(all, '\n', &first, &second);

    CHECK(rs_weburl_rule_parse(RS_STR("*://*/*"), &any) == RS_OK);

    if (rs_weburl_parse(second, &url) != RS_OK) {
        return 0;
    }

    inside(url.host, second);
    inside(url.path, second);
    CHECK(url.host.len != 0 && url.port >= 1 && url.port <= 65535);

    any.port = url.port;
    CHECK(rs_weburl_match(&any, &url));

    if (rs_weburl_rule_parse(first, &rule) != RS_OK) {
        return 0;
    }

    inside(rule.host, first);
    inside(rule.path, first);
    CHECK(rule.path.len != 0 && rule.path.data[0] == '/');

    if (rs_weburl_match(&rule, &url)) {
        CHECK(url.https ? rule.https : rule.http);
        CHECK(rule.any || url.host.len >= rule.host.len);
    }

    return 0;
}
