
/*
 * Copyright (C) rs-gateway contributors
 *
 * Between workers of one node.
 *
 *     <dir>/0123456789abcdef     one for each process, named by incarnation
 *
 * A worker listens on its own socket and connects to another's when it has
 * something for it; a connection carries one direction only.  Being
 * SOCK_SEQPACKET they are reliable, ordered, and keep datagrams apart; in one
 * datagram are all envelopes of an event round, up to 64 KiB.
 *
 * The directory belongs to the workers' user and nobody else may enter it;
 * both ends check that the other one is of that user, too.  So what arrives
 * is a worker's word, as what comes by Redis is, and is decoded just as
 * strictly; only what is volatile is taken.
 *
 * Nothing waits: an end that does not read fills a bounded queue, and what
 * comes then is dropped.  An incarnation is never used twice, so a refused
 * connect proves that its process is gone; its socket is removed then, and
 * those nobody asks for by the first worker that starts.
 */


#include "ngx_http_rs.h"
#include "rs_pack.h"

#include <sys/socket.h>
#include <sys/un.h>


#define NGX_HTTP_RS_IPC_DIR         "rs-ipc"

#define NGX_HTTP_RS_IPC_BACKLOG     511
#define NGX_HTTP_RS_IPC_PEERS       1024
#define NGX_HTTP_RS_IPC_ACCEPTS     32        /* before others get a turn */
#define NGX_HTTP_RS_IPC_READS       4         /* datagrams, the same */
#define NGX_HTTP_RS_IPC_DATAGRAM    65536
#define NGX_HTTP_RS_IPC_OUT_FIRST   8192
#define NGX_HTTP_RS_IPC_OUT_MAX     262144
#define NGX_HTTP_RS_IPC_OUT_KEEP    65536     /* a larger one is given back */
#define NGX_HTTP_RS_IPC_IDLE        60000     /* ms, then a peer is left */
#define NGX_HTTP_RS_IPC_AGAIN       500       /* ms, no room */
#define NGX_HTTP_RS_IPC_STALE       60        /* s, a socket may be starting */


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


/* a worker we send to */

typedef struct {
    ngx_queue_t                 queue;
    ngx_http_rs_ipc_t          *ipc;
    ngx_connection_t           *connection;
    uint64_t                    incarnation;
    ngx_msec_t                  used;

    u_char                     *data;          /* packed envelopes */
    size_t                      size;
    size_t                      head;          /* sent */
    size_t                      len;           /* behind it, to be sent */
} ngx_http_rs_ipc_peer_t;


/* a worker that sends to us */

typedef struct {
    ngx_queue_t                 queue;
    ngx_http_rs_ipc_t          *ipc;
    ngx_connection_t           *connection;
} ngx_http_rs_ipc_reader_t;


static ngx_int_t ngx_http_rs_ipc_dir(ngx_cycle_t *cycle,
    ngx_http_rs_main_conf_t *rmcf);
static ngx_int_t ngx_http_rs_ipc_check(ngx_http_rs_ipc_t *ipc);
static ngx_int_t ngx_http_rs_ipc_listen(ngx_http_rs_ipc_t *ipc);
static void ngx_http_rs_ipc_sweep(ngx_http_rs_ipc_t *ipc);
static void ngx_http_rs_ipc_sweep_one(ngx_http_rs_ipc_t *ipc,
    ngx_str_t *name);
static ngx_connection_t *ngx_http_rs_ipc_connection(ngx_http_rs_ipc_t *ipc,
    ngx_socket_t s, ngx_event_handler_pt read, ngx_event_handler_pt write);
static ngx_int_t ngx_http_rs_ipc_same_user(ngx_http_rs_ipc_t *ipc,
    ngx_socket_t s);
static void ngx_http_rs_ipc_close_socket(ngx_http_rs_ipc_t *ipc,
    ngx_socket_t s);

static void ngx_http_rs_ipc_accept_handler(ngx_event_t *rev);
static void ngx_http_rs_ipc_again_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_rs_ipc_accepted(ngx_http_rs_ipc_t *ipc,
    ngx_socket_t s);
static void ngx_http_rs_ipc_read_handler(ngx_event_t *rev);
static ngx_int_t ngx_http_rs_ipc_datagram(ngx_http_rs_ipc_t *ipc, size_t len);
static void ngx_http_rs_ipc_reader_close(ngx_http_rs_ipc_reader_t *reader);

