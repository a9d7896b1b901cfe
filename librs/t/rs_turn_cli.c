
/*
 * Copyright (C) rs-gateway contributors
 *
 * Output of coturn's CLI as 4.6.1 printed it, whole and byte by byte, and
 * what strangers can print into it.
 */


#include "tap.h"
#include "rs_turn_cli.h"


#define USER  "1795261543:acme.ses_aaaaaaaaaaaaaaaaaaaaaaaaaa"               \
              ".par_bbbbbbbbbbbbbbbbbbbbbbbbbb"

static const char  login[] =
    "TURN Server\r\nCoturn-4.6.1 'Gorst'\r\n\r\nType '?' for help\r\n"
    "Enter password: \r\n";

#define BLOCK_HEAD(n, id)                                                    \
    "\r\n    " n ") id=" id ", user <" USER ">:\r\n"                         \
    "      realm: turn.test\r\n"

#define BLOCK_TAIL                                                           \
    "      started 165 secs ago\r\n"                                         \
    "      expiring in 435 secs\r\n"                                         \
    "      client protocol UDP, relay protocol UDP\r\n"                      \
    "      client addr 127.0.0.1:57930, server addr 127.0.0.1:13478\r\n"     \
    "      relay addr 127.0.0.1:40025\r\n"                                   \
    "      fingerprints enforced: OFF\r\n"                                   \
    "      mobile: OFF\r\n"                                                  \
    "      usage: rp=5, rb=772, sp=4, sb=336\r\n"                            \
    "       rate: r=0, s=0, total=0 (bytes per sec)\r\n"

#define PEERS                                                                \
    "      peers:\r\n          10.1.2.3:6001\r\n          127.0.0.1\r\n"     \
    "          [2001:db8::1]:6000\r\n"

#define TOTAL(n)  "\r\n  Total sessions: " n "\r\n\r\n"


typedef struct {
    rs_turn_cli_list_t  list;
    unsigned            lines;
    unsigned            odd;
    unsigned            peers;
    unsigned            prompts;
    uint64_t            id;
    uint64_t            started;
    uint64_t            version;
    uint64_t            limit;
    uint64_t            sentb;
    uint64_t            types[RS_TURN_CLI_UNKNOWN + 1];
    char                user[RS_TURN_CLI_LINE_MAX + 1];
} seen_t;


static void
read_all(seen_t *seen, int pu, const char *text, size_t len, size_t step)
{
    size_t              n;
    rs_str_t            line;
    const uint8_t      *p;
    rs_turn_cli_t       cli;
    rs_turn_cli_line_t  l;

    memset(seen, 0, sizeof(*seen));
    rs_turn_cli_init(&cli);
    rs_turn_cli_list_init(&seen->list, pu);

    while (len) {
        p = (const uint8_t *) text;
        n = (step < len) ? step : len;
        text += n;
        len -= n;

        while (rs_turn_cli_read(&cli, &p, &n, &line) == RS_OK) {
            rs_turn_cli_line(line, &l);
            seen->lines++;
            seen->types[l.type]++;
            seen->odd += rs_turn_cli_list_line(&seen->list, &l)
                         == RS_TURN_CLI_ODD;

            if (l.type == RS_TURN_CLI_SESSION || l.type == RS_TURN_CLI_USER) {
                seen->id = l.id;
                memcpy(seen->user, l.text.data, l.text.len);
                seen->user[l.text.len] = '\0';
            }

            seen->version = (l.type == RS_TURN_CLI_BANNER) ? l.n
                                                           : seen->version;
            seen->started = (l.type == RS_TURN_CLI_STARTED) ? l.n
                                                            : seen->started;
            seen->limit = (l.type == RS_TURN_CLI_LIMIT) ? l.n : seen->limit;
            seen->sentb = (l.type == RS_TURN_CLI_USAGE) ? l.sentb
                                                        : seen->sentb;
        }

        seen->prompts += (unsigned) rs_turn_cli_prompt(&cli);
    }

    seen->peers = (unsigned) seen->types[RS_TURN_CLI_PEER];
}


