
/*
 * Copyright (C) rs-gateway contributors
 *
 * Typed verbs over the function library of redis-schema/; the only file that
 * names keys and functions.  docs/design/redis.md is the contract.
 *
 * Every verb: NGX_OK, and op's handler runs exactly once, later, never inside
 * the call, within rs_redis_timeout (twice that for a tenant's first session);
 * or NGX_BUSY (store down, in-flight cap), op is freed and the handler does not
 * run.  Strings are copied.
 */


#ifndef _NGX_HTTP_RS_STORE_H_INCLUDED_
#define _NGX_HTTP_RS_STORE_H_INCLUDED_


typedef struct ngx_http_rs_store_s     ngx_http_rs_store_t;
typedef struct ngx_http_rs_store_op_s  ngx_http_rs_store_op_t;


/*
 * rc: RS_OK or the function's error (RS_E_UNAVAILABLE: no answer).  reply is
 * the whole array ([0] is the status), valid during the call, NULL if none.
 *
 * With "rs_redis_wait", a new device's coming online, a join and all that
 * ends or deletes something may be RS_E_UNCERTAIN: it was done, reply says
 * what, but no replica has confirmed it in time (reply NULL: no memory).
 */
typedef void (*ngx_http_rs_store_handler_pt)(void *data, rs_err_e rc,
    ngx_rs_reply_t *reply);


/*
 * Who calls, and what for.  The store decides: with an API key by its record,
 * with a user (whose token was checked) by what his roles give him here and
 * by the grants of his subjects.  All zero is nobody: such a call is not sent.
 */

typedef enum {
    NGX_HTTP_RS_CALLER_NONE = 0,
    NGX_HTTP_RS_CALLER_SELF,                   /* the gateway: may all, and
                                                  leaves no audit line */
    NGX_HTTP_RS_CALLER_KEY,
    NGX_HTTP_RS_CALLER_USER
} ngx_http_rs_caller_e;

typedef struct {
    ngx_http_rs_caller_e        kind;
    ngx_str_t                   tenant;
    rs_verb_e                   verb;          /* RS_VERB_N: who is it? */
    uint32_t                    also;          /* verbs needed besides */

    ngx_str_t                   key_hash;      /* of a key: 64 hex */

    /* of a user */

    ngx_str_t                   user_id;       /* usr_... */
    ngx_str_t                   name;
    ngx_array_t                *subjects;      /* of ngx_str_t: "user:usr_...",
                                                  "group:..."; NULL: none */
    uint32_t                    tenant_verbs;  /* his roles', as of */
    uint32_t                    granted_verbs; /* rs_role_verbs() */
    time_t                      iat;           /* of his token */

    /* for the audit */

    ngx_str_t                   addr;          /* the client's; may be empty */
    ngx_str_t                   rid;           /* the request's; the same */
    unsigned                    list:1;        /* one of a list that was
                                                  allowed: no line of its own,
                                                  and a refusal is none */
    unsigned                    reads:1;       /* allowed reads get one */
} ngx_http_rs_caller_t;


/* what the caller makes of itself for ends it has to meet: kind SELF */
void ngx_http_rs_caller_self(ngx_http_rs_caller_t *caller,
    ngx_str_t *tenant);


typedef struct {
    ngx_str_t                   id;
    ngx_str_t                   role;
    ngx_str_t                   name;
    ngx_str_t                   external_id;
    time_t                      ticket_ttl;
    ngx_str_t                   origin;        /* the ticket is bound to it;
                                                  empty: to none */
    ngx_uint_t                  guest;         /* an API key says so of him */
    u_char                      ticket_hash[64];
} ngx_http_rs_store_participant_t;


/* what a session may carry besides the picture; clipboard and files are
   both, to_device, from_device or none */

typedef struct {
    ngx_uint_t                  view_only;
    ngx_str_t                   clipboard;
    ngx_str_t                   files;
    ngx_uint_t                  sound;
    ngx_str_t                   recording;     /* off, optional, required; or
                                                  empty: says nothing */
    ngx_str_t                   recorder_lost; /* end, mark; or empty */
} ngx_http_rs_store_desktop_t;


/* what a rendered session may show */

typedef struct {
    ngx_str_t                   urls;          /* JSON array of rules, or
                                                  empty */
    ngx_str_t                   mask;          /* of selectors, the same */
    ngx_uint_t                  no_submit;
    ngx_str_t                   downloads;     /* both, none; or empty */
} ngx_http_rs_store_page_t;


typedef struct {
    ngx_str_t                   id;
    ngx_str_t                   device_id;
    ngx_str_t                   host_participant;
    time_t                      ttl;
    time_t                      retain;
    ngx_uint_t                  max_participants;
    ngx_uint_t                  relay_only;
    ngx_str_t                   consent;       /* none, notify, required or
                                                  empty */
    ngx_http_rs_store_desktop_t desktop;
    ngx_uint_t                  max_sessions;  /* of the tenant; 0: any */
    ngx_str_t                   metadata;      /* JSON */
    ngx_str_t                   external_id;
    ngx_str_t                   reason;
    ngx_str_t                   idem;          /* 64 hex or empty */
    ngx_str_t                   body_hash;     /* 64 hex or empty */
    ngx_array_t                *participants;  /* of the above; or NULL */
    ngx_str_t                   web;           /* JSON of a rendered session's
                                                  host and policy, and of who
                                                  is a guest; or empty */
} ngx_http_rs_store_session_t;


