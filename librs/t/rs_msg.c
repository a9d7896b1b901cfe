
/*
 * Copyright (C) rs-gateway contributors
 *
 * Messages: every example of docs/protocol/messages is read or written, and
 * what must be refused is, with the right code.
 */


#include "tap.h"
#include "rs_msg.h"
#include "rs_utf8.h"

#include <dirent.h>


#define SES  "ses_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PAR  "par_hhhhhhhhhhhhhhhhhhhhhhhhhh"
#define DEV  "dev_dddddddddddddddddddddddddd"
#define TUN  "tun_tttttttttttttttttttttttttt"
#define PIP  "pip_pppppppppppppppppppppppppp"
#define TICKET                                                              \
    "default.pppppppppppppppppppppppppp"                                     \
    "ssssssssssssssssssssssssssssssssssssssssssssssssssss"
#define KEY  "gTl3Dqh9F19Wo1Rmw0x-zMuNipG07jeiXfYPW4_Js5Q"
#define SIG  "7jxKHZvsEQ2oQQsLBk0cPi3i3l8fqS7qf2xq5hCzt7t"                    \
             "pd5cBqzgW8y1FhV1Jt3oGmQHnyYtyb1l1RrGgH3k8Cw"


static void test_examples(void);
static void test_signal(void);
static void test_input(void);
static void test_state(void);
static void test_control(void);
static void test_hello(void);
static void test_rotate(void);
static void test_others(void);
static void test_tunnel(void);
static void test_service(void);
static void test_recording(void);
static void test_pipe(void);
static void test_pipe_writers(rs_buf_t *b);
static void test_refused(void);
static void test_sizes(void);
static void test_writers(void);
static void test_events(void);
static void test_room(void);


static char *
slurp(const char *name, size_t *len)
{
    FILE  *f;
    char  *text;

    text = malloc(65536);
    f = fopen(tap_path(name), "r");
    *len = f ? fread(text, 1, 65536, f) : 0;

    if (f != NULL) {
        (void) fclose(f);
    }

    return text;
}


/* all that a client may say */

static void
test_examples(void)
{
    int             n;
    DIR            *dir;
    char           *text, name[300];
    size_t          len;
    rs_msg_t        msg;
    rs_channel_e    channel, other;
    struct dirent  *e;

    n = 0;
    dir = opendir(tap_path("docs/protocol/messages"));

    while (dir != NULL && (e = readdir(dir)) != NULL) {

        if (strstr(e->d_name, ".client.") == NULL) {
            continue;
        }

        channel = (strncmp(e->d_name, "signal.", 7) == 0)
                  ? RS_CHANNEL_SIGNAL : RS_CHANNEL_AGENT;
        other = (channel == RS_CHANNEL_SIGNAL)
                ? RS_CHANNEL_AGENT : RS_CHANNEL_SIGNAL;

        (void) snprintf(name, sizeof(name), "docs/protocol/messages/%s",
                        e->d_name);
        text = slurp(name, &len);

        is_rc(rs_msg_parse(&msg, channel, text, len), RS_OK, e->d_name);
        ok(msg.type != RS_MSG_NONE, "has a type");
        rs_msg_free(&msg);
        rs_msg_free(&msg);

        if (strstr(e->d_name, "bye") == NULL
            && strstr(e->d_name, "ping") == NULL
            && strstr(e->d_name, "pong") == NULL)
        {
            is_rc(rs_msg_parse(&msg, other, text, len), RS_E_UNKNOWN_TYPE,
                  "is not known on the other channel");
        }

        free(text);
        n++;
    }

    ok(n >= 13, "%d examples were read", n);

    if (dir != NULL) {
        (void) closedir(dir);
    }
}


static rs_err_e
parse(rs_msg_t *msg, rs_channel_e channel, const char *text)
{
    return rs_msg_parse(msg, channel, text, strlen(text));
}


static void
test_signal(void)
{
    rs_msg_t  m;

    is_rc(parse(&m, RS_CHANNEL_SIGNAL,
                "{\"type\":\"signal\",\"to\":\"" PAR "\",\"id\":1, \"data\" "
                ": { \"z\" : [ 1 , \"a b\" ] , \"a\" : null } }"), RS_OK,
          "a signal");
    is_int(m.type, RS_MSG_SIGNAL, "its type");
    is_str(m.to, PAR, "its receiver");
    is_int(m.id, 1, "its id");
    is_str(m.data, "{\"z\":[1,\"a b\"],\"a\":null}",
           "its data, compact, in their order");
    rs_msg_free(&m);

    is_rc(parse(&m, RS_CHANNEL_SIGNAL,
                "{\"type\":\"signal\",\"id\":9007199254740992,\"data\":0}"),
          RS_OK, "the largest id, a number for data");
    is_int(m.id, (uint64_t) RS_MSG_ID_MAX, "its id");
    is_int(m.to.len, 0, "to all");
    is_str(m.data, "0", "its data");
    rs_msg_free(&m);

    is_rc(parse(&m, RS_CHANNEL_SIGNAL,
                "{\"type\":\"signal\",\"id\":1,\"data\":null}"), RS_OK,
          "null is data");
    is_str(m.data, "null", "its data");
    rs_msg_free(&m);

    is_rc(parse(&m, RS_CHANNEL_SIGNAL,
                "{\"type\":\"signal\",\"id\":1,\"data\":\"\xe2\x82\xac\"}"),
          RS_OK, "so is a string");
    is_str(m.data, "\"\xe2\x82\xac\"", "its data");
    rs_msg_free(&m);

    is_rc(parse(&m, RS_CHANNEL_SIGNAL,
                "{\"type\":\"signal\",\"id\":7,\"to\":\"x\",\"data\":0}"),
          RS_E_INVALID_VALUE, "a receiver that is none");
    is_int(m.id, 7, "the answer can name it");
    is_str(rs_str(m.error.pointer), "/to", "and the place");
    is_str(rs_str(m.error.text), "to must be a participant's id", "and why");

    is_rc(parse(&m, RS_CHANNEL_SIGNAL,
                "{\"type\":\"signal\",\"id\":7,\"data\":0,\"from\":1}"),
          RS_E_UNKNOWN_FIELD, "`from` is not the client's to say");
    is_int(m.id, 7, "the answer can name it");
    is_str(rs_str(m.error.pointer), "/from", "and the place");

    is_rc(parse(&m, RS_CHANNEL_SIGNAL,
                "{\"type\":\"signal\",\"id\":0,\"data\":0}"),
          RS_E_INVALID_VALUE, "id 0");
    is_int(m.id, 0, "is none");
    is_str(rs_str(m.error.text), "id is required and must be a whole number "
           "from 1 to 9007199254740992", "it says so");
}


