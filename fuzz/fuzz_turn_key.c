
/*
 * Copyright (C) rs-gateway contributors
 *
 * The TURN key file: what is taken has keys in order and a secret for each
 * day from the first one on, and says the same when it is written anew; what
 * is not says where and why, and leaves no key behind.
 */


#include "fuzz.h"
#include "rs_turn_key.h"


/* the text that parses to the same keys */

static rs_str_t
written(const rs_turn_key_t *key, uint8_t *text, size_t size)
{
    char      hex[RS_HEX_LEN(RS_TURN_MASTER_LEN)];
    size_t    i;
    rs_buf_t  b;

    rs_buf_init(&b, text, size);

    for (i = 0; i < key->n; i++) {
        (void) rs_hex_encode(hex, key->list[i].master, RS_TURN_MASTER_LEN);
        rs_buf_put(&b, hex, sizeof(hex));
        rs_buf_cstr(&b, " from ");
        rs_buf_u64(&b, key->list[i].from);
        rs_buf_char(&b, '\n');
    }

    CHECK(!b.overflow);

    return rs_buf_get(&b);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                i;
    char                  a[RS_TURN_DERIVED_LEN], b[RS_TURN_DERIVED_LEN];
    uint64_t              first;
    rs_turn_key_error_t   e;
    static uint8_t        text[RS_TURN_KEY_FILE_MAX];
    static rs_turn_key_t  key, again;

    if (rs_turn_key_parse(&key, (rs_str_t) { data, size }, &e) != RS_OK) {
        CHECK(e.text != NULL && key.n == 0);

        for (i = 0; i < sizeof(key); i++) {
            CHECK(((uint8_t *) &key)[i] == 0);
        }

        return 0;
    }

    CHECK(e.text == NULL && key.n > 0 && key.n <= RS_TURN_KEYS_MAX);

    for (i = 1; i < key.n; i++) {
        CHECK(key.list[i].from > key.list[i - 1].from);
    }

    CHECK(rs_turn_key_parse(&again, written(&key, text, sizeof(text)), NULL)
          == RS_OK);
    CHECK(memcmp(&key, &again, sizeof(key)) == 0);

    first = key.list[0].from;
    CHECK(first == 0
          || rs_turn_key_secret(a, &key, RS_STR("r"), first - 1)
             == RS_E_NOT_FOUND);
    CHECK(rs_turn_key_secret(a, &key, RS_STR("r"), first) == RS_OK);
    CHECK(rs_turn_key_secret(b, &key, RS_STR("r"), first + 1) == RS_OK);
    CHECK(memcmp(a, b, sizeof(a)) != 0);

    return 0;
}
