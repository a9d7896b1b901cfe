
/*
 * Copyright (C) rs-gateway contributors
 *
 * The module's private header: configuration, per-worker state, and the
 * headers of the four layers (http > session > carrier > store).  Include
 * arrows point down only; what must flow up is wired by
 * ngx_http_rs_signal_module.c or handed over with a call.
 */


#ifndef _NGX_HTTP_RS_H_INCLUDED_
#define _NGX_HTTP_RS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "rs_err.h"
#include "rs_str.h"
#include "rs_id.h"
#include "rs_role.h"
#include "rs_schema.h"
#include "rs_addr.h"
#include "rs_env.h"
#include "rs_bucket.h"
#include "rs_ice.h"
#include "rs_link.h"


#define NGX_HTTP_RS_VERSION      "0.2.0"
#define NGX_HTTP_RS_API_VERSION  1

/* a librs slice of an ngx_str_t and back */
#define ngx_http_rs_slice(s)     (rs_str_t) { (s)->data, (s)->len }
#define ngx_http_rs_str(s)       (ngx_str_t) { (s).len, (u_char *) (s).data }


typedef struct ngx_http_rs_main_conf_s  ngx_http_rs_main_conf_t;
typedef struct ngx_http_rs_loc_conf_s   ngx_http_rs_loc_conf_t;
typedef struct ngx_http_rs_conn_s       ngx_http_rs_conn_t;


/* what nodes know each other by: of a line of rs_node_key_file */

#define NGX_HTTP_RS_NODE_KEYS    2

typedef struct {
    u_char                      key[32];
    u_char                      name[16];
} ngx_http_rs_node_key_t;


/* one rs_turn_server line */

typedef struct {
    ngx_str_t                   region;
    ngx_array_t                 urls;          /* of rs_str_t */
} ngx_http_rs_turn_server_t;


#include "store/ngx_http_rs_zone.h"
#include "store/ngx_http_rs_limit.h"
#include "store/ngx_http_rs_ban.h"
#include "store/ngx_http_rs_tally.h"
#include "store/ngx_rs_redis.h"
#include "store/ngx_http_rs_store.h"
#include "carrier/ngx_http_rs_bus.h"
#include "carrier/ngx_http_rs_conn.h"
#include "carrier/ngx_http_rs_pace.h"
#include "carrier/ngx_http_rs_relay.h"
#include "carrier/ngx_http_rs_stale.h"
#include "carrier/ngx_http_rs_ipc.h"
#include "carrier/ngx_http_rs_link.h"
#include "carrier/ngx_http_rs_pair.h"
#include "carrier/ngx_http_rs_drain.h"
#include "session/ngx_http_rs_ice.h"
#include "session/ngx_http_rs_identity.h"
#include "session/ngx_http_rs_presence.h"
#include "session/ngx_http_rs_reap.h"
#include "session/ngx_http_rs_session.h"
#include "session/ngx_http_rs_input.h"
#include "session/ngx_http_rs_device.h"
#include "session/ngx_http_rs_watch.h"
#include "session/ngx_http_rs_pipe.h"
#include "http/ngx_http_rs_upgrade.h"
#include "http/ngx_http_rs_api.h"
#include "http/ngx_http_rs_events.h"
#include "http/ngx_http_rs_jwks.h"
#include "http/ngx_http_rs_oidc.h"


struct ngx_http_rs_main_conf_s {
    /* configuration */

    ngx_rs_redis_conf_t         redis;
    ngx_str_t                   node;          /* [a-z0-9-]{1,32} */
    ngx_msec_t                  lease_ttl;
    ngx_msec_t                  drain_time;
    ngx_msec_t                  stale_limit;
    size_t                      pipe_buffer;   /* of a direction */
    ngx_msec_t                  pipe_wait;
    ngx_msec_t                  pipe_idle;
    rs_pace_t                   pipe_rate;     /* of a tenant; rate 0: none */
    ngx_uint_t                  max_pipes;     /* of a tenant; 0: any number */
    ngx_uint_t                  tunnel_port;   /* the first; 0: none */
    ngx_uint_t                  tunnel_port_last;
    rs_rate_t                   address_rate;  /* burst 0: off */
    rs_rate_t                   tenant_rate;
    rs_rate_t                   check_rate;    /* burst 0: no checks */
    rs_ban_t                    ban;           /* failures 0: off */
    ngx_array_t                *ban_exempt;    /* of ngx_cidr_t; or NULL */
    ngx_uint_t                  max_connections;   /* of a worker */
    ngx_uint_t                  events_readers;    /* the same */
    ngx_flag_t                  enabled;       /* some rs_gateway exists */
    ngx_http_rs_loc_conf_t     *gateway;       /* of the first one: ports' */
    ngx_flag_t                  metrics;       /* some rs_metrics does */
    ngx_shm_zone_t             *zone;
    ngx_shm_zone_t             *jwks_zone;     /* NULL: jwks is */
    ngx_array_t                *jwks;          /* by rs_jwks_request; or NULL */
    ngx_http_rs_identity_t      fleet;         /* what devices pin */
    ngx_flag_t                  ipc_on;
    ngx_str_t                   ipc_dir;       /* NUL after it */
    ngx_str_t                   node_listen;   /* address; or empty */
    ngx_sockaddr_t              node_sockaddr;
    socklen_t                   node_socklen;
    ngx_uint_t                  node_port;
    ngx_uint_t                  node_port_last;
    ngx_uint_t                  node_nkeys;
    ngx_http_rs_node_key_t      node_keys[NGX_HTTP_RS_NODE_KEYS];
    struct ngx_ssl_s           *node_tls;      /* NULL: no rs_node_listen */