typedef struct {
    ngx_str_t                   id;
    ngx_str_t                   secret_hash;
    ngx_uint_t                  max_uses;
    time_t                      ttl;
    ngx_str_t                   group_id;
    ngx_str_t                   tags;          /* JSON array */
    ngx_str_t                   approval;
    ngx_str_t                   kind;          /* of its devices: desktop,
                                                  renderer, recorder */
    ngx_uint_t                  max_enrollments;   /* of the tenant; 0: any */
    ngx_uint_t                  tries;         /* of a code; 0: is none */
    ngx_str_t                   idem;
    ngx_str_t                   body_hash;
} ngx_http_rs_store_enrollment_t;


typedef struct {
    ngx_str_t                   tenant;
    ngx_str_t                   enrollment_id;
    ngx_str_t                   secret_hash;
    ngx_str_t                   id;
    ngx_str_t                   public_key;
    ngx_str_t                   name;
    ngx_str_t                   meta;          /* JSON */
    ngx_uint_t                  max_devices;   /* of the tenant; 0: any */
    ngx_str_t                   addr;          /* the client's */
    ngx_str_t                   rid;           /* the request's */
} ngx_http_rs_store_device_t;


typedef struct {
    ngx_str_t                   id;            /* grp_... */
    ngx_str_t                   name;
    ngx_str_t                   policy;        /* its name; may be empty */
    ngx_str_t                   idem;
    ngx_str_t                   body_hash;
} ngx_http_rs_store_group_t;


typedef struct {
    ngx_str_t                   name;
    ngx_str_t                   consent;       /* none, notify, required; or
                                                  empty: says nothing */
    ngx_uint_t                  relay_only;
    time_t                      max_ttl;       /* 0: says nothing */
    ngx_http_rs_store_desktop_t desktop;
    ngx_http_rs_store_page_t    page;
} ngx_http_rs_store_policy_t;


typedef struct {
    ngx_str_t                   id;            /* gra_... */
    ngx_str_t                   subject;       /* "user:usr_...", "group:...",
                                                  "key:key_..." */
    ngx_str_t                   group_id;      /* or "*" */
    ngx_str_t                   verbs;         /* by spaces, no "*" */
    ngx_str_t                   consent;       /* as of a policy */
    ngx_str_t                   idem;
    ngx_str_t                   body_hash;
} ngx_http_rs_store_grant_t;


typedef struct {
    ngx_str_t                   id;            /* key_... */
    ngx_str_t                   hash;          /* of the key: 64 hex */
    ngx_str_t                   name;
    ngx_str_t                   scopes;        /* by spaces */
    ngx_uint_t                  granted;       /* limited to its grants */
    time_t                      expires_at;    /* 0: never */
    ngx_str_t                   idem;
    ngx_str_t                   body_hash;
} ngx_http_rs_store_api_key_t;


/* whom a watcher's ticket was made for, as the store gave it back */

typedef struct {
    ngx_str_t                   tenant;
    ngx_str_t                   kind;          /* of his record: key, usr */
    ngx_str_t                   id;            /* the rest of its name */
    ngx_str_t                   caller;        /* JSON */
} ngx_http_rs_store_watcher_t;


/* one member of a session as a worker names it in each call */

typedef struct {
    ngx_str_t                   tenant;
    ngx_str_t                   session_id;
    ngx_str_t                   participant_id;
    ngx_str_t                   address;       /* of its socket */
    size_t                      log_size;
    ngx_msec_t                  grace;         /* to resume in */
    ngx_msec_t                  recorder_grace;   /* if it is one */
    ngx_msec_t                  recorder_wait;    /* if it is the host */
    ngx_str_t                   addr;          /* the client's, and the */
    ngx_str_t                   rid;           /* request's id: for a join */
} ngx_http_rs_member_t;


/* what a worker says of itself in each lease call */

typedef struct {
    ngx_str_t                   worker;        /* node.worker.incarnation */
    ngx_str_t                   node;
    ngx_str_t                   identity;      /* of the node: 64 hex */
    ngx_msec_t                  ttl;
} ngx_http_rs_lease_t;


/* something a worker has to see to: a device, or else a participant */

typedef struct {
    ngx_str_t                   tenant;
    ngx_str_t                   device_id;     /* empty: a participant */
    ngx_str_t                   session_id;
    ngx_str_t                   participant_id;
} ngx_http_rs_duty_t;


/*
 * The link.  state is told 1 when the store is usable (link up and library of
 * the right version), 0 when it is no more; never inside this call.  NULL: no
 * memory.
 */
