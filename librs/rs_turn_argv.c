
/*
 * Copyright (C) rs-gateway contributors
 *
 * Commands of old coturns, taken apart.  The preloaded guard has this file
 * and no other of librs: nothing of them is called here.
 */


#include "rs_turn_argv.h"

#include <string.h>


static int rs_turn_argv_is(rs_str_t verb, const char *const *names);
static size_t rs_turn_argv_word(rs_str_t text, size_t from);


/* one key and nothing else */

static const char *const  rs_turn_argv_one[] = {
    "get", "hgetall", "smembers", "del", "keys", NULL
};

static const char *const  rs_turn_argv_set[] = {
    "set", NULL
};


rs_err_e
rs_turn_argv_command(rs_turn_argv_t *argv, rs_str_t text)
{
    size_t    i, end;
    rs_str_t  verb;

    argv->n = 0;

    for (i = 0; i < text.len && text.data[i] == ' '; i++) { /* void */ }

    end = rs_turn_argv_word(text, i);

    if (end == i) {
        return RS_E_INVALID_VALUE;
    }

    verb = (rs_str_t) { text.data + i, end - i };
    argv->list[argv->n++] = verb;

    i = end < text.len ? end + 1 : end;
    end = text.len;

    if (rs_turn_argv_is(verb, rs_turn_argv_one)) {
        argv->list[argv->n++] = (rs_str_t) { text.data + i, end - i };

        return RS_OK;
    }

    if (rs_turn_argv_is(verb, rs_turn_argv_set)) {

        while (end > i && text.data[end - 1] != ' ') {
            end--;
        }

        if (end > i) {
            argv->list[argv->n++] = (rs_str_t) { text.data + i, end - 1 - i };
            i = end;
        }

        argv->list[argv->n++] = (rs_str_t) { text.data + i, text.len - i };

        return RS_OK;
    }

    for ( ;; ) {

        while (i < text.len && text.data[i] == ' ') {
            i++;
        }

        if (i == text.len) {
            return RS_OK;
        }

        if (argv->n == RS_TURN_ARGV_MAX) {
            argv->n = 0;
            return RS_E_INVALID_VALUE;
        }

        end = rs_turn_argv_word(text, i);
        argv->list[argv->n++] = (rs_str_t) { text.data + i, end - i };
        i = end;
    }
}


rs_err_e
rs_turn_argv_event(rs_turn_argv_t *argv, rs_str_t text, rs_str_t value)
{
    size_t  i, end;

    argv->n = 0;

    if (text.len < 2 || text.data[text.len - 2] != '%'
        || text.data[text.len - 1] != 's')
    {
        return RS_E_INVALID_VALUE;
    }

    text.len -= 2;
    i = rs_turn_argv_word(text, 0);

    if (i == 0) {
        return RS_E_INVALID_VALUE;
    }

    argv->list[argv->n++] = (rs_str_t) { text.data, i };

    i = i < text.len ? i + 1 : i;
    end = text.len;

    if (end > i && text.data[end - 1] == ' ') {
        end--;
    }

    argv->list[argv->n++] = (rs_str_t) { text.data + i, end - i };
    argv->list[argv->n++] = value;

    return RS_OK;
}


/* as Redis, in any case */

static int
rs_turn_argv_is(rs_str_t verb, const char *const *names)
{
    for ( /* void */ ; *names != NULL; names++) {

        if (strlen(*names) == verb.len
            && strncasecmp((const char *) verb.data, *names, verb.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* where the word ends that is at from */

static size_t
rs_turn_argv_word(rs_str_t text, size_t from)
{
    while (from < text.len && text.data[from] != ' ') {
        from++;
    }

    return from;
}