static void
test_input(void)
{
    char      text[RS_MSG_INPUT_MAX + 64];
    size_t    n;
    rs_msg_t  m;

    is_rc(parse(&m, RS_CHANNEL_SIGNAL,
                "{\"type\":\"input\",\"to\":\"" PAR "\",\"data\":[ 1 ]}"),
          RS_OK, "input");
    is_int(m.type, RS_MSG_INPUT, "its type");
    is_str(m.to, PAR, "its receiver");
    is_str(m.data, "[1]", "its data, compact");
    is_int(m.id, 0, "no id");
    rs_msg_free(&m);

    is_rc(parse(&m, RS_CHANNEL_SIGNAL, "{\"type\":\"input\",\"data\":0}"),
          RS_OK, "to the host");
    is_int(m.to.len, 0, "is to nobody else");
    rs_msg_free(&m);

    n = (size_t) sprintf(text, "{\"type\":\"input\",\"data\":\"");
    memset(text + n, 'x', RS_MSG_INPUT_MAX);
    memcpy(text + n + RS_MSG_INPUT_MAX - 2, "\"}", 3);

    is_rc(parse(&m, RS_CHANNEL_SIGNAL, text), RS_OK, "16 KiB");
    is_int(m.data.len, RS_MSG_INPUT_MAX, "exactly");
    rs_msg_free(&m);

    memcpy(text + n + RS_MSG_INPUT_MAX - 2, "x\"}", 4);
    is_rc(parse(&m, RS_CHANNEL_SIGNAL, text), RS_E_INVALID_VALUE,
          "one byte more");
    is_str(rs_str(m.error.pointer), "/data", "its pointer");
    is_int(m.id, 0, "still no id");
}


static void
test_state(void)
{
    char      text[300];
    size_t    i;
    rs_msg_t  m;

    static const char  good[] =
        "{\"type\":\"state\",\"path\":{\"kind\":\"direct\",\"protocol\":"
        "\"tls\",\"local\":\"prflx\",\"remote\":\"srflx\",\"rtt_ms\":0}}";

    static const struct {
        const char  *path;
        rs_err_e     rc;
        const char  *pointer;
    } bad[] = {
        { "\"kind\":\"relayed\",\"protocol\":\"udp\",\"local\":\"host\","
          "\"remote\":\"host\",\"rtt_ms\":1", RS_E_INVALID_VALUE,
          "/path/kind" },
        { "\"kind\":\"relay\",\"protocol\":\"sctp\",\"local\":\"host\","
          "\"remote\":\"host\",\"rtt_ms\":1", RS_E_INVALID_VALUE,
          "/path/protocol" },
        { "\"kind\":\"relay\",\"protocol\":\"udp\",\"local\":\"\","
          "\"remote\":\"host\",\"rtt_ms\":1", RS_E_INVALID_VALUE,
          "/path/local" },
        { "\"kind\":\"relay\",\"protocol\":\"udp\",\"local\":\"host\","
          "\"rtt_ms\":1", RS_E_INVALID_VALUE, "/path/remote" },
        { "\"kind\":\"relay\",\"protocol\":\"udp\",\"local\":\"host\","
          "\"remote\":\"host\",\"rtt_ms\":-1", RS_E_INVALID_VALUE,
          "/path/rtt_ms" },
        { "\"kind\":\"relay\",\"protocol\":\"udp\",\"local\":\"host\","
          "\"remote\":\"host\",\"rtt_ms\":1.5", RS_E_INVALID_VALUE,
          "/path/rtt_ms" },
        { "\"kind\":\"relay\",\"protocol\":\"udp\",\"local\":\"host\","
          "\"remote\":\"host\",\"rtt_ms\":1,\"ip\":\"192.0.2.1\"",
          RS_E_UNKNOWN_FIELD, "/path/ip" },
        { "\"kind\":\"relay\",\"protocol\":\"udp\",\"local\":\"host\","
          "\"remote\":\"host\",\"rtt_ms\":1,\"region\":\"\"",
          RS_E_INVALID_VALUE, "/path/region" },
        { "\"kind\":\"relay\",\"protocol\":\"udp\",\"local\":\"host\","
          "\"remote\":\"host\",\"rtt_ms\":1,\"region\":\"eu <b>\"",
          RS_E_INVALID_VALUE, "/path/region" },
        { "\"kind\":\"relay\",\"protocol\":\"udp\",\"local\":\"host\","
          "\"remote\":\"host\",\"rtt_ms\":1,\"region\":7",
          RS_E_INVALID_VALUE, "/path/region" },
        { "\"kind\":\"pipe\",\"protocol\":\"tls\",\"local\":\"host\","
          "\"rtt_ms\":1", RS_E_UNKNOWN_FIELD, "/path/local" },
        { "\"kind\":\"pipe\",\"protocol\":\"tls\"", RS_E_INVALID_VALUE,
          "/path/rtt_ms" }
    };

    static const char  piped[] =
        "{\"type\":\"state\",\"path\":{\"kind\":\"pipe\",\"protocol\":"
        "\"tls\",\"rtt_ms\":4}}";

    static const char  regional[] =
        "{\"type\":\"state\",\"path\":{\"kind\":\"relay\",\"protocol\":"
        "\"udp\",\"local\":\"relay\",\"remote\":\"relay\",\"rtt_ms\":9,"
        "\"region\":\"eu-1\"}}";

    is_rc(parse(&m, RS_CHANNEL_SIGNAL, good), RS_OK, "a path");
    is_str(m.path, "{\"kind\":\"direct\",\"protocol\":\"tls\",\"local\":"
           "\"prflx\",\"remote\":\"srflx\",\"rtt_ms\":0}", "as it came");
    rs_msg_free(&m);

    is_rc(parse(&m, RS_CHANNEL_SIGNAL, regional), RS_OK, "with a region");
    is_str(m.path, "{\"kind\":\"relay\",\"protocol\":\"udp\",\"local\":"
           "\"relay\",\"remote\":\"relay\",\"rtt_ms\":9,\"region\":"
           "\"eu-1\"}", "kept");
    rs_msg_free(&m);

    is_rc(parse(&m, RS_CHANNEL_SIGNAL, piped), RS_OK, "through the gateway");
    is_str(m.path, "{\"kind\":\"pipe\",\"protocol\":\"tls\",\"rtt_ms\":4}",
           "without candidates");
    rs_msg_free(&m);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void) snprintf(text, sizeof(text),
                        "{\"type\":\"state\",\"path\":{%s}}", bad[i].path);
        is_rc(parse(&m, RS_CHANNEL_SIGNAL, text), bad[i].rc, "a bad path");
        is_str(rs_str(m.error.pointer), bad[i].pointer, "its pointer");
    }

    is_rc(parse(&m, RS_CHANNEL_SIGNAL, "{\"type\":\"state\",\"path\":[]}"),
          RS_E_INVALID_VALUE, "no object");
    is_rc(parse(&m, RS_CHANNEL_SIGNAL, "{\"type\":\"state\"}"),
          RS_E_INVALID_VALUE, "no path");
}