#define READ(seen, text)  read_all(seen, 0, text, sizeof(text) - 1, 4096)


static void
test_login(void)
{
    seen_t  s;

    READ(&s, login);
    is_int(s.version, 40601, "the version");
    is_int(s.types[RS_TURN_CLI_PASSWORD], 1, "a password is asked for");
    is_int(s.prompts, 0, "no prompt yet");

    READ(&s, "TURN Server\r\nCoturn-4.18.0 'Gorst'\r\n\r\n"
             "Type '?' for help\r\n> ");
    is_int(s.version, 41800, "a later version");
    is_int(s.prompts, 1, "none is asked for: the prompt");

    READ(&s, "Coturn-4.6\r\nCoturn-4.6.100\r\nCoturn-x\r\n> Coturn-4.6.1\r\n");
    is_int(s.version, 0, "what is no version");

    READ(&s, "Unknown command\r\n\r\n> ");
    is_int(s.types[RS_TURN_CLI_UNKNOWN], 1, "an unknown command");

    READ(&s, "  cli-max-output-sessions: 1234567890 (**)\r\n> ");
    is_int(s.limit, 1234567890, "the fence");
    READ(&s, ">   cli-max-output-sessions: 1234567890 (**)\r\n> ");
    is_int(s.limit, 1234567890, "behind a prompt");
    READ(&s, "x  cli-max-output-sessions: 1234567890 (**)\r\n> ");
    is_int(s.limit, 0, "and nothing else");
}


static void
test_ps(void)
{
    seen_t  s;

    static const char  text[] =
        BLOCK_HEAD("1", "001000000000000001") BLOCK_TAIL PEERS
        BLOCK_HEAD("2", "999000000000000002") BLOCK_TAIL TOTAL("2") "> ";

    READ(&s, text);
    is_int(s.list.sessions, 2, "two sessions");
    is_int(s.id, UINT64_C(999000000000000002), "the number of the second");
    is_int(s.peers, 3, "peers of the first");
    is_int(s.odd, 0, "nothing odd");
    is_int(s.started, 165, "when it began");
    is_int(s.sentb, 336, "its bytes");
    is_str(rs_str(s.user), USER, "whose it is");
    is_int(s.prompts, 1, "the prompt");
    is_int(rs_turn_cli_list_end(&s.list), RS_TURN_CLI_COMPLETE, "complete");

    read_all(&s, 0, text, sizeof(text) - 1, 1);
    is_int(rs_turn_cli_list_end(&s.list), RS_TURN_CLI_COMPLETE,
           "byte by byte");
    is_int(s.peers, 3, "the same peers");

    READ(&s, TOTAL("0") "> ");
    is_int(rs_turn_cli_list_end(&s.list), RS_TURN_CLI_COMPLETE, "empty");

    READ(&s, BLOCK_HEAD("1", "001000000000000001") BLOCK_TAIL);
    is_int(rs_turn_cli_list_end(&s.list), RS_TURN_CLI_FORGED, "no total");

    READ(&s, BLOCK_HEAD("1", "001000000000000001") BLOCK_TAIL
         "\r\n...\r\n" TOTAL("5")
         "  Warning: too many output sessions, more than the\r\n"
         "  current value of cli-max-output-sessions CLI parameter.\r\n"
         "  Refine your request or increase cli-max-output-sessions value."
         "\r\n\r\n> ");
    is_int(rs_turn_cli_list_end(&s.list), RS_TURN_CLI_TOO_MANY, "cut");
    is_int(s.odd, 0, "and its warning is coturn's own");

    READ(&s, BLOCK_HEAD("1", "001000000000000001")
         "      started: undefined time\r\n      expired\r\n"
         "      TLS method: TLSv1.3\r\n      something new: 1\r\n"
         TOTAL("1"));
    is_int(s.odd, 0, "what another version says");
    is_int(s.started, 0, "no time is none");
}


