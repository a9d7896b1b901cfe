
/*
 * Copyright (C) rs-gateway contributors
 *
 * Commands of old coturns, with names that strangers chose.
 */


#include "tap.h"
#include "rs_turn_argv.h"


typedef struct {
    const char  *text;
    const char  *args;      /* each in brackets; NULL: refused */
} case_t;


static const case_t  commands[] = {
    { "get turn/realm/r/user/alice/key", "[get][turn/realm/r/user/alice/key]" },
    { "get turn/realm/r/user/%n%s %d  x/key",
      "[get][turn/realm/r/user/%n%s %d  x/key]" },
    { "get turn/realm/r/user/ /key", "[get][turn/realm/r/user/ /key]" },
    { "get turn/realm/r/user/a\r\nDEL b\r\n/key",
      "[get][turn/realm/r/user/a\r\nDEL b\r\n/key]" },
    { "get turn/realm/r/user/\xff\xc0\x01/key",
      "[get][turn/realm/r/user/\xff\xc0\x01/key]" },
    { "hgetall turn/oauth/kid/%s %s", "[hgetall][turn/oauth/kid/%s %s]" },
    { "smembers turn/realm/r/denied-peer-ip",
      "[smembers][turn/realm/r/denied-peer-ip]" },
    { "GET a b", "[GET][a b]" },
    { "get ", "[get][]" },
    { "get", "[get][]" },
    { "  get a", "[get][a]" },
    { "set turn/realm/r/user/a b/key 0123", "[set][turn/realm/r/user/a b/key]"
      "[0123]" },
    { "set k ", "[set][k][]" },
    { "set k", "[set][k]" },
    { "hmset turn/oauth/kid/k ikm_key  a realm r",
      "[hmset][turn/oauth/kid/k][ikm_key][a][realm][r]" },
    { "select 0", "[select][0]" },
    { "save", "[save]" },
    { "save  ", "[save]" },
    { "getset a b", "[getset][a][b]" },
    { "x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 "
      "27 28 29 30 31", "[x][1][2][3][4][5][6][7][8][9][10][11][12][13][14]"
      "[15][16][17][18][19][20][21][22][23][24][25][26][27][28][29][30][31]" },
    { "x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 "
      "27 28 29 30 31 32", NULL },
    { "", NULL },
    { "   ", NULL },
};


static const case_t  events[] = {
    { "publish turn/realm/r/user/a/allocation/1/status %s",
      "[publish][turn/realm/r/user/a/allocation/1/status][value]" },
    { "set turn/realm/r/user/%n %s%p/status %s",
      "[set][turn/realm/r/user/%n %s%p/status][value]" },
    { "publish turn/realm/r/user/cut%s", "[publish][turn/realm/r/user/cut]"
      "[value]" },
    { "publish  %s", "[publish][][value]" },
    { "publish %s", "[publish][][value]" },
    { "publish%s", "[publish][][value]" },
    { "publish a  %s", "[publish][a ][value]" },
    { " publish a %s", NULL },
    { "%s", NULL },
    { "s", NULL },
    { "", NULL },
    { "publish a b", NULL },
    { "publish a %s ", NULL },
};


static void
test(const case_t *c, rs_err_e rc, const rs_turn_argv_t *argv)
{
    char    text[1024];
    size_t  i, n;

    if (c->args == NULL) {
        ok(rc == RS_E_INVALID_VALUE && argv->n == 0, "\"%s\" is refused",
           c->text);
        return;
    }

    for (i = 0, n = 0; i < argv->n; i++) {
        text[n++] = '[';

        if (argv->list[i].len != 0) {
            memcpy(text + n, argv->list[i].data, argv->list[i].len);
            n += argv->list[i].len;
        }

        text[n++] = ']';
    }

    /* a name may have line ends: it is told by its number */

    ok(rc == RS_OK && n == strlen(c->args) && memcmp(text, c->args, n) == 0,
       "arguments of case %d", tap_n + 1);
}


int
main(void)
{
    size_t          i;
    uint8_t         name[600];
    rs_str_t        text;
    rs_turn_argv_t  argv;

    for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        test(&commands[i],
             rs_turn_argv_command(&argv, rs_str(commands[i].text)), &argv);
    }

    for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        test(&events[i], rs_turn_argv_event(&argv, rs_str(events[i].text),
                                            RS_STR("value")), &argv);
    }

    /* every byte there is, as often as coturn lets it */

    for (i = 0; i < 256; i++) {
        memset(name, (int) i, sizeof(name));
        memcpy(name, "get ", 4);
        text = (rs_str_t) { name, sizeof(name) };

        if (rs_turn_argv_command(&argv, text) != RS_OK || argv.n != 2
            || argv.list[1].data != name + 4
            || argv.list[1].len != sizeof(name) - 4)
        {
            break;
        }
    }

    is_int(i, 256, "a key of any byte is one argument");

    return tap_done();
}