static ngx_http_rs_ipc_peer_t *ngx_http_rs_ipc_find(ngx_http_rs_ipc_t *ipc,
    uint64_t incarnation);
static void ngx_http_rs_ipc_name(ngx_http_rs_ipc_t *ipc,
    struct sockaddr_un *addr, uint64_t incarnation);
static ngx_int_t ngx_http_rs_ipc_connect(ngx_http_rs_ipc_t *ipc,
    uint64_t incarnation, ngx_http_rs_ipc_peer_t **peer);
static ngx_int_t ngx_http_rs_ipc_reserve(ngx_http_rs_ipc_peer_t *peer,
    size_t size);
static void ngx_http_rs_ipc_write_handler(ngx_event_t *wev);
static void ngx_http_rs_ipc_eof_handler(ngx_event_t *rev);
static void ngx_http_rs_ipc_idle_handler(ngx_event_t *ev);
static void ngx_http_rs_ipc_peer_close(ngx_http_rs_ipc_peer_t *peer);


void
ngx_http_rs_ipc_prepare(ngx_cycle_t *cycle, ngx_http_rs_main_conf_t *rmcf)
{
    ngx_core_conf_t  *ccf;

    if (!rmcf->ipc_on || ngx_http_rs_ipc_dir(cycle, rmcf) != NGX_OK
        || ngx_test_config)
    {
        return;
    }

    if (ngx_create_dir(rmcf->ipc_dir.data, 0700) == NGX_FILE_ERROR) {

        /* what is there already is looked at by the workers */

        if (ngx_errno != NGX_EEXIST) {
            ngx_log_error(NGX_LOG_ERR, cycle->log, ngx_errno,
                          "rs ipc: " ngx_create_dir_n " \"%V\" failed",
                          &rmcf->ipc_dir);
        }

        return;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (geteuid() == 0 && ccf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT
        && lchown((const char *) rmcf->ipc_dir.data, ccf->user, -1) == -1)
    {
        ngx_log_error(NGX_LOG_ERR, cycle->log, ngx_errno,
                      "rs ipc: lchown(\"%V\") failed", &rmcf->ipc_dir);
    }
}


/* beside the pid file, which the master can write and others cannot */

static ngx_int_t
ngx_http_rs_ipc_dir(ngx_cycle_t *cycle, ngx_http_rs_main_conf_t *rmcf)
{
    u_char           *p;
    size_t            len;
    ngx_core_conf_t  *ccf;

    if (rmcf->ipc_dir.len) {
        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    len = ccf->pid.len;

    while (len && ccf->pid.data[len - 1] != '/') {
        len--;
    }

    if (len == 0 || len + sizeof(NGX_HTTP_RS_IPC_DIR) - 1
                    > NGX_HTTP_RS_IPC_DIR_MAX)
    {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "rs ipc: the path of \"" NGX_HTTP_RS_IPC_DIR "\" beside "
                      "the pid file \"%V\" is longer than %d bytes, Redis is "
                      "used instead: set \"rs_ipc_dir\" or \"rs_ipc off\"",
                      &ccf->pid, NGX_HTTP_RS_IPC_DIR_MAX);
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(cycle->pool, len + sizeof(NGX_HTTP_RS_IPC_DIR));
    if (p == NULL) {
        return NGX_ERROR;
    }

    rmcf->ipc_dir.data = p;
    rmcf->ipc_dir.len = len + sizeof(NGX_HTTP_RS_IPC_DIR) - 1;

    p = ngx_cpymem(p, ccf->pid.data, len);
    ngx_memcpy(p, NGX_HTTP_RS_IPC_DIR, sizeof(NGX_HTTP_RS_IPC_DIR));

    return NGX_OK;
}


ngx_http_rs_ipc_t *
ngx_http_rs_ipc_create(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log,
    ngx_http_rs_ipc_env_pt on_env)
{
    ngx_http_rs_ipc_t  *ipc;

    if (!rmcf->ipc_on || rmcf->ipc_dir.len == 0) {
        return NULL;
    }

    ipc = ngx_calloc(sizeof(ngx_http_rs_ipc_t), log);
    if (ipc == NULL) {
        return NULL;
    }

    ipc->rmcf = rmcf;
    ipc->log = log;
    ipc->on_env = on_env;

    ngx_queue_init(&ipc->peers);
    ngx_queue_init(&ipc->readers);

    ipc->idle.handler = ngx_http_rs_ipc_idle_handler;
    ipc->idle.data = ipc;
    ipc->idle.log = log;
    ipc->idle.cancelable = 1;

    ipc->again.handler = ngx_http_rs_ipc_again_handler;
    ipc->again.data = ipc;
    ipc->again.log = log;
    ipc->again.cancelable = 1;

    ngx_http_rs_ipc_name(ipc, &ipc->self, rmcf->self.incarnation);

    /* one byte more, to see what is too long */

    ipc->in = ngx_alloc(NGX_HTTP_RS_IPC_DATAGRAM + 1, log);

    if (ipc->in == NULL || ngx_http_rs_ipc_check(ipc) != NGX_OK
        || ngx_http_rs_ipc_listen(ipc) != NGX_OK)
    {
        ngx_http_rs_ipc_destroy(ipc);
        return NULL;
    }

    if (ngx_worker == 0) {
        ngx_http_rs_ipc_sweep(ipc);
    }

    return ipc;
}


void
ngx_http_rs_ipc_destroy(ngx_http_rs_ipc_t *ipc)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&ipc->peers)) {
        q = ngx_queue_head(&ipc->peers);
        ngx_http_rs_ipc_peer_close(ngx_queue_data(q, ngx_http_rs_ipc_peer_t,
                                                  queue));
    }

    while (!ngx_queue_empty(&ipc->readers)) {
        q = ngx_queue_head(&ipc->readers);
        ngx_http_rs_ipc_reader_close(ngx_queue_data(q,
                                                    ngx_http_rs_ipc_reader_t,
                                                    queue));
    }

    if (ipc->again.timer_set) {
        ngx_del_timer(&ipc->again);
    }

    if (ipc->listening) {
        ngx_close_connection(ipc->listening);

        if (ngx_delete_file(ipc->self.sun_path) == NGX_FILE_ERROR) {
            ngx_log_error(NGX_LOG_WARN, ipc->log, ngx_errno,
                          "rs ipc: " ngx_delete_file_n " \"%s\" failed",
                          ipc->self.sun_path);
        }
    }

    if (ipc->in) {
        ngx_free(ipc->in);
    }

    ngx_free(ipc);
}


