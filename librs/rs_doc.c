
/*
 * Copyright (C) rs-gateway contributors
 *
 * Documents by their bytes.
 */


#include "rs_doc.h"
#include "rs_zip.h"

#include <string.h>


/* a compound file (MS-CFB): header, sector numbers, an entry of a directory */

#define RS_OLE_HEADER    512
#define RS_OLE_FATS      109
#define RS_OLE_LAST      0xfffffffa
#define RS_OLE_ENTRY     128
#define RS_OLE_SECTORS   1024         /* of the directory that are looked at */


typedef struct {
    const char      *extension;
    const char      *media;
    const char      *is;
} rs_doc_kind_t;


typedef struct {
    const char      *magic;
    size_t           len;
    const char      *is;
} rs_doc_other_t;


static rs_doc_e rs_doc_bad(rs_doc_t *doc, rs_doc_e verdict, const char *why);
static rs_doc_e rs_doc_other(rs_str_t s, rs_doc_t *doc);
static rs_doc_e rs_doc_pixels(rs_doc_t *doc, rs_doc_type_e type,
    unsigned width, unsigned height);
static rs_doc_e rs_doc_jpeg(rs_str_t s, rs_doc_t *doc);
static rs_doc_e rs_doc_webp(rs_str_t s, rs_doc_t *doc);
static rs_doc_e rs_doc_archive(rs_str_t s, rs_doc_t *doc);
static rs_doc_e rs_doc_entry(rs_doc_t *doc, const rs_zip_entry_t *entry,
    size_t len, unsigned *nested);
static int rs_doc_nests(const rs_zip_entry_t *entry);
static int rs_doc_within(rs_str_t name, rs_str_t part);
static void rs_doc_part(rs_doc_t *doc, const rs_zip_entry_t *entry);
static rs_doc_e rs_doc_ole(rs_str_t s, rs_doc_t *doc);
static rs_doc_e rs_doc_ole_entry(const uint8_t *p, rs_doc_t *doc);
static const uint8_t *rs_doc_ole_sector(rs_str_t s, unsigned shift,
    uint32_t n);
static uint32_t rs_doc_ole_next(rs_str_t s, unsigned shift, uint32_t n);


static const rs_doc_kind_t  rs_doc_kinds[RS_DOC_TYPES] = {
    { "", "application/octet-stream", "of an unknown type" },
    { "pdf", "application/pdf", "a PDF" },
    { "png", "image/png", "a PNG image" },
    { "jpg", "image/jpeg", "a JPEG image" },
    { "gif", "image/gif", "a GIF image" },
    { "webp", "image/webp", "a WebP image" },
    { "docx", "application/vnd.openxmlformats-officedocument"
      ".wordprocessingml.document", "a Word document" },
    { "xlsx", "application/vnd.openxmlformats-officedocument"
      ".spreadsheetml.sheet", "an Excel workbook" },
    { "pptx", "application/vnd.openxmlformats-officedocument"
      ".presentationml.presentation", "a PowerPoint presentation" },
    { "odt", "application/vnd.oasis.opendocument.text",
      "an OpenDocument text" },
    { "ods", "application/vnd.oasis.opendocument.spreadsheet",
      "an OpenDocument spreadsheet" },
    { "odp", "application/vnd.oasis.opendocument.presentation",
      "an OpenDocument presentation" },
    { "doc", "application/msword", "an old Word document" },
    { "xls", "application/vnd.ms-excel", "an old Excel workbook" },
    { "ppt", "application/vnd.ms-powerpoint",
      "an old PowerPoint presentation" }
};


/* what it is instead, for the sentence that refuses it */

static const rs_doc_other_t  rs_doc_others[] = {
    { "MZ", 2, "a program for Windows" },
    { "\177ELF", 4, "a program for Linux" },
    { "#!", 2, "a script" },
    { "\037\213", 2, "a gzip archive" },
    { "Rar!", 4, "a RAR archive" },
    { "7z\274\257\047\034", 6, "a 7-Zip archive" },
    { "{\\rtf", 5, "an RTF text" },
    { "<svg", 4, "an SVG image" },
    { "<?xml", 5, "an XML file" },
    { "<!DOCTYPE", 9, "a web page" },
    { "<!doctype", 9, "a web page" },
    { "<html", 5, "a web page" },
    { "<HTML", 5, "a web page" },
    { "II*\0", 4, "a TIFF image" },
    { "MM\0*", 4, "a TIFF image" },
    { "BM", 2, "a BMP image" },
    { "\0\0\0", 3, "a video, or an image of its kind" }
};