ngx_http_rs_store_t *ngx_http_rs_store_create(ngx_http_rs_main_conf_t *rmcf,
    ngx_log_t *log, ngx_rs_redis_state_pt state, void *data);
/* the process ends: handlers still owed do not run, nor does state */
void ngx_http_rs_store_destroy(ngx_http_rs_store_t *store);
/* usable now: connected, checked, library of the right version */
ngx_uint_t ngx_http_rs_store_ready(ngx_http_rs_store_t *store);
/* and so is the link of what replicas confirm: somebody may come in */
ngx_uint_t ngx_http_rs_store_admits(ngx_http_rs_store_t *store);

/*
 * An operation outlives its caller: the caller's cleanup calls detach, then
 * the reply is dropped.  Freed after the handler ran, or by a BUSY verb; so
 * detach is allowed in the handler itself.  handler may be NULL: the reply is
 * of no interest.  NULL: no memory.
 */
ngx_http_rs_store_op_t *ngx_http_rs_store_op(ngx_http_rs_store_t *store,
    ngx_http_rs_store_handler_pt handler, void *data);
void ngx_http_rs_store_detach(ngx_http_rs_store_op_t *op);
/*
 * Before the verb: a call of REST.  Those may take up half of
 * rs_redis_inflight, so that lists do not keep messages away.
 */
void ngx_http_rs_store_rest(ngx_http_rs_store_op_t *op);


/* REST */

/*
 * ok: id, name, {verb...} for the whole tenant ("*": all), {verb...} where a
 * grant says so; for verb RS_VERB_N then {{group or *, consent or -,
 * verb...}...}, the grants of the caller
 */
ngx_int_t ngx_http_rs_store_auth(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller);

/* a ticket to watch; ends_at: of the caller's token, 0: by his key alone */
ngx_int_t ngx_http_rs_store_watch_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *hash, time_t ttl,
    int64_t ends_at);
/* by either hash; ok: kind, id, caller, s when his token ends or "" */
ngx_int_t ngx_http_rs_store_watch_open(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *hash, ngx_str_t *bound);
/* ok: his id, groups of devices, of sessions, s when his key ends or "" */
ngx_int_t ngx_http_rs_store_watch_check(ngx_http_rs_store_op_t *op,
    ngx_http_rs_store_watcher_t *watcher);

typedef enum {
    NGX_HTTP_RS_STORE_SESSIONS = 0,
    NGX_HTTP_RS_STORE_DEVICES,
    NGX_HTTP_RS_STORE_ENROLLMENTS,
    NGX_HTTP_RS_STORE_TUNNELS,
    NGX_HTTP_RS_STORE_RECORDINGS
} ngx_http_rs_store_index_e;

ngx_int_t ngx_http_rs_store_list(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_index_e index,
    ngx_str_t *cursor, ngx_uint_t limit);

/*
 * The policy of the session in the reply is the strictest of what s asks for,
 * of the caller's grants, of the group's policy and of the tenant's; its life
 * may be shorter than asked for.  RS_E_NOT_FOUND of an enrolment or a device,
 * with a further element "group_id": there is no such group.
 */
ngx_int_t ngx_http_rs_store_session_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_session_t *s);
ngx_int_t ngx_http_rs_store_session_retry(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id,
    ngx_array_t *participants);
ngx_int_t ngx_http_rs_store_session_get(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id);
/* device_id may be empty; then any session of the tenant is ended */
ngx_int_t ngx_http_rs_store_session_end(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id, ngx_str_t *reason,
    ngx_str_t *detail, ngx_str_t *device_id);
ngx_int_t ngx_http_rs_store_participant_add(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id,
    ngx_http_rs_store_participant_t *p, ngx_str_t *idem,
    ngx_str_t *body_hash);
ngx_int_t ngx_http_rs_store_participant_retry(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id,
    ngx_http_rs_store_participant_t *p);
/* key_id: must be the caller's, if not empty */
ngx_int_t ngx_http_rs_store_turn_session(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id, ngx_str_t *key_id,
    time_t ttl, time_t retain, ngx_str_t *external_id,
    ngx_uint_t max_sessions);
/* of a session of kind turn all; of another that participant, with verb */
ngx_int_t ngx_http_rs_store_turn_revoke(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id, ngx_str_t *key_id,
    ngx_str_t *participant_id, rs_verb_e verb);

/* guest links */

typedef struct {
    ngx_str_t                   id;
    ngx_str_t                   role;
    ngx_str_t                   name;
    ngx_str_t                   external_id;
    ngx_str_t                   secret_hash;
    ngx_str_t                   pin_hash;      /* empty: none */
    ngx_uint_t                  max_uses;
    time_t                      ttl;
    time_t                      ticket_ttl;
    ngx_str_t                   idem;
    ngx_str_t                   body_hash;
} ngx_http_rs_store_link_t;

ngx_int_t ngx_http_rs_store_link_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id,
    ngx_http_rs_store_link_t *l);
/* of an earlier request: a new secret */
ngx_int_t ngx_http_rs_store_link_renew(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id,
    ngx_http_rs_store_link_t *l);
