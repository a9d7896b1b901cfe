
/*
 * Copyright (C) rs-gateway contributors
 *
 * Documents by their bytes: what each is, and which are not opened.
 */


#include "tap.h"
#include "zip_make.h"
#include "rs_doc.h"
#include "rs_zip.h"


#define ODT  "application/vnd.oasis.opendocument.text"


static zip_make_t  z;
static uint8_t     zero[2 * 1024 * 1024];


static void
is_doc(rs_str_t s, rs_doc_e want, rs_doc_type_e type, const char *what)
{
    rs_doc_e  got;
    rs_doc_t  doc;

    got = rs_doc_read(s, &doc);
    ok(got == want && doc.type == type && doc.is != NULL
       && (doc.why == NULL) == (want == RS_DOC_FINE), "%s", what);

    if (got != want || doc.type != type) {
        printf("#   got %d, type %d, is %s, %s\n", (int) got, (int) doc.type,
               doc.is, doc.why ? doc.why : "fine");
    }
}


static void
is_hex(const char *hex, rs_doc_e want, rs_doc_type_e type, const char *what)
{
    size_t          len;
    static uint8_t  bytes[1024];

    len = tap_hex(bytes, sizeof(bytes), hex);
    is_doc((rs_str_t) { bytes, len }, want, type, what);
}


static void
is_other(rs_str_t s, const char *is)
{
    rs_doc_t  doc;

    ok(rs_doc_read(s, &doc) == RS_DOC_REFUSED && strcmp(doc.is, is) == 0,
       "what is %s", is);
}


static void
is_zip(rs_doc_e want, rs_doc_type_e type, const char *what)
{
    zip_make_end(&z);
    is_doc((rs_str_t) { z.bytes, z.len }, want, type, what);
    zip_make_init(&z);
}


static void
test_images(void)
{
    rs_doc_t  doc;

    is_doc(RS_STR("%PDF-1.7\n"), RS_DOC_FINE, RS_DOC_PDF, "a PDF");
    is_doc(RS_STR("\n%PDF-1.7\n"), RS_DOC_REFUSED, RS_DOC_UNKNOWN,
           "a PDF that begins later");

    is_hex("89 50 4e 47 0d 0a 1a 0a 00 00 00 0d 49 48 44 52"
           "00 00 02 80 00 00 01 e0 08 02 00 00 00 00 00 00 00",
           RS_DOC_FINE, RS_DOC_PNG, "a PNG");
    is_hex("89 50 4e 47 0d 0a 1a 0a 00 00 00 0d 49 48 44 52"
           "00 00 c3 50 00 00 c3 50 08 02 00 00 00 00 00 00 00",
           RS_DOC_BOMB, RS_DOC_UNKNOWN, "a PNG of 50000 x 50000");
    is_hex("89 50 4e 47 0d 0a 1a 0a 00 00 00 0d 49 48 44 52"
           "00 00 00 00 00 00 01 e0 08 02 00 00 00 00 00 00 00",
           RS_DOC_BROKEN, RS_DOC_UNKNOWN, "a PNG without width");
    is_hex("89 50 4e 47 0d 0a 1a 0a", RS_DOC_BROKEN, RS_DOC_UNKNOWN,
           "a PNG that ends early");

    is_hex("47 49 46 38 39 61 40 01 f0 00 00 00 00", RS_DOC_FINE, RS_DOC_GIF,
           "a GIF");
    is_hex("47 49 46 38 39 61 40 01", RS_DOC_BROKEN, RS_DOC_UNKNOWN,
           "a GIF that ends early");

    is_hex("ff d8 ff e0 00 04 4a 46 ff ff fe 00 03 78"
           "ff c2 00 0b 08 00 f0 01 40 01 01 11 00",
           RS_DOC_FINE, RS_DOC_JPEG, "a JPEG");
    is_hex("ff d8 ff e0 00 04 4a 46 ff da 00 04", RS_DOC_BROKEN,
           RS_DOC_UNKNOWN, "a JPEG without a frame");
    is_hex("ff d8 ff e0 00 01 4a 46 ff da 00 04", RS_DOC_BROKEN,
           RS_DOC_UNKNOWN, "a JPEG with a segment of nothing");
    is_hex("ff d8 ff c0 00 0b 08 ff ff ff ff 03", RS_DOC_BOMB,
           RS_DOC_UNKNOWN, "a JPEG of 65535 x 65535");

    is_hex("52 49 46 46 00 00 00 00 57 45 42 50 56 50 38 58"
           "0a 00 00 00 00 00 00 00 3f 01 00 ef 00 00", RS_DOC_FINE,
           RS_DOC_WEBP, "a WebP");
    is_hex("52 49 46 46 00 00 00 00 57 45 42 50 56 50 38 4c"
           "0a 00 00 00 2f 3f c1 3b 00 00 00 00 00 00", RS_DOC_FINE,
           RS_DOC_WEBP, "... of the kind without losses");
    is_hex("52 49 46 46 00 00 00 00 57 45 42 50 56 50 38 20"
           "0a 00 00 00 00 00 00 9d 01 2a 40 01 f0 00", RS_DOC_FINE,
           RS_DOC_WEBP, "... and of the kind with");
    is_hex("52 49 46 46 00 00 00 00 57 45 42 50 56 50 38 58"
           "0a 00 00 00 00 00 00 00 ff ff ff ff ff ff", RS_DOC_BOMB,
           RS_DOC_UNKNOWN, "a WebP of 16 million pixels in a row");

    (void) rs_doc_read(RS_STR("GIF89a\x40\x01\xf0\x00\0\0\0"), &doc);
    ok(doc.width == 320 && doc.height == 240, "an image has a size");
}


