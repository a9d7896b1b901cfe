
/*
 * Copyright (C) rs-gateway contributors
 *
 * ZIP's directory: what is read of one, and what is refused.
 */


#include "tap.h"
#include "zip_make.h"
#include "rs_zip.h"


static zip_make_t  z;


static rs_err_e
walk(unsigned *n)
{
    rs_err_e        rc;
    rs_zip_t        zip;
    rs_zip_entry_t  entry;

    *n = 0;
    rc = rs_zip_open((rs_str_t) { z.bytes, z.len }, &zip);

    if (rc != RS_OK) {
        return rc;
    }

    while ((rc = rs_zip_next(&zip, &entry)) == RS_OK) {
        (*n)++;
    }

    return rc;
}


static void
is_walk(rs_err_e want, unsigned n, const char *what)
{
    unsigned  got;

    is_rc(walk(&got), want, what);

    if (want == RS_AGAIN) {
        is_int(got, n, "... with as many entries");
    }
}


static void
test_fine(void)
{
    unsigned        n;
    rs_zip_t        zip;
    rs_zip_entry_t  entry;

    zip_make_init(&z);
    zip_make_end(&z);
    is_walk(RS_AGAIN, 0, "an empty archive");

    zip_make_init(&z);
    zip_make_add(&z, "mimetype", RS_ZIP_STORED, "text", 4, 4);
    zip_make_add(&z, "a/b.xml", RS_ZIP_DEFLATED, "xxxx", 4, 400);
    zip_make_end(&z);
    is_walk(RS_AGAIN, 2, "two files");

    (void) rs_zip_open((rs_str_t) { z.bytes, z.len }, &zip);
    is_int(zip.n, 2, "it says how many");
    (void) rs_zip_next(&zip, &entry);
    is_str(entry.name, "mimetype", "a name");
    is_str(entry.data, "text", "... with its bytes");
    ok(entry.offset == 0 && entry.method == RS_ZIP_STORED && !entry.locked,
       "... and the first of all");
    (void) rs_zip_next(&zip, &entry);
    ok(entry.method == RS_ZIP_DEFLATED && entry.unpacked == 400
       && entry.data.len == 4, "the second is packed");

    for (n = 0; n < z.len; n++) {
        if (rs_zip_open((rs_str_t) { z.bytes, n }, &zip) == RS_OK) {
            break;
        }
    }

    is_int(n, z.len, "nothing is one before its end");

    memcpy(z.bytes + z.len - 2, "\3\0", 2);
    memcpy(z.bytes + z.len, "abc", 3);
    z.len += 3;
    is_walk(RS_AGAIN, 2, "with a comment");

    z.bytes[z.len++] = 'x';
    is_walk(RS_E_INVALID_VALUE, 0, "with something behind it");
}


static void
bad_name(const char *name)
{
    zip_make_init(&z);
    zip_make_add(&z, name, RS_ZIP_STORED, "", 0, 0);
    zip_make_end(&z);
    is_walk(RS_E_INVALID_VALUE, 0, name);
}


static void
test_bad(void)
{
    bad_name("/etc/passwd");
    bad_name("../x");
    bad_name("a/../../x");
    bad_name("a/..");
    bad_name("a\\..\\x");
    bad_name("a\nb");
    bad_name("");

    zip_make_init(&z);
    zip_make_add(&z, "a..b/...", RS_ZIP_STORED, "", 0, 0);
    zip_make_end(&z);
    is_walk(RS_AGAIN, 1, "dots that lead nowhere");

    zip_make_init(&z);
    zip_make_add(&z, "a", RS_ZIP_STORED, "abcd", 4, 5);
    zip_make_end(&z);
    is_walk(RS_E_INVALID_VALUE, 0, "stored, and of another size");

    zip_make_init(&z);
    zip_make_add(&z, "a", RS_ZIP_DEFLATED, "abcd", 4, 1000000);
    zip_make_end(&z);
    is_walk(RS_E_INVALID_VALUE, 0, "more than deflate can give");

    zip_make_init(&z);
    zip_make_add(&z, "a", 14, "abcd", 4, 4);
    zip_make_end(&z);
    is_walk(RS_E_INVALID_VALUE, 0, "packed in another way");

    zip_make_init(&z);
    zip_make_add(&z, "a", RS_ZIP_STORED, "abcd", 4, 4);
    zip_make_again(&z, 0);
    zip_make_end(&z);
    is_walk(RS_E_INVALID_VALUE, 0, "two that share their bytes");

    zip_make_init(&z);
    zip_make_add(&z, "a", RS_ZIP_STORED, "abcd", 4, 4);
    z.bytes[30] = 'b';
    zip_make_end(&z);
    is_walk(RS_E_INVALID_VALUE, 0, "two names for one file");

    zip_make_init(&z);
    zip_make_add(&z, "a", RS_ZIP_STORED, "abcd", 4, 4);
    zip_make_end(&z);
    z.bytes[z.len - 12] = 0xff;
    is_walk(RS_E_INVALID_VALUE, 0, "more entries here than there");
    z.bytes[z.len - 14] = 0xff;
    is_walk(RS_E_INVALID_VALUE, 0, "more entries than there are");

    zip_make_init(&z);
    zip_make_add(&z, "a", RS_ZIP_STORED, "abcd", 4, 4);
    zip_make_end(&z);
    z.bytes[z.len - 6] = 1;
    is_walk(RS_E_INVALID_VALUE, 0, "a directory elsewhere");

    zip_make_init(&z);
    zip_make_add(&z, "a", RS_ZIP_STORED, "abcd", 4, 4);
    zip_make_end(&z);
    z.bytes[zip_make_directory(&z) + 8] = 1;
    is_walk(RS_AGAIN, 1, "one that is locked is read");
}


int
main(void)
{
    test_fine();
    test_bad();

    return tap_done();
}
