
/*
 * Copyright (C) rs-gateway contributors
 *
 * Documents: whatever they claim, what is fine is within the bounds; entries
 * of an archive are inside of it and do not share bytes.
 */


#include "fuzz.h"
#include "rs_doc.h"
#include "rs_zip.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t           sum;
    rs_doc_e         verdict;
    rs_doc_t         doc;
    rs_str_t         s;
    rs_zip_t         zip;
    rs_doc_type_e    type;
    rs_zip_entry_t   entry;

    s = (rs_str_t) { data, size };
    verdict = rs_doc_read(s, &doc);

    CHECK(doc.is != NULL);
    CHECK((verdict == RS_DOC_FINE) == (doc.type != RS_DOC_UNKNOWN));
    CHECK((verdict == RS_DOC_FINE) == (doc.why == NULL));

    if (verdict == RS_DOC_FINE) {
        CHECK(doc.unpacked <= RS_DOC_UNPACKED_MAX);
        CHECK(doc.entries <= RS_DOC_ENTRIES_MAX);
        CHECK((uint64_t) doc.width * doc.height <= RS_DOC_PIXELS_MAX);
        CHECK(rs_doc_image(doc.type) == (doc.width != 0));
    }

    if (rs_doc_named(s, &type)) {
        CHECK(type < RS_DOC_TYPES);
    }

    if (rs_zip_open(s, &zip) != RS_OK) {
        return 0;
    }

    sum = 0;

    while (rs_zip_next(&zip, &entry) == RS_OK) {
        CHECK(entry.data.data >= data
              && entry.data.data + entry.data.len <= data + size);
        CHECK(entry.name.data >= data
              && entry.name.data + entry.name.len <= data + size);
        CHECK(entry.name.len != 0 && entry.name.data[0] != '/');
        sum += entry.data.len;
        CHECK(sum <= size);
    }

    return 0;
}