static void
test_rotate(void)
{
    size_t    i;
    rs_msg_t  m;
    char      text[1000];

    static const struct {
        const char  *fields;
        const char  *pointer;
    } bad[] = {
        { "\"signature\":\"" SIG "\",\"proof\":\"" SIG "\"",
          "/public_key" },
        { "\"public_key\":\"AAAA\",\"signature\":\"" SIG "\",\"proof\":\""
          SIG "\"", "/public_key" },
        { "\"public_key\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
          "\"signature\":\"" SIG "\",\"proof\":\"" SIG "\"",
          "/public_key" },
        { "\"public_key\":\"" KEY "\",\"proof\":\"" SIG "\"",
          "/signature" },
        { "\"public_key\":\"" KEY "\",\"signature\":\"" SIG "\"",
          "/proof" },
        { "\"public_key\":\"" KEY "\",\"signature\":\"" SIG "\",\"proof\":"
          "\"AA\"", "/proof" }
    };

    is_rc(parse(&m, RS_CHANNEL_AGENT,
                "{\"type\":\"rotate\",\"public_key\":\"" KEY "\","
                "\"signature\":\"" SIG "\",\"proof\":\"" SIG "\"}"), RS_OK,
          "rotate");
    is_str(m.public_key, KEY, "its key");
    ok(memcmp(m.signature, m.proof, sizeof(m.proof)) == 0,
       "signature and proof");
    rs_msg_free(&m);

    is_rc(parse(&m, RS_CHANNEL_SIGNAL,
                "{\"type\":\"rotate\",\"public_key\":\"" KEY "\","
                "\"signature\":\"" SIG "\",\"proof\":\"" SIG "\"}"),
          RS_E_UNKNOWN_TYPE, "a participant has no key");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"type\":\"rotate\",%s}",
                        bad[i].fields);
        is_rc(parse(&m, RS_CHANNEL_AGENT, text), RS_E_INVALID_VALUE,
              bad[i].fields);
        is_str(rs_str(m.error.pointer), bad[i].pointer, "where");
    }
}


static void
test_control(void)
{
    char      text[200];
    size_t    i;
    rs_msg_t  m;

    static const char *const  ops[] = {
        "request", "release", "grant", "take", "lock", "unlock"
    };

    for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        (void) snprintf(text, sizeof(text),
                        "{\"type\":\"control\",\"op\":\"%s\"%s}", ops[i],
                        i == RS_CONTROL_GRANT ? ",\"to\":\"" PAR "\"" : "");
        is_rc(parse(&m, RS_CHANNEL_SIGNAL, text), RS_OK, ops[i]);
        is_int(m.type, RS_MSG_CONTROL, "its type");
        is_int(m.control, i, "what is wanted");
        is_str(m.reason, ops[i], "the same as a word");
        is_str(m.to, i == RS_CONTROL_GRANT ? PAR : "", "to whom");
        rs_msg_free(&m);

        (void) snprintf(text, sizeof(text),
                        "{\"type\":\"control\",\"op\":\"%s\"%s}", ops[i],
                        i == RS_CONTROL_GRANT ? "" : ",\"to\":\"" PAR "\"");
        is_rc(parse(&m, RS_CHANNEL_SIGNAL, text), RS_E_INVALID_VALUE,
              "who gives it says to whom, and nobody else does");
        is_str(rs_str(m.error.pointer), "/to", "its pointer");
    }

    is_rc(parse(&m, RS_CHANNEL_SIGNAL,
                "{\"type\":\"control\",\"op\":\"steal\"}"),
          RS_E_INVALID_VALUE, "no such thing");
    is_rc(parse(&m, RS_CHANNEL_SIGNAL, "{\"type\":\"control\"}"),
          RS_E_INVALID_VALUE, "nothing at all");
    is_rc(parse(&m, RS_CHANNEL_SIGNAL,
                "{\"type\":\"control\",\"op\":\"grant\",\"to\":\"" SES "\"}"),
          RS_E_INVALID_VALUE, "to no participant");
    is_rc(parse(&m, RS_CHANNEL_AGENT,
                "{\"type\":\"control\",\"op\":\"take\"}"),
          RS_E_UNKNOWN_TYPE, "on the other channel");
}


static void
test_hello(void)
{
    size_t    i;
    rs_msg_t  m;
    char      text[16000], big[5000];

    static const struct {
        const char  *fields;
        const char  *pointer;
    } bad[] = {
        { "\"tenant\":\"T\",\"device_id\":\"" DEV "\",\"signature\":\"" SIG
          "\"", "/tenant" },
        { "\"tenant\":\"t\",\"device_id\":\"" SES "\",\"signature\":\"" SIG
          "\"", "/device_id" },
        { "\"tenant\":\"t\",\"device_id\":\"" DEV "\",\"signature\":\"" SIG
          "==\"", "/signature" },
        { "\"tenant\":\"t\",\"device_id\":\"" DEV "\",\"signature\":\"AAAA\"",
          "/signature" },
        { "\"tenant\":\"t\",\"device_id\":\"" DEV "\"", "/signature" },
        { "\"tenant\":\"t\",\"device_id\":\"" DEV "\",\"signature\":\"" SIG
          "\",\"agent\":\"x\"", "/agent" },
        { "\"tenant\":\"t\",\"device_id\":\"" DEV "\",\"signature\":\"" SIG
          "\",\"displays\":{}", "/displays" },
        { "\"tenant\":\"t\",\"device_id\":\"" DEV "\",\"signature\":\"" SIG
          "\",\"agent\":{\"os\":\"a\\u202eb\"}", "/agent" },
        { "\"tenant\":\"t\",\"device_id\":\"" DEV "\",\"signature\":\"" SIG
          "\",\"displays\":[{\"\\u0007\":1}]", "/displays" }
    };

    is_rc(parse(&m, RS_CHANNEL_AGENT,
                "{\"type\":\"hello\",\"tenant\":\"default\",\"device_id\":\""
                DEV "\",\"signature\":\"" SIG "\",\"agent\":{\"name\" :\"a\"}"
                ",\"displays\":[ ]}"), RS_OK, "hello");
    is_str(m.tenant, "default", "its tenant");
    is_str(m.device_id, DEV, "its device");
    ok(m.signature[0] == 0xee && m.signature[63] == 0x0b, "its signature");
    is_str(m.agent, "{\"name\":\"a\"}", "the agent");
    is_str(m.displays, "[]", "its displays");
    rs_msg_free(&m);

    is_rc(parse(&m, RS_CHANNEL_AGENT,
                "{\"type\":\"hello\",\"tenant\":\"default\",\"device_id\":\""
                DEV "\",\"signature\":\"" SIG "\"}"), RS_OK, "a short one");
    ok(m.agent.len == 0 && m.displays.len == 0, "says nothing more");
    rs_msg_free(&m);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"type\":\"hello\",%s}",
                        bad[i].fields);
        is_rc(parse(&m, RS_CHANNEL_AGENT, text), RS_E_INVALID_VALUE,
              "a bad hello");
        is_str(rs_str(m.error.pointer), bad[i].pointer, "its pointer");
    }

    memset(big, 'x', sizeof(big));
    big[RS_MSG_INFO_MAX - 8] = '\0';

    (void) snprintf(text, sizeof(text), "{\"type\":\"hello\",\"tenant\":\"t\""
                    ",\"device_id\":\"" DEV "\",\"signature\":\"" SIG "\","
                    "\"agent\":{\"a\":\"%s\"}}", big);
    is_rc(parse(&m, RS_CHANNEL_AGENT, text), RS_OK, "an agent of 4 KiB");
    is_int(m.agent.len, RS_MSG_INFO_MAX, "exactly");
    rs_msg_free(&m);

    (void) snprintf(text, sizeof(text), "{\"type\":\"hello\",\"tenant\":\"t\""
                    ",\"device_id\":\"" DEV "\",\"signature\":\"" SIG "\","
                    "\"agent\":{\"a\":\"%sx\"}}", big);
    is_rc(parse(&m, RS_CHANNEL_AGENT, text), RS_E_INVALID_VALUE, "and more");

    (void) snprintf(text, sizeof(text), "{\"type\":\"hello\",\"tenant\":\"t\""
                    ",\"device_id\":\"" DEV "\",\"signature\":\"" SIG "\","
                    "\"agent\":{},\"displays\":[\"%sxxxxx\"]}", big);
    is_rc(parse(&m, RS_CHANNEL_AGENT, text), RS_E_INVALID_VALUE,
          "displays of more than 4 KiB");
    is_str(rs_str(m.error.pointer), "/displays", "its pointer");
}


