
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who showed credentials that were not good, so often that nothing of him is
 * looked at for a while.  By client address (IPv6: its /64); and by device and
 * address, so that whoever guesses at a device's key shuts out himself, and
 * never the device.
 */


#ifndef _NGX_HTTP_RS_BAN_H_INCLUDED_
#define _NGX_HTTP_RS_BAN_H_INCLUDED_


#include "rs_ban.h"


/* the channel on which all workers of the fleet are told of bans */
#define NGX_HTTP_RS_BAN_CHANNEL  "rs:ban"


typedef struct ngx_http_rs_ban_reports_s  ngx_http_rs_ban_reports_t;


/* whose failure it is: device empty, an address */

typedef struct {
    struct sockaddr            *sockaddr;
    ngx_str_t                   tenant;
    ngx_str_t                   device_id;
} ngx_http_rs_ban_who_t;


/*
 * 1: who is banned, for *wait (s) more.  Costs one read of shared memory while
 * nobody is; asks no store.  Nobody is without "rs_ban", who is exempt is
 * not, and no client on a unix socket.
 */
ngx_uint_t ngx_http_rs_banned(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_ban_who_t *who, time_t *wait);

/*
 * His credential was not good.  Counted in the zone, and by the store for the
 * fleet, as far as it is there; who is banned is said in the log, once.  A
 * device's counts for its address only when it is the first in the window: a
 * broken device shuts out itself, many made up ones their address.
 */
void ngx_http_rs_ban_failed(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_ban_who_t *who, ngx_log_t *log);

/*
 * The subject that an address is counted as, where it is no matter of bans;
 * text: RS_BAN_SUBJECT_MAX.  All clients on unix sockets are one.
 */
void ngx_http_rs_ban_address_subject(struct sockaddr *sa, u_char *text,
    ngx_str_t *subject);

/* a message of the channel */
void ngx_http_rs_ban_told(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *message);
/* messages may have been missed: the store is asked for what is banned */
void ngx_http_rs_ban_catch_up(ngx_http_rs_main_conf_t *rmcf);

/* NULL: no memory */
ngx_http_rs_ban_reports_t *ngx_http_rs_ban_create(
    ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log);

/* directives */
char *ngx_http_rs_ban_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rs_ban_exempt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* _NGX_HTTP_RS_BAN_H_INCLUDED_ */