/* in a document they could be bombs of their own */

static const char *const  rs_doc_archives[] = {
    ".zip", ".jar", ".docx", ".docm", ".xlsx", ".xlsm", ".xlsb", ".pptx",
    ".pptm", ".odt", ".ods", ".odp", ".odg", ".epub", ".gz", ".tgz", ".bz2",
    ".xz", ".7z", ".rar", ".zst", ".svgz", ".emz", ".wmz"
};


#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))


static unsigned
rs_doc_be16(const uint8_t *p)
{
    return (unsigned) p[0] << 8 | p[1];
}


static unsigned
rs_doc_le16(const uint8_t *p)
{
    return (unsigned) p[1] << 8 | p[0];
}


static uint32_t
rs_doc_be32(const uint8_t *p)
{
    return (uint32_t) rs_doc_be16(p) << 16 | rs_doc_be16(p + 2);
}


static uint32_t
rs_doc_le32(const uint8_t *p)
{
    return (uint32_t) rs_doc_le16(p + 2) << 16 | rs_doc_le16(p);
}


static uint32_t
rs_doc_le24(const uint8_t *p)
{
    return (uint32_t) p[2] << 16 | rs_doc_le16(p);
}


rs_doc_e
rs_doc_read(rs_str_t s, rs_doc_t *doc)
{
    memset(doc, 0, sizeof(*doc));

    if (rs_str_starts(s, RS_STR("%PDF-1."))
        || rs_str_starts(s, RS_STR("%PDF-2.")))
    {
        doc->type = RS_DOC_PDF;
        doc->is = rs_doc_is(RS_DOC_PDF);
        return RS_DOC_FINE;
    }

    if (rs_str_starts(s, RS_STR("\211PNG\r\n\032\n"))) {
        if (s.len < 33 || memcmp(s.data + 8, "\0\0\0\015IHDR", 8) != 0) {
            doc->is = rs_doc_is(RS_DOC_PNG);
            return rs_doc_bad(doc, RS_DOC_BROKEN, "has no size");
        }

        return rs_doc_pixels(doc, RS_DOC_PNG, rs_doc_be32(s.data + 16),
                             rs_doc_be32(s.data + 20));
    }

    if (rs_str_starts(s, RS_STR("GIF87a"))
        || rs_str_starts(s, RS_STR("GIF89a")))
    {
        return rs_doc_pixels(doc, RS_DOC_GIF,
                             s.len < 13 ? 0 : rs_doc_le16(s.data + 6),
                             s.len < 13 ? 0 : rs_doc_le16(s.data + 8));
    }

    if (rs_str_starts(s, RS_STR("\377\330\377"))) {
        return rs_doc_jpeg(s, doc);
    }

    if (rs_str_starts(s, RS_STR("RIFF")) && s.len >= 12
        && memcmp(s.data + 8, "WEBP", 4) == 0)
    {
        return rs_doc_webp(s, doc);
    }

    if (rs_str_starts(s, RS_STR("PK\3\4"))) {
        return rs_doc_archive(s, doc);
    }

    if (rs_str_starts(s, RS_STR("\320\317\021\340\241\261\032\341"))) {
        return rs_doc_ole(s, doc);
    }

    return rs_doc_other(s, doc);
}


static rs_doc_e
rs_doc_bad(rs_doc_t *doc, rs_doc_e verdict, const char *why)
{
    doc->type = RS_DOC_UNKNOWN;
    doc->why = why;

    return verdict;
}


static rs_doc_e
rs_doc_other(rs_str_t s, rs_doc_t *doc)
{
    size_t  i;

    doc->is = (s.len == 0) ? "empty" : rs_doc_is(RS_DOC_UNKNOWN);

    for (i = 0; i < COUNT(rs_doc_others); i++) {
        if (rs_str_starts(s, (rs_str_t) {
                              (const uint8_t *) rs_doc_others[i].magic,
                              rs_doc_others[i].len }))
        {
            doc->is = rs_doc_others[i].is;
            break;
        }
    }

    return rs_doc_bad(doc, RS_DOC_REFUSED, "is of no type that is shown");
}


