
/*
 * Copyright (C) rs-gateway contributors
 *
 * Links: connections between two workers, each a leg of one pipe.  Within a
 * node by a unix socket beside those of ipc, to another node by TCP with TLS
 * 1.3 and the key that all nodes have.
 */


#ifndef _NGX_HTTP_RS_LINK_H_INCLUDED_
#define _NGX_HTTP_RS_LINK_H_INCLUDED_


/* how another worker is told to come; longest text */
#define NGX_HTTP_RS_LINK_MAX       64


typedef struct ngx_http_rs_links_s  ngx_http_rs_links_t;


/*
 * A link has come and said which leg it is: NGX_OK, c is taken over; else it
 * is closed.  hello: valid during the call.
 */
typedef ngx_int_t (*ngx_http_rs_link_come_pt)(ngx_http_rs_main_conf_t *rmcf,
    rs_link_t *hello, ngx_connection_t *c);
/* c: what was asked for, the caller's from here on; NULL: it was not had */
typedef void (*ngx_http_rs_link_pt)(void *data, ngx_connection_t *c);


/* NULL: no memory; what cannot be listened on is logged and done without */
ngx_http_rs_links_t *ngx_http_rs_links_create(ngx_http_rs_main_conf_t *rmcf,
    ngx_log_t *log, ngx_http_rs_link_come_pt come);
void ngx_http_rs_links_destroy(ngx_http_rs_links_t *links);

/* what other workers are told of this one */
ngx_str_t *ngx_http_rs_link_announced(ngx_http_rs_links_t *links);

/*
 * To the worker that has the socket to, announced as it said.  NGX_OK: the
 * handler runs once, later; NGX_DECLINED: there is no way, it never runs.
 */
ngx_int_t ngx_http_rs_link_connect(ngx_http_rs_links_t *links, rs_addr_t *to,
    ngx_str_t *announced, rs_link_t *hello, ngx_http_rs_link_pt handler,
    void *data);

/* one that was had and is not wanted, not below its own events */
void ngx_http_rs_link_close(ngx_connection_t *c);


/* directives: "address:port[-port]", and a file with one key or two */
char *ngx_http_rs_node_listen(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rs_node_key_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_RS_LINK_H_INCLUDED_ */
