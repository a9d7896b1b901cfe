
/*
 * Copyright (C) rs-gateway contributors
 *
 * A leg of a pipe whose other end is in this process, too: two sockets that
 * are joined to each other.
 */


#ifndef _NGX_HTTP_RS_PAIR_H_INCLUDED_
#define _NGX_HTTP_RS_PAIR_H_INCLUDED_


/*
 * One end as a connection for conn_adopt(), the other one as a socket, not
 * blocking.  What waits between them is bounded by "rs_pipe_buffer" each way.
 * NULL: none was to be had, which was logged.
 */
ngx_connection_t *ngx_http_rs_pair(ngx_http_rs_main_conf_t *rmcf,
    ngx_log_t *log, ngx_socket_t *other);


#endif /* _NGX_HTTP_RS_PAIR_H_INCLUDED_ */