/* a directory that others can enter is as good as none */

static ngx_int_t
ngx_http_rs_ipc_check(ngx_http_rs_ipc_t *ipc)
{
    ngx_str_t        *dir;
    ngx_file_info_t   fi;

    dir = &ipc->rmcf->ipc_dir;

    if (ngx_link_info(dir->data, &fi) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_WARN, ipc->log, ngx_errno,
                      "rs ipc: " ngx_link_info_n " \"%V\" failed, Redis is "
                      "used instead", dir);
        return NGX_DECLINED;
    }

    if (!ngx_is_dir(&fi) || fi.st_uid != geteuid()
        || (fi.st_mode & (S_IRWXG|S_IRWXO)))
    {
        ngx_log_error(NGX_LOG_WARN, ipc->log, 0,
                      "rs ipc: \"%V\" is not a directory of mode 0700 that "
                      "belongs to the workers' user, Redis is used instead: "
                      "remove it and reload, or set \"rs_ipc_dir\"", dir);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_ipc_listen(ngx_http_rs_ipc_t *ipc)
{
    ngx_socket_t  s;

    s = ngx_socket(AF_UNIX, SOCK_SEQPACKET, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_WARN, ipc->log, ngx_socket_errno,
                      "rs ipc: " ngx_socket_n " failed, Redis is used "
                      "instead");
        return NGX_DECLINED;
    }

    if (bind(s, (struct sockaddr *) &ipc->self, sizeof(struct sockaddr_un))
        == -1)
    {
        ngx_log_error(NGX_LOG_WARN, ipc->log, ngx_socket_errno,
                      "rs ipc: bind(\"%s\") failed, Redis is used instead",
                      ipc->self.sun_path);
        ngx_http_rs_ipc_close_socket(ipc, s);
        return NGX_DECLINED;
    }

    if (listen(s, NGX_HTTP_RS_IPC_BACKLOG) == -1) {
        ngx_log_error(NGX_LOG_WARN, ipc->log, ngx_socket_errno,
                      "rs ipc: listen(\"%s\") failed, Redis is used instead",
                      ipc->self.sun_path);
        ngx_http_rs_ipc_close_socket(ipc, s);
        (void) ngx_delete_file(ipc->self.sun_path);
        return NGX_DECLINED;
    }

    ipc->listening = ngx_http_rs_ipc_connection(ipc, s,
                                        ngx_http_rs_ipc_accept_handler, NULL);
    if (ipc->listening == NULL) {
        (void) ngx_delete_file(ipc->self.sun_path);
        return NGX_DECLINED;
    }

    ipc->listening->data = ipc;

    return NGX_OK;
}