ngx_int_t ngx_http_rs_store_link_list(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id);
ngx_int_t ngx_http_rs_store_link_delete(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id, ngx_str_t *link_id);
/* caller: nobody, but his tenant, address and request id; p: who he becomes */
ngx_int_t ngx_http_rs_store_link_use(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id,
    ngx_http_rs_store_link_t *l, ngx_http_rs_store_participant_t *p);

/* codes for help: hash is the code's */

ngx_int_t ngx_http_rs_store_help_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id, ngx_str_t *hash,
    time_t ttl);
/* conflict: another session has this code; old: the session's own of before,
 * which goes, may be empty */
ngx_int_t ngx_http_rs_store_help_put(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *session_id, ngx_str_t *hash, ngx_str_t *old,
    time_t ttl);
/* tenant may be empty; subject: whose wrong codes are counted */
ngx_int_t ngx_http_rs_store_help_take(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *subject, ngx_str_t *hash);
/* caller: nobody, but his tenant, address and request id; of p name, hash and
 * life of the ticket */
ngx_int_t ngx_http_rs_store_help_use(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *session_id, ngx_str_t *hash,
    ngx_http_rs_store_participant_t *p);

/* ngx_http_rs_store_tunnel.c: tunnels and pipes, docs/design/pipes.md */

typedef struct {
    ngx_str_t                   id;            /* tun_... */
    ngx_str_t                   device_id;
    ngx_str_t                   target;        /* host:port, or shell */
    ngx_str_t                   protocol;      /* tcp, udp */
    ngx_str_t                   label;
    ngx_str_t                   addresses;     /* as given, by blanks; empty:
                                                  from anywhere */
    ngx_str_t                   nets;          /* the same, first-last, each
                                                  as rs_ip_key() */
    ngx_str_t                   users;         /* ids by blanks; empty: the
                                                  caller */
    time_t                      idle;
    time_t                      ttl;
    ngx_uint_t                  device_max;    /* tunnels of a device */
    ngx_uint_t                  tenant_max;    /* of the tenant; 0: any */
    ngx_uint_t                  port;          /* of the gateways; 0: none */
    ngx_str_t                   idem;
    ngx_str_t                   body_hash;
} ngx_http_rs_store_tunnel_t;

/* a pipe; each verb says what it takes of it */

typedef struct {
    ngx_str_t                   id;            /* pip_... */
    ngx_str_t                   object;        /* its tunnel or session */
    ngx_str_t                   device_id;     /* of a tunnel's */
    ngx_str_t                   ticket_hash;   /* or bound to an origin */
    time_t                      ticket_ttl;
    ngx_str_t                   peer;          /* the client's address, as
                                                  rs_ip_key(); may be empty */
    time_t                      idle;
    int64_t                     ends_at;       /* of his token; 0: none */
    ngx_uint_t                  max;           /* pipes of the object */
    unsigned                    session:1;     /* it is a session's */
} ngx_http_rs_store_pipe_t;

/* a command of a device: a tunnel with one pipe */

typedef struct {
    ngx_http_rs_store_tunnel_t  tunnel;        /* id, device_id, label, ttl
                                                  and both bounds of it */
    ngx_http_rs_store_pipe_t    pipe;          /* id, ticket, peer, ends_at */
    ngx_str_t                   name;
    ngx_str_t                   args;          /* JSON, for the device */
    ngx_str_t                   shown;         /* the same for the audit */
} ngx_http_rs_store_command_t;

/* one side of it comes */

typedef struct {
    ngx_str_t                   pipe_id;
    ngx_str_t                   ticket_hash;
    ngx_str_t                   bound_hash;
    ngx_str_t                   address;       /* of its socket */
    ngx_str_t                   link;          /* how others reach it */
    ngx_str_t                   nonce;         /* what they show there */
    unsigned                    host:1;        /* the side */
} ngx_http_rs_store_leg_t;

/* and goes */

typedef struct {
    ngx_str_t                   address;       /* of its socket */
    uint64_t                    up;            /* bytes from the client */
    uint64_t                    down;          /* and to it */
    rs_err_e                    code;          /* RS_OK: as it should */
    ngx_str_t                   addr;          /* of the client, for the */
    ngx_str_t                   rid;           /* audit */
    unsigned                    host:1;
} ngx_http_rs_store_gone_t;

/* tunnel obj: see docs/design/redis.md.  ok: created|repeated, obj */
ngx_int_t ngx_http_rs_store_tunnel_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_tunnel_t *t);
ngx_int_t ngx_http_rs_store_tunnel_get(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id);
/* fields: n pairs (label, idle_s, addresses, nets, users); ok: obj */
ngx_int_t ngx_http_rs_store_tunnel_patch(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id, ngx_str_t *version,
    ngx_uint_t n, ngx_str_t *fields);
/* ok: its device's id, the port that is to be freed or "", its id */
ngx_int_t ngx_http_rs_store_tunnel_delete(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id, ngx_str_t *device_id,
    const char *reason);