static void
test_others(void)
{
    size_t    i;
    char      text[256];
    rs_msg_t  m;

    static const char  *consents[] = {
        "waiting", "given", "denied", "timeout"
    };
    static const char  *reasons[] = {
        "consent_denied", "consent_timeout", "policy", "busy", "no_display",
        "failed"
    };

    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"type\":\"reject\","
                        "\"session_id\":\"" SES "\",\"reason\":\"%s\"}",
                        reasons[i]);
        is_rc(parse(&m, RS_CHANNEL_AGENT, text), RS_OK, reasons[i]);
        is_str(m.reason, reasons[i], "its word");
        is_int(m.reject, i, "its number");
        is_int(m.comment.len, 0, "no detail");
        rs_msg_free(&m);
    }

    is_rc(parse(&m, RS_CHANNEL_AGENT,
                "{\"type\":\"reject\",\"session_id\":\"" SES "\",\"reason\":"
                "\"busy\",\"detail\":\"asleep\"}"), RS_OK, "with a detail");
    is_str(m.comment, "asleep", "is heard");
    is_str(m.session_id, SES, "for its session");
    rs_msg_free(&m);

    is_rc(parse(&m, RS_CHANNEL_AGENT,
                "{\"type\":\"reject\",\"session_id\":\"" SES "\",\"reason\":"
                "\"left\"}"), RS_E_INVALID_VALUE, "not its to say");
    is_rc(parse(&m, RS_CHANNEL_AGENT,
                "{\"type\":\"accept\",\"session_id\":\"" SES "\",\"reason\":"
                "\"busy\"}"), RS_E_UNKNOWN_FIELD, "accept has no reason");
    is_rc(parse(&m, RS_CHANNEL_AGENT,
                "{\"type\":\"accept\",\"session_id\":\"" DEV "\"}"),
          RS_E_INVALID_VALUE, "accept of no session");

    for (i = 0; i < sizeof(consents) / sizeof(consents[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"type\":\"consent\","
                        "\"session_id\":\"" SES "\",\"participant_id\":\""
                        PAR "\",\"state\":\"%s\"}", consents[i]);
        is_rc(parse(&m, RS_CHANNEL_AGENT, text), RS_OK, consents[i]);
        is_str(m.reason, consents[i], "its word");
        is_int(m.consent, i, "its number");
        is_str(m.participant_id, PAR, "of a participant");
        rs_msg_free(&m);
    }

    is_rc(parse(&m, RS_CHANNEL_AGENT,
                "{\"type\":\"consent\",\"session_id\":\"" SES "\","
                "\"participant_id\":\"" PAR "\",\"state\":\"yes\"}"),
          RS_E_INVALID_VALUE, "no such answer");
    is_rc(parse(&m, RS_CHANNEL_AGENT,
                "{\"type\":\"consent\",\"session_id\":\"" SES "\","
                "\"participant_id\":\"" SES "\",\"state\":\"given\"}"),
          RS_E_INVALID_VALUE, "of no participant");
    is_rc(parse(&m, RS_CHANNEL_SIGNAL,
                "{\"type\":\"consent\",\"session_id\":\"" SES "\","
                "\"participant_id\":\"" PAR "\",\"state\":\"given\"}"),
          RS_E_UNKNOWN_TYPE, "not for participants to say");

    is_rc(parse(&m, RS_CHANNEL_SIGNAL, "{\"type\":\"bye\"}"), RS_OK, "bye");
    is_int(m.reason.len, 0, "without a reason");
    rs_msg_free(&m);
    is_rc(parse(&m, RS_CHANNEL_AGENT, "{\"type\":\"bye\",\"reason\":\"x\"}"),
          RS_OK, "bye of a device");
    is_str(m.reason, "x", "with one");
    rs_msg_free(&m);
    is_rc(parse(&m, RS_CHANNEL_SIGNAL,
                "{\"type\":\"bye\",\"reason\":\"a\\u001b[1m\"}"),
          RS_E_INVALID_VALUE, "no control characters");
    is_rc(parse(&m, RS_CHANNEL_SIGNAL, "{\"type\":\"ping\",\"n\":1}"),
          RS_E_UNKNOWN_FIELD, "ping has no fields");
    is_rc(parse(&m, RS_CHANNEL_SIGNAL, "{\"type\":\"ice\",\"ice\":{}}"),
          RS_E_UNKNOWN_FIELD, "nor has ice from a client");

    ok(strcmp(rs_reject_name((rs_reject_e) 77), "policy") == 0,
       "a number that is none");
}