/* sockets of processes that were killed, this node's or another's here */

static void
ngx_http_rs_ipc_sweep(ngx_http_rs_ipc_t *ipc)
{
    ngx_dir_t   dir;
    ngx_str_t   name;
    ngx_uint_t  n;

    if (ngx_open_dir(&ipc->rmcf->ipc_dir, &dir) == NGX_ERROR) {
        return;
    }

    for (n = 0; n < NGX_HTTP_RS_IPC_PEERS; n++) {

        if (ngx_read_dir(&dir) == NGX_ERROR) {
            break;
        }

        name.data = ngx_de_name(&dir);
        name.len = ngx_de_namelen(&dir);

        ngx_http_rs_ipc_sweep_one(ipc, &name);
    }

    if (ngx_close_dir(&dir) == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, ipc->log, ngx_errno,
                      ngx_close_dir_n " \"%V\" failed", &ipc->rmcf->ipc_dir);
    }
}


/* one that was made just now may not listen yet */

static void
ngx_http_rs_ipc_sweep_one(ngx_http_rs_ipc_t *ipc, ngx_str_t *name)
{
    size_t                   len;
    uint8_t                  raw[8];
    uint64_t                 incarnation;
    ngx_uint_t               i;
    ngx_file_info_t          fi;
    struct sockaddr_un       addr;
    ngx_http_rs_ipc_peer_t  *peer;

    if (!rs_hex_decode(raw, sizeof(raw), ngx_http_rs_slice(name), &len)
        || len != sizeof(raw))
    {
        return;
    }

    incarnation = 0;

    for (i = 0; i < sizeof(raw); i++) {
        incarnation = incarnation << 8 | raw[i];
    }

    ngx_http_rs_ipc_name(ipc, &addr, incarnation);

    if (ngx_link_info(addr.sun_path, &fi) == NGX_FILE_ERROR
        || !S_ISSOCK(fi.st_mode)
        || ngx_time() - ngx_file_mtime(&fi) < NGX_HTTP_RS_IPC_STALE)
    {
        return;
    }

    /* one that is refused is removed */

    if (ngx_http_rs_ipc_connect(ipc, incarnation, &peer) == NGX_OK) {
        ngx_http_rs_ipc_peer_close(peer);
    }
}


/* NULL: s is closed */

static ngx_connection_t *
ngx_http_rs_ipc_connection(ngx_http_rs_ipc_t *ipc, ngx_socket_t s,
    ngx_event_handler_pt read, ngx_event_handler_pt write)
{
    ngx_int_t          flags;
    ngx_connection_t  *c;

    if (ngx_nonblocking(s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ipc->log, ngx_socket_errno,
                      ngx_nonblocking_n " failed");
        ngx_http_rs_ipc_close_socket(ipc, s);
        return NULL;
    }

    c = ngx_get_connection(s, ipc->log);

    if (c == NULL) {
        ngx_http_rs_ipc_close_socket(ipc, s);
        return NULL;
    }

    c->type = SOCK_SEQPACKET;
    c->log = ipc->log;
    c->log_error = NGX_ERROR_INFO;

    c->read->log = ipc->log;
    c->write->log = ipc->log;
    c->read->handler = read;
    c->write->handler = write;

    /* not a client's: a worker that exits does not call it a leaked socket */
    c->read->channel = 1;
    c->write->channel = 1;

    flags = (ngx_event_flags & NGX_USE_CLEAR_EVENT) ? NGX_CLEAR_EVENT
                                                    : NGX_LEVEL_EVENT;

    /* with all in one call, or else only what is needed */

    if (write && ngx_add_conn) {

        if (ngx_add_conn(c) == NGX_OK) {
            return c;
        }

    } else if (ngx_add_event(c->read, NGX_READ_EVENT, flags) == NGX_OK) {
        return c;
    }

    ngx_close_connection(c);

    return NULL;
}


