
/*
 * Copyright (C) rs-gateway contributors
 *
 * Adoption codes: written, typed in all the ways people do, and refused.
 */


#include "tap.h"
#include "rs_code.h"

#include <string.h>


static void
test_format(void)
{
    char           text[RS_CODE_TEXT + 1] = { 0 };
    uint8_t        random[RS_CODE_RANDOM_LEN] = { 0 };
    rs_code_t      c;

    rs_code_format(text, random);
    ok(strcmp(text, "AAAAA-AAAAA") == 0, "zeros");
    memset(random, 0xff, sizeof(random));
    rs_code_format(text, random);
    ok(strcmp(text, "77777-77777") == 0, "ones");
    is_rc(rs_code_parse(rs_str(text), RS_STR(""), &c), RS_OK,
          "what is written is read");
}


static void
test_same(void)
{
    size_t     i;
    rs_code_t  c, d;

    static const char *const  ways[] = {
        "ABCDE-FGHOI", "abcdefghoi", "abcde fghoi", "A-B-C-D-E-F-G-H-O-I",
        "ABCDE-FGH01", " abcde - fgh01 ", "a8cde-fghoi", "default/abcdefghoi"
    };

    is_rc(rs_code_parse(rs_str(ways[0]), RS_STR(""), &c), RS_OK, ways[0]);
    is_str(c.tenant, "default", "of no tenant: of the default one");
    ok(memcmp(c.id, "enr_", 4) == 0
       && rs_id_check_enrollment((rs_str_t) { (uint8_t *) c.id, RS_ID_LEN })
          == RS_OK, "the id of an enrolment");

    for (i = 1; i < sizeof(ways) / sizeof(ways[0]); i++) {
        ok(rs_code_parse(rs_str(ways[i]), RS_STR(""), &d) == RS_OK
           && memcmp(c.id, d.id, RS_ID_LEN) == 0
           && memcmp(c.hash, d.hash, RS_ID_HASH_LEN) == 0, "\"%s\" is it",
           ways[i]);
    }

    is_rc(rs_code_parse(RS_STR("ABCDE-FGHOJ"), RS_STR(""), &d), RS_OK,
          "another one of that enrolment");
    ok(memcmp(c.id, d.id, RS_ID_LEN) == 0
       && memcmp(c.hash, d.hash, RS_ID_HASH_LEN) != 0, "has its id alone");
    is_rc(rs_code_parse(RS_STR("ABCDF-FGHOI"), RS_STR(""), &d), RS_OK,
          "of another enrolment");
    ok(memcmp(c.id, d.id, RS_ID_LEN) != 0, "has another");
}


static void
test_tenants(void)
{
    rs_code_t  c, d;

    (void) rs_code_parse(RS_STR("abcdefghij"), RS_STR("acme"), &c);
    is_str(c.tenant, "acme", "the place says the tenant");
    is_rc(rs_code_parse(RS_STR("acme/abcdefghij"), RS_STR(""), &d), RS_OK,
          "or the code");
    ok(rs_str_eq(c.tenant, d.tenant) && memcmp(c.id, d.id, RS_ID_LEN) == 0,
       "which is the same");
    is_rc(rs_code_parse(RS_STR("acme/abcdefghij"), RS_STR("acme"), &d),
          RS_OK, "or both");
    is_rc(rs_code_parse(RS_STR("acme/abcdefghij"), RS_STR("b"), &d),
          RS_E_UNAUTHENTICATED, "but not two");
    (void) rs_code_parse(RS_STR("abcdefghij"), RS_STR("b"), &d);
    ok(memcmp(c.id, d.id, RS_ID_LEN) != 0
       && memcmp(c.hash, d.hash, RS_ID_HASH_LEN) != 0,
       "each tenant has its own");
}


static void
test_refused(void)
{
    size_t     i;
    char       big[RS_CODE_MAX + 1];
    rs_code_t  c;

    static const char *const  no[] = {
        "", "-", "abcdefghi", "abcdefghijk", "abcde_fghij", "abcdefghi9",
        "abcdefghi\xc3", "abcde\tfghij", "/abcdefghij", "A/abcdefghij",
        "a/b/abcdefghij", "acme/", "rse_a_b_c", "abcdefghij/"
    };

    for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        is_rc(rs_code_parse(rs_str(no[i]), RS_STR(""), &c),
              RS_E_UNAUTHENTICATED, no[i]);
    }

    memset(big, '-', sizeof(big));
    memcpy(big, "abcdefghij", 10);
    is_rc(rs_code_parse((rs_str_t) { (uint8_t *) big, RS_CODE_MAX },
                        RS_STR(""), &c), RS_OK, "as long as may be");
    is_rc(rs_code_parse((rs_str_t) { (uint8_t *) big, RS_CODE_MAX + 1 },
                        RS_STR(""), &c), RS_E_UNAUTHENTICATED, "longer");
}


int
main(void)
{
    test_format();
    test_same();
    test_tenants();
    test_refused();

    return tap_done();
}