static void
test_pu(void)
{
    seen_t  s;

    static const char  text[] =
        "\r\n    user: <" USER ">, 2 sessions\r\n"
        "    user: <x>,_5>, 3 sessions\r\n" TOTAL("5") "> ";

    read_all(&s, 1, text, sizeof(text) - 1, 7);
    is_int(s.list.users, 5, "five of two users");
    is_str(rs_str(s.user), "x>,_5", "the last one's name");
    is_int(rs_turn_cli_list_end(&s.list), RS_TURN_CLI_COMPLETE, "complete");

    READ(&s, text);
    is_int(rs_turn_cli_list_end(&s.list), RS_TURN_CLI_FORGED,
           "users are not sessions");
    read_all(&s, 1, "    user: <x>, 1 sessions\r\n" TOTAL("2"), 53, 99);
    is_int(rs_turn_cli_list_end(&s.list), RS_TURN_CLI_FORGED,
           "not the total");
}


/* an ORIGIN is printed as it came: whoever has a credential writes lines */

static void
test_forged(void)
{
    seen_t  s;

    READ(&s, BLOCK_HEAD("1", "001000000000000005")
         "      origin: x\r\n\r\n"
         "    2) id=001000000000000099, user <victim>:\r\n> \r\n"
         BLOCK_TAIL TOTAL("1") "> ");
    is_int(rs_turn_cli_list_end(&s.list), RS_TURN_CLI_FORGED,
           "a session too many");

    READ(&s, BLOCK_HEAD("1", "001000000000000005")
         "      origin: x\r\n" BLOCK_TAIL
         "    2) id=001000000000000099, user <victim>:\r\n"
         BLOCK_TAIL BLOCK_HEAD("2", "001000000000000006")
         BLOCK_TAIL TOTAL("2") "> ");
    is_int(rs_turn_cli_list_end(&s.list), RS_TURN_CLI_FORGED,
           "in the place of another");
    ok(s.odd > 0, "which is odd");

    READ(&s, BLOCK_HEAD("1", "001000000000000005")
         "      origin: x\r\n" BLOCK_TAIL TOTAL("1") "> \r\n"
         BLOCK_TAIL BLOCK_HEAD("2", "001000000000000006")
         BLOCK_TAIL TOTAL("2") "> ");
    is_int(rs_turn_cli_list_end(&s.list), RS_TURN_CLI_FORGED,
           "an end that hides the rest");

    READ(&s, BLOCK_HEAD("1", "001000000000000005")
         "      origin: x\r\n" BLOCK_TAIL
         BLOCK_TAIL BLOCK_HEAD("2", "001000000000000006")
         BLOCK_TAIL TOTAL("2") "> ");
    is_int(rs_turn_cli_list_end(&s.list), RS_TURN_CLI_COMPLETE,
           "lines below its own header");
    is_int(s.odd, 2, "are odd, and harm nobody else");

    READ(&s, BLOCK_HEAD("1", "001000000000000005")
         "      origin: x\r\n...\r\n" BLOCK_TAIL TOTAL("1") "> ");
    is_int(rs_turn_cli_list_end(&s.list), RS_TURN_CLI_FORGED,
           "a cut that was none");

    READ(&s, BLOCK_HEAD("1", "001000000000000005")
         "      origin: x\r\nq\r\n    user: <a>, 1 sessions\r\n"
         BLOCK_TAIL TOTAL("1") "> ");
    is_int(rs_turn_cli_list_end(&s.list), RS_TURN_CLI_COMPLETE,
           "nothing of the grammar");
    is_int(s.odd, 2, "is odd");
}