static void
test_tunnel(void)
{
    size_t    i;
    char      text[300];
    rs_msg_t  m;

    static const struct {
        const char  *reason;
        rs_err_e     err;
    } reasons[] = {
        { "target_refused", RS_E_TARGET_REFUSED },
        { "target_unreachable", RS_E_TARGET_UNREACHABLE },
        { "policy", RS_E_FORBIDDEN },
        { "busy", RS_E_OVERLOADED }
    };

    static const char *const  bad[] = {
        "\"op\":\"open\",\"tunnel_id\":\"" TUN "\",\"pipe_id\":\"" PIP
        "\",\"reason\":\"busy\"",
        "\"op\":\"refused\",\"tunnel_id\":\"" TUN "\",\"pipe_id\":\"" PIP
        "\",\"reason\":\"tired\"",
        "\"op\":\"refused\",\"tunnel_id\":\"" PIP "\",\"pipe_id\":\"" PIP
        "\",\"reason\":\"busy\"",
        "\"op\":\"refused\",\"tunnel_id\":\"" TUN "\",\"pipe_id\":\"" TUN
        "\",\"reason\":\"busy\"",
        "\"op\":\"refused\",\"pipe_id\":\"" PIP "\",\"reason\":\"busy\"",
        "\"op\":\"refused\",\"tunnel_id\":\"" TUN "\",\"pipe_id\":\"" PIP
        "\"",
        "\"tunnel_id\":\"" TUN "\",\"pipe_id\":\"" PIP
        "\",\"reason\":\"busy\""
    };

    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"type\":\"tunnel\",\"op\":"
                        "\"refused\",\"tunnel_id\":\"" TUN "\","
                        "\"pipe_id\":\"" PIP "\",\"reason\":\"%s\"}",
                        reasons[i].reason);
        is_rc(parse(&m, RS_CHANNEL_AGENT, text), RS_OK, reasons[i].reason);
        is_int(m.type, RS_MSG_TUNNEL, "its type");
        is_str(m.tunnel_id, TUN, "which tunnel");
        is_str(m.pipe_id, PIP, "which pipe");
        is_str(m.reason, reasons[i].reason, "its word");
        is_rc(rs_refuse_err(m.refuse), reasons[i].err, "what is told");
        is_int(m.comment.len, 0, "no detail");
        rs_msg_free(&m);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"type\":\"tunnel\",%s}",
                        bad[i]);
        is_rc(parse(&m, RS_CHANNEL_AGENT, text), RS_E_INVALID_VALUE, bad[i]);
    }

    is_rc(rs_refuse_err((rs_refuse_e) 77), RS_E_FORBIDDEN,
          "a number that is none");
}


static void
test_service(void)
{
    char      text[256];
    size_t    i;
    rs_msg_t  m;

    static const char *const  bad[] = {
        "\"load\",\"capacity\":1,\"used\":0,\"queued\":0",
        "\"load\",\"capacity\":-1,\"used\":0,\"queued\":0,\"queue\":0",
        "\"load\",\"capacity\":1001,\"used\":0,\"queued\":0,\"queue\":0",
        "\"load\",\"capacity\":1.5,\"used\":0,\"queued\":0,\"queue\":0",
        "\"load\",\"capacity\":\"1\",\"used\":0,\"queued\":0,\"queue\":0",
        "\"queued\",\"session_id\":\"" SES "\"",
        "\"queued\",\"session_id\":\"" SES "\",\"position\":0",
        "\"queued\",\"session_id\":\"" SES "\",\"position\":1001",
        "\"queued\",\"session_id\":\"" PAR "\",\"position\":1",
        "\"queued\",\"position\":1"
    };

    is_rc(parse(&m, RS_CHANNEL_AGENT, "{\"type\":\"load\",\"capacity\":8,"
                "\"used\":3,\"queued\":1,\"queue\":16}"), RS_OK, "load");
    is_int(m.type, RS_MSG_LOAD, "its type");
    is_int(m.load.capacity, 8, "its places");
    is_int(m.load.used, 3, "those that are used");
    is_int(m.load.queued, 1, "who waits");
    is_int(m.load.queue, 16, "who may");
    rs_msg_free(&m);

    is_rc(parse(&m, RS_CHANNEL_AGENT, "{\"type\":\"queued\",\"session_id\":\""
                SES "\",\"position\":1000}"), RS_OK, "queued");
    is_int(m.type, RS_MSG_QUEUED, "its type");
    is_str(m.session_id, SES, "which session");
    is_int(m.place, 1000, "the last position there can be");
    rs_msg_free(&m);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"type\":%s}", bad[i]);
        is_rc(parse(&m, RS_CHANNEL_AGENT, text), RS_E_INVALID_VALUE, bad[i]);
    }

    is_rc(parse(&m, RS_CHANNEL_SIGNAL, "{\"type\":\"load\",\"capacity\":8,"
                "\"used\":3,\"queued\":1,\"queue\":16}"),
          RS_E_UNKNOWN_TYPE, "no participant has places");
}


