
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a viewer says over rs-files: each message, what is refused, pieces,
 * and the names of hostile people.
 */


#include "tap.h"
#include "rs_file.h"


#define KEY     "00112233445566778899aabbccddeeff"
#define DIGEST  "e3b0c44298fc1c149afbf4c8996fb924"                           \
                "27ae41e4649b934ca495991b7852b855"


static rs_err_e parse(const char *text);
static void refused(const char *text, rs_err_e rc, const char *what);
static void test_messages(void);
static void test_refused(void);
static void test_names(void);
static void test_numbered(void);
static void test_pieces(void);


static json_t           *object;
static rs_file_msg_t     m;
static rs_json_error_t   error;


/* the object stays until the next call, for m borrows from it */

static rs_err_e
parse(const char *text)
{
    if (object != NULL) {
        json_decref(object);
        object = NULL;
    }

    memset(&m, 0xff, sizeof(m));

    return rs_file_parse(text, strlen(text), &object, &m, &error);
}


static void
refused(const char *text, rs_err_e rc, const char *what)
{
    rs_err_e  got;

    error.text[0] = '\0';
    got = parse(text);

    ok(got == rc && object == NULL && error.text[0] != '\0', "%s: %s", what,
       rs_err_code(got));
}


static void
test_messages(void)
{
    ok(parse("{\"type\":\"list\",\"id\":1}") == RS_OK
       && m.type == RS_FILE_LIST && m.id == 1 && m.name.len == 0, "list");

    ok(parse("{\"type\":\"list\",\"id\":2,\"after\":\"b.txt\"}") == RS_OK
       && rs_str_eq(m.name, RS_STR("b.txt")), "list from somewhere on");

    ok(parse("{\"type\":\"list\",\"id\":2,\"after\":\"\"}") == RS_OK
       && m.name.len == 0, "list from the first on");

    ok(parse("{\"type\":\"put\",\"id\":2147483647,\"name\":\"a b.txt\","
             "\"key\":\"" KEY "\",\"size\":9007199254740991,"
             "\"mtime\":1700000000,\"anew\":true}") == RS_OK
       && m.type == RS_FILE_PUT && m.id == RS_FILE_ID_MAX
       && rs_str_eq(m.name, RS_STR("a b.txt"))
       && rs_str_eq(m.key, RS_STR(KEY)) && m.size == RS_FILE_SIZE_MAX
       && m.mtime == 1700000000 && m.anew == 1, "put");

    ok(parse("{\"type\":\"put\",\"id\":1,\"name\":\"x\",\"key\":\"" KEY
             "\",\"size\":0}") == RS_OK
       && m.mtime == 0 && m.anew == 0 && m.size == 0, "put, the shortest");

    ok(parse("{\"type\":\"get\",\"id\":3,\"name\":\"x\"}") == RS_OK
       && m.type == RS_FILE_GET && m.offset == 0 && m.digest == 0, "get");

    ok(parse("{\"type\":\"get\",\"id\":3,\"name\":\"x\",\"offset\":5,"
             "\"sha256\":\"" DIGEST "\"}") == RS_OK
       && m.offset == 5 && m.digest == 1 && m.sha256[0] == 0xe3
       && m.sha256[31] == 0x55, "get from somewhere on");

    ok(parse("{\"type\":\"end\",\"id\":3,\"sha256\":\"" DIGEST "\"}") == RS_OK
       && m.type == RS_FILE_END && m.digest == 1 && m.sha256[1] == 0xb0,
       "end");

    ok(parse("{\"type\":\"ack\",\"id\":3,\"offset\":0}") == RS_OK
       && m.type == RS_FILE_ACK && m.offset == 0, "ack");

    ok(parse("{\"type\":\"cancel\",\"id\":3}") == RS_OK
       && m.type == RS_FILE_CANCEL && m.keep == 0, "cancel");

    ok(parse("{\"type\":\"cancel\",\"id\":3,\"keep\":true}") == RS_OK
       && m.keep == 1, "cancel, to go on later");
}