/* ok: its device's id */
ngx_int_t ngx_http_rs_store_tunnel_device(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *id);

/*
 * Takes all of p but idle and session.  ok: the device's address, tunnel obj,
 * expires_at of the ticket.  The device's worker gets `pip open`.
 */
ngx_int_t ngx_http_rs_store_pipe_open(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_pipe_t *p);
/* the same by a caller of before: what rs_port_enter gave */
ngx_int_t ngx_http_rs_store_pipe_open_as(ngx_http_rs_store_op_t *op,
    ngx_http_rs_store_watcher_t *who, ngx_http_rs_store_pipe_t *p);
/* the same, in one step with the tunnel that it is of */
ngx_int_t ngx_http_rs_store_command_open(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_command_t *c);
/*
 * By that worker: id, device_id and the host's ticket of p.  ok: tunnel id,
 * target, protocol, label, kind, id and name of who asks, expires_at of the
 * ticket.
 * RS_E_CONFLICT: it is no longer wanted from there.
 */
ngx_int_t ngx_http_rs_store_pipe_offer(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_http_rs_store_pipe_t *p, ngx_str_t *address);
/* id, object, device_id of p.  The device will not: its client is told code */
ngx_int_t ngx_http_rs_store_pipe_refuse(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_http_rs_store_pipe_t *p, ngx_str_t *address,
    rs_err_e code, ngx_str_t *detail);
/*
 * Of a session, by a member: id, ticket, idle and max of p.  ok: client|host,
 * expires_at of the ticket
 */
ngx_int_t ngx_http_rs_store_pipe_join(ngx_http_rs_store_op_t *op,
    ngx_http_rs_member_t *m, ngx_http_rs_store_pipe_t *p, ngx_str_t *with);
/*
 * Uses a ticket up.  ok: first|second, tunnel|session, object, device id,
 * address and link of the other leg and what to show it (of the second), then
 * protocol, idle_s, ends_at, then kind, id and caller of a watcher (empty of
 * a session's), kind, id and name of the client.  An error other than
 * RS_E_UNAUTHENTICATED is why the pipe is over already.
 */
ngx_int_t ngx_http_rs_store_pipe_attach(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_http_rs_store_leg_t *leg);
/*
 * May the client (still)?  id, object, device_id, session, peer of p.  ok:
 * ends_at; an error is what to cut it with.  Nothing is forwarded before the
 * first answer.
 */
ngx_int_t ngx_http_rs_store_pipe_check(ngx_http_rs_store_op_t *op,
    ngx_http_rs_store_watcher_t *who, ngx_http_rs_store_pipe_t *p);
/*
 * id, object, device_id, session of p; by each leg that had come, the first
 * one counts
 */
ngx_int_t ngx_http_rs_store_pipe_gone(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_http_rs_store_pipe_t *p,
    ngx_http_rs_store_gone_t *gone);

/* ngx_http_rs_store_port.c: ports of the gateways that lead into tunnels */

/*
 * Would rs_tunnel_create make it?  Of t id, device_id, the bounds, idem and
 * body_hash.  ok: room; or repeated, id
 */
ngx_int_t ngx_http_rs_store_tunnel_room(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_tunnel_t *t);
/*
 * For a tunnel that is made next: id, device_id and protocol of t.  ok: port.
 * RS_E_LIMIT_REACHED: there is none.
 */
ngx_int_t ngx_http_rs_store_port_take(ngx_http_rs_store_op_t *op,
    ngx_uint_t first, ngx_uint_t last, ngx_str_t *tenant,
    ngx_http_rs_store_tunnel_t *t);
/*
 * When it is made; also the port of t; ends_at: s, as text.  RS_E_CONFLICT: it
 * is another's by now.
 */
ngx_int_t ngx_http_rs_store_port_keep(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_http_rs_store_tunnel_t *t, ngx_str_t *ends_at);
/*
 * ok: tenant, tunnel id, device id, s when it ends, tcp|udp.
 * RS_E_NOT_FOUND: it is nobody's.
 */
ngx_int_t ngx_http_rs_store_port_get(ngx_http_rs_store_op_t *op,
    ngx_uint_t port);
/* if it is still this tunnel's; ok: freed|stale */
ngx_int_t ngx_http_rs_store_port_free(ngx_http_rs_store_op_t *op,
    ngx_str_t *port, ngx_str_t *tenant, ngx_str_t *tunnel_id);
/*
 * Who comes to the tunnel's port from the caller's address is the caller from
 * now on: object, device_id, peer, ends_at of p.  ok: port, s when that ends.
 * maker: he has just made it; then ok and "" for s when it is not for him.
 * RS_E_CONFLICT: it has no port.
 */
ngx_int_t ngx_http_rs_store_tunnel_admit(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_pipe_t *p,
    ngx_uint_t maker);
/*
 * Somebody came to its port; peer: his address, as rs_ip_key().  ok: kind, id
 * and caller of a watcher, s when it ends (ends_at of the pipe to be opened
 * as him).  RS_E_FORBIDDEN: nobody said that the address is his; the audit
 * has it.  RS_E_NOT_FOUND: the tunnel is over.
 */