static void
test_others(void)
{
    is_other(RS_STR(""), "empty");
    is_other(RS_STR("MZ\x90\0"), "a program for Windows");
    is_other(RS_STR("\177ELF\2"), "a program for Linux");
    is_other(RS_STR("<!DOCTYPE html>"), "a web page");
    is_other(RS_STR("<svg xmlns=..."), "an SVG image");
    is_other(RS_STR("\037\213\10"), "a gzip archive");
    is_other(RS_STR("hello"), "of an unknown type");
}


static void
test_office(void)
{
    zip_make_init(&z);
    zip_make_add(&z, "[Content_Types].xml", RS_ZIP_STORED, "<>", 2, 2);
    zip_make_add(&z, "word/document.xml", RS_ZIP_STORED, "<>", 2, 2);
    is_zip(RS_DOC_FINE, RS_DOC_DOCX, "a .docx");

    zip_make_add(&z, "xl/workbook.xml", RS_ZIP_STORED, "<>", 2, 2);
    zip_make_add(&z, "word/document.xml", RS_ZIP_STORED, "<>", 2, 2);
    is_zip(RS_DOC_FINE, RS_DOC_XLSX, "an .xlsx");

    zip_make_add(&z, "ppt/presentation.xml", RS_ZIP_STORED, "<>", 2, 2);
    is_zip(RS_DOC_FINE, RS_DOC_PPTX, "a .pptx");

    zip_make_add(&z, "mimetype", RS_ZIP_STORED, ODT, sizeof(ODT) - 1,
                 sizeof(ODT) - 1);
    zip_make_add(&z, "content.xml", RS_ZIP_STORED, "<>", 2, 2);
    is_zip(RS_DOC_FINE, RS_DOC_ODT, "an .odt");

    zip_make_add(&z, "content.xml", RS_ZIP_STORED, "<>", 2, 2);
    zip_make_add(&z, "mimetype", RS_ZIP_STORED, ODT, sizeof(ODT) - 1,
                 sizeof(ODT) - 1);
    is_zip(RS_DOC_REFUSED, RS_DOC_UNKNOWN, "one that says so too late");

    zip_make_add(&z, "a.txt", RS_ZIP_STORED, "<>", 2, 2);
    is_zip(RS_DOC_REFUSED, RS_DOC_UNKNOWN, "a ZIP archive");
}


static void
test_bombs(void)
{
    unsigned     i;
    static char  names[ZIP_MAKE_FILES][8];

    zip_make_init(&z);
    zip_make_add(&z, "word/document.xml", RS_ZIP_DEFLATED, zero, 60000,
                 60000u * 1000);
    is_zip(RS_DOC_BOMB, RS_DOC_UNKNOWN, "a thousand times its size");

    zip_make_add(&z, "word/document.xml", RS_ZIP_DEFLATED, zero, 10000,
                 10000u * 1000);
    is_zip(RS_DOC_FINE, RS_DOC_DOCX, "the same where it is small");

    zip_make_add(&z, "word/document.xml", RS_ZIP_DEFLATED, zero, 60000,
                 0x80000000u);
    is_zip(RS_DOC_BOMB, RS_DOC_UNKNOWN, "a claim that cannot be");

    for (i = 0; i < 5; i++) {
        zip_make_add(&z, i ? "a" : "word/document.xml", RS_ZIP_DEFLATED, zero,
                     700000, 60u * 1000 * 1000);
    }

    is_zip(RS_DOC_BOMB, RS_DOC_UNKNOWN, "300 MB in all");

    for (i = 0; i < RS_DOC_ENTRIES_MAX + 1; i++) {
        (void) snprintf(names[i], sizeof(names[i]), "%u", i);
        zip_make_add(&z, names[i], RS_ZIP_STORED, "", 0, 0);
    }

    is_zip(RS_DOC_BOMB, RS_DOC_UNKNOWN, "4097 files");

    zip_make_add(&z, "word/document.xml", RS_ZIP_STORED, "<>", 2, 2);
    zip_make_add(&z, "more.ZIP", RS_ZIP_STORED, "<>", 2, 2);
    is_zip(RS_DOC_BOMB, RS_DOC_UNKNOWN, "an archive in it");

    zip_make_add(&z, "word/document.xml", RS_ZIP_STORED, "<>", 2, 2);
    zip_make_add(&z, "media/a.bin", RS_ZIP_STORED, "PK\3\4", 4, 4);
    is_zip(RS_DOC_BOMB, RS_DOC_UNKNOWN, "... by its bytes");

    zip_make_add(&z, "word/document.xml", RS_ZIP_STORED, "<>", 2, 2);
    zip_make_add(&z, "word/embeddings/a.xlsx", RS_ZIP_STORED, "<>", 2, 2);
    is_zip(RS_DOC_FINE, RS_DOC_DOCX, "... where offices put them");

    zip_make_add(&z, "word/document.xml", RS_ZIP_STORED, "<>", 2, 2);

    for (i = 0; i < RS_DOC_NESTED_MAX + 1; i++) {
        zip_make_add(&z, "word/embeddings/a.xlsx", RS_ZIP_STORED, "<>", 2, 2);
    }

    is_zip(RS_DOC_BOMB, RS_DOC_UNKNOWN, "... and too many of them");

    zip_make_add(&z, "word/document.xml", RS_ZIP_STORED, zero, 1000, 1000);
    zip_make_again(&z, 0);
    is_zip(RS_DOC_BOMB, RS_DOC_UNKNOWN, "files that share bytes");

    zip_make_add(&z, "../x", RS_ZIP_STORED, "", 0, 0);
    is_zip(RS_DOC_BOMB, RS_DOC_UNKNOWN, "a name that leads out");

    zip_make_add(&z, "word/document.xml", RS_ZIP_STORED, "<>", 2, 2);
    zip_make_end(&z);
    z.bytes[z.directory + 8] = 1;
    is_doc((rs_str_t) { z.bytes, z.len }, RS_DOC_LOCKED, RS_DOC_UNKNOWN,
           "a password");
    is_doc((rs_str_t) { z.bytes, z.len - 1 }, RS_DOC_BROKEN, RS_DOC_UNKNOWN,
           "cut short");
}


