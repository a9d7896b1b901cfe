
/*
 * Copyright (C) rs-gateway contributors
 *
 * Between workers of one node: a socket each in a directory of their own.
 * An optimization: whoever cannot be reached so is reached by its channel.
 */


#ifndef _NGX_HTTP_RS_IPC_H_INCLUDED_
#define _NGX_HTTP_RS_IPC_H_INCLUDED_


/* sockaddr_un holds 107 bytes; a socket's name is '/' and 16 hex digits */
#define NGX_HTTP_RS_IPC_DIR_MAX  90


typedef struct ngx_http_rs_ipc_s  ngx_http_rs_ipc_t;


/* env is valid during the call */
typedef void (*ngx_http_rs_ipc_env_pt)(ngx_http_rs_main_conf_t *rmcf,
    rs_env_t *env);


/*
 * In the master, before workers start: names the directory, rs_ipc_dir or
 * one beside the pid file, and makes it for the workers' user.  What fails is
 * logged and leaves it to the workers to do without.
 */
void ngx_http_rs_ipc_prepare(ngx_cycle_t *cycle,
    ngx_http_rs_main_conf_t *rmcf);

/* NULL: switched off, or not possible here, which is logged */
ngx_http_rs_ipc_t *ngx_http_rs_ipc_create(ngx_http_rs_main_conf_t *rmcf,
    ngx_log_t *log, ngx_http_rs_ipc_env_pt on_env);
void ngx_http_rs_ipc_destroy(ngx_http_rs_ipc_t *ipc);

/*
 * One envelope, copied, to another worker of this node.  NGX_OK: it is sent
 * when this event round ends; NGX_BUSY: too much waits for that worker
 * already, it is dropped; NGX_ABORT: its process is gone; NGX_DECLINED: it
 * cannot be reached this way.
 */
ngx_int_t ngx_http_rs_ipc_send(ngx_http_rs_ipc_t *ipc, rs_addr_t *worker,
    ngx_str_t *envelope);


#endif /* _NGX_HTTP_RS_IPC_H_INCLUDED_ */
