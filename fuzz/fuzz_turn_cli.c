
/*
 * Copyright (C) rs-gateway contributors
 *
 * coturn's CLI: whatever it prints, in pieces or as a whole, gives the same
 * lines; a listing that is believed has its sessions in order.  The first byte
 * says how long the pieces are.
 */


#include "fuzz.h"
#include "rs_turn_cli.h"


static uint64_t
lines(const uint8_t *data, size_t size, size_t step, int pu,
    rs_turn_cli_end_e *end)
{
    size_t              n, i;
    char                dst[RS_TURN_CLI_CMD_MAX];
    rs_str_t            line;
    uint64_t            hash, sessions;
    const uint8_t      *p;
    rs_turn_cli_t       cli;
    rs_turn_cli_line_t  l;
    rs_turn_cli_list_t  list;

    rs_turn_cli_init(&cli);
    rs_turn_cli_list_init(&list, pu);
    hash = 5381;
    sessions = 0;

    while (size) {
        p = data;
        n = (step < size) ? step : size;
        data += n;
        size -= n;

        while (rs_turn_cli_read(&cli, &p, &n, &line) == RS_OK) {
            CHECK(line.len <= RS_TURN_CLI_LINE_MAX);
            rs_turn_cli_line(line, &l);

            CHECK(l.text.len == 0 || (l.text.data >= line.data
                  && l.text.data + l.text.len <= line.data + line.len));

            if (l.type == RS_TURN_CLI_SESSION) {
                sessions++;
                CHECK(l.text.len + 12 < line.len);
            }

            if (l.type == RS_TURN_CLI_USER && l.text.len) {
                i = rs_turn_cli_of_user(dst, l.text);
                CHECK(i == 0 || (dst[i - 1] == '\n'
                                 && memchr(dst, '\n', i) == dst + i - 1));
            }

            (void) rs_turn_cli_list_line(&list, &l);

            for (i = 0; i < line.len; i++) {
                hash = hash * 33 + line.data[i];
            }

            hash = hash * 33 + (uint64_t) l.type;
        }

        CHECK(n == 0);
        (void) rs_turn_cli_prompt(&cli);
    }

    *end = rs_turn_cli_list_end(&list);

    CHECK(pu || *end != RS_TURN_CLI_COMPLETE
          || (sessions == list.total && list.sessions == sessions));

    return hash;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                pu;
    size_t             step;
    rs_turn_cli_end_e  a, b;

    if (size == 0) {
        return 0;
    }

    pu = data[0] & 1;
    step = (size_t) (data[0] >> 1) + 1;

    CHECK(lines(data + 1, size - 1, size, pu, &a)
          == lines(data + 1, size - 1, step, pu, &b));
    CHECK(a == b);

    return 0;
}
