
/*
 * Copyright (C) rs-gateway contributors
 *
 * What ngx_http_rs_ipc.c (sockets, what arrives), ngx_http_rs_ipc_peer.c (what
 * is sent) and ngx_http_rs_link.c (streams, in the same directory) share.
 * Nobody else includes this.
 */


#ifndef _NGX_HTTP_RS_IPC_PEER_H_INCLUDED_
#define _NGX_HTTP_RS_IPC_PEER_H_INCLUDED_


#include "ngx_http_rs.h"

#include <sys/socket.h>
#include <sys/un.h>


#define NGX_HTTP_RS_IPC_PEERS       1024
#define NGX_HTTP_RS_IPC_DATAGRAM    65536


struct ngx_http_rs_ipc_s {
    ngx_http_rs_main_conf_t    *rmcf;
    ngx_log_t                  *log;
    ngx_http_rs_ipc_env_pt      on_env;

    ngx_connection_t           *listening;
    struct sockaddr_un          self;

    ngx_queue_t                 peers;         /* the last one used first */
    ngx_uint_t                  npeers;
    ngx_queue_t                 readers;
    ngx_uint_t                  nreaders;

    ngx_event_t                 idle;
    ngx_event_t                 again;         /* accept */

    u_char                     *in;            /* the datagram being read */
};


typedef struct ngx_http_rs_ipc_peer_s  ngx_http_rs_ipc_peer_t;


/* ngx_http_rs_ipc.c */

/* a connection of ours around s, being listened to; NULL: s is closed */
ngx_connection_t *ngx_http_rs_ipc_connection(ngx_http_rs_ipc_t *ipc,
    ngx_socket_t s, ngx_event_handler_pt read, ngx_event_handler_pt write);
/* NGX_OK: the other end is a process of the workers' user */
ngx_int_t ngx_http_rs_ipc_same_user(ngx_http_rs_ipc_t *ipc, ngx_socket_t s);
void ngx_http_rs_ipc_close_socket(ngx_http_rs_ipc_t *ipc, ngx_socket_t s);
void ngx_http_rs_ipc_name(ngx_http_rs_ipc_t *ipc, struct sockaddr_un *addr,
    uint64_t incarnation);
/* of its links: as long a name, so without its highest four bits */
void ngx_http_rs_ipc_link_name(ngx_http_rs_ipc_t *ipc,
    struct sockaddr_un *addr, uint64_t incarnation);


/* ngx_http_rs_ipc_peer.c */

void ngx_http_rs_ipc_peers_init(ngx_http_rs_ipc_t *ipc);
void ngx_http_rs_ipc_peers_close(ngx_http_rs_ipc_t *ipc);
/* NGX_OK, NGX_ABORT or NGX_DECLINED as ngx_http_rs_ipc_send() */
ngx_int_t ngx_http_rs_ipc_connect(ngx_http_rs_ipc_t *ipc,
    uint64_t incarnation, ngx_http_rs_ipc_peer_t **peer);
void ngx_http_rs_ipc_peer_close(ngx_http_rs_ipc_peer_t *peer);


#endif /* _NGX_HTTP_RS_IPC_PEER_H_INCLUDED_ */