/* header, one table, one sector of a directory with a name in it */

static void
test_ole(void)
{
    size_t          i;
    uint8_t        *p;
    static uint8_t  ole[512 * 3];
    const char     *name;

    name = "WordDocument";
    memcpy(ole, "\320\317\021\340\241\261\032\341", 8);
    zip_make_le(ole + 30, 9, 2);
    zip_make_le(ole + 48, 1, 4);
    memset(ole + 80, 0xff, 512 - 80);
    memset(ole + 512, 0xff, 512);
    zip_make_le(ole + 512, 0xfffffffd, 4);
    zip_make_le(ole + 516, 0xfffffffe, 4);
    p = ole + 1024 + 128;

    for (i = 0; name[i]; i++) {
        p[2 * i] = (uint8_t) name[i];
    }

    zip_make_le(p + 64, 2 * i + 2, 2);

    is_doc((rs_str_t) { ole, sizeof(ole) }, RS_DOC_FINE, RS_DOC_DOC,
           "a .doc");
    is_doc((rs_str_t) { ole, sizeof(ole) - 1 }, RS_DOC_BROKEN,
           RS_DOC_UNKNOWN, "... cut short");

    zip_make_le(ole + 516, 1, 4);
    is_doc((rs_str_t) { ole, sizeof(ole) }, RS_DOC_FINE, RS_DOC_DOC,
           "a directory that goes in circles ends");

    p[0] = 'X';
    is_doc((rs_str_t) { ole, sizeof(ole) }, RS_DOC_REFUSED, RS_DOC_UNKNOWN,
           "another OLE file");
}


static void
is_named(const char *name, int claims, rs_doc_type_e want)
{
    rs_doc_type_e  type;

    ok(rs_doc_named(rs_str(name), &type) == claims && type == want,
       "the name \"%s\"", name);
}


static void
test_names(void)
{
    is_named("a.pdf", 1, RS_DOC_PDF);
    is_named("a.b.DOCX", 1, RS_DOC_DOCX);
    is_named("a.jpeg", 1, RS_DOC_JPEG);
    is_named("a.jpg", 1, RS_DOC_JPEG);
    is_named("a.exe", 1, RS_DOC_UNKNOWN);
    is_named("a.", 1, RS_DOC_UNKNOWN);
    is_named("a", 0, RS_DOC_UNKNOWN);
    is_named(".pdf", 0, RS_DOC_UNKNOWN);
    is_named("", 0, RS_DOC_UNKNOWN);

    ok(rs_doc_image(RS_DOC_PNG) && rs_doc_image(RS_DOC_WEBP)
       && !rs_doc_image(RS_DOC_PDF), "images");
    ok(rs_doc_office(RS_DOC_DOCX) && rs_doc_office(RS_DOC_PPT)
       && !rs_doc_office(RS_DOC_PDF), "what an office makes");
    is_str(rs_str(rs_doc_extension(RS_DOC_PPT)), "ppt", "the last one");
    is_str(rs_str(rs_doc_media(RS_DOC_PNG)), "image/png", "its media type");
}


int
main(void)
{
    test_images();
    test_others();
    test_office();
    test_bombs();
    test_ole();
    test_names();

    return tap_done();
}