    /* state of this process, set by init_process */

    ngx_http_rs_slot_t         *slot;          /* of zone; or NULL */

    char                        identity[RS_ID_HASH_LEN];  /* the node's */
    rs_addr_t                   self;          /* conn 0: the worker */
    ngx_str_t                   self_text;     /* node.worker.incarnation */

    ngx_msec_t                  started;       /* ngx_current_msec then */

    ngx_http_rs_ban_reports_t  *bans;
    ngx_http_rs_store_t        *store;
    ngx_http_rs_bus_t          *bus;
    ngx_http_rs_stale_t        *stale;
    ngx_http_rs_ipc_t          *ipc;           /* NULL: only by Redis */
    ngx_http_rs_conns_t        *conns;
    ngx_http_rs_presence_t     *presence;
    ngx_http_rs_reap_t         *reap;
    ngx_http_rs_sessions_t     *sessions;
    ngx_http_rs_devices_t      *devices;
    ngx_http_rs_watches_t      *watches;
    ngx_http_rs_events_t       *events;
    ngx_http_rs_links_t        *links;
    ngx_http_rs_relays_t       *relays;
    ngx_http_rs_pipes_t        *pipes;
};


struct ngx_http_rs_loc_conf_s {
    ngx_flag_t                  gateway;
    ngx_flag_t                  metrics;

    ngx_array_t                *origins;       /* of rs_str_t; NULL: same */
    ngx_flag_t                  origin_any;
    ngx_array_t                *agent_hosts;   /* of ngx_str_t, lower case */
    ngx_http_complex_value_t   *console_url;

    ngx_http_complex_value_t   *tenant;        /* of a call; NULL: not said */
    ngx_http_complex_value_t   *max_sessions;  /* quotas of it; NULL: none */
    ngx_http_complex_value_t   *max_devices;
    ngx_http_complex_value_t   *max_enrollments;
    ngx_http_complex_value_t   *max_tunnels;
    ngx_flag_t                  audit_reads;

    ngx_array_t                *stun;          /* of rs_str_t */
    ngx_array_t                *turn;          /* ngx_http_rs_turn_server_t */
    ngx_http_complex_value_t   *turn_region;
    ngx_str_t                   turn_secret;   /* contents of the file */
    rs_turn_key_t              *turn_key;      /* instead of it; or NULL */
    ngx_str_t                   turn_realm;
    time_t                      turn_ttl;

    ngx_str_t                   webhook_key;   /* contents of the file */

    ngx_http_rs_oidc_conf_t     oidc;

    size_t                      message_size;
    ngx_uint_t                  message_fragments;
    size_t                      send_queue;
    ngx_uint_t                  message_rate;  /* messages per second */
    ngx_uint_t                  message_burst;
    ngx_uint_t                  input_rate;    /* the same of `input` */
    ngx_uint_t                  input_burst;
    size_t                      log_rate;      /* bytes per second */
    size_t                      log_size;
    size_t                      body_size;

    ngx_msec_t                  hello_timeout;
    ngx_msec_t                  ping_interval;
    ngx_msec_t                  peer_timeout;
    ngx_msec_t                  resume_grace;
    ngx_msec_t                  recorder_grace;
    ngx_msec_t                  recorder_timeout;
    ngx_msec_t                  recorder_wait;
    ngx_msec_t                  events_heartbeat;

    ngx_uint_t                  max_participants;
    time_t                      ticket_ttl;
    time_t                      session_ttl;
    time_t                      session_retain;
    time_t                      tunnel_ttl;
    ngx_uint_t                  device_tunnels;    /* of one device */
    ngx_uint_t                  tunnel_pipes;      /* of one tunnel */
};


extern ngx_module_t  ngx_http_rs_signal_module;


#endif /* _NGX_HTTP_RS_H_INCLUDED_ */