static void
test_recording(void)
{
    char      text[1024];
    size_t    i;
    rs_msg_t  m;
    rs_buf_t  b;
    uint8_t   buf[RS_MSG_WRITE_MAX];

#define REC   "rec_rrrrrrrrrrrrrrrrrrrrrrrrrr"
#define SHA   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ENDED "\"op\":\"end\",\"session_id\":\"" SES "\",\"recording_id\":\"" \
              REC "\",\"duration_ms\":1500,\"bytes\":9,\"gaps\":2,"

    static const struct {
        rs_err_e     rc;
        const char  *pointer;
        const char  *fields;
    } bad[] = {
        { RS_E_INVALID_VALUE, "/op", "\"session_id\":\"" SES "\"" },
        { RS_E_INVALID_VALUE, "/op", "\"op\":\"ok\"" },
        { RS_E_INVALID_VALUE, "/session_id",
          "\"op\":\"begin\",\"recording_id\":\"" REC "\"" },
        { RS_E_INVALID_VALUE, "/recording_id",
          "\"op\":\"begin\",\"session_id\":\"" SES "\"" },
        { RS_E_INVALID_VALUE, "/recording_id",
          "\"op\":\"gone\",\"recording_id\":\"" SES "\"" },
        { RS_E_UNKNOWN_FIELD, "/session_id", "\"op\":\"gone\","
          "\"session_id\":\"" SES "\",\"recording_id\":\"" REC "\"" },
        { RS_E_UNKNOWN_FIELD, "/bytes", "\"op\":\"begin\",\"session_id\":\""
          SES "\",\"recording_id\":\"" REC "\",\"bytes\":1" },
        { RS_E_INVALID_VALUE, "/reason",
          "\"op\":\"failed\",\"session_id\":\"" SES "\"" },
        { RS_E_INVALID_VALUE, "/reason", "\"op\":\"failed\",\"session_id\":\""
          SES "\",\"reason\":\"ended\"" },
        { RS_E_INVALID_VALUE, "/reason", ENDED "\"sha256\":\"" SHA "\"" },
        { RS_E_INVALID_VALUE, "/reason", ENDED "\"sha256\":\"" SHA "\","
          "\"reason\":\"no_media\"" },
        { RS_E_INVALID_VALUE, "/sha256", ENDED "\"reason\":\"ended\"" },
        { RS_E_INVALID_VALUE, "/sha256", ENDED "\"reason\":\"ended\","
          "\"sha256\":\"X" "123456789abcdef0123456789abcdef"
          "0123456789abcdef0123456789abcdef\"" },
        { RS_E_INVALID_VALUE, "/expires_at", ENDED "\"reason\":\"ended\","
          "\"sha256\":\"" SHA "\",\"expires_at\":null" }
    };

    is_rc(parse(&m, RS_CHANNEL_AGENT, "{\"type\":\"recording\",\"op\":"
                "\"begin\",\"session_id\":\"" SES "\",\"recording_id\":\""
                REC "\"}"), RS_OK, "a recording begins");
    is_int(m.type, RS_MSG_RECORDING, "its type");
    is_int(m.recording.op, RS_RECORDING_BEGIN, "what it says");
    is_str(m.session_id, SES, "of which session");
    is_str(m.recording.id, REC, "which recording");
    rs_msg_free(&m);

    is_rc(parse(&m, RS_CHANNEL_AGENT, "{\"type\":\"recording\",\"op\":"
                "\"failed\",\"session_id\":\"" SES "\",\"reason\":"
                "\"disk_full\",\"detail\":\"1 GB free\"}"), RS_OK,
          "one fails");
    is_int(m.recording.op, RS_RECORDING_FAILED, "what it says");
    is_str(m.reason, "disk_full", "why");
    is_str(m.comment, "1 GB free", "and more of it");
    rs_msg_free(&m);

    is_rc(parse(&m, RS_CHANNEL_AGENT, "{\"type\":\"recording\"," ENDED
                "\"reason\":\"recovered\",\"sha256\":\"" SHA "\","
                "\"expires_at\":1790000000}"), RS_OK, "one ends");
    is_int(m.recording.op, RS_RECORDING_END, "what it says");
    is_int(m.recording.reason, RS_RECORDED_RECOVERED, "why");
    is_str(m.reason, "recovered", "as a word");
    is_int(m.recording.duration_ms, 1500, "how long it is");
    is_int(m.recording.bytes, 9, "how large");
    is_int(m.recording.gaps, 2, "where nothing was kept");
    is_str(m.recording.sha256, SHA, "what it is known by");
    is_int(m.recording.expires_at, 1790000000, "how long it is kept");
    rs_msg_free(&m);

    is_rc(parse(&m, RS_CHANNEL_AGENT, "{\"type\":\"recording\",\"op\":"
                "\"gone\",\"recording_id\":\"" REC "\"}"), RS_OK,
          "one is gone");
    is_int(m.recording.op, RS_RECORDING_GONE, "what it says");
    rs_msg_free(&m);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"type\":\"recording\",%s}",
                        bad[i].fields);
        is_rc(parse(&m, RS_CHANNEL_AGENT, text), bad[i].rc, bad[i].fields);
        is_str(rs_str(m.error.pointer), bad[i].pointer, "its pointer");
    }

    is_rc(parse(&m, RS_CHANNEL_SIGNAL, "{\"type\":\"recording\",\"op\":"
                "\"gone\",\"recording_id\":\"" REC "\"}"),
          RS_E_UNKNOWN_TYPE, "no participant says it");

    ok(strcmp(rs_recording_name((rs_recording_e) 77), "end") == 0,
       "a number that is none");
    ok(strcmp(rs_recorded_name((rs_recorded_e) 77), "error") == 0,
       "nor is this");
    ok(strcmp(rs_recording_name(RS_RECORDING_BEGIN), "begin") == 0, "begin");
    ok(strcmp(rs_recorded_name(RS_RECORDED_LOST), "lost") == 0, "lost");

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_recording(&b, "ok", rs_str(""), rs_str(REC), "end");
    is_str(rs_buf_get(&b), "{\"type\":\"recording\",\"op\":\"ok\","
           "\"recording_id\":\"" REC "\",\"to\":\"end\"}", "an answer");

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_recording(&b, "delete", rs_str(""), rs_str(REC), NULL);
    is_str(rs_buf_get(&b), "{\"type\":\"recording\",\"op\":\"delete\","
           "\"recording_id\":\"" REC "\"}", "what is to be deleted");

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_recording(&b, "ok", rs_str(SES), rs_str(""), "failed");
    is_str(rs_buf_get(&b), "{\"type\":\"recording\",\"op\":\"ok\","
           "\"session_id\":\"" SES "\",\"to\":\"failed\"}",
           "an answer of a session");
}


static void
test_pipe(void)
{
    rs_msg_t  m;

    is_rc(parse(&m, RS_CHANNEL_SIGNAL, "{\"type\":\"pipe\",\"with\":\"" PAR
                "\",\"name\":\"pppppppppppppppppppppppppp\",\"id\":5}"),
          RS_OK, "pipe");
    is_int(m.type, RS_MSG_PIPE, "its type");
    is_str(m.to, PAR, "with whom");
    is_str(m.pipe_id, PIP, "which one");
    is_int(m.id, 5, "its id");
    rs_msg_free(&m);

    is_rc(parse(&m, RS_CHANNEL_SIGNAL, "{\"type\":\"pipe\",\"with\":\"" PAR
                "\",\"name\":\"PPPPPPPPPPPPPPPPPPPPPPPPPP\",\"id\":5}"),
          RS_E_INVALID_VALUE, "no name");
    is_int(m.id, 5, "the answer can name it");
    is_str(rs_str(m.error.pointer), "/name", "and the place");
    is_rc(parse(&m, RS_CHANNEL_SIGNAL, "{\"type\":\"pipe\",\"with\":\"" PAR
                "\",\"name\":\"ppppp\",\"id\":5}"),
          RS_E_INVALID_VALUE, "a short one");
    is_rc(parse(&m, RS_CHANNEL_SIGNAL, "{\"type\":\"pipe\",\"with\":\"" SES
                "\",\"name\":\"pppppppppppppppppppppppppp\",\"id\":5}"),
          RS_E_INVALID_VALUE, "with nobody");
    is_rc(parse(&m, RS_CHANNEL_SIGNAL, "{\"type\":\"pipe\",\"with\":\"" PAR
                "\",\"name\":\"pppppppppppppppppppppppppp\"}"),
          RS_E_INVALID_VALUE, "no id");
}


