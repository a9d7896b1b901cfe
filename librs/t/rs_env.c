
/*
 * Copyright (C) rs-gateway contributors
 *
 * Envelopes of each kind, as the store writes them, and what is none.
 */


#include "tap.h"
#include "rs_env.h"


#define SES   "ses_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PAR   "par_cccccccccccccccccccccccccc"
#define PIP   "pip_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define REC   "rec_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PEER  "par_hhhhhhhhhhhhhhhhhhhhhhhhhh"
#define ADDR  "node-1.0.0123456789abcdef.42"
#define ELSE  "node-2.7.fedcba9876543210.1"


static void test_kinds(void);
static void test_round_trips(void);
static void test_refused(void);
static void test_encode(void);


static const char  *const good[] = {
    "rs1 sig default " SES " 1-2 " PAR " " PEER " 7\n{\"kind\":\"offer\"}",
    "rs1 sig default " SES " 1-2 " PAR " - 7\n0",
    "rs1 evt default " SES " 2-0 " PAR " - -\n{\"type\":\"left\"}",
    "rs1 evt default " SES " 2-1 - - -\n{\"type\":\"state\"}",
    "rs1 end default " SES " 2-1 - - -\n{\"type\":\"ended\"}",
    "rs1 inv default " SES " - - " ADDR " -\n",
    "rs1 rvk default " SES " - - " ADDR " -\ndeleted",
    "rs1 fen default - - - " ADDR " -\nreplaced",
    "rs1 fen - - - - " ADDR " -\nreplaced",
    "rs1 bcn - - - - - 12\n",
    "rs1 sig default " SES " 0-0 " PAR " - 7\na\nb\n",
    "rs1 vol default " SES " - " PAR " " ADDR " " ELSE "\n{\"x\":1}",
    "rs1 gon default " SES " - - " ELSE " " ADDR "\n",
    "rs1 pip default " PIP " - - " ADDR " -\nopen",
    "rs1 rec default " REC " - - " ADDR " -\ndelete"
};


static void
test_kinds(void)
{
    rs_env_t  e;

    is_rc(rs_env_decode(rs_str(good[0]), &e), RS_OK, "sig");
    is_int(e.kind, RS_ENV_SIG, "its kind");
    is_str(e.tenant, "default", "tenant");
    is_str(e.session, SES, "session");
    is_int(e.position.epoch, 1, "epoch");
    is_int(e.position.n, 2, "number");
    is_str(e.from, PAR, "from");
    is_str(e.to, PEER, "to");
    is_str(e.id, "7", "id");
    is_str(e.body, "{\"kind\":\"offer\"}", "body");

    is_rc(rs_env_decode(rs_str(good[1]), &e), RS_OK, "sig to all");
    is_int(e.to.len, 0, "\"-\" is empty");

    is_rc(rs_env_decode(rs_str(good[10]), &e), RS_OK, "a body with LF");
    is_str(e.body, "a\nb\n", "is whole");

    is_rc(rs_env_decode(rs_str(good[11]), &e), RS_OK, "vol");
    is_int(e.kind, RS_ENV_VOL, "its kind");
    is_str(e.from, PAR, "who says it");
    is_str(e.to, ADDR, "where it goes");
    is_str(e.id, ELSE, "where it comes from");
    is_str(e.body, "{\"x\":1}", "what it says");

    is_rc(rs_env_decode(rs_str(good[12]), &e), RS_OK, "gon");
    is_int(e.kind, RS_ENV_GON, "its kind");
    is_str(e.to, ELSE, "where it goes");
    is_str(e.id, ADDR, "the socket that is gone");

    is_rc(rs_env_decode(rs_str(good[13]), &e), RS_OK, "pip");
    is_int(e.kind, RS_ENV_PIP, "its kind");
    is_str(e.session, PIP, "which pipe");
    is_str(e.to, ADDR, "where it goes");
    is_str(e.body, "open", "what it says");

    is_rc(rs_env_decode(rs_str(good[14]), &e), RS_OK, "rec");
    is_int(e.kind, RS_ENV_REC, "its kind");
    is_str(e.session, REC, "which recording");
    is_str(e.body, "delete", "what is wanted");

    is_int(rs_env_kind(RS_STR("bcn")), RS_ENV_BCN, "kind by name");
    is_int(rs_env_kind(RS_STR("sig ")), RS_ENV_NONE, "no kind");
    is_int(rs_env_kind(RS_STR("")), RS_ENV_NONE, "nothing is no kind");
    ok(strcmp(rs_env_kind_name(RS_ENV_RVK), "rvk") == 0, "name of a kind");
    ok(rs_env_kind_name(RS_ENV_NONE) == NULL, "none has no name");
    ok(rs_env_kind_name((rs_env_kind_e) 99) == NULL, "nor has what is none");
}


static void
test_round_trips(void)
{
    char      room[1024];
    size_t    i;
    rs_buf_t  b;
    rs_env_t  e;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        is_rc(rs_env_decode(rs_str(good[i]), &e), RS_OK, good[i]);
        rs_buf_init(&b, room, sizeof(room));
        is_rc(rs_env_encode(&b, &e), RS_OK, "is encoded");
        is_str(rs_buf_get(&b), good[i], "and is the same");

        rs_buf_init(&b, room, strlen(good[i]) - 1);
        is_rc(rs_env_encode(&b, &e), RS_E_WS_TOO_BIG, "does not fit");
    }
}


