
/*
 * Copyright (C) rs-gateway contributors
 *
 * The one clock of the daemon, which everything else gets as an argument.
 */


#ifndef _TURN_CLOCK_H_INCLUDED_
#define _TURN_CLOCK_H_INCLUDED_


#include <stdint.h>


/* since the epoch: user names and sessions end by it */
uint64_t turn_clock_ms(void);

/* never goes back; for times between two events */
uint64_t turn_clock_mono_us(void);


#endif /* _TURN_CLOCK_H_INCLUDED_ */
