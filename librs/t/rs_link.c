
/*
 * Copyright (C) rs-gateway contributors
 *
 * The first line of a link: the longest there is, and what is none.
 */


#include "tap.h"
#include "rs_link.h"


#define A26    "abcdefghijklmnopqrstuvwxyz"
#define S52    "ssssssssssssssssssssssssssssssssssssssssssssssssssss"
#define T32    "tttttttttttttttttttttttttttttttt"


static void
refused(const char *text, const char *what)
{
    char       line[RS_LINK_LEN + 1];
    rs_link_t  link;

    memset(line, ' ', sizeof(line));
    memcpy(line, text, strlen(text));
    line[RS_LINK_LEN - 1] = '\n';

    is_rc(rs_link_parse((rs_str_t) { (uint8_t *) line, RS_LINK_LEN }, &link),
          RS_E_INVALID_VALUE, what);
}


int
main(void)
{
    char       line[RS_LINK_LEN + 1];
    rs_link_t  link, back;

    link.tenant = RS_STR(T32);
    link.pipe_id = RS_STR("pip_" A26);
    link.side = RS_WS_SIDE_CLIENT;
    link.conn = (uint64_t) 1 << 53;
    link.nonce = RS_STR(S52);

    is_rc(rs_link_format(line, &link), RS_OK, "the longest");
    ok(memchr(line, '\n', RS_LINK_LEN) == line + RS_LINK_LEN - 1,
       "is one line");
    is_rc(rs_link_parse((rs_str_t) { (uint8_t *) line, RS_LINK_LEN }, &back),
          RS_OK, "is read");
    is_str(back.tenant, T32, "its tenant");
    is_str(back.pipe_id, "pip_" A26, "its pipe");
    is_int(back.side, RS_WS_SIDE_CLIENT, "its side");
    is_int(back.conn, link.conn, "its socket");
    is_str(back.nonce, S52, "its nonce");

    is_rc(rs_link_parse((rs_str_t) { (uint8_t *) line, RS_LINK_LEN - 1 },
                        &back),
          RS_E_INVALID_VALUE, "a byte is missing");
    line[RS_LINK_LEN - 1] = ' ';
    is_rc(rs_link_parse((rs_str_t) { (uint8_t *) line, RS_LINK_LEN }, &back),
          RS_E_INVALID_VALUE, "its end is");

    link.conn++;
    is_rc(rs_link_format(line, &link), RS_E_INVALID_VALUE, "no such socket");
    link.conn = 1;
    link.side = RS_WS_SIDE_NONE;
    is_rc(rs_link_format(line, &link), RS_E_INVALID_VALUE, "no side");
    link.side = RS_WS_SIDE_HOST;
    link.nonce = RS_STR("s");
    is_rc(rs_link_format(line, &link), RS_E_INVALID_VALUE, "no nonce");

    refused("", "nothing");
    refused("rs-link2 t pip_" A26 " host 1 " S52, "another version");
    refused("rs-link1 t ses_" A26 " host 1 " S52, "no pipe");
    refused("rs-link1 T pip_" A26 " host 1 " S52, "no tenant");
    refused("rs-link1 t pip_" A26 " both 1 " S52, "no side");
    refused("rs-link1 t pip_" A26 " host 0 " S52, "no socket");
    refused("rs-link1 t pip_" A26 " host 01 " S52, "not as it is written");
    refused("rs-link1 t pip_" A26 " host 1 " S52 " x", "something behind");
    refused("rs-link1 t pip_" A26 " host 1", "no nonce");
    refused("rs-link1  t pip_" A26 " host 1 " S52, "two blanks");

    return tap_done();
}
