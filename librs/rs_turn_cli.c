
/*
 * Copyright (C) rs-gateway contributors
 *
 * Output of coturn's CLI, 4.6 to 4.18.
 */


#include "rs_turn_cli.h"

#include <string.h>


#define RS_TELNET_SE        240
#define RS_TELNET_SB        250
#define RS_TELNET_WILL      251
#define RS_TELNET_DONT      254
#define RS_TELNET_IAC       255

#define RS_TURN_CLI_FENCE   UINT64_C(1000000000)
#define RS_TURN_CLI_N_MAX   UINT64_MAX


typedef enum {
    rs_telnet_data = 0,
    rs_telnet_cr,
    rs_telnet_iac,
    rs_telnet_option,
    rs_telnet_sub,
    rs_telnet_sub_iac
} rs_telnet_e;


static int rs_turn_cli_byte(rs_turn_cli_t *cli, uint8_t c);
static void rs_turn_cli_put(rs_turn_cli_t *cli, uint8_t c);
static int rs_turn_cli_take(rs_str_t *s, const char *text);
static int rs_turn_cli_drop(rs_str_t *s, const char *text);
static int rs_turn_cli_number(rs_str_t *s, uint64_t *n);
static int rs_turn_cli_session(rs_str_t s, rs_turn_cli_line_t *out);
static int rs_turn_cli_usage(rs_str_t s, rs_turn_cli_line_t *out);
static int rs_turn_cli_total(rs_str_t s, rs_turn_cli_line_t *out);
static int rs_turn_cli_user(rs_str_t s, rs_turn_cli_line_t *out);
static int rs_turn_cli_limit(rs_str_t s, rs_turn_cli_line_t *out);
static int rs_turn_cli_banner(rs_str_t s, rs_turn_cli_line_t *out);
static int rs_turn_cli_started(rs_str_t s, rs_turn_cli_line_t *out);
static int rs_turn_cli_peer(rs_str_t s, rs_turn_cli_line_t *out);


/* ---- telnet: IAC IAC is one byte, CR NUL is CR, CR LF ends a line */


void
rs_turn_cli_init(rs_turn_cli_t *cli)
{
    cli->len = 0;
    cli->state = rs_telnet_data;
    cli->overlong = 0;
}


rs_err_e
rs_turn_cli_read(rs_turn_cli_t *cli, const uint8_t **data, size_t *size,
    rs_str_t *line)
{
    uint8_t  c;

    if (cli->len == 0) {
        cli->overlong = 0;
    }

    while (*size) {
        c = *(*data)++;
        (*size)--;

        if (rs_turn_cli_byte(cli, c)) {
            line->data = cli->line;
            line->len = cli->len;
            cli->len = 0;

            return RS_OK;
        }
    }

    return RS_AGAIN;
}


/* 1: it ends the line */

static int
rs_turn_cli_byte(rs_turn_cli_t *cli, uint8_t c)
{
    switch ((rs_telnet_e) cli->state) {

    case rs_telnet_cr:
        cli->state = rs_telnet_data;

        if (c == '\n') {
            return 1;
        }

        rs_turn_cli_put(cli, '\r');

        if (c == '\0') {
            return 0;
        }

        return rs_turn_cli_byte(cli, c);

    case rs_telnet_iac:
        if (c == RS_TELNET_IAC) {
            cli->state = rs_telnet_data;
            rs_turn_cli_put(cli, c);

        } else if (c == RS_TELNET_SB) {
            cli->state = rs_telnet_sub;

        } else if (c >= RS_TELNET_WILL && c <= RS_TELNET_DONT) {
            cli->state = rs_telnet_option;

        } else {
            cli->state = rs_telnet_data;
        }

        return 0;

    case rs_telnet_option:
        cli->state = rs_telnet_data;
        return 0;

    case rs_telnet_sub:
        if (c == RS_TELNET_IAC) {
            cli->state = rs_telnet_sub_iac;
        }

        return 0;

    case rs_telnet_sub_iac:
        cli->state = (c == RS_TELNET_SE) ? rs_telnet_data : rs_telnet_sub;
        return 0;

    case rs_telnet_data:
        break;
    }

    if (c == RS_TELNET_IAC) {
        cli->state = rs_telnet_iac;

    } else if (c == '\r') {
        cli->state = rs_telnet_cr;

    } else if (c == '\n') {
        return 1;

    } else {
        rs_turn_cli_put(cli, c);
    }

    return 0;
}