static void
ngx_http_rs_ipc_close_socket(ngx_http_rs_ipc_t *ipc, ngx_socket_t s)
{
    if (ngx_close_socket(s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ipc->log, ngx_socket_errno,
                      ngx_close_socket_n " failed");
    }
}


static ngx_int_t
ngx_http_rs_ipc_same_user(ngx_http_rs_ipc_t *ipc, ngx_socket_t s)
{
    socklen_t     len;
    struct ucred  cred;

    len = sizeof(struct ucred);

    if (getsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ipc->log, ngx_socket_errno,
                      "rs ipc: getsockopt(SO_PEERCRED) failed");
        return NGX_ERROR;
    }

    if (cred.uid != geteuid()) {
        ngx_log_error(NGX_LOG_WARN, ipc->log, 0,
                      "rs ipc: process %P of user %ui is no worker of ours",
                      (ngx_pid_t) cred.pid, (ngx_uint_t) cred.uid);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * Without room those that wait are hung up on: what they have sent would be
 * too old for input when there is.
 */

static void
ngx_http_rs_ipc_accept_handler(ngx_event_t *rev)
{
    ngx_err_t           err;
    ngx_uint_t          i, full;
    ngx_socket_t        s;
    ngx_connection_t   *lc;
    ngx_http_rs_ipc_t  *ipc;

    lc = rev->data;
    ipc = lc->data;

    if (ipc->again.timer_set) {
        return;
    }

    full = 0;

    for (i = 0; i < NGX_HTTP_RS_IPC_ACCEPTS; i++) {

        s = accept(lc->fd, NULL, NULL);

        if (s != (ngx_socket_t) -1) {

            if (full) {
                ngx_http_rs_ipc_close_socket(ipc, s);

            } else if (ngx_http_rs_ipc_accepted(ipc, s) != NGX_OK) {
                full = 1;
            }

            continue;
        }

        err = ngx_socket_errno;

        if (err == NGX_EAGAIN) {
            rev->ready = 0;

            if (!full) {
                return;
            }

            break;
        }

        if (err == NGX_EMFILE || err == NGX_ENFILE || err == NGX_ENOMEM) {
            ngx_log_error(NGX_LOG_CRIT, ipc->log, err,
                          "rs ipc: accept() failed");
            full = 1;
            break;
        }
    }

    if (full) {
        ngx_add_timer(&ipc->again, NGX_HTTP_RS_IPC_AGAIN);
        return;
    }

    ngx_post_event(rev, &ngx_posted_next_events);
}


static void
ngx_http_rs_ipc_again_handler(ngx_event_t *ev)
{
    ngx_http_rs_ipc_t *ipc = ev->data;

    ngx_http_rs_ipc_accept_handler(ipc->listening->read);
}


/* NGX_BUSY: there is no connection for it, and none for the next one */

static ngx_int_t
ngx_http_rs_ipc_accepted(ngx_http_rs_ipc_t *ipc, ngx_socket_t s)
{
    ngx_connection_t          *c;
    ngx_http_rs_ipc_reader_t  *reader;

    if (ipc->nreaders == NGX_HTTP_RS_IPC_PEERS) {
        ngx_log_error(NGX_LOG_WARN, ipc->log, 0,
                      "rs ipc: %ui workers are connected already",
                      ipc->nreaders);
        ngx_http_rs_ipc_close_socket(ipc, s);
        return NGX_OK;
    }

    if (ngx_http_rs_ipc_same_user(ipc, s) != NGX_OK) {
        ngx_http_rs_ipc_close_socket(ipc, s);
        return NGX_OK;
    }

    c = ngx_http_rs_ipc_connection(ipc, s, ngx_http_rs_ipc_read_handler,
                                   NULL);
    if (c == NULL) {
        return NGX_BUSY;
    }

    reader = ngx_alloc(sizeof(ngx_http_rs_ipc_reader_t), ipc->log);

    if (reader == NULL) {
        ngx_close_connection(c);
        return NGX_BUSY;
    }

    reader->ipc = ipc;
    reader->connection = c;
    c->data = reader;

    ngx_queue_insert_tail(&ipc->readers, &reader->queue);
    ipc->nreaders++;

    return NGX_OK;
}


static void
ngx_http_rs_ipc_read_handler(ngx_event_t *rev)
{
    ssize_t                    n;
    ngx_err_t                  err;
    ngx_uint_t                 i;
    ngx_connection_t          *c;
    ngx_http_rs_ipc_t         *ipc;
    ngx_http_rs_ipc_reader_t  *reader;

    c = rev->data;
    reader = c->data;
    ipc = reader->ipc;

    for (i = 0; i < NGX_HTTP_RS_IPC_READS; i++) {

        n = recv(c->fd, ipc->in, NGX_HTTP_RS_IPC_DATAGRAM + 1, 0);

        if (n == -1) {
            err = ngx_socket_errno;

            if (err == NGX_EINTR) {
                continue;
            }

            if (err == NGX_EAGAIN) {
                rev->ready = 0;
                return;
            }
        }

        /* also its end, and what is no datagram of ours */

        if (n <= 0 || ngx_http_rs_ipc_datagram(ipc, n) != NGX_OK) {
            ngx_http_rs_ipc_reader_close(reader);
            return;
        }
    }

    ngx_post_event(rev, &ngx_posted_next_events);
}


static ngx_int_t
ngx_http_rs_ipc_datagram(ngx_http_rs_ipc_t *ipc, size_t len)
{
    int       rc;
    rs_env_t  env;
    rs_str_t  rest, item;

    if (len > NGX_HTTP_RS_IPC_DATAGRAM) {
        goto malformed;
    }

    rest.data = ipc->in;
    rest.len = len;

    while ((rc = rs_pack_next(&rest, &item)) == 1) {

        if (rs_env_decode(item, &env) != RS_OK
            || (env.kind != RS_ENV_VOL && env.kind != RS_ENV_GON))
        {
            goto malformed;
        }

        ngx_http_rs_count(ipc->rmcf, NGX_HTTP_RS_STAT_IPC_IN);

        ipc->on_env(ipc->rmcf, &env);
    }

    if (rc == 0) {
        return NGX_OK;
    }

malformed:

    ngx_http_rs_count(ipc->rmcf, NGX_HTTP_RS_STAT_ENV_BAD);

    ngx_log_error(NGX_LOG_WARN, ipc->log, 0,
                  "rs ipc: a datagram of %uz bytes is malformed", len);

    return NGX_ERROR;
}


static void
ngx_http_rs_ipc_reader_close(ngx_http_rs_ipc_reader_t *reader)
{
    ngx_close_connection(reader->connection);

    ngx_queue_remove(&reader->queue);
    reader->ipc->nreaders--;

    ngx_free(reader);
}


ngx_int_t
ngx_http_rs_ipc_send(ngx_http_rs_ipc_t *ipc, rs_addr_t *worker,
    ngx_str_t *envelope)
{
    rs_buf_t                 b;
    ngx_int_t                rv;
    ngx_http_rs_ipc_peer_t  *peer;

    peer = ngx_http_rs_ipc_find(ipc, worker->incarnation);

    if (peer == NULL) {
        rv = ngx_http_rs_ipc_connect(ipc, worker->incarnation, &peer);

        if (rv != NGX_OK) {
            return rv;
        }
    }

    peer->used = ngx_current_msec;

    if (RS_PACK_HEAD + envelope->len > NGX_HTTP_RS_IPC_DATAGRAM
        || ngx_http_rs_ipc_reserve(peer, RS_PACK_HEAD + envelope->len)
           != NGX_OK)
    {
        ngx_http_rs_count(ipc->rmcf, NGX_HTTP_RS_STAT_ENV_DROPPED);
        return NGX_BUSY;
    }

    rs_buf_init(&b, peer->data + peer->head + peer->len,
                peer->size - peer->head - peer->len);

    if (rs_pack_put(&b, ngx_http_rs_slice(envelope)) != RS_OK) {
        return NGX_BUSY;
    }

    peer->len += b.len;

    ngx_http_rs_count(ipc->rmcf, NGX_HTTP_RS_STAT_IPC_OUT);

    ngx_post_event(peer->connection->write, &ngx_posted_events);

    return NGX_OK;
}


/* the one used last is looked at first */

static ngx_http_rs_ipc_peer_t *
ngx_http_rs_ipc_find(ngx_http_rs_ipc_t *ipc, uint64_t incarnation)
{
    ngx_queue_t             *q;
    ngx_http_rs_ipc_peer_t  *peer;

    for (q = ngx_queue_head(&ipc->peers);
         q != ngx_queue_sentinel(&ipc->peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_http_rs_ipc_peer_t, queue);

        if (peer->incarnation == incarnation) {

            if (q != ngx_queue_head(&ipc->peers)) {
                ngx_queue_remove(q);
                ngx_queue_insert_head(&ipc->peers, q);
            }

            return peer;
        }
    }

    return NULL;
}


static void
ngx_http_rs_ipc_name(ngx_http_rs_ipc_t *ipc, struct sockaddr_un *addr,
    uint64_t incarnation)
{
    ngx_memzero(addr, sizeof(struct sockaddr_un));

    addr->sun_family = AF_UNIX;

    (void) ngx_snprintf((u_char *) addr->sun_path,
                        sizeof(addr->sun_path) - 1, "%V/%016xL",
                        &ipc->rmcf->ipc_dir, incarnation);
}


/* NGX_OK, NGX_ABORT or NGX_DECLINED as ngx_http_rs_ipc_send() */

static ngx_int_t
ngx_http_rs_ipc_connect(ngx_http_rs_ipc_t *ipc, uint64_t incarnation,
    ngx_http_rs_ipc_peer_t **peer)
{
    ngx_err_t                err;
    ngx_socket_t             s;
    ngx_connection_t        *c;
    struct sockaddr_un       addr;
    ngx_http_rs_ipc_peer_t  *p;

    if (ipc->npeers == NGX_HTTP_RS_IPC_PEERS) {
        return NGX_DECLINED;
    }

    s = ngx_socket(AF_UNIX, SOCK_SEQPACKET|SOCK_NONBLOCK, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_INFO, ipc->log, ngx_socket_errno,
                      "rs ipc: " ngx_socket_n " failed");
        return NGX_DECLINED;
    }

    ngx_http_rs_ipc_name(ipc, &addr, incarnation);

    if (connect(s, (struct sockaddr *) &addr, sizeof(struct sockaddr_un))
        == -1)
    {
        err = ngx_socket_errno;

        ngx_log_error(NGX_LOG_INFO, ipc->log, err,
                      "rs ipc: connect(\"%s\") failed", addr.sun_path);

        ngx_http_rs_ipc_close_socket(ipc, s);

        if (err == NGX_ECONNREFUSED) {
            /* another worker may have been faster */
            (void) ngx_delete_file(addr.sun_path);
            return NGX_ABORT;
        }

        return NGX_DECLINED;
    }

    if (ngx_http_rs_ipc_same_user(ipc, s) != NGX_OK) {
        ngx_http_rs_ipc_close_socket(ipc, s);
        return NGX_DECLINED;
    }

    c = ngx_http_rs_ipc_connection(ipc, s, ngx_http_rs_ipc_eof_handler,
                                   ngx_http_rs_ipc_write_handler);
    if (c == NULL) {
        return NGX_DECLINED;
    }

    p = ngx_calloc(sizeof(ngx_http_rs_ipc_peer_t), ipc->log);

    if (p == NULL) {
        ngx_close_connection(c);
        return NGX_DECLINED;
    }

    p->ipc = ipc;
    p->connection = c;
    p->incarnation = incarnation;
    p->used = ngx_current_msec;

    c->data = p;
    c->write->ready = 1;

    ngx_queue_insert_head(&ipc->peers, &p->queue);
    ipc->npeers++;

    if (!ipc->idle.timer_set) {
        ngx_add_timer(&ipc->idle, NGX_HTTP_RS_IPC_IDLE);
    }

    *peer = p;

    return NGX_OK;
}