ngx_int_t ngx_http_rs_store_port_enter(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *tunnel_id, ngx_str_t *peer);

ngx_int_t ngx_http_rs_store_enrollment_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_enrollment_t *e);
ngx_int_t ngx_http_rs_store_enrollment_renew(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id, ngx_str_t *secret_hash);
ngx_int_t ngx_http_rs_store_enrollment_get(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id);
ngx_int_t ngx_http_rs_store_enrollment_delete(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id);

ngx_int_t ngx_http_rs_store_device_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_store_device_t *d);
ngx_int_t ngx_http_rs_store_device_get(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *device_id);
/* fields: n pairs of field and value */
ngx_int_t ngx_http_rs_store_device_patch(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *device_id, ngx_str_t *version,
    ngx_uint_t n, ngx_str_t *fields);
ngx_int_t ngx_http_rs_store_device_delete(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *device_id, ngx_str_t *version);


/*
 * What a tenant sets up; a policy's id is its name.  obj are, after id:
 *
 *   group   name, policy, created_at, version
 *   policy  consent, relay_only ("1" or "0"), max_ttl_s, view_only,
 *           clipboard, files, sound, updated_at
 *   grant   subject, group_id, verbs, consent, created_at, created_by
 *   key     name, scopes, created_at, granted ("1" or empty), expires_at
 *
 * list: next cursor (empty: no more), {obj...}, by id; get: obj, and of a key
 * then its hash, which key_revoke needs.  delete: RS_E_CONFLICT when something
 * has it still (a group devices, a policy groups); a group's grants go with
 * it.  create: created or repeated, obj (or, when the Idempotency-Key stands
 * for another id, repeated and that id; of a key always that, for its text was
 * told once).  RS_E_NOT_FOUND with a further element: what it names is not
 * there, "policy" or "group_id".  RS_E_FORBIDDEN of a grant or key also when
 * it has a verb that the caller has not for the whole tenant.
 */

typedef enum {
    NGX_HTTP_RS_STORE_GROUPS = 0,
    NGX_HTTP_RS_STORE_POLICIES,
    NGX_HTTP_RS_STORE_GRANTS,
    NGX_HTTP_RS_STORE_KEYS,
    NGX_HTTP_RS_STORE_WEBHOOKS
} ngx_http_rs_store_set_e;

ngx_int_t ngx_http_rs_store_set_list(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_set_e set,
    ngx_str_t *cursor, ngx_uint_t limit);
ngx_int_t ngx_http_rs_store_set_get(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_set_e set, ngx_str_t *id);
/* not of keys */
ngx_int_t ngx_http_rs_store_set_delete(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_set_e set, ngx_str_t *id);

/* ngx_http_rs_store_event.c */

typedef struct {
    ngx_str_t                   id;
    ngx_str_t                   name;
    ngx_str_t                   url;
    ngx_str_t                   types;         /* by blanks; empty: all */
    ngx_uint_t                  enabled;
    ngx_str_t                   idem;
    ngx_str_t                   body_hash;
} ngx_http_rs_store_webhook_t;

/*
 * ok: position to go on from, 1 when something may have been missed, 1 when
 * there is more, {{position, type, JSON}...}, the caller's id, s when his key
 * ends or ""
 */
ngx_int_t ngx_http_rs_store_event_list(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *position, ngx_uint_t count);
ngx_int_t ngx_http_rs_store_webhook_tenant(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant);
ngx_int_t ngx_http_rs_store_webhook_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_webhook_t *w);
/* fields: n pairs (name, url, types, enabled, secret); ok: obj */
ngx_int_t ngx_http_rs_store_webhook_patch(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id, ngx_str_t *version,
    ngx_uint_t n, ngx_str_t *fields);

ngx_int_t ngx_http_rs_store_group_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_group_t *g);
/* fields: n pairs of field and value (name, policy); ok: obj */
ngx_int_t ngx_http_rs_store_group_patch(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id, ngx_str_t *version,
    ngx_uint_t n, ngx_str_t *fields);
/* ok: created or replaced, obj */
ngx_int_t ngx_http_rs_store_policy_put(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_policy_t *p);
ngx_int_t ngx_http_rs_store_grant_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_grant_t *g);
ngx_int_t ngx_http_rs_store_key_create(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_api_key_t *k);
/* caller: nobody, but his tenant, address and request id */
ngx_int_t ngx_http_rs_store_bootstrap(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *secret_hash,
    ngx_http_rs_store_api_key_t *k);
/* the same; the link says what the key is called and may, and how long */
ngx_int_t ngx_http_rs_store_login(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *secret_hash,
    ngx_http_rs_store_api_key_t *k);
ngx_int_t ngx_http_rs_store_key_revoke(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *id, ngx_str_t *hash);

/*
 * Tokens that the user has by now are void.  ok: {session id...} for the
 * gateway to end: which are his "own", or "all" he takes part in.  ended: those
 * of an earlier call that have ended, of ngx_str_t.  Everybody may do it to
 * himself, with verb RS_VERB_N; to others it takes RS_VERB_USERS_WRITE.
 */
