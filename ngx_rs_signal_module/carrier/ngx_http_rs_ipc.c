
/*
 * Copyright (C) rs-gateway contributors
 *
 * Between workers of one node: the sockets, and what arrives by them.  What
 * is sent is ngx_http_rs_ipc_peer.c.
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


#include "ngx_http_rs_ipc_peer.h"
#include "rs_pack.h"


#define NGX_HTTP_RS_IPC_DIR         "rs-ipc"

#define NGX_HTTP_RS_IPC_BACKLOG     511
#define NGX_HTTP_RS_IPC_ACCEPTS     32        /* before others get a turn */
#define NGX_HTTP_RS_IPC_READS       4         /* datagrams, the same */
#define NGX_HTTP_RS_IPC_AGAIN       500       /* ms, no room */
#define NGX_HTTP_RS_IPC_STALE       60        /* s, a socket may be starting */


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

static void ngx_http_rs_ipc_accept_handler(ngx_event_t *rev);
static void ngx_http_rs_ipc_again_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_rs_ipc_accepted(ngx_http_rs_ipc_t *ipc,
    ngx_socket_t s);
static void ngx_http_rs_ipc_read_handler(ngx_event_t *rev);
static ngx_int_t ngx_http_rs_ipc_datagram(ngx_http_rs_ipc_t *ipc, size_t len);
static void ngx_http_rs_ipc_reader_close(ngx_http_rs_ipc_reader_t *reader);


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

    ngx_queue_init(&ipc->readers);
    ngx_http_rs_ipc_peers_init(ipc);

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

    ngx_http_rs_ipc_peers_close(ipc);

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


ngx_connection_t *
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


void
ngx_http_rs_ipc_close_socket(ngx_http_rs_ipc_t *ipc, ngx_socket_t s)
{
    if (ngx_close_socket(s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ipc->log, ngx_socket_errno,
                      ngx_close_socket_n " failed");
    }
}


ngx_int_t
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


void
ngx_http_rs_ipc_name(ngx_http_rs_ipc_t *ipc, struct sockaddr_un *addr,
    uint64_t incarnation)
{
    ngx_memzero(addr, sizeof(struct sockaddr_un));

    addr->sun_family = AF_UNIX;

    (void) ngx_snprintf((u_char *) addr->sun_path,
                        sizeof(addr->sun_path) - 1, "%V/%016xL",
                        &ipc->rmcf->ipc_dir, incarnation);
}


void
ngx_http_rs_ipc_link_name(ngx_http_rs_ipc_t *ipc, struct sockaddr_un *addr,
    uint64_t incarnation)
{
    ngx_memzero(addr, sizeof(struct sockaddr_un));

    addr->sun_family = AF_UNIX;

    (void) ngx_snprintf((u_char *) addr->sun_path,
                        sizeof(addr->sun_path) - 1, "%V/p%015xL",
                        &ipc->rmcf->ipc_dir, incarnation & (~0ULL >> 4));
}