static void
rs_turn_cli_put(rs_turn_cli_t *cli, uint8_t c)
{
    if (cli->len == RS_TURN_CLI_LINE_MAX) {
        cli->overlong = 1;
        return;
    }

    cli->line[cli->len++] = c;
}


int
rs_turn_cli_prompt(const rs_turn_cli_t *cli)
{
    return cli->state == rs_telnet_data && cli->len == 2
           && cli->line[0] == '>' && cli->line[1] == ' ';
}


void
rs_turn_cli_sent(rs_turn_cli_t *cli)
{
    cli->len = 0;
    cli->overlong = 0;
}


/* ---- lines */


static int
rs_turn_cli_take(rs_str_t *s, const char *text)
{
    rs_str_t  prefix;

    prefix = rs_str(text);

    if (!rs_str_starts(*s, prefix)) {
        return 0;
    }

    s->data += prefix.len;
    s->len -= prefix.len;

    return 1;
}


/* from the end */

static int
rs_turn_cli_drop(rs_str_t *s, const char *text)
{
    rs_str_t  suffix;

    suffix = rs_str(text);

    if (s->len < suffix.len
        || memcmp(s->data + s->len - suffix.len, suffix.data, suffix.len) != 0)
    {
        return 0;
    }

    s->len -= suffix.len;

    return 1;
}


/* leading zeros are coturn's: "id=001000000000000001" */

static int
rs_turn_cli_number(rs_str_t *s, uint64_t *n)
{
    size_t    i;
    uint64_t  v;

    v = 0;

    for (i = 0; i < s->len && s->data[i] >= '0' && s->data[i] <= '9'; i++) {
        if (v > (RS_TURN_CLI_N_MAX - 9) / 10) {
            return 0;
        }

        v = v * 10 + (uint64_t) (s->data[i] - '0');
    }

    if (i == 0) {
        return 0;
    }

    s->data += i;
    s->len -= i;
    *n = v;

    return 1;
}


/* "    1) id=001000000000000001, user <NAME>:" */

static int
rs_turn_cli_session(rs_str_t s, rs_turn_cli_line_t *out)
{
    if (!rs_turn_cli_take(&s, "    ") || !rs_turn_cli_number(&s, &out->n)
        || !rs_turn_cli_take(&s, ") id=")
        || !rs_turn_cli_number(&s, &out->id)
        || !rs_turn_cli_take(&s, ", user <") || !rs_turn_cli_drop(&s, ">:"))
    {
        return 0;
    }

    out->type = RS_TURN_CLI_SESSION;
    out->text = s;

    return 1;
}


/* "      usage: rp=5, rb=772, sp=4, sb=336" */

static int
rs_turn_cli_usage(rs_str_t s, rs_turn_cli_line_t *out)
{
    if (!rs_turn_cli_take(&s, "      usage: rp=")
        || !rs_turn_cli_number(&s, &out->rcvp)
        || !rs_turn_cli_take(&s, ", rb=")
        || !rs_turn_cli_number(&s, &out->rcvb)
        || !rs_turn_cli_take(&s, ", sp=")
        || !rs_turn_cli_number(&s, &out->sentp)
        || !rs_turn_cli_take(&s, ", sb=")
        || !rs_turn_cli_number(&s, &out->sentb) || s.len)
    {
        return 0;
    }

    out->type = RS_TURN_CLI_USAGE;

    return 1;
}


/* "  Total sessions: 2"; there is a realm in it only if the CLI has one set */

static int
rs_turn_cli_total(rs_str_t s, rs_turn_cli_line_t *out)
{
    if (!rs_turn_cli_take(&s, "  Total sessions: ")
        || !rs_turn_cli_number(&s, &out->n) || s.len)
    {
        return 0;
    }

    out->type = RS_TURN_CLI_TOTAL;

    return 1;
}


/* "    user: <NAME>, 1 sessions" */

static int
rs_turn_cli_user(rs_str_t s, rs_turn_cli_line_t *out)
{
    size_t    i;
    rs_str_t  tail;

    if (!rs_turn_cli_take(&s, "    user: <")
        || !rs_turn_cli_drop(&s, " sessions"))
    {
        return 0;
    }

    for (i = s.len; i && s.data[i - 1] >= '0' && s.data[i - 1] <= '9'; i--) {
        /* void */
    }

    tail.data = s.data + i;
    tail.len = s.len - i;
    s.len = i;

    if (!rs_turn_cli_number(&tail, &out->n) || !rs_turn_cli_drop(&s, ">, ")) {
        return 0;
    }

    out->type = RS_TURN_CLI_USER;
    out->text = s;

    return 1;
}