static rs_doc_e
rs_doc_pixels(rs_doc_t *doc, rs_doc_type_e type, unsigned width,
    unsigned height)
{
    doc->is = rs_doc_is(type);
    doc->width = width;
    doc->height = height;

    if (width == 0 || height == 0) {
        return rs_doc_bad(doc, RS_DOC_BROKEN, "has no size");
    }

    if (width > RS_DOC_SIDE_MAX || height > RS_DOC_SIDE_MAX
        || (uint64_t) width * height > RS_DOC_PIXELS_MAX)
    {
        return rs_doc_bad(doc, RS_DOC_BOMB, "has more than 100 million "
                          "pixels, or more than 30000 in a row");
    }

    doc->type = type;

    return RS_DOC_FINE;
}


/* ITU-T T.81, B.1: markers and their segments up to the frame's header */

static rs_doc_e
rs_doc_jpeg(rs_str_t s, rs_doc_t *doc)
{
    size_t    i, len;
    unsigned  marker;

    doc->is = rs_doc_is(RS_DOC_JPEG);

    for (i = 2; i + 4 <= s.len; i += len) {

        if (s.data[i] != 0xff) {
            break;
        }

        marker = s.data[i + 1];

        if (marker == 0xff) {
            len = 1;
            continue;
        }

        /* SOF0 to SOF15 without DHT, JPG, DAC */

        if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4
            && marker != 0xc8 && marker != 0xcc)
        {
            if (s.len - i < 9) {
                break;
            }

            return rs_doc_pixels(doc, RS_DOC_JPEG,
                                 rs_doc_be16(s.data + i + 7),
                                 rs_doc_be16(s.data + i + 5));
        }

        /* those without a segment, and the data: there was no header */

        if (marker < 0xc0 || (marker >= 0xd0 && marker <= 0xda)) {
            break;
        }

        len = 2u + rs_doc_be16(s.data + i + 2);

        if (len < 4) {
            break;
        }
    }

    return rs_doc_bad(doc, RS_DOC_BROKEN, "has no size");
}


/* RFC 9649, 2 */

static rs_doc_e
rs_doc_webp(rs_str_t s, rs_doc_t *doc)
{
    uint32_t        bits;
    const uint8_t  *p;

    doc->is = rs_doc_is(RS_DOC_WEBP);

    if (s.len < 30) {
        return rs_doc_bad(doc, RS_DOC_BROKEN, "has no size");
    }

    p = s.data + 12;

    if (memcmp(p, "VP8X", 4) == 0) {
        return rs_doc_pixels(doc, RS_DOC_WEBP, rs_doc_le24(p + 12) + 1,
                             rs_doc_le24(p + 15) + 1);
    }

    if (memcmp(p, "VP8L", 4) == 0 && p[8] == 0x2f) {
        bits = rs_doc_le32(p + 9);

        return rs_doc_pixels(doc, RS_DOC_WEBP, (bits & 0x3fff) + 1,
                             (bits >> 14 & 0x3fff) + 1);
    }

    if (memcmp(p, "VP8 ", 4) == 0 && memcmp(p + 11, "\235\001\052", 3) == 0) {
        return rs_doc_pixels(doc, RS_DOC_WEBP,
                             rs_doc_le16(p + 14) & 0x3fff,
                             rs_doc_le16(p + 16) & 0x3fff);
    }

    return rs_doc_bad(doc, RS_DOC_BROKEN, "has no size");
}


static rs_doc_e
rs_doc_archive(rs_str_t s, rs_doc_t *doc)
{
    unsigned        nested;
    rs_doc_e        verdict;
    rs_err_e        rc;
    rs_zip_t        zip;
    rs_zip_entry_t  entry;

    doc->is = "a ZIP archive";
    nested = 0;

    if (rs_zip_open(s, &zip) != RS_OK) {
        return rs_doc_bad(doc, RS_DOC_BROKEN, "is an archive that ends early "
                          "or is written in two ways at once");
    }

    doc->entries = zip.n;

    if (zip.n > RS_DOC_ENTRIES_MAX) {
        return rs_doc_bad(doc, RS_DOC_BOMB, "has more than 4096 files in it");
    }

    while ((rc = rs_zip_next(&zip, &entry)) == RS_OK) {

        verdict = rs_doc_entry(doc, &entry, s.len, &nested);

        if (verdict != RS_DOC_FINE) {
            return verdict;
        }

        rs_doc_part(doc, &entry);
    }

    if (rc != RS_AGAIN) {
        return rs_doc_bad(doc, RS_DOC_BOMB, "is an archive with files that "
                          "share bytes, claim what cannot be, or lead out of "
                          "it");
    }

    if (doc->type == RS_DOC_UNKNOWN) {
        return rs_doc_bad(doc, RS_DOC_REFUSED,
                          "is of no type that is shown");
    }

    doc->is = rs_doc_is(doc->type);

    return RS_DOC_FINE;
}