static void
test_refused(void)
{
    char  text[RS_FILE_MESSAGE_MAX + 64];

    refused("", RS_E_INVALID_JSON, "nothing");
    refused("[]", RS_E_INVALID_JSON, "no object");
    refused("{}", RS_E_INVALID_VALUE, "no type");
    refused("{\"type\":1}", RS_E_INVALID_VALUE, "type is a number");
    refused("{\"type\":\"fetch\",\"id\":1}", RS_E_UNKNOWN_TYPE,
            "another type");
    refused("{\"type\":\"list\"}", RS_E_INVALID_VALUE, "no id");
    refused("{\"type\":\"list\",\"id\":0}", RS_E_INVALID_VALUE, "id 0");
    refused("{\"type\":\"list\",\"id\":2147483648}", RS_E_INVALID_VALUE,
            "id beyond 31 bits");
    refused("{\"type\":\"list\",\"id\":1,\"path\":\"/\"}",
            RS_E_UNKNOWN_FIELD, "a field of no list");
    refused("{\"type\":\"list\",\"id\":1,\"after\":\"../x\"}",
            RS_E_INVALID_VALUE, "list after a path");
    refused("{\"type\":\"put\",\"id\":1,\"name\":\"x\",\"key\":\"" KEY
            "\",\"size\":-1}", RS_E_INVALID_VALUE, "size below 0");
    refused("{\"type\":\"put\",\"id\":1,\"name\":\"x\",\"key\":\"" KEY
            "\",\"size\":9007199254740992}", RS_E_INVALID_VALUE,
            "size beyond 53 bits");
    refused("{\"type\":\"put\",\"id\":1,\"name\":\"x\",\"key\":\"" KEY
            "\",\"size\":1.5}", RS_E_INVALID_VALUE, "half a byte");
    refused("{\"type\":\"put\",\"id\":1,\"name\":\"x\",\"size\":1,\"key\":"
            "\"00112233445566778899AABBCCDDEEFF\"}", RS_E_INVALID_VALUE,
            "key in upper case");
    refused("{\"type\":\"put\",\"id\":1,\"name\":\"x\",\"size\":1,\"key\":"
            "\"../112233445566778899aabbccddeeff\"}", RS_E_INVALID_VALUE,
            "key with a path");
    refused("{\"type\":\"put\",\"id\":1,\"name\":\"x\",\"size\":1,"
            "\"key\":\"0011\"}", RS_E_INVALID_VALUE, "short key");
    refused("{\"type\":\"get\",\"id\":1,\"name\":\"x\",\"offset\":5}",
            RS_E_INVALID_VALUE, "get from somewhere on without a hash");
    refused("{\"type\":\"end\",\"id\":1}", RS_E_INVALID_VALUE,
            "end without a hash");
    refused("{\"type\":\"end\",\"id\":1,\"sha256\":\"e3b0\"}",
            RS_E_INVALID_VALUE, "short hash");
    refused("{\"type\":\"ack\",\"id\":1,\"offset\":-1}", RS_E_INVALID_VALUE,
            "offset below 0");
    refused("{\"type\":\"ack\",\"id\":1,\"id\":2,\"offset\":1}",
            RS_E_INVALID_JSON, "twice the same name");

    memset(text, ' ', sizeof(text));
    memcpy(text, "{\"type\":\"list\",\"id\":1}", 22);
    text[RS_FILE_MESSAGE_MAX] = '\0';
    ok(parse(text) == RS_OK, "as long as may be");

    text[RS_FILE_MESSAGE_MAX] = ' ';
    text[RS_FILE_MESSAGE_MAX + 1] = '\0';
    refused(text, RS_E_BODY_TOO_LARGE, "a byte longer");
}


static void
test_names(void)
{
    size_t  i;
    char    name[RS_FILE_NAME_MAX + 2];

    static const char *const  good[] = {
        "a", "a.txt", "a..b", "a (1)", "CON", "-rf", "a b", "Überweisung.pdf",
        "\xe6\x97\xa5\xe6\x9c\xac.txt", "a.", "~", "$(reboot)", "<b>", "\"'",
        "a:b", "*"
    };

    static const char *const  bad[] = {
        "", ".", "..", "../a", "a/b", "/", "/etc/passwd", "a/", "..\\a",
        "c:\\a", ".bashrc", ".rs-00112233445566778899aabbccddeeff.part",
        "a\nb", "a\tb", "\x7f", "a\xc2\x85", " a", "a ",
        "\xff", "a\xc0\xaf" "b", "\xe2\x80\xae" "fdp.exe",
        "\xef\xbb\xbf" "a", "a\xed\xa0\x80", "\xe2\x80\x8b"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ok(rs_file_check_name((rs_str_t) { (uint8_t *) good[i],
                                           strlen(good[i]) }) == RS_OK,
           "a name: %zu", i);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_file_check_name((rs_str_t) { (uint8_t *) bad[i],
                                           strlen(bad[i]) })
           == RS_E_INVALID_VALUE, "no name: %zu", i);
    }

    ok(rs_file_check_name((rs_str_t) { (uint8_t *) "a\0b", 3 })
       == RS_E_INVALID_VALUE, "a NUL within");

    memset(name, 'n', sizeof(name));
    ok(rs_file_check_name((rs_str_t) { (uint8_t *) name, RS_FILE_NAME_MAX })
       == RS_OK, "as long as may be");
    ok(rs_file_check_name((rs_str_t) { (uint8_t *) name,
                                       RS_FILE_NAME_MAX + 1 })
       == RS_E_INVALID_VALUE, "a byte longer");

    refused("{\"type\":\"get\",\"id\":1,\"name\":\"..\\u002fetc\"}",
            RS_E_INVALID_VALUE, "an escaped slash is one");
    refused("{\"type\":\"get\",\"id\":1,\"name\":\"a\\u0000b\"}",
            RS_E_INVALID_JSON, "an escaped NUL");
}