/* "  cli-max-output-sessions: 256 (**)", perhaps behind a prompt */

static int
rs_turn_cli_limit(rs_str_t s, rs_turn_cli_line_t *out)
{
    (void) rs_turn_cli_take(&s, "> ");

    if (!rs_turn_cli_take(&s, "  cli-max-output-sessions: ")
        || !rs_turn_cli_number(&s, &out->n) || !rs_str_eq(s, RS_STR(" (**)")))
    {
        return 0;
    }

    out->type = RS_TURN_CLI_LIMIT;

    return 1;
}


/* "Coturn-4.6.1 'Gorst'" */

static int
rs_turn_cli_banner(rs_str_t s, rs_turn_cli_line_t *out)
{
    uint64_t  a, b, c;

    if (!rs_turn_cli_take(&s, "Coturn-") || !rs_turn_cli_number(&s, &a)
        || !rs_turn_cli_take(&s, ".") || !rs_turn_cli_number(&s, &b)
        || !rs_turn_cli_take(&s, ".") || !rs_turn_cli_number(&s, &c)
        || a > 99 || b > 99 || c > 99)
    {
        return 0;
    }

    out->type = RS_TURN_CLI_BANNER;
    out->n = a * 10000 + b * 100 + c;

    return 1;
}


/* "      started 1 secs ago", or "      started: undefined time" */

static int
rs_turn_cli_started(rs_str_t s, rs_turn_cli_line_t *out)
{
    out->n = 0;

    if (!rs_str_eq(s, RS_STR("      started: undefined time"))
        && (!rs_turn_cli_take(&s, "      started ")
            || !rs_turn_cli_number(&s, &out->n)
            || !rs_str_eq(s, RS_STR(" secs ago"))))
    {
        return 0;
    }

    out->type = RS_TURN_CLI_STARTED;

    return 1;
}


/* "          10.1.2.3:6001" */

static int
rs_turn_cli_peer(rs_str_t s, rs_turn_cli_line_t *out)
{
    size_t  i;

    if (!rs_turn_cli_take(&s, "          ") || s.len == 0) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        if (!((s.data[i] >= '0' && s.data[i] <= '9')
              || (s.data[i] >= 'a' && s.data[i] <= 'f')
              || (s.data[i] >= 'A' && s.data[i] <= 'F')
              || s.data[i] == '.' || s.data[i] == ':' || s.data[i] == '['
              || s.data[i] == ']'))
        {
            return 0;
        }
    }

    out->type = RS_TURN_CLI_PEER;
    out->text = s;

    return 1;
}


void
rs_turn_cli_line(rs_str_t s, rs_turn_cli_line_t *out)
{
    memset(out, 0, sizeof(*out));
    out->type = RS_TURN_CLI_OTHER;

    if (s.len == 0) {
        out->type = RS_TURN_CLI_BLANK;

    } else if (rs_str_starts(s, RS_STR("    "))) {
        if (rs_turn_cli_session(s, out) || rs_turn_cli_usage(s, out)
            || rs_turn_cli_started(s, out) || rs_turn_cli_peer(s, out)
            || rs_turn_cli_user(s, out))
        {
            return;
        }

        memset(out, 0, sizeof(*out));

        if (rs_str_starts(s, RS_STR("      "))) {
            out->type = RS_TURN_CLI_DETAIL;
        }

    } else if (rs_turn_cli_total(s, out) || rs_turn_cli_limit(s, out)
               || rs_turn_cli_banner(s, out))
    {
        return;

    } else {
        memset(out, 0, sizeof(*out));

        if (rs_str_eq(s, RS_STR("..."))) {
            out->type = RS_TURN_CLI_CUT;

        } else if (rs_str_starts(s, RS_STR("Enter password:"))) {
            out->type = RS_TURN_CLI_PASSWORD;

        } else if (rs_str_eq(s, RS_STR("Unknown command"))) {
            out->type = RS_TURN_CLI_UNKNOWN;

        } else {
            out->type = RS_TURN_CLI_OTHER;
        }
    }
}


/* ---- a listing */


void
rs_turn_cli_list_init(rs_turn_cli_list_t *list, int pu)
{
    memset(list, 0, sizeof(*list));
    list->pu = pu ? 1 : 0;
}