static void
test_refused(void)
{
    size_t    i;
    rs_msg_t  m;

    static const struct {
        const char  *text;
        rs_err_e     rc;
    } bad[] = {
        { "", RS_E_INVALID_JSON },
        { "ping", RS_E_INVALID_JSON },
        { "[]", RS_E_INVALID_JSON },
        { "{\"type\":\"ping\"}{\"type\":\"ping\"}", RS_E_INVALID_JSON },
        { "{\"type\":\"ping\",\"type\":\"pong\"}", RS_E_INVALID_JSON },
        { "{\"type\":\"signal\",\"id\":1,\"data\":{\"a\":1,\"a\":2}}",
          RS_E_INVALID_JSON },
        { "{\"type\":\"signal\",\"id\":1,\"data\":"
          "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", RS_E_INVALID_JSON },
        { "{}", RS_E_INVALID_VALUE },
        { "{\"type\":1}", RS_E_INVALID_VALUE },
        { "{\"type\":null}", RS_E_INVALID_VALUE },
        { "{\"type\":\"\"}", RS_E_UNKNOWN_TYPE },
        { "{\"type\":\"Ping\"}", RS_E_UNKNOWN_TYPE },
        { "{\"type\":\"pin\"}", RS_E_UNKNOWN_TYPE },
        { "{\"type\":\"welcome\"}", RS_E_UNKNOWN_TYPE },
        { "{\"type\":\"hello\"}", RS_E_UNKNOWN_TYPE },
        { "{\"type\":\"inputs\",\"data\":1}", RS_E_UNKNOWN_TYPE },
        { "{\"type\":\"input\"}", RS_E_INVALID_VALUE },
        { "{\"type\":\"input\",\"id\":1,\"data\":1}",
          RS_E_UNKNOWN_FIELD },
        { "{\"type\":\"input\",\"to\":\"x\",\"data\":1}",
          RS_E_INVALID_VALUE },
        { "{\"type\":\"ping\",\"\\n\\u0085\":1}", RS_E_UNKNOWN_FIELD },
        { "{\"type\":\"signal\",\"id\":1}", RS_E_INVALID_VALUE },
        { "{\"type\":\"signal\",\"data\":1}", RS_E_INVALID_VALUE },
        { "{\"type\":\"signal\",\"id\":\"1\",\"data\":1}",
          RS_E_INVALID_VALUE },
        { "{\"type\":\"signal\",\"id\":1.0,\"data\":1}", RS_E_INVALID_VALUE },
        { "{\"type\":\"signal\",\"id\":-1,\"data\":1}", RS_E_INVALID_VALUE },
        { "{\"type\":\"signal\",\"id\":9007199254740993,\"data\":1}",
          RS_E_INVALID_VALUE },
        { "{\"type\":\"signal\",\"id\":1,\"to\":null,\"data\":1}",
          RS_E_INVALID_VALUE },
        { "{\"type\":\"signal\",\"id\":1,\"to\":\"\",\"data\":1}",
          RS_E_INVALID_VALUE }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_rc(parse(&m, RS_CHANNEL_SIGNAL, bad[i].text), bad[i].rc,
              "a bad message");
        ok(m.error.text[0] != '\0'
           && rs_utf8_printable(rs_str(m.error.text))
           && rs_utf8_printable(rs_str(m.error.pointer)),
           "%s", m.error.text);
    }

    is_rc(parse(&m, RS_CHANNEL_SIGNAL,
                "{\"type\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                "aaaaaaaaaaaaaaa\xe2\x82\xac\"}"), RS_E_UNKNOWN_TYPE,
          "a long type");
    ok(strlen(m.error.text) < 128, "is not told in full");
}


static void
test_sizes(void)
{
    char      *text;
    size_t     i, n;
    rs_msg_t   m;

    text = malloc(RS_MSG_SIZE_MAX + 1);
    memset(text, ' ', RS_MSG_SIZE_MAX + 1);
    memcpy(text, "{\"type\":\"ping\"}", 15);

    is_rc(rs_msg_parse(&m, RS_CHANNEL_SIGNAL, text, RS_MSG_SIZE_MAX), RS_OK,
          "the longest message");
    rs_msg_free(&m);
    is_rc(rs_msg_parse(&m, RS_CHANNEL_SIGNAL, text, RS_MSG_SIZE_MAX + 1),
          RS_E_WS_TOO_BIG, "one byte more");

    /* 1e9 is written as 1000000000.0 */

    n = (size_t) sprintf(text, "{\"type\":\"signal\",\"id\":4,\"data\":[");

    for (i = 0; i < 20000; i++) {
        n += (size_t) sprintf(text + n, "1e9,");
    }

    n += (size_t) sprintf(text + n, "1]}");
    is_rc(rs_msg_parse(&m, RS_CHANNEL_SIGNAL, text, n), RS_E_WS_TOO_BIG,
          "numbers that grow");
    is_int(m.id, 4, "its id is told");

    free(text);
}


/* what was written against an example, field by field */

static void
same(rs_buf_t *b, const char *file)
{
    char     name[128];
    json_t  *want, *got;

    (void) snprintf(name, sizeof(name), "docs/protocol/messages/%s.json",
                    file);
    want = json_load_file(tap_path(name), 0, NULL);
    got = json_loadb((char *) b->data, b->len, JSON_REJECT_DUPLICATES, NULL);

    if (!ok(!b->overflow && want != NULL && json_equal(want, got), "%s",
            file))
    {
        printf("#   got %.*s\n", (int) b->len, (char *) b->data);
    }

    json_decref(want);
    json_decref(got);
    b->len = 0;
}


static void
test_pipe_writers(rs_buf_t *b)
{
    rs_msg_open_t  open;

    memset(&open, 0, sizeof(open));
    open.tunnel_id = RS_STR(TUN);
    open.pipe_id = RS_STR(PIP);
    open.ticket = RS_STR(TICKET);
    (void) rs_endpoint_parse(RS_STR("127.0.0.1:22"), &open.target);
    open.protocol = RS_STR("tcp");
    open.kind = RS_STR("key");
    open.id = RS_STR("key_kkkkkkkkkkkkkkkkkkkkkkkkkk");
    open.name = RS_STR("console");
    open.label = RS_STR("ssh");
    open.expires_at = 1790000060;

    rs_msg_write_open(b, &open);
    same(b, "agent.server.tunnel.open");

    (void) rs_endpoint_parse(RS_STR("shell"), &open.target);
    open.kind = RS_STR("user");
    open.id = RS_STR("usr_uuuuuuuuuuuuuuuuuuuuuuuuuu");
    open.name.len = 0;
    open.label.len = 0;
    rs_msg_write_open(b, &open);
    same(b, "agent.server.tunnel.shell");

    open.command = RS_STR("{\"command\":\"ping\",\"args\":{\"host\":"
                          "\"nas\",\"count\":3},\"secret\":[\"host\"]}");
    rs_msg_write_open(b, &open);
    same(b, "agent.server.tunnel.command");

    rs_msg_write_cut(b, RS_STR(PIP), RS_STR("tunnel_ended"));
    same(b, "agent.server.tunnel.cut");
    rs_msg_write_pipe(b, 1, RS_STR(PIP), RS_STR("client"), RS_STR(TICKET));
    same(b, "signal.server.pipe");
}