/* room behind what waits; NGX_BUSY: that is enough already */

static ngx_int_t
ngx_http_rs_ipc_reserve(ngx_http_rs_ipc_peer_t *peer, size_t size)
{
    size_t   wanted;
    u_char  *data;

    if (peer->size - peer->head - peer->len >= size) {
        return NGX_OK;
    }

    if (peer->size - peer->len >= size) {
        ngx_memmove(peer->data, peer->data + peer->head, peer->len);
        peer->head = 0;
        return NGX_OK;
    }

    wanted = ngx_max(2 * peer->size, NGX_HTTP_RS_IPC_OUT_FIRST);

    while (wanted - peer->len < size) {
        wanted *= 2;
    }

    if (wanted > NGX_HTTP_RS_IPC_OUT_MAX) {
        return NGX_BUSY;
    }

    data = ngx_alloc(wanted, peer->ipc->log);
    if (data == NULL) {
        return NGX_BUSY;
    }

    if (peer->data) {
        ngx_memcpy(data, peer->data + peer->head, peer->len);
        ngx_free(peer->data);
    }

    peer->data = data;
    peer->size = wanted;
    peer->head = 0;

    return NGX_OK;
}


static void
ngx_http_rs_ipc_write_handler(ngx_event_t *wev)
{
    size_t                   size;
    ssize_t                  n;
    rs_str_t                 out;
    ngx_err_t                err;
    ngx_connection_t        *c;
    ngx_http_rs_ipc_peer_t  *peer;

    c = wev->data;
    peer = c->data;

    while (peer->len) {
        out.data = peer->data + peer->head;
        out.len = peer->len;

        size = rs_pack_fit(out, NGX_HTTP_RS_IPC_DATAGRAM);

        n = send(c->fd, out.data, size, MSG_NOSIGNAL);

        if (n == -1) {
            err = ngx_socket_errno;

            if (err == NGX_EINTR) {
                continue;
            }

            if (err == NGX_EAGAIN) {
                wev->ready = 0;

                if (ngx_handle_write_event(wev, 0) == NGX_OK) {
                    return;
                }
            }

            /* what waits is volatile and goes with it */

            ngx_log_error(NGX_LOG_INFO, c->log, err,
                          "rs ipc: send() to %016xL failed",
                          peer->incarnation);
            ngx_http_rs_ipc_peer_close(peer);
            return;
        }

        peer->head += size;
        peer->len -= size;
    }

    peer->head = 0;

    if (peer->size > NGX_HTTP_RS_IPC_OUT_KEEP) {
        ngx_free(peer->data);
        peer->data = NULL;
        peer->size = 0;
    }

    /* a method that tells of every chance to write is told to stop */

    if (!(ngx_event_flags & NGX_USE_CLEAR_EVENT) && wev->active
        && ngx_del_event(wev, NGX_WRITE_EVENT, 0) != NGX_OK)
    {
        ngx_http_rs_ipc_peer_close(peer);
    }
}