ngx_int_t ngx_http_rs_store_user_revoke(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *user_id, const char *which,
    ngx_array_t *ended);

/* ok: next cursor, {{position, field, value...}...}; cursors are positions */
ngx_int_t ngx_http_rs_store_audit_list(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *cursor, ngx_uint_t limit,
    ngx_uint_t newest_first);
/* ok: done or more (call again), how many lines went; at most 10000 a call */
ngx_int_t ngx_http_rs_store_audit_trim(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *through);

/*
 * Somebody who was not recognised: a line of the fleet's, 100 a second of a
 * worker at most, none while the store is down.  what was shown, as "ticket";
 * never a secret.  Nobody is told how it went.
 */
void ngx_http_rs_store_denied(ngx_http_rs_store_t *store, const char *what,
    rs_err_e code, ngx_str_t *addr, ngx_str_t *rid, ngx_str_t *detail);


/* sockets */

/*
 * ticket: parsed form of rs_id.h; bound: what it is if it was made for the
 * page's origin; resume_hash: of the token to be given
 */
ngx_int_t ngx_http_rs_store_join(ngx_http_rs_store_op_t *op,
    ngx_str_t *ticket_hash, ngx_str_t *bound_hash, ngx_http_rs_member_t *m,
    ngx_str_t *resume_hash);
ngx_int_t ngx_http_rs_store_resume(ngx_http_rs_store_op_t *op,
    ngx_http_rs_member_t *m, ngx_str_t *old_hash, ngx_str_t *new_hash,
    ngx_str_t *position);
/* epoch: the one the sender knows of */
ngx_int_t ngx_http_rs_store_append(ngx_http_rs_store_op_t *op,
    ngx_http_rs_member_t *m, uint64_t id, uint64_t epoch, ngx_str_t *to,
    ngx_str_t *body);
ngx_int_t ngx_http_rs_store_state(ngx_http_rs_store_op_t *op,
    ngx_http_rs_member_t *m, ngx_str_t *path);
/* of the control token: what is wanted, and of a grant to whom */
ngx_int_t ngx_http_rs_store_control(ngx_http_rs_store_op_t *op,
    ngx_http_rs_member_t *m, ngx_str_t *what, ngx_str_t *to);
/* rs_range for a link that was down, or a worker that was called dead */
ngx_int_t ngx_http_rs_store_sync(ngx_http_rs_store_op_t *op,
    ngx_http_rs_member_t *m, ngx_str_t *position, ngx_uint_t count,
    uint64_t epoch);
/* mode: "away", "bye", "lost", "undone"; on "ended" unlinks the device by
   itself; m->participant_id may be empty: who is at the address */
ngx_int_t ngx_http_rs_store_leave(ngx_http_rs_store_op_t *op,
    ngx_http_rs_member_t *m, const char *mode);
ngx_int_t ngx_http_rs_store_range(ngx_http_rs_store_op_t *op,
    ngx_http_rs_member_t *m, ngx_str_t *position, ngx_uint_t count);

ngx_int_t ngx_http_rs_store_route(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *session_id);

/* epoch: 0 for a new socket; of its last answer when announced again */
ngx_int_t ngx_http_rs_store_device_online(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *address,
    ngx_str_t *agent, int64_t epoch);
/* another key, by the statement of old over key; addr: the client's */
ngx_int_t ngx_http_rs_store_device_rotate(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *address,
    ngx_str_t *old, ngx_str_t *key, ngx_str_t *signature, ngx_str_t *addr);
/* its id was shown with a wrong key; retired: the one before */
ngx_int_t ngx_http_rs_store_device_mismatch(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *addr,
    ngx_uint_t retired);
/* leaving: its socket is closed, but it is expected back; ok: "gone", and of a
   renderer {session...} that it had, and its id; of a recorder {}, its id,
   {session...} that it was given */
ngx_int_t ngx_http_rs_store_device_offline(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *address,
    ngx_uint_t leaving);
/* services; ok: the kind.  RS_E_CONFLICT: it is a desktop */
ngx_int_t ngx_http_rs_store_service_load(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *address,
    rs_msg_load_t *load);
/*
 * Who gets the next session: ok {device, address, ...}, at most count, the
 * best first; RS_E_DEVICE_OFFLINE, RS_E_RENDERERS_FULL.  without: a device
 * that does not; may be empty
 */
ngx_int_t ngx_http_rs_store_service_place(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, const char *kind, ngx_uint_t count,
    ngx_str_t *without);
/* it has answered for a session it was given, or need not any more */
ngx_int_t ngx_http_rs_store_service_taken(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *session_id);
/* a renderer says that it waits there, at which position; 0: that it begins */
ngx_int_t ngx_http_rs_store_session_queue(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *session_id, ngx_str_t *device_id,
    ngx_uint_t position);
/* its renderer is lost, busy or failed; ok: address of the new one */
ngx_int_t ngx_http_rs_store_session_move(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *session_id, ngx_str_t *device_id,
    ngx_str_t *to, const char *why);