rs_turn_cli_odd_e
rs_turn_cli_list_line(rs_turn_cli_list_t *list,
    const rs_turn_cli_line_t *line)
{
    switch (line->type) {

    case RS_TURN_CLI_SESSION:
        /* nothing of coturn's follows a total but the next prompt */

        if (line->n != list->sessions + 1 || list->has_total || list->pu) {
            list->broken = 1;
            return RS_TURN_CLI_ODD;
        }

        list->sessions++;
        list->started = 0;
        list->usage = 0;

        return RS_TURN_CLI_GOES_ON;

    case RS_TURN_CLI_TOTAL:
        if (list->has_total) {
            list->broken = 1;
            return RS_TURN_CLI_ODD;
        }

        list->has_total = 1;
        list->total = line->n;

        return RS_TURN_CLI_GOES_ON;

    case RS_TURN_CLI_USER:
        if (!list->pu) {
            return RS_TURN_CLI_ODD;
        }

        if (line->n > UINT64_MAX - list->users || list->has_total) {
            list->broken = 1;
            return RS_TURN_CLI_ODD;
        }

        list->users += line->n;

        return RS_TURN_CLI_GOES_ON;

    case RS_TURN_CLI_STARTED:
        if (list->started || list->sessions == 0) {
            return RS_TURN_CLI_ODD;
        }

        list->started = 1;

        return RS_TURN_CLI_GOES_ON;

    case RS_TURN_CLI_USAGE:
        if (list->usage || list->sessions == 0) {
            return RS_TURN_CLI_ODD;
        }

        list->usage = 1;

        return RS_TURN_CLI_GOES_ON;

    case RS_TURN_CLI_CUT:
        list->cut = 1;
        return RS_TURN_CLI_GOES_ON;

    case RS_TURN_CLI_BLANK:
    case RS_TURN_CLI_PEER:
    case RS_TURN_CLI_DETAIL:
        return RS_TURN_CLI_GOES_ON;

    default:
        /* the warning below the total of a listing that was cut */
        return list->has_total ? RS_TURN_CLI_GOES_ON : RS_TURN_CLI_ODD;
    }
}


rs_turn_cli_end_e
rs_turn_cli_list_end(const rs_turn_cli_list_t *list)
{
    uint64_t  n;

    if (list->broken || !list->has_total) {
        return RS_TURN_CLI_FORGED;
    }

    n = list->pu ? list->users : list->sessions;

    if (n == list->total && !list->cut) {
        return RS_TURN_CLI_COMPLETE;
    }

    return (n < list->total && list->cut) ? RS_TURN_CLI_TOO_MANY
                                          : RS_TURN_CLI_FORGED;
}


/* ---- commands */


size_t
rs_turn_cli_cancel(char *dst, uint64_t id)
{
    int       i;
    char      digits[20];
    rs_buf_t  b;

    rs_buf_init(&b, dst, RS_TURN_CLI_CMD_MAX);
    rs_buf_cstr(&b, "cs ");

    for (i = 19; i >= 0; i--) {
        digits[i] = (char) ('0' + id % 10);
        id /= 10;
    }

    /* as coturn writes it: 18 digits, more only when they are needed */

    i = (digits[0] != '0') ? 0 : (digits[1] != '0') ? 1 : 2;
    rs_buf_put(&b, digits + i, (size_t) (20 - i));
    rs_buf_char(&b, '\n');

    return b.len;
}


size_t
rs_turn_cli_of_user(char *dst, rs_str_t user)
{
    size_t    i;
    rs_buf_t  b;

    if (user.len == 0 || user.len > RS_TURN_CLI_USER_MAX) {
        return 0;
    }

    rs_buf_init(&b, dst, RS_TURN_CLI_CMD_MAX);
    /* coturn drops one asterisk, and blanks before it */
    rs_buf_cstr(&b, "ps *");

    for (i = 0; i < user.len; i++) {
        if (user.data[i] == '\0' || user.data[i] == '\r'
            || user.data[i] == '\n' || user.data[i] == RS_TELNET_IAC)
        {
            return 0;
        }
    }

    rs_buf_str(&b, user);
    rs_buf_char(&b, '\n');

    return b.len;
}


size_t
rs_turn_cli_fence(char *dst, uint32_t random, uint64_t *n)
{
    rs_buf_t  b;

    *n = RS_TURN_CLI_FENCE + random % RS_TURN_CLI_FENCE;

    rs_buf_init(&b, dst, RS_TURN_CLI_CMD_MAX);
    rs_buf_cstr(&b, "cc cli-max-output-sessions ");
    rs_buf_u64(&b, *n);
    rs_buf_char(&b, '\n');

    return b.len;
}