static rs_doc_e
rs_doc_entry(rs_doc_t *doc, const rs_zip_entry_t *entry, size_t len,
    unsigned *nested)
{
    if (entry->locked) {
        return rs_doc_bad(doc, RS_DOC_LOCKED, "is locked with a password");
    }

    doc->unpacked += entry->unpacked;

    if (doc->unpacked > RS_DOC_UNPACKED_MAX) {
        return rs_doc_bad(doc, RS_DOC_BOMB,
                          "unpacks to more than 256 MiB");
    }

    if (doc->unpacked > RS_DOC_SMALL
        && doc->unpacked / RS_DOC_RATIO_MAX > len)
    {
        return rs_doc_bad(doc, RS_DOC_BOMB,
                          "unpacks to more than 100 times its size");
    }

    if (rs_doc_nests(entry)) {

        /* only where an office puts what was dragged into the document */

        if (!rs_doc_within(entry->name, RS_STR("embeddings/"))
            || ++*nested > RS_DOC_NESTED_MAX)
        {
            return rs_doc_bad(doc, RS_DOC_BOMB, "has archives in it");
        }
    }

    return RS_DOC_FINE;
}


static int
rs_doc_nests(const rs_zip_entry_t *entry)
{
    size_t    i;
    rs_str_t  end, name;

    name = entry->name;

    if (entry->method == RS_ZIP_STORED
        && rs_str_starts(entry->data, RS_STR("PK\3\4")))
    {
        return 1;
    }

    for (i = 0; i < COUNT(rs_doc_archives); i++) {
        end = rs_str(rs_doc_archives[i]);

        if (name.len >= end.len
            && rs_str_eq_ci((rs_str_t) { name.data + name.len - end.len,
                                         end.len }, end))
        {
            return 1;
        }
    }

    return 0;
}


/* part is somewhere in the name, at the beginning of one of its parts */

static int
rs_doc_within(rs_str_t name, rs_str_t part)
{
    rs_str_t  head;

    do {
        if (rs_str_starts(name, part)) {
            return 1;
        }
    } while (rs_str_split(name, '/', &head, &name));

    return 0;
}


/* the one file that says what an archive is */

static void
rs_doc_part(rs_doc_t *doc, const rs_zip_entry_t *entry)
{
    size_t                      i;

    static const struct {
        const char     *name;
        rs_doc_type_e   type;
    }                           parts[] = {
        { "word/document.xml", RS_DOC_DOCX },
        { "xl/workbook.xml", RS_DOC_XLSX },
        { "ppt/presentation.xml", RS_DOC_PPTX }
    };

    if (doc->type != RS_DOC_UNKNOWN) {
        return;
    }

    for (i = 0; i < COUNT(parts); i++) {
        if (rs_str_eq(entry->name, rs_str(parts[i].name))) {
            doc->type = parts[i].type;
        }
    }

    /* OpenDocument 1.3, part 2, 3.3: it comes first, and not packed */

    if (entry->offset != 0 || entry->method != RS_ZIP_STORED
        || !rs_str_eq(entry->name, RS_STR("mimetype")))
    {
        return;
    }

    for (i = RS_DOC_ODT; i <= RS_DOC_ODP; i++) {
        if (rs_str_eq(entry->data, rs_str(rs_doc_kinds[i].media))) {
            doc->type = (rs_doc_type_e) i;
        }
    }
}


/* MS-CFB, 2.2 and 2.6: the names of what is in there, in the directory */

static rs_doc_e
rs_doc_ole(rs_str_t s, rs_doc_t *doc)
{
    size_t          i;
    unsigned        n, shift;
    uint32_t        sector;
    rs_doc_e        verdict;
    const uint8_t  *p;

    doc->is = "an OLE file";

    if (s.len < RS_OLE_HEADER
        || (shift = rs_doc_le16(s.data + 30), shift != 9 && shift != 12))
    {
        return rs_doc_bad(doc, RS_DOC_BROKEN, "ends early");
    }

    sector = rs_doc_le32(s.data + 48);

    for (n = 0; n < RS_OLE_SECTORS && sector < RS_OLE_LAST; n++) {
        p = rs_doc_ole_sector(s, shift, sector);

        if (p == NULL) {
            return rs_doc_bad(doc, RS_DOC_BROKEN, "ends early");
        }

        for (i = 0; i < (size_t) 1 << shift; i += RS_OLE_ENTRY) {
            verdict = rs_doc_ole_entry(p + i, doc);

            if (verdict != RS_DOC_FINE) {
                return verdict;
            }
        }

        sector = rs_doc_ole_next(s, shift, sector);
    }

    if (doc->type == RS_DOC_UNKNOWN) {
        return rs_doc_bad(doc, RS_DOC_REFUSED,
                          "is of no type that is shown");
    }

    doc->is = rs_doc_is(doc->type);

    return RS_DOC_FINE;
}


