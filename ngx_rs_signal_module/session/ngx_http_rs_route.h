
/*
 * Copyright (C) rs-gateway contributors
 *
 * Ways from one participant's worker to another's, for what is not logged.
 * Private to the session layer: included by ngx_http_rs_session_log.h.
 */


#ifndef _NGX_HTTP_RS_ROUTE_H_INCLUDED_
#define _NGX_HTTP_RS_ROUTE_H_INCLUDED_


typedef struct ngx_http_rs_route_s  ngx_http_rs_route_t;


/* routes that outlive their room; init before the first, cleanup last */
void ngx_http_rs_routes_init(ngx_http_rs_sessions_t *sessions);
void ngx_http_rs_routes_cleanup(ngx_http_rs_sessions_t *sessions);

/*
 * Sends data (compact JSON) of p to the participant `to` of p's session, by
 * whichever carrier leads there, or drops it.  Nothing is told.
 */
void ngx_http_rs_route_send(ngx_http_rs_part_t *p, rs_str_t to,
    rs_str_t data);

/* an envelope as it is, to the worker of a socket: by its node or by Redis */
void ngx_http_rs_route_envelope(ngx_http_rs_main_conf_t *rmcf,
    rs_env_t *env);

/* who is where has changed: it is looked up again when it is needed */
void ngx_http_rs_route_forget(ngx_http_rs_room_t *room);

/* a worker says that it has no such socket */
void ngx_http_rs_route_gone(ngx_http_rs_room_t *room, rs_str_t address);

/* the room ends */
void ngx_http_rs_route_free(ngx_http_rs_room_t *room);


#endif /* _NGX_HTTP_RS_ROUTE_H_INCLUDED_ */