static void
test_writers(void)
{
    char      room[1024], *text;
    size_t    i;
    json_t   *example;
    uint8_t   nonce[32];
    rs_pos_t  p;
    rs_buf_t  b;

    rs_buf_init(&b, room, sizeof(room));

    rs_msg_write_ping(&b);
    same(&b, "signal.server.ping");
    rs_msg_write_ping(&b);
    same(&b, "agent.server.ping");
    rs_msg_write_pong(&b);
    same(&b, "signal.server.pong");
    rs_msg_write_pong(&b);
    same(&b, "agent.server.pong");
    rs_msg_write_ack(&b, 1);
    same(&b, "signal.server.ack");
    rs_msg_write_goaway(&b, 0, 3000);
    same(&b, "signal.server.goaway");
    rs_msg_write_goaway(&b, 0, 3000);
    same(&b, "agent.server.goaway");
    rs_msg_write_error(&b, RS_E_UNKNOWN_PEER,
                       RS_STR("participant par_xxxxxxxxxxxxxxxxxxxxxxxxxx is "
                              "not in this session"), 3);
    same(&b, "signal.server.error");
    rs_msg_write_error(&b, RS_E_UNAUTHENTICATED,
                       RS_STR("the signature does not match the device's "
                              "key"), 0);
    same(&b, "agent.server.error");

    p = (rs_pos_t) { 2, 0 };
    rs_msg_write_resync(&b, &p);
    same(&b, "signal.server.resync");

    p = (rs_pos_t) { 1, 6 };
    rs_msg_write_ended(&b, RS_STR("deleted"), &p);
    same(&b, "signal.server.ended");

    for (i = 0; i < sizeof(nonce); i++) {
        nonce[i] = (uint8_t) i;
    }

    rs_msg_write_challenge(&b, 1, nonce, RS_STR("support.example.net"),
                           rs_str(NULL));
    same(&b, "agent.server.challenge");

    example = json_load_file(tap_path("docs/protocol/messages/"
                                      "agent.server.challenge.identity.json"),
                             0, NULL);
    text = json_dumps(json_object_get(example, "identity"), JSON_COMPACT);
    rs_msg_write_challenge(&b, 1, nonce, RS_STR("support.example.net"),
                           rs_str(text));
    same(&b, "agent.server.challenge.identity");
    rs_msg_write_rotated(&b, RS_STR(KEY));
    same(&b, "agent.server.rotated");
    free(text);
    json_decref(example);

    rs_msg_write_revoke(&b, RS_STR(SES), RS_STR("deleted"));
    same(&b, "agent.server.revoke");

    test_pipe_writers(&b);

    p = (rs_pos_t) { 1, 2 };
    rs_msg_write_signal(&b, RS_STR("par_cccccccccccccccccccccccccc"),
                        RS_STR("1"), &p,
                        RS_STR("{\"kind\":\"offer\",\"pc\":1,"
                               "\"sdp\":\"v=0\\r\\n\"}"));
    same(&b, "signal.server.signal");

    rs_msg_write_input(&b, RS_STR("par_cccccccccccccccccccccccccc"),
                       RS_STR("{\"type\":\"move\",\"x\":32768,\"y\":16384}"));
    same(&b, "signal.server.input");

    rs_msg_write_error(&b, RS_E_INTERNAL, RS_STR(""), 0);
    is_str(rs_buf_get(&b), "{\"type\":\"error\",\"code\":\"internal\","
           "\"message\":\"The gateway failed\"}", "no text: the title");
    b.len = 0;

    rs_msg_write_error(&b, RS_OK, RS_STR("a\"\n"), UINT64_MAX);
    is_str(rs_buf_get(&b), "{\"type\":\"error\",\"code\":\"internal\","
           "\"message\":\"a\\\"\\n\",\"id\":18446744073709551615}",
           "text is escaped");
}


static void
test_events(void)
{
    char      room[1024];
    size_t    i;
    rs_pos_t  p;
    rs_buf_t  b;

    static const char  *bad[] = { "", "{", "}", "[]", "{\"a\":1", "a}",
                                  "\"a\"" };

    p = (rs_pos_t) { 1, 4 };
    rs_buf_init(&b, room, sizeof(room));

    is_rc(rs_msg_write_event(&b,
              RS_STR("{\"type\":\"left\",\"peer\":"
                     "\"par_vvvvvvvvvvvvvvvvvvvvvvvvvv\","
                     "\"reason\":\"bye\"}"), &p), RS_OK, "an event");
    same(&b, "signal.server.left");

    p.n = 3;
    (void) rs_msg_write_event(&b,
              RS_STR("{\"type\":\"joined\",\"peer\":{\"id\":"
                     "\"par_vvvvvvvvvvvvvvvvvvvvvvvvvv\",\"role\":\"viewer\","
                     "\"name\":\"Ana\",\"state\":\"joined\","
                     "\"guest\":true}}"), &p);
    same(&b, "signal.server.joined");

    is_rc(rs_msg_write_event(&b, RS_STR("{}"), &p), RS_OK, "an empty one");
    is_str(rs_buf_get(&b), "{\"position\":\"1-3\"}", "has no comma");
    b.len = 0;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_msg_write_event(&b, rs_str(bad[i]), &p) == RS_E_INVALID_VALUE
           && b.len == 0, "no object: %s", bad[i]);
    }
}


/* RS_MSG_WRITE_MAX is room enough, and too little room is told */

static void
test_room(void)
{
    char      room[RS_MSG_WRITE_MAX];
    uint8_t   nonce[32];
    rs_pos_t  p;
    rs_buf_t  b;

    p = (rs_pos_t) { UINT64_MAX, UINT64_MAX };
    memset(nonce, 0xff, sizeof(nonce));

    rs_buf_init(&b, room, sizeof(room));
    rs_msg_write_error(&b, RS_E_ENROLLMENT_INVALID, rs_str(NULL),
                       UINT64_MAX);
    ok(!b.overflow, "room for an error");

    rs_buf_init(&b, room, sizeof(room));
    rs_msg_write_challenge(&b, UINT32_MAX, nonce, rs_str(NULL), rs_str(NULL));
    ok(!b.overflow, "for a challenge");

    rs_buf_init(&b, room, sizeof(room));
    rs_msg_write_signal(&b, RS_STR(PAR), RS_STR("18446744073709551615"), &p,
                        rs_str(NULL));
    ok(!b.overflow, "for a signal");

    rs_buf_init(&b, room, sizeof(room));
    rs_msg_write_input(&b, RS_STR(PAR), rs_str(NULL));
    ok(!b.overflow, "for an input");

    rs_buf_init(&b, room, sizeof(room));
    rs_msg_write_goaway(&b, UINT64_MAX, UINT64_MAX);
    ok(!b.overflow, "for a goaway");

    rs_buf_init(&b, room, 20);
    rs_msg_write_resync(&b, &p);
    ok(b.overflow, "not in 20 bytes");
}


int
main(void)
{
    test_examples();
    test_signal();
    test_input();
    test_state();
    test_control();
    test_hello();
    test_rotate();
    test_others();
    test_tunnel();
    test_service();
    test_recording();
    test_pipe();
    test_refused();
    test_sizes();
    test_writers();
    test_events();
    test_room();

    return tap_done();
}
