
/*
 * Copyright (C) rs-gateway contributors
 *
 * What coturn's CLI prints: telnet bytes -> lines -> their meaning, and
 * whether a listing of sessions may be believed.
 *
 * Names in it are chosen by others.  A user name reaches coturn's memory only
 * without blanks, quotes and line breaks, but an ORIGIN does with all of them:
 * whoever holds one credential can print lines of his own into `ps`, with
 * headers of sessions, totals and prompts.  So
 *
 *   - a prompt is an end only after a fence: a command whose answer repeats a
 *     number nobody could know (rs_turn_cli_fence()).  What stands before that
 *     line was printed by the command before;
 *   - a listing is believed only if its headers count 1, 2, ... n and the one
 *     total is n.  coturn's own headers are always printed at the begin of a
 *     line and in order, so one that was made up is one too many, and the
 *     whole listing is refused.  `pu` prints user names and nothing else that
 *     others choose, so it and then `ps` for each user find who it was;
 *   - in a listing that is believed, everything below a header belongs to
 *     that session, and a line that should not be there marks it.
 */


#ifndef _RS_TURN_CLI_H_INCLUDED_
#define _RS_TURN_CLI_H_INCLUDED_


#include "rs_err.h"


#define RS_TURN_CLI_LINE_MAX   2048
/* longest user name coturn stores */
#define RS_TURN_CLI_USER_MAX   513
/* longest command made here, no NUL: "ps *", name, \n */
#define RS_TURN_CLI_CMD_MAX    (4 + RS_TURN_CLI_USER_MAX + 1)


typedef struct {
    size_t          len;
    unsigned        state;        /* of telnet */
    unsigned        overlong:1;   /* bytes of this line were dropped */
    uint8_t         line[RS_TURN_CLI_LINE_MAX];
} rs_turn_cli_t;


void rs_turn_cli_init(rs_turn_cli_t *cli);

/*
 * Takes bytes from [*data, *data + *size) up to the end of a line.  RS_OK:
 * *line is it, without its end, valid until the next call; RS_AGAIN: all bytes
 * are taken.  Never fails: of a line that is too long the begin is kept, and
 * overlong is set while *line is valid.
 */
rs_err_e rs_turn_cli_read(rs_turn_cli_t *cli, const uint8_t **data,
    size_t *size, rs_str_t *line);

/* 1: the line that is being read is "> ", the prompt */
int rs_turn_cli_prompt(const rs_turn_cli_t *cli);
/* a command was sent: its answer begins here */
void rs_turn_cli_sent(rs_turn_cli_t *cli);


typedef enum {
    RS_TURN_CLI_OTHER = 0,        /* nothing coturn prints into a listing */
    RS_TURN_CLI_BLANK,
    RS_TURN_CLI_BANNER,           /* n: version, a * 10000 + b * 100 + c */
    RS_TURN_CLI_PASSWORD,         /* asked for */
    RS_TURN_CLI_SESSION,          /* n: number in the list; id, text: user */
    RS_TURN_CLI_STARTED,          /* n: seconds ago */
    RS_TURN_CLI_USAGE,            /* rcvp, rcvb, sentp, sentb */
    RS_TURN_CLI_PEER,             /* text: ADDRESS, or with port */
    RS_TURN_CLI_DETAIL,           /* another line of a session's block */
    RS_TURN_CLI_CUT,              /* "...": more than the limit */
    RS_TURN_CLI_TOTAL,            /* n: sessions */
    RS_TURN_CLI_USER,             /* pu; n: sessions; text: user */
    RS_TURN_CLI_LIMIT,            /* n: cli-max-output-sessions, the fence */
    RS_TURN_CLI_UNKNOWN           /* command */
} rs_turn_cli_type_e;


typedef struct {
    rs_turn_cli_type_e  type;
    uint64_t            n;
    uint64_t            id;
    uint64_t            rcvp;     /* packets from the client's side */
    uint64_t            rcvb;
    uint64_t            sentp;
    uint64_t            sentb;
    rs_str_t            text;     /* slice of the line */
} rs_turn_cli_line_t;


void rs_turn_cli_line(rs_str_t line, rs_turn_cli_line_t *out);


/* a listing: the lines between `ps` and its fence, each of them in order */

typedef struct {
    uint64_t        sessions;     /* headers so far */
    uint64_t        total;
    uint64_t        users;        /* sessions of pu's users */
    unsigned        pu:1;         /* of users, not of sessions */
    unsigned        has_total:1;
    unsigned        cut:1;
    unsigned        broken:1;     /* a header or total was made up */
    unsigned        started:1;    /* of the current block: seen */
    unsigned        usage:1;
} rs_turn_cli_list_t;


typedef enum {
    RS_TURN_CLI_GOES_ON = 0,
    RS_TURN_CLI_ODD               /* this line marks the session it is of */
} rs_turn_cli_odd_e;


typedef enum {
    RS_TURN_CLI_COMPLETE = 0,     /* may be believed */
    RS_TURN_CLI_TOO_MANY,         /* the limit cut it: raise it, ask again */
    RS_TURN_CLI_FORGED
} rs_turn_cli_end_e;


/* of `ps`, or of `pu` */
void rs_turn_cli_list_init(rs_turn_cli_list_t *list, int pu);
rs_turn_cli_odd_e rs_turn_cli_list_line(rs_turn_cli_list_t *list,
    const rs_turn_cli_line_t *line);
rs_turn_cli_end_e rs_turn_cli_list_end(const rs_turn_cli_list_t *list);


/*
 * Commands, with line end; dst: RS_TURN_CLI_CMD_MAX; the length.  coturn takes
 * what one read gives it as one command: send each by one write, and the next
 * one after the prompt.
 */

size_t rs_turn_cli_cancel(char *dst, uint64_t id);
/*
 * Sessions of exactly this user; 0: no command can name it.  coturn's telnet
 * ends a command at byte 255, even at one that is escaped.
 */
size_t rs_turn_cli_of_user(char *dst, rs_str_t user);

/*
 * Raises cli-max-output-sessions to a number made of random, above any number
 * of sessions; the answer repeats it (RS_TURN_CLI_LIMIT).
 */
size_t rs_turn_cli_fence(char *dst, uint32_t random, uint64_t *n);


#endif /* _RS_TURN_CLI_H_INCLUDED_ */