/* what: "waiting", "given", "denied", "timeout" */
ngx_int_t ngx_http_rs_store_session_consent(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *session_id, ngx_str_t *participant_id,
    ngx_str_t *what, ngx_str_t *device_id);
ngx_int_t ngx_http_rs_store_invite(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *session_id, ngx_str_t *device_id,
    ngx_str_t *address, ngx_str_t *name, ngx_str_t *ticket_hash,
    time_t ticket_ttl);

/* recordings, by a recorder: device_id is its id */

/* ok: begun|again, state of the session.  RS_E_CONFLICT: it takes no part */
ngx_int_t ngx_http_rs_store_recording_begin(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *session_id,
    ngx_str_t *recording_id);
/* ok: kept; live: the session is to be told by recorder_failed */
ngx_int_t ngx_http_rs_store_recording_end(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *session_id,
    rs_msg_recording_t *r);
ngx_int_t ngx_http_rs_store_recording_gone(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *recording_id);
/* why: a word */
ngx_int_t ngx_http_rs_store_recorder_failed(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *session_id,
    const char *why);
/* the same of one whose device was deleted: no failover brings it back */
ngx_int_t ngx_http_rs_store_recorder_removed(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *session_id);
/* its channel is gone: only if it takes no part, and another one can */
ngx_int_t ngx_http_rs_store_recorder_away(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *session_id);
/*
 * ok: {session}, {recording to be deleted}, at most so many of each, and a
 * word after which the next call goes on; empty: that was all
 */
ngx_int_t ngx_http_rs_store_recorder_work(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *device_id, ngx_str_t *address,
    ngx_uint_t most, ngx_str_t *after);
/* the same, by callers of REST; ok: the recorder's device id */
ngx_int_t ngx_http_rs_store_recording_device(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *recording_id);
ngx_int_t ngx_http_rs_store_recording_get(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *recording_id);
ngx_int_t ngx_http_rs_store_recording_delete(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_str_t *recording_id,
    ngx_str_t *device_id);
/* a tunnel with its only pipe, as of a command; name: the recording's id */
ngx_int_t ngx_http_rs_store_recording_open(ngx_http_rs_store_op_t *op,
    ngx_http_rs_caller_t *caller, ngx_http_rs_store_command_t *c);

/* presence */

/* walked: the dead worker being walked; empty: one may be given; "-": none */
ngx_int_t ngx_http_rs_store_lease(ngx_http_rs_store_op_t *op,
    ngx_http_rs_lease_t *lease, uint64_t beacon, ngx_str_t *walked);
ngx_int_t ngx_http_rs_store_lease_drop(ngx_http_rs_store_op_t *op,
    ngx_http_rs_lease_t *lease, ngx_str_t *walked);

/* bans */

ngx_int_t ngx_http_rs_store_ban_fail(ngx_http_rs_store_op_t *op,
    ngx_str_t *subject, rs_ban_t *ban);
ngx_int_t ngx_http_rs_store_ban_list(ngx_http_rs_store_op_t *op,
    ngx_uint_t n);

/* duties; at most 100 tenants a call */

ngx_int_t ngx_http_rs_store_tenants(ngx_http_rs_store_op_t *op,
    ngx_str_t *worker, ngx_uint_t n, ngx_str_t **tenants);
ngx_int_t ngx_http_rs_store_reap_tenant(ngx_http_rs_store_op_t *op,
    ngx_str_t *dead, ngx_str_t *done);
/* due: only those, else all */
ngx_int_t ngx_http_rs_store_duties(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *worker, ngx_uint_t due, ngx_uint_t count);
ngx_int_t ngx_http_rs_store_own_keep(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *worker);
/* since: when the worker died, ms of the store's clock */
ngx_int_t ngx_http_rs_store_adopt(ngx_http_rs_store_op_t *op,
    ngx_http_rs_duty_t *duty, ngx_str_t *dead, uint64_t since);
ngx_int_t ngx_http_rs_store_device_reap(ngx_http_rs_store_op_t *op,
    ngx_http_rs_duty_t *duty, ngx_str_t *dead, uint64_t since);
/* on "ended" unlinks the device by itself */
ngx_int_t ngx_http_rs_store_lost(ngx_http_rs_store_op_t *op,
    ngx_http_rs_duty_t *duty);

/*
 * One envelope to a worker's channel, copied, sent now or never: NGX_OK, or
 * NGX_BUSY when the store is down or half of rs_redis_inflight is under way
 * already.  Nobody is told whether it was heard.
 */
ngx_int_t ngx_http_rs_store_publish(ngx_http_rs_store_t *store,
    rs_addr_t *worker, ngx_str_t *envelope);

/* "rs:w:" + node.worker.incarnation, from pool */
ngx_int_t ngx_http_rs_store_channel(ngx_pool_t *pool, ngx_str_t *worker,
    ngx_str_t *channel);


#endif /* _NGX_HTTP_RS_STORE_H_INCLUDED_ */
