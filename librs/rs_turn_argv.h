
/*
 * Copyright (C) rs-gateway contributors
 *
 * Redis commands as old coturns (before 4.13) write them out: into a buffer,
 * with a user name of a stranger in it, which then is the format of a hiredis
 * command.  This takes such a buffer apart into arguments as coturn means
 * them, whatever bytes it has.
 */


#ifndef _RS_TURN_ARGV_H_INCLUDED_
#define _RS_TURN_ARGV_H_INCLUDED_


#include "rs_err.h"
#include "rs_str.h"


#define RS_TURN_ARGV_MAX       32


/* slices of the buffer */

typedef struct {
    size_t          n;
    rs_str_t        list[RS_TURN_ARGV_MAX];
} rs_turn_argv_t;


/*
 * A whole command.  Behind the verb of a command of one key all is the key,
 * whatever spaces a name has in it; the value of "set" is the last word.
 * Other commands are an administrator's: arguments stand between spaces.
 * RS_OK: 1 to RS_TURN_ARGV_MAX arguments, the first not empty.
 * RS_E_INVALID_VALUE: nothing but spaces, or more arguments.
 */
rs_err_e rs_turn_argv_command(rs_turn_argv_t *argv, rs_str_t text);

/*
 * "VERB KEY %s": an event, whose value is given beside it.  The buffer may
 * have cut the end of the key off, and the space with it.  RS_OK: three
 * arguments, the first not empty.  RS_E_INVALID_VALUE: no such text.
 */
rs_err_e rs_turn_argv_event(rs_turn_argv_t *argv, rs_str_t text,
    rs_str_t value);


#endif /* _RS_TURN_ARGV_H_INCLUDED_ */