static void
test_refused(void)
{
    char      text[2048];
    size_t    i;
    rs_env_t  e;

    static const char  *bad[] = {
        "",
        "\n",
        "rs1",
        "rs1 sig default " SES " 1-2 " PAR " " PEER " 7",
        "rs2 sig default " SES " 1-2 " PAR " " PEER " 7\nx",
        "rs1 pip default " SES " - - " ADDR " -\nopen",
        "rs1 pip default " PIP " - - " ADDR " -\n",
        "rs1 rec default " PIP " - - " ADDR " -\ndelete",
        "rs1 rec default " REC " - - " ADDR " -\n",
        "rs1 pip default " REC " - - " ADDR " -\nopen",
        "rs1 pip default " PIP " - - - -\nopen",
        "rs1 inv default " PIP " - - " ADDR " -\n",
        "rs1 gis default " SES " 1-2 " PAR " " PEER " 7\nx",
        "rs1 - default " SES " 1-2 " PAR " " PEER " 7\nx",
        "rs1  sig default " SES " 1-2 " PAR " " PEER " 7\nx",
        "rs1 sig default " SES " 1-2 " PAR " " PEER "\nx",
        "rs1 sig default " SES " 1-2 " PAR " " PEER " 7 8\nx",
        "rs1 sig default " SES " 1-2 " PAR " " PEER " 7 \nx",
        "rs1 sig default " SES " 1-2 " PAR "  7\nx",
        "rs1 sig - " SES " 1-2 " PAR " - 7\nx",
        "rs1 sig Default " SES " 1-2 " PAR " - 7\nx",
        "rs1 sig default - 1-2 " PAR " - 7\nx",
        "rs1 sig default ses_a 1-2 " PAR " - 7\nx",
        "rs1 sig default " SES " - " PAR " - 7\nx",
        "rs1 sig default " SES " 1 " PAR " - 7\nx",
        "rs1 sig default " SES " 1-2 - - 7\nx",
        "rs1 sig default " SES " 1-2 " SES " - 7\nx",
        "rs1 sig default " SES " 1-2 " PAR " " ADDR " 7\nx",
        "rs1 sig default " SES " 1-2 " PAR " - -\nx",
        "rs1 sig default " SES " 1-2 " PAR " - 07\nx",
        "rs1 sig default " SES " 1-2 " PAR " - 7\n",
        "rs1 evt default " SES " 1-2 - " PAR " -\nx",
        "rs1 evt default " SES " 1-2 - - 1\nx",
        "rs1 end default " SES " 1-2 " PAR " - -\nx",
        "rs1 inv default " SES " - - " ADDR " -\nx",
        "rs1 inv default " SES " - - - -\n",
        "rs1 inv default " SES " - - " PAR " -\n",
        "rs1 inv default " SES " - - node-1.0.0123456789abcdef -\n",
        "rs1 inv default " SES " 1-1 - " ADDR " -\n",
        "rs1 inv default " SES " 0-0 - " ADDR " -\n",
        "rs1 rvk default " SES " - - " ADDR " -\n",
        "rs1 fen default - - - " ADDR " -\n",
        "rs1 fen default " SES " - - " ADDR " -\nx",
        "rs1 bcn default - - - - 12\n",
        "rs1 bcn - - - - " PAR " 12\n",
        "rs1 bcn - - - - - 12\nx",
        "rs1 vol default " SES " - " PAR " " ADDR " -\nx",
        "rs1 vol default " SES " - " PAR " " ADDR " 7\nx",
        "rs1 vol default " SES " - " PAR " " ADDR " " PAR "\nx",
        "rs1 vol default " SES " - " PAR " " ADDR
            " node-2.7.fedcba9876543210\nx",
        "rs1 vol default " SES " - " PAR " " PEER " " ELSE "\nx",
        "rs1 vol default " SES " - " PAR " - " ELSE "\nx",
        "rs1 vol default " SES " - - " ADDR " " ELSE "\nx",
        "rs1 vol default - - " PAR " " ADDR " " ELSE "\nx",
        "rs1 vol - " SES " - " PAR " " ADDR " " ELSE "\nx",
        "rs1 vol default " SES " 1-2 " PAR " " ADDR " " ELSE "\nx",
        "rs1 vol default " SES " - " PAR " " ADDR " " ELSE "\n",
        "rs1 gon default " SES " - " PAR " " ELSE " " ADDR "\n",
        "rs1 gon default " SES " - - " ELSE " " ADDR "\nx",
        "rs1 gon default " SES " - - " ELSE " -\n",
        "rs1 sig default " SES " 1-2 " PAR " - " ADDR "\nx"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_env_decode(rs_str(bad[i]), &e) == RS_E_INVALID_VALUE,
           "number %zu is refused", i);
    }

    memset(text, 'a', sizeof(text));
    memcpy(text, "rs1 sig ", 8);
    ok(rs_env_decode((rs_str_t) { (uint8_t *) text, sizeof(text) }, &e)
       == RS_E_INVALID_VALUE, "a header without end");
}


static void
test_encode(void)
{
    char      room[1024];
    rs_buf_t  b;
    rs_env_t  e;

    rs_buf_init(&b, room, sizeof(room));

    memset(&e, 0, sizeof(e));
    is_rc(rs_env_encode(&b, &e), RS_E_INVALID_VALUE, "no kind");

    e.kind = RS_ENV_BCN;
    e.id = RS_STR("12");
    e.position.n = 1;
    is_rc(rs_env_encode(&b, &e), RS_E_INVALID_VALUE,
          "a position it does not have");

    e.position.n = 0;
    e.session = RS_STR(SES);
    is_rc(rs_env_encode(&b, &e), RS_E_INVALID_VALUE,
          "a session it does not have");

    e.session.len = 0;
    e.id = RS_STR("1 2");
    is_rc(rs_env_encode(&b, &e), RS_E_INVALID_VALUE, "no blanks in fields");

    is_int(b.len, 0, "nothing was written");
}


int
main(void)
{
    test_kinds();
    test_round_trips();
    test_refused();
    test_encode();

    return tap_done();
}