static void
test_numbered(void)
{
    size_t   i, len;
    uint8_t  dst[RS_FILE_NAME_MAX + 8];

    static const struct {
        const char  *name;
        unsigned     n;
        const char  *want;
    } names[] = {
        { "a.txt", 1, "a (1).txt" },
        { "a.tar.gz", 12, "a (12).tar.gz" },
        { "a", 99, "a (99)" },
        { "v1.2 of the very long report.pdf", 2,
          "v1.2 of the very long report (2).pdf" },
        { "a.longer than an ending", 3, "a.longer than an ending (3)" },
        { "a.", 4, "a (4)." }
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        len = rs_file_numbered(dst, (rs_str_t) { (uint8_t *) names[i].name,
                                                 strlen(names[i].name) },
                               names[i].n);

        ok(rs_str_eq((rs_str_t) { dst, len },
                     (rs_str_t) { (uint8_t *) names[i].want,
                                  strlen(names[i].want) }),
           "%s, number %u", names[i].name, names[i].n);
    }
}


static void
test_pieces(void)
{
    uint8_t          data[RS_FILE_HEAD_LEN + RS_FILE_PIECE_MAX + 1];
    rs_file_piece_t  p;

    memset(data, 'x', sizeof(data));
    rs_file_head(data, 0x01020304, 0x0005060708090aULL);

    ok(memcmp(data, "\1\2\3\4\0\0\5\6\7\10\11\12x", 13) == 0, "a head");

    ok(rs_file_piece(data, RS_FILE_HEAD_LEN + 1, &p) == RS_OK
       && p.id == 0x01020304 && p.offset == 0x0005060708090aULL
       && p.len == 1 && p.data == data + RS_FILE_HEAD_LEN, "and back");

    ok(rs_file_piece(data, RS_FILE_HEAD_LEN + RS_FILE_PIECE_MAX, &p) == RS_OK
       && p.len == RS_FILE_PIECE_MAX, "the longest piece");
    ok(rs_file_piece(data, sizeof(data), &p) == RS_E_INVALID_VALUE,
       "a byte longer");
    ok(rs_file_piece(data, RS_FILE_HEAD_LEN, &p) == RS_E_INVALID_VALUE,
       "an empty piece");
    ok(rs_file_piece(data, 0, &p) == RS_E_INVALID_VALUE, "nothing");

    rs_file_head(data, 0, 0);
    ok(rs_file_piece(data, 20, &p) == RS_E_INVALID_VALUE, "transfer 0");

    rs_file_head(data, 0x80000000, 0);
    ok(rs_file_piece(data, 20, &p) == RS_E_INVALID_VALUE,
       "an id beyond 31 bits");

    rs_file_head(data, 1, RS_FILE_SIZE_MAX - 7);
    ok(rs_file_piece(data, RS_FILE_HEAD_LEN + 7, &p) == RS_OK,
       "up to the last byte");
    ok(rs_file_piece(data, RS_FILE_HEAD_LEN + 8, &p) == RS_E_INVALID_VALUE,
       "beyond it");

    rs_file_head(data, 1, UINT64_MAX);
    ok(rs_file_piece(data, 20, &p) == RS_E_INVALID_VALUE,
       "an offset that wraps");
}


int
main(void)
{
    test_messages();
    test_refused();
    test_names();
    test_numbered();
    test_pieces();

    if (object != NULL) {
        json_decref(object);
    }

    return tap_done();
}
