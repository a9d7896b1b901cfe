
/*
 * Copyright (C) rs-gateway contributors
 *
 * Tells systemd how the daemon is (sd_notify), without its library.
 */


#ifndef _TURN_NOTIFY_H_INCLUDED_
#define _TURN_NOTIFY_H_INCLUDED_


/*
 * state: such as "READY=1".  Nothing happens when nobody wants to know
 * (NOTIFY_SOCKET is not set).
 */
void turn_notify(const char *state);

/*
 * So often, in ms, "WATCHDOG=1" is wanted: a third of the time after which a
 * daemon that is silent is taken for hung; 0: not at all.
 */
unsigned turn_notify_watchdog(void);


#endif /* _TURN_NOTIFY_H_INCLUDED_ */
