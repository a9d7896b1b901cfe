
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a viewer says over rs-files: a name that is taken has no path in it
 * and stays a name with a number; a message that is taken is within its
 * bounds; a piece that is taken is the one that its head and bytes make.
 */


#include "fuzz.h"
#include "rs_file.h"


static void fuzz_name(rs_str_t name);
static void fuzz_message(const uint8_t *data, size_t size);
static void fuzz_piece(const uint8_t *data, size_t size);


static void
fuzz_name(rs_str_t name)
{
    size_t   len;
    uint8_t  dst[RS_FILE_NAME_MAX + 8];

    if (rs_file_check_name(name) != RS_OK) {
        return;
    }

    CHECK(name.len >= 1 && name.len <= RS_FILE_NAME_MAX);
    CHECK(name.data[0] != '.');
    CHECK(memchr(name.data, '/', name.len) == NULL);
    CHECK(memchr(name.data, '\0', name.len) == NULL);

    len = rs_file_numbered(dst, name, 42);

    CHECK(len == name.len + 5);

    if (len <= RS_FILE_NAME_MAX) {
        CHECK(rs_file_check_name((rs_str_t) { dst, len }) == RS_OK);
    }
}


static void
fuzz_message(const uint8_t *data, size_t size)
{
    rs_err_e          rc;
    json_t           *obj;
    rs_file_msg_t     m;
    rs_json_error_t   err;

    err.text[0] = '\0';
    rc = rs_file_parse(data, size, &obj, &m, &err);

    if (rc != RS_OK) {
        CHECK(err.text[0] != '\0');
        return;
    }

    CHECK(size <= RS_FILE_MESSAGE_MAX);
    CHECK(m.id >= 1 && m.id <= RS_FILE_ID_MAX);
    CHECK(m.size >= 0 && m.size <= RS_FILE_SIZE_MAX);
    CHECK(m.offset >= 0 && m.offset <= RS_FILE_SIZE_MAX);
    CHECK(m.type != RS_FILE_PUT || m.key.len == RS_FILE_KEY_LEN);
    CHECK(m.type != RS_FILE_END || m.digest);
    CHECK(m.type != RS_FILE_GET || m.offset == 0 || m.digest);

    if (m.name.len > 0) {
        CHECK(rs_file_check_name(m.name) == RS_OK);
        fuzz_name(m.name);

    } else {
        CHECK(m.type != RS_FILE_PUT && m.type != RS_FILE_GET);
    }

    json_decref(obj);
}


static void
fuzz_piece(const uint8_t *data, size_t size)
{
    uint8_t          head[RS_FILE_HEAD_LEN];
    rs_file_piece_t  p;

    if (rs_file_piece(data, size, &p) != RS_OK) {
        return;
    }

    CHECK(p.data + p.len == data + size);

    rs_file_head(head, p.id, p.offset);
    CHECK(memcmp(head, data, sizeof(head)) == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_name((rs_str_t) { (uint8_t *) data, size });
    fuzz_message(data, size);
    fuzz_piece(data, size);

    return 0;
}
