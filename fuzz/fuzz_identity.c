
/*
 * Copyright (C) rs-gateway contributors
 *
 * The fleet's identity: a file of statements, and the same text as what a
 * gateway offers in a challenge.  What is read is written and read again to
 * the same; what does not verify leads nowhere.
 */


#include "fuzz.h"
#include "rs_identity.h"
#include "rs_utf8.h"


static uint8_t  text[RS_IDENTITY_JSON_MAX * (RS_IDENTITY_STATEMENTS_MAX + 1)];


static void
check_offer(const json_t *obj)
{
    json_t                      *again;
    rs_buf_t                     b;
    rs_json_error_t              e;
    static rs_identity_offer_t   offer, copy;

    if (rs_identity_offer_read(obj, &offer, &e) != RS_OK) {
        CHECK(rs_utf8_printable(rs_str(e.text)));
        return;
    }

    CHECK(offer.n <= RS_IDENTITY_STATEMENTS_MAX);

    rs_buf_init(&b, text, sizeof(text));
    rs_identity_offer_write(&b, &offer);
    CHECK(!b.overflow);

    CHECK(rs_json_load(b.data, b.len, b.len, &again, &e) == RS_OK);
    CHECK(rs_identity_offer_read(again, &copy, &e) == RS_OK);
    CHECK(copy.n == offer.n);
    CHECK(memcmp(copy.key, offer.key, sizeof(copy.key)) == 0);
    CHECK(memcmp(copy.signature, offer.signature, sizeof(copy.signature))
          == 0);
    CHECK(memcmp(copy.statements, offer.statements,
                 offer.n * sizeof(rs_identity_statement_t)) == 0);

    json_decref(again);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                   i, n;
    json_t                  *obj;
    rs_err_e                 rc;
    rs_json_error_t          e;
    rs_identity_statement_t  list[RS_IDENTITY_STATEMENTS_MAX];

    memset(list, 0, sizeof(list));

    if (rs_identity_statements((rs_str_t) { data, size }, list, &n, &e)
        == RS_OK)
    {
        CHECK(n <= RS_IDENTITY_STATEMENTS_MAX);

        for (i = 0; i < n; i++) {
            rc = rs_identity_follow(list[i].old, list[i].key, list, n);
            CHECK(rc == RS_OK || rc == RS_E_UNAUTHENTICATED);
            CHECK(rc != RS_OK
                  || memcmp(list[i].old, list[i].key, sizeof(list[i].key))
                     == 0
                  || rs_identity_statement_verify(&list[i]) == RS_OK
                  || n > 1);
        }

        if (n && rs_identity_chain(list, n, list[n - 1].key, &e) == RS_OK) {
            CHECK(rs_identity_follow(list[0].old, list[n - 1].key, list, n)
                  == RS_OK);
        }

    } else {
        CHECK(rs_utf8_printable(rs_str(e.text)));
    }

    if (rs_json_load(data, size, RS_IDENTITY_FILE_MAX, &obj, &e) == RS_OK) {
        check_offer(obj);
        json_decref(obj);
    }

    return 0;
}
