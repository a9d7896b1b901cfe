
/*
 * Copyright (C) rs-gateway contributors
 *
 * TURN user names and secrets: what parses is put together to the same text,
 * and verifies with the password that is minted for it and no other.
 */


#include "fuzz.h"
#include "rs_turn_cred.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char            text[RS_TURN_USERNAME_MAX];
    char            password[RS_TURN_PASSWORD_LEN];
    size_t          n;
    rs_str_t        s, pw, secrets[2];
    rs_turn_user_t  user;

    s = (rs_str_t) { data, size };
    pw = (rs_str_t) { (uint8_t *) password, sizeof(password) };
    secrets[0] = RS_STR("6f2a9d0c4be17358f0a1c2d3e4b59687");
    secrets[1] = RS_STR("Zk3vQ9xL0pWm7RtY2sUb8nCe5hJd1gFa");

    CHECK(rs_turn_password(password, secrets[1], s) == RS_OK);

    if (rs_turn_user_parse(s, &user) == RS_OK) {
        n = rs_turn_user_format(text, &user);
        CHECK(rs_str_eq((rs_str_t) { (uint8_t *) text, n }, s));

        CHECK(rs_turn_verify(s, pw, secrets, 2, user.expires_at, &user)
              == RS_OK);
        CHECK(rs_turn_verify(s, pw, secrets, 1, user.expires_at, &user)
              == RS_E_UNAUTHENTICATED);
        CHECK(user.expires_at == UINT64_MAX
              || rs_turn_verify(s, pw, secrets, 2, user.expires_at + 1,
                                &user) == RS_E_UNAUTHENTICATED);

    } else {
        CHECK(rs_turn_verify(s, pw, secrets, 2, 0, &user)
              == RS_E_UNAUTHENTICATED);
    }

    CHECK(rs_turn_secret_check(s) != RS_OK
          || (size >= RS_TURN_SECRET_MIN && size <= RS_TURN_SECRET_MAX));

    return 0;
}