/* nothing is ever said on this side: it is its end */

static void
ngx_http_rs_ipc_eof_handler(ngx_event_t *rev)
{
    u_char             byte;
    ssize_t            n;
    ngx_connection_t  *c;

    c = rev->data;

    n = recv(c->fd, &byte, 1, 0);

    if (n == -1 && ngx_socket_errno == NGX_EAGAIN) {
        rev->ready = 0;
        return;
    }

    ngx_http_rs_ipc_peer_close(c->data);
}


static void
ngx_http_rs_ipc_idle_handler(ngx_event_t *ev)
{
    ngx_http_rs_ipc_t *ipc = ev->data;

    ngx_queue_t             *q;
    ngx_http_rs_ipc_peer_t  *peer;

    while (!ngx_queue_empty(&ipc->peers)) {
        q = ngx_queue_last(&ipc->peers);
        peer = ngx_queue_data(q, ngx_http_rs_ipc_peer_t, queue);

        if (ngx_current_msec - peer->used < NGX_HTTP_RS_IPC_IDLE) {
            ngx_add_timer(&ipc->idle, NGX_HTTP_RS_IPC_IDLE
                                      - (ngx_current_msec - peer->used));
            return;
        }

        ngx_http_rs_ipc_peer_close(peer);
    }
}


static void
ngx_http_rs_ipc_peer_close(ngx_http_rs_ipc_peer_t *peer)
{
    ngx_http_rs_ipc_t  *ipc;

    ipc = peer->ipc;

    ngx_close_connection(peer->connection);

    if (peer->data) {
        ngx_free(peer->data);
    }

    ngx_queue_remove(&peer->queue);
    ipc->npeers--;

    if (ipc->npeers == 0 && ipc->idle.timer_set) {
        ngx_del_timer(&ipc->idle);
    }

    ngx_free(peer);
}