static rs_doc_e
rs_doc_ole_entry(const uint8_t *p, rs_doc_t *doc)
{
    char                        name[32];
    size_t                      i, len;

    static const struct {
        const char     *name;
        rs_doc_type_e   type;
    }                           streams[] = {
        { "WordDocument", RS_DOC_DOC },
        { "Workbook", RS_DOC_XLS },
        { "Book", RS_DOC_XLS },
        { "PowerPoint Document", RS_DOC_PPT }
    };

    len = rs_doc_le16(p + 64);

    if (len < 2 || len > 64) {
        return RS_DOC_FINE;
    }

    len = len / 2 - 1;

    for (i = 0; i < len; i++) {
        name[i] = (char) (p[2 * i + 1] == 0 ? p[2 * i] : '?');
    }

    if (rs_str_eq((rs_str_t) { (uint8_t *) name, len },
                  RS_STR("EncryptedPackage")))
    {
        return rs_doc_bad(doc, RS_DOC_LOCKED, "is locked with a password");
    }

    for (i = 0; i < COUNT(streams) && doc->type == RS_DOC_UNKNOWN; i++) {
        if (rs_str_eq((rs_str_t) { (uint8_t *) name, len },
                      rs_str(streams[i].name)))
        {
            doc->type = streams[i].type;
        }
    }

    return RS_DOC_FINE;
}


/* NULL: it is not there; the header is as large as a sector */

static const uint8_t *
rs_doc_ole_sector(rs_str_t s, unsigned shift, uint32_t n)
{
    uint64_t  at;

    at = ((uint64_t) n + 1) << shift;

    if (at > s.len || s.len - at < (uint64_t) 1 << shift) {
        return NULL;
    }

    return s.data + at;
}


/* by the tables that the header lists: those of the first 7 MB, or more */

static uint32_t
rs_doc_ole_next(rs_str_t s, unsigned shift, uint32_t n)
{
    unsigned        per;
    const uint8_t  *p;

    per = 1u << (shift - 2);

    if (n / per >= RS_OLE_FATS) {
        return RS_OLE_LAST;
    }

    p = rs_doc_ole_sector(s, shift, rs_doc_le32(s.data + 76 + n / per * 4));

    return (p == NULL) ? RS_OLE_LAST : rs_doc_le32(p + n % per * 4);
}


int
rs_doc_named(rs_str_t name, rs_doc_type_e *type)
{
    size_t    i;
    rs_str_t  end;

    *type = RS_DOC_UNKNOWN;

    for (i = name.len; i > 0 && name.data[i - 1] != '.'; i--) { }

    /* no dot, or only the one that hides a file */

    if (i <= 1) {
        return 0;
    }

    end.data = name.data + i;
    end.len = name.len - i;

    if (rs_str_eq_ci(end, RS_STR("jpeg"))) {
        *type = RS_DOC_JPEG;
        return 1;
    }

    for (i = 1; i < RS_DOC_TYPES; i++) {
        if (rs_str_eq_ci(end, rs_str(rs_doc_kinds[i].extension))) {
            *type = (rs_doc_type_e) i;
        }
    }

    return 1;
}


const char *
rs_doc_extension(rs_doc_type_e type)
{
    return rs_doc_kinds[type].extension;
}


const char *
rs_doc_media(rs_doc_type_e type)
{
    return rs_doc_kinds[type].media;
}


const char *
rs_doc_is(rs_doc_type_e type)
{
    return rs_doc_kinds[type].is;
}


int
rs_doc_image(rs_doc_type_e type)
{
    return type >= RS_DOC_PNG && type <= RS_DOC_WEBP;
}


int
rs_doc_office(rs_doc_type_e type)
{
    return type >= RS_DOC_DOCX && type < RS_DOC_TYPES;
}