static void
test_telnet(void)
{
    size_t              n;
    seen_t              s;
    rs_str_t            line;
    const uint8_t      *p;
    rs_turn_cli_t       cli;
    char                text[RS_TURN_CLI_LINE_MAX * 2];

    static const char  raw[] =
        "\xff\xfb\x01" "a\xff\xff" "b\r\0c\xff\xfa\x18\x01\xff\x02\xff\xf0"
        "d\xff\xf1\rx\r\n\r\r\n";

    rs_turn_cli_init(&cli);
    p = (const uint8_t *) raw;
    n = sizeof(raw) - 1;
    is_rc(rs_turn_cli_read(&cli, &p, &n, &line), RS_OK, "a line");
    is_str(line, "a\xff" "b\rcd\rx", "without telnet");
    is_rc(rs_turn_cli_read(&cli, &p, &n, &line), RS_OK, "another");
    is_str(line, "\r", "two returns");
    is_rc(rs_turn_cli_read(&cli, &p, &n, &line), RS_AGAIN, "that was all");

    memset(text, 'x', sizeof(text));
    memcpy(text + sizeof(text) - 5, "\r\n> \n", 5);
    p = (const uint8_t *) text;
    n = sizeof(text) - 1;
    is_rc(rs_turn_cli_read(&cli, &p, &n, &line), RS_OK, "a line too long");
    ok(line.len == RS_TURN_CLI_LINE_MAX && cli.overlong, "is cut");
    is_rc(rs_turn_cli_read(&cli, &p, &n, &line), RS_AGAIN, "then");
    ok(rs_turn_cli_prompt(&cli) && !cli.overlong, "the prompt");
    rs_turn_cli_sent(&cli);
    ok(!rs_turn_cli_prompt(&cli), "is over when a command was sent");

    READ(&s, ">\r\n>  \r\n >\r\n>");
    is_int(s.prompts, 0, "what is no prompt");
}


static void
test_commands(void)
{
    char      dst[RS_TURN_CLI_CMD_MAX], name[RS_TURN_CLI_USER_MAX + 1];
    size_t    n;
    uint64_t  fence;

    n = rs_turn_cli_cancel(dst, UINT64_C(1000000000000001));
    is_str((rs_str_t) { (uint8_t *) dst, n }, "cs 001000000000000001\n",
           "cancel");
    n = rs_turn_cli_cancel(dst, UINT64_MAX);
    is_str((rs_str_t) { (uint8_t *) dst, n }, "cs 18446744073709551615\n",
           "of the largest number");
    n = rs_turn_cli_cancel(dst, UINT64_C(1234000000000000001));
    is_str((rs_str_t) { (uint8_t *) dst, n }, "cs 1234000000000000001\n",
           "of 19 digits");

    n = rs_turn_cli_of_user(dst, RS_STR("*\xfe>"));
    is_str((rs_str_t) { (uint8_t *) dst, n }, "ps **\xfe>\n",
           "a user's, whatever its name");
    is_int(rs_turn_cli_of_user(dst, RS_STR("a\xffhalt")), 0, "almost");
    is_int(rs_turn_cli_of_user(dst, RS_STR("a\nhalt")), 0, "no line breaks");
    is_int(rs_turn_cli_of_user(dst, RS_STR("a\rb")), 0, "nor returns");
    is_int(rs_turn_cli_of_user(dst, RS_STR("a\0b")), 0, "nor NUL");
    is_int(rs_turn_cli_of_user(dst, RS_STR("")), 0, "nor nobody's");
    memset(name, 0xfe, sizeof(name));
    is_int(rs_turn_cli_of_user(dst, (rs_str_t) { (uint8_t *) name,
                                                 sizeof(name) }), 0,
           "too long");
    is_int(rs_turn_cli_of_user(dst, (rs_str_t) { (uint8_t *) name,
                                                 sizeof(name) - 1 }),
           RS_TURN_CLI_CMD_MAX, "the longest");

    n = rs_turn_cli_fence(dst, 0, &fence);
    is_str((rs_str_t) { (uint8_t *) dst, n },
           "cc cli-max-output-sessions 1000000000\n", "a fence");
    (void) rs_turn_cli_fence(dst, UINT32_MAX, &fence);
    ok(fence >= 1000000000 && fence < 2000000000, "fits into coturn's int");
}


int
main(void)
{
    test_login();
    test_ps();
    test_pu();
    test_forged();
    test_telnet();
    test_commands();

    return tap_done();
}
