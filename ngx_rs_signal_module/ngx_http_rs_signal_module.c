
/*
 * Copyright (C) rs-gateway contributors
 *
 * The module: directives, their checks, dispatch of a location's requests,
 * what a worker builds when it starts and gives back when it ends, and the
 * wiring of the pointers that go upward between layers.
 *
 * There are no globals: the state of a worker process hangs on the main
 * configuration of its cycle, and whoever needs it is handed that.
 */


#include "ngx_http_rs.h"
#include "http/ngx_http_rs_hold.h"
#include "http/ngx_http_rs_metrics.h"
#include "http/ngx_http_rs_variables.h"
#include "ngx_http_rs_turn_conf.h"
#include "ngx_http_rs_conf.h"
#include "ngx_http_rs_oidc_conf.h"
#include "carrier/ngx_http_rs_link_tls.h"

#include <openssl/rand.h>


/* an envelope or a log that Redis' links would refuse ends them for all */
#define NGX_HTTP_RS_MESSAGE_MAX      (512 * 1024)
#define NGX_HTTP_RS_LOG_MAX          (16 * 1024 * 1024)


static ngx_int_t ngx_http_rs_handler(ngx_http_request_t *r);

static void ngx_http_rs_store_up(void *data, ngx_uint_t up);
static void ngx_http_rs_told(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *line);
static void ngx_http_rs_bus_up(ngx_http_rs_main_conf_t *rmcf, ngx_uint_t up);
static void ngx_http_rs_bus_env(ngx_http_rs_main_conf_t *rmcf,
    rs_env_t *env);
static ngx_int_t ngx_http_rs_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_rs_init_process(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_rs_init_address(ngx_cycle_t *cycle,
    ngx_http_rs_main_conf_t *rmcf);
static void ngx_http_rs_exit_process(ngx_cycle_t *cycle);

static ngx_int_t ngx_http_rs_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_rs_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_rs_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_rs_init_main_conf(ngx_conf_t *cf, void *conf);
static char *ngx_http_rs_init_pipes(ngx_conf_t *cf,
    ngx_http_rs_main_conf_t *rmcf);
static void *ngx_http_rs_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_rs_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

static char *ngx_http_rs_gateway(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_conf_post_t  ngx_http_rs_positive =
    { ngx_http_rs_check_positive };
static ngx_conf_post_t  ngx_http_rs_positive_sec =
    { ngx_http_rs_check_positive_sec };
static ngx_conf_post_t  ngx_http_rs_positive_size =
    { ngx_http_rs_check_positive_size };

static ngx_conf_num_bounds_t  ngx_http_rs_inflight_bounds =
    { ngx_conf_check_num_bounds, 1, 1000000 };
static ngx_conf_num_bounds_t  ngx_http_rs_fragments_bounds =
    { ngx_conf_check_num_bounds, 1, 1024 };
static ngx_conf_num_bounds_t  ngx_http_rs_participants_bounds =
    { ngx_conf_check_num_bounds, 2, 64 };
static ngx_conf_num_bounds_t  ngx_http_rs_tunnels_bounds =
    { ngx_conf_check_num_bounds, 1, 64 };
static ngx_conf_num_bounds_t  ngx_http_rs_pipes_bounds =
    { ngx_conf_check_num_bounds, 1, 1000 };


#define NGX_HTTP_RS_LOC  NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF


static ngx_command_t  ngx_http_rs_commands[] = {

    { ngx_string("rs_gateway"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_rs_gateway,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_rs_metrics,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_rs_redis_conf_set,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, redis),
      NULL },

    { ngx_string("rs_redis_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, redis.timeout),
      &ngx_http_rs_positive },

    { ngx_string("rs_redis_connect_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, redis.connect_timeout),
      &ngx_http_rs_positive },

    { ngx_string("rs_redis_slow"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, redis.slow),
      &ngx_http_rs_positive },

    { ngx_string("rs_redis_inflight"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, redis.inflight),
      &ngx_http_rs_inflight_bounds },

    { ngx_string("rs_redis_noeviction"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, redis.noeviction),
      NULL },

    { ngx_string("rs_redis_wait"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_rs_redis_wait,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_node"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_rs_node,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_rs_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_ipc"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, ipc_on),
      NULL },

    { ngx_string("rs_ipc_dir"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_rs_ipc_path,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_node_listen"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_rs_node_listen,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_node_key_file"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_rs_node_key_file,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_address_rate"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_rs_limit_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, address_rate),
      NULL },

    { ngx_string("rs_check_rate"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_rs_limit_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, check_rate),
      NULL },

    { ngx_string("rs_tenant_rate"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_rs_limit_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, tenant_rate),
      NULL },

    { ngx_string("rs_ban"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_rs_ban_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_ban_exempt"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_rs_ban_exempt,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_max_connections"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, max_connections),
      &ngx_http_rs_inflight_bounds },

    { ngx_string("rs_pipe_buffer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, pipe_buffer),
      NULL },

    { ngx_string("rs_pipe_wait"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, pipe_wait),
      &ngx_http_rs_positive },

    { ngx_string("rs_pipe_idle"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, pipe_idle),
      &ngx_http_rs_positive },

    { ngx_string("rs_pipe_rate"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_rs_limit_pipe_rate,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_max_pipes"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, max_pipes),
      NULL },

    { ngx_string("rs_tunnel_ports"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_rs_tunnel_ports,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_lease_ttl"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, lease_ttl),
      &ngx_http_rs_positive },

    { ngx_string("rs_identity_file"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, fleet.file),
      NULL },

    { ngx_string("rs_identity_statements"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, fleet.statements),
      NULL },

    { ngx_string("rs_stale_limit"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, stale_limit),
      &ngx_http_rs_positive },

    { ngx_string("rs_events_readers"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, events_readers),
      NULL },

    { ngx_string("rs_drain_time"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rs_main_conf_t, drain_time),
      NULL },

    { ngx_string("rs_origin"),
      NGX_HTTP_RS_LOC|NGX_CONF_1MORE,
      ngx_http_rs_origin,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_agent_host"),
      NGX_HTTP_RS_LOC|NGX_CONF_1MORE,
      ngx_http_rs_agent_host,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_console_url"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, console_url),
      NULL },

    { ngx_string("rs_tenant"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, tenant),
      NULL },

    { ngx_string("rs_max_sessions"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, max_sessions),
      NULL },

    { ngx_string("rs_max_devices"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, max_devices),
      NULL },

    { ngx_string("rs_max_enrollments"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, max_enrollments),
      NULL },

    { ngx_string("rs_max_tunnels"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, max_tunnels),
      NULL },

    { ngx_string("rs_device_tunnels"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, device_tunnels),
      &ngx_http_rs_tunnels_bounds },

    { ngx_string("rs_tunnel_pipes"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, tunnel_pipes),
      &ngx_http_rs_pipes_bounds },

    { ngx_string("rs_tunnel_ttl"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, tunnel_ttl),
      &ngx_http_rs_positive_sec },

    { ngx_string("rs_audit_reads"),
      NGX_HTTP_RS_LOC|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, audit_reads),
      NULL },

    { ngx_string("rs_stun_server"),
      NGX_HTTP_RS_LOC|NGX_CONF_1MORE,
      ngx_http_rs_stun_server,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_turn_server"),
      NGX_HTTP_RS_LOC|NGX_CONF_2MORE,
      ngx_http_rs_turn_server,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_turn_region"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, turn_region),
      NULL },

    { ngx_string("rs_turn_secret_file"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_rs_turn_secret_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_turn_key_file"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_rs_turn_key_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_turn_realm"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_rs_turn_realm,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_turn_ttl"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, turn_ttl),
      &ngx_http_rs_positive_sec },

    { ngx_string("rs_oidc"),
      NGX_HTTP_RS_LOC|NGX_CONF_2MORE,
      ngx_http_rs_oidc_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_oidc_algorithms"),
      NGX_HTTP_RS_LOC|NGX_CONF_1MORE,
      ngx_http_rs_oidc_algorithms,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_oidc_tenant_claim"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_rs_oidc_claim,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, oidc.tenant_claim),
      NULL },

    { ngx_string("rs_oidc_user_claim"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_rs_oidc_claim,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, oidc.user_claim),
      NULL },

    { ngx_string("rs_oidc_name_claim"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_rs_oidc_claim,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, oidc.name_claim),
      NULL },

    { ngx_string("rs_oidc_groups_claim"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_rs_oidc_claim,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, oidc.groups_claim),
      NULL },

    { ngx_string("rs_oidc_role"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE23,
      ngx_http_rs_oidc_role,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_oidc_skew"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, oidc.skew),
      NULL },

    { ngx_string("rs_oidc_max_age"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, oidc.max_age),
      &ngx_http_rs_positive_sec },

    { ngx_string("rs_oidc_nonce"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, oidc.nonce),
      &ngx_http_rs_oidc_nonces },

    { ngx_string("rs_jwks_file"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_rs_oidc_jwks,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, oidc.jwks_file),
      NULL },

    { ngx_string("rs_jwks_request"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_rs_oidc_jwks,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, oidc.jwks_uri),
      NULL },

    { ngx_string("rs_message_size"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, message_size),
      &ngx_http_rs_positive_size },

    { ngx_string("rs_message_fragments"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, message_fragments),
      &ngx_http_rs_fragments_bounds },

    { ngx_string("rs_send_queue"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, send_queue),
      &ngx_http_rs_positive_size },

    { ngx_string("rs_message_rate"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE12,
      ngx_http_rs_message_rate,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, message_rate),
      NULL },

    { ngx_string("rs_input_rate"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE12,
      ngx_http_rs_message_rate,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, input_rate),
      NULL },

    { ngx_string("rs_log_rate"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, log_rate),
      &ngx_http_rs_positive_size },

    { ngx_string("rs_log_size"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, log_size),
      &ngx_http_rs_positive_size },

    { ngx_string("rs_hello_timeout"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, hello_timeout),
      &ngx_http_rs_positive },

    { ngx_string("rs_ping_interval"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, ping_interval),
      &ngx_http_rs_positive },

    { ngx_string("rs_peer_timeout"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, peer_timeout),
      &ngx_http_rs_positive },

    { ngx_string("rs_max_participants"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, max_participants),
      &ngx_http_rs_participants_bounds },

    { ngx_string("rs_resume_grace"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, resume_grace),
      &ngx_http_rs_positive },

    { ngx_string("rs_recorder_grace"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, recorder_grace),
      &ngx_http_rs_positive },

    { ngx_string("rs_recorder_timeout"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, recorder_timeout),
      &ngx_http_rs_positive },

    { ngx_string("rs_recorder_wait"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, recorder_wait),
      &ngx_http_rs_positive },

    { ngx_string("rs_events_heartbeat"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, events_heartbeat),
      &ngx_http_rs_positive },

    { ngx_string("rs_webhook_key_file"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_http_rs_webhook_key_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rs_ticket_ttl"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, ticket_ttl),
      &ngx_http_rs_positive_sec },

    { ngx_string("rs_session_ttl"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, session_ttl),
      &ngx_http_rs_positive_sec },

    { ngx_string("rs_session_retain"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, session_retain),
      &ngx_http_rs_positive_sec },

    { ngx_string("rs_body_size"),
      NGX_HTTP_RS_LOC|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rs_loc_conf_t, body_size),
      &ngx_http_rs_positive_size },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_rs_signal_module_ctx = {
    ngx_http_rs_preconfiguration,          /* preconfiguration */
    ngx_http_rs_postconfiguration,         /* postconfiguration */

    ngx_http_rs_create_main_conf,          /* create main configuration */
    ngx_http_rs_init_main_conf,            /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_rs_create_loc_conf,           /* create location configuration */
    ngx_http_rs_merge_loc_conf             /* merge location configuration */
};


ngx_module_t  ngx_http_rs_signal_module = {
    NGX_MODULE_V1,
    &ngx_http_rs_signal_module_ctx,        /* module context */
    ngx_http_rs_commands,                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_rs_init_module,               /* init module */
    ngx_http_rs_init_process,              /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_rs_exit_process,              /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_rs_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;
    ngx_str_t  path;

    /* a subrequest has the client's header, but not its connection */

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (ngx_exiting) {
        /* on a connection from before: the next one reaches a new worker */
        r->keepalive = 0;
    }

    if (ngx_http_rs_api_path(r, &path) != NGX_OK) {
        return ngx_http_rs_api_problem(r, RS_E_NOT_FOUND, NULL, NULL);
    }

    if (path.len == sizeof("/signal") - 1
        && ngx_memcmp(path.data, "/signal", path.len) == 0)
    {
        rc = ngx_http_rs_upgrade_signal(r);

    } else if (path.len == sizeof("/agent") - 1
               && ngx_memcmp(path.data, "/agent", path.len) == 0)
    {
        rc = ngx_http_rs_upgrade_agent(r);

    } else if (r->method == NGX_HTTP_GET
               && path.len == sizeof("/watch") - 1
               && ngx_memcmp(path.data, "/watch", path.len) == 0)
    {
        rc = ngx_http_rs_upgrade_watch(r);

    } else if (path.len == sizeof("/pipe") - 1
               && ngx_memcmp(path.data, "/pipe", path.len) == 0)
    {
        rc = ngx_http_rs_upgrade_pipe(r);

    } else {
        return ngx_http_rs_api_handler(r, &path);
    }

    if (rc != NGX_DONE) {
        ngx_http_rs_upgrade_refused(r);
    }

    return rc;
}


static void
ngx_http_rs_store_up(void *data, ngx_uint_t up)
{
    ngx_http_rs_main_conf_t *rmcf = data;

    ngx_http_rs_stale_check(rmcf->stale);

    if (up) {
        ngx_http_rs_presence_up(rmcf->presence);
        ngx_http_rs_reap_up(rmcf->reap);
        ngx_http_rs_device_announce(rmcf);
        ngx_http_rs_session_catch_up(rmcf);
        ngx_http_rs_ban_catch_up(rmcf);
        ngx_http_rs_watch_catch_up(rmcf);
        ngx_http_rs_events_catch_up(rmcf);
        ngx_http_rs_pipe_catch_up(rmcf);
    }
}


/* what consoles and readers of events are told */

static void
ngx_http_rs_told(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *line)
{
    ngx_http_rs_watch_told(rmcf, line);
    ngx_http_rs_events_told(rmcf, line);
    ngx_http_rs_pipe_told(rmcf, line);
}


static void
ngx_http_rs_bus_up(ngx_http_rs_main_conf_t *rmcf, ngx_uint_t up)
{
    ngx_http_rs_stale_check(rmcf->stale);

    if (up) {
        ngx_http_rs_session_catch_up(rmcf);
        ngx_http_rs_ban_catch_up(rmcf);
        ngx_http_rs_watch_catch_up(rmcf);
        ngx_http_rs_events_catch_up(rmcf);
        ngx_http_rs_pipe_catch_up(rmcf);
    }
}


static void
ngx_http_rs_bus_env(ngx_http_rs_main_conf_t *rmcf, rs_env_t *env)
{
    switch (env->kind) {

    case RS_ENV_SIG:
    case RS_ENV_EVT:
    case RS_ENV_END:
        ngx_http_rs_session_env(rmcf, env);
        break;

    case RS_ENV_INV:
    case RS_ENV_RVK:
    case RS_ENV_FEN:
    case RS_ENV_REC:
        ngx_http_rs_device_env(rmcf, env);
        break;

    case RS_ENV_VOL:
    case RS_ENV_GON:
        ngx_http_rs_input_env(rmcf, env);
        break;

    case RS_ENV_PIP:
        /* whose the socket is, is looked at there */
        ngx_http_rs_device_env(rmcf, env);
        ngx_http_rs_pipe_env(rmcf, env);
        break;

    case RS_ENV_BCN:
        ngx_http_rs_presence_soon(rmcf->presence);
        break;

    default: /* not of a bus */
        break;
    }
}


/* what fails here would end a master that only wanted to reload */

static ngx_int_t
ngx_http_rs_init_module(ngx_cycle_t *cycle)
{
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_rs_signal_module);

    if (rmcf && rmcf->enabled) {
        ngx_http_rs_presence_identify(rmcf, cycle);
        ngx_http_rs_ipc_prepare(cycle, rmcf);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_init_process(ngx_cycle_t *cycle)
{
    ngx_log_t                *log;
    ngx_http_rs_main_conf_t  *rmcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    rmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_rs_signal_module);

    if (rmcf == NULL || !rmcf->enabled) {
        return NGX_OK;
    }

    log = cycle->log;

    if (ngx_http_rs_init_address(cycle, rmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    rmcf->slot = ngx_http_rs_zone_enter(rmcf->zone, log);

    if (rmcf->max_connections == NGX_CONF_UNSET_UINT) {
        rmcf->max_connections = cycle->connection_n
                                - cycle->connection_n / 10;
    }

    rmcf->conns = ngx_http_rs_conns_create(rmcf, log);
    rmcf->presence = ngx_http_rs_presence_create(rmcf, log);
    rmcf->reap = ngx_http_rs_reap_create(rmcf, log);
    rmcf->sessions = ngx_http_rs_sessions_create(rmcf, log);
    rmcf->devices = ngx_http_rs_devices_create(rmcf, log);
    rmcf->stale = ngx_http_rs_stale_create(rmcf, log);
    rmcf->bans = ngx_http_rs_ban_create(rmcf, log);
    rmcf->watches = ngx_http_rs_watches_create(rmcf, log);
    rmcf->events = ngx_http_rs_events_create(rmcf, log);
    rmcf->relays = ngx_http_rs_relays_create(rmcf, log);
    rmcf->pipes = ngx_http_rs_pipes_create(rmcf, log);

    if (rmcf->stale == NULL || rmcf->bans == NULL || rmcf->watches == NULL
        || rmcf->events == NULL || rmcf->relays == NULL
        || rmcf->pipes == NULL
        || rmcf->conns == NULL || rmcf->presence == NULL || rmcf->reap == NULL
        || rmcf->sessions == NULL || rmcf->devices == NULL)
    {
        return NGX_ERROR;
    }

    ngx_http_rs_drain_watch(rmcf);

    rmcf->started = ngx_current_msec;

    /* last, for they call up into the above */

    rmcf->store = ngx_http_rs_store_create(rmcf, log,
                                           ngx_http_rs_store_up, rmcf);
    rmcf->bus = ngx_http_rs_bus_create(rmcf, log, ngx_http_rs_bus_env,
                                       ngx_http_rs_told,
                                       ngx_http_rs_bus_up);

    if (rmcf->store == NULL || rmcf->bus == NULL) {
        return NGX_ERROR;
    }

    rmcf->ipc = ngx_http_rs_ipc_create(rmcf, log, ngx_http_rs_bus_env);
    rmcf->links = ngx_http_rs_links_create(rmcf, log, ngx_http_rs_pipe_link);

    if (rmcf->links == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * A new incarnation for each process: a respawned or reloaded worker is never
 * taken for the one that had its number.
 */

static ngx_int_t
ngx_http_rs_init_address(ngx_cycle_t *cycle, ngx_http_rs_main_conf_t *rmcf)
{
    if (RAND_bytes((u_char *) &rmcf->self.incarnation,
                   sizeof(rmcf->self.incarnation))
        != 1)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "rs module: RAND_bytes() failed");
        return NGX_ERROR;
    }

    if (rs_addr_set_node(&rmcf->self, ngx_http_rs_slice(&rmcf->node))
        != RS_OK)
    {
        return NGX_ERROR;
    }

    rmcf->self.worker = ngx_worker;
    rmcf->self.conn = 0;

    rmcf->self_text.data = ngx_pnalloc(cycle->pool, RS_ADDR_MAX);
    if (rmcf->self_text.data == NULL) {
        return NGX_ERROR;
    }

    rmcf->self_text.len = rs_addr_format(&rmcf->self,
                                         (char *) rmcf->self_text.data,
                                         RS_ADDR_MAX);

    return NGX_OK;
}


static void
ngx_http_rs_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_rs_signal_module);

    if (rmcf == NULL || rmcf->store == NULL) {
        return;
    }

    if (rmcf->links) {
        ngx_http_rs_links_destroy(rmcf->links);
        rmcf->links = NULL;
    }

    if (rmcf->ipc) {
        ngx_http_rs_ipc_destroy(rmcf->ipc);
        rmcf->ipc = NULL;
    }

    ngx_http_rs_stale_destroy(rmcf->stale);
    ngx_http_rs_presence_drop(rmcf->presence);
    ngx_http_rs_reap_destroy(rmcf->reap);
    ngx_http_rs_bus_destroy(rmcf->bus);
    ngx_http_rs_store_destroy(rmcf->store);

    if (rmcf->slot) {
        ngx_http_rs_zone_leave(rmcf->slot);
        rmcf->slot = NULL;
    }
}


static ngx_int_t
ngx_http_rs_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_rs_variables_add(cf);
}


static ngx_int_t
ngx_http_rs_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_rs_jwks_init(ngx_http_conf_get_module_main_conf(cf,
                                               ngx_http_rs_signal_module));

    return ngx_http_rs_hold_init(cf);
}


static void *
ngx_http_rs_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_rs_main_conf_t));
    if (rmcf == NULL) {
        return NULL;
    }

    rmcf->redis.timeout = NGX_CONF_UNSET_MSEC;
    rmcf->redis.connect_timeout = NGX_CONF_UNSET_MSEC;
    rmcf->redis.slow = NGX_CONF_UNSET_MSEC;
    rmcf->redis.inflight = NGX_CONF_UNSET_UINT;
    rmcf->redis.noeviction = NGX_CONF_UNSET;
    rmcf->redis.wait_replicas = NGX_CONF_UNSET_UINT;
    rmcf->redis.wait_timeout = NGX_CONF_UNSET_MSEC;
    rmcf->lease_ttl = NGX_CONF_UNSET_MSEC;
    rmcf->pipe_buffer = NGX_CONF_UNSET_SIZE;
    rmcf->pipe_wait = NGX_CONF_UNSET_MSEC;
    rmcf->pipe_idle = NGX_CONF_UNSET_MSEC;
    rmcf->max_pipes = NGX_CONF_UNSET_UINT;
    rmcf->max_connections = NGX_CONF_UNSET_UINT;
    rmcf->ipc_on = NGX_CONF_UNSET;
    rmcf->events_readers = NGX_CONF_UNSET_UINT;
    rmcf->drain_time = NGX_CONF_UNSET_MSEC;
    rmcf->stale_limit = NGX_CONF_UNSET_MSEC;

    return rmcf;
}


static char *
ngx_http_rs_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_rs_main_conf_t *rmcf = conf;

    u_char                    *p, ch;
    ngx_str_t                  host, name;
    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_init_msec_value(rmcf->redis.timeout, 800);
    ngx_conf_init_msec_value(rmcf->redis.connect_timeout, 500);
    ngx_conf_init_msec_value(rmcf->redis.slow,
                             ngx_max(rmcf->redis.timeout / 2, 1));
    ngx_conf_init_uint_value(rmcf->redis.inflight, 4096);
    ngx_conf_init_value(rmcf->redis.noeviction, 1);
    ngx_conf_init_uint_value(rmcf->redis.wait_replicas,
                             rmcf->redis.wait_default);
    ngx_conf_init_msec_value(rmcf->redis.wait_timeout,
                             ngx_min(200, rmcf->redis.timeout / 2));
    ngx_conf_init_msec_value(rmcf->lease_ttl, 15000);
    ngx_conf_init_value(rmcf->ipc_on, 1);
    ngx_conf_init_uint_value(rmcf->events_readers, 256);
    ngx_conf_init_msec_value(rmcf->drain_time, 30000);
    ngx_conf_init_msec_value(rmcf->stale_limit, 3600000);

    if (rmcf->redis.slow > rmcf->redis.timeout) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rs_redis_slow\" must not be above "
                           "\"rs_redis_timeout\", %M ms",
                           rmcf->redis.timeout);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_rs_identity_init(cf, &rmcf->fleet) != NGX_CONF_OK
        || ngx_http_rs_init_pipes(cf, rmcf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (rmcf->lease_ttl < 3000) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rs_lease_ttl\" must be at least 3s");
        return NGX_CONF_ERROR;
    }

    if (rmcf->redis.wait_timeout > rmcf->redis.timeout / 2) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the time of \"rs_redis_wait\" must not be above "
                           "half of \"rs_redis_timeout\"");
        return NGX_CONF_ERROR;
    }

    if (rmcf->enabled && rmcf->redis.text.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rs_gateway\" needs \"rs_redis\" "
                           "in the http block");
        return NGX_CONF_ERROR;
    }

    if ((rmcf->enabled || rmcf->metrics) && rmcf->zone == NULL) {
        ngx_str_set(&name, NGX_HTTP_RS_ZONE_NAME);

        rmcf->zone = ngx_http_rs_zone_add(cf, &name, NGX_HTTP_RS_ZONE_SIZE);
        if (rmcf->zone == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ngx_rs_redis_conf_init(cf, &rmcf->redis, clcf->resolver)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (rmcf->node.len) {
        return NGX_CONF_OK;
    }

    /* the host name up to its first dot, in the letters an address may have */

    host = cf->cycle->hostname;

    p = ngx_pnalloc(cf->pool, RS_ADDR_NODE_MAX);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    rmcf->node.data = p;

    while (host.len && *host.data != '.'
           && rmcf->node.len < RS_ADDR_NODE_MAX)
    {
        ch = ngx_tolower(*host.data);

        if ((ch < 'a' || ch > 'z') && (ch < '0' || ch > '9')) {
            ch = '-';
        }

        p[rmcf->node.len++] = ch;

        host.data++;
        host.len--;
    }

    if (rmcf->node.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the host has no name; set \"rs_node\"");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_rs_init_pipes(ngx_conf_t *cf, ngx_http_rs_main_conf_t *rmcf)
{
    ngx_conf_init_size_value(rmcf->pipe_buffer, 65536);
    ngx_conf_init_msec_value(rmcf->pipe_wait, 30000);
    ngx_conf_init_msec_value(rmcf->pipe_idle, 600000);
    ngx_conf_init_uint_value(rmcf->max_pipes, 0);

    if (rmcf->node_listen.len && rmcf->node_nkeys == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rs_node_listen\" needs \"rs_node_key_file\", "
                           "the same on all nodes");
        return NGX_CONF_ERROR;
    }

    if (rmcf->node_nkeys
        && ngx_http_rs_link_tls_init(cf, rmcf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (rmcf->pipe_buffer < 4096 || rmcf->pipe_buffer > 1024 * 1024) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rs_pipe_buffer\" must be 4k to 1m");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_rs_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_rs_loc_conf_t  *rlcf;

    rlcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_rs_loc_conf_t));
    if (rlcf == NULL) {
        return NULL;
    }

    rlcf->origins = NGX_CONF_UNSET_PTR;
    rlcf->audit_reads = NGX_CONF_UNSET;
    rlcf->agent_hosts = NGX_CONF_UNSET_PTR;
    rlcf->stun = NGX_CONF_UNSET_PTR;
    rlcf->turn = NGX_CONF_UNSET_PTR;
    rlcf->turn_ttl = NGX_CONF_UNSET;

    ngx_http_rs_oidc_create(&rlcf->oidc);

    rlcf->message_size = NGX_CONF_UNSET_SIZE;
    rlcf->message_fragments = NGX_CONF_UNSET_UINT;
    rlcf->send_queue = NGX_CONF_UNSET_SIZE;
    rlcf->message_rate = NGX_CONF_UNSET_UINT;
    rlcf->message_burst = NGX_CONF_UNSET_UINT;
    rlcf->input_rate = NGX_CONF_UNSET_UINT;
    rlcf->input_burst = NGX_CONF_UNSET_UINT;
    rlcf->log_rate = NGX_CONF_UNSET_SIZE;
    rlcf->log_size = NGX_CONF_UNSET_SIZE;
    rlcf->body_size = NGX_CONF_UNSET_SIZE;

    rlcf->hello_timeout = NGX_CONF_UNSET_MSEC;
    rlcf->ping_interval = NGX_CONF_UNSET_MSEC;
    rlcf->peer_timeout = NGX_CONF_UNSET_MSEC;
    rlcf->resume_grace = NGX_CONF_UNSET_MSEC;
    rlcf->recorder_grace = NGX_CONF_UNSET_MSEC;
    rlcf->recorder_timeout = NGX_CONF_UNSET_MSEC;
    rlcf->recorder_wait = NGX_CONF_UNSET_MSEC;
    rlcf->events_heartbeat = NGX_CONF_UNSET_MSEC;

    rlcf->max_participants = NGX_CONF_UNSET_UINT;
    rlcf->ticket_ttl = NGX_CONF_UNSET;
    rlcf->session_ttl = NGX_CONF_UNSET;
    rlcf->session_retain = NGX_CONF_UNSET;
    rlcf->tunnel_ttl = NGX_CONF_UNSET;
    rlcf->device_tunnels = NGX_CONF_UNSET_UINT;
    rlcf->tunnel_pipes = NGX_CONF_UNSET_UINT;

    return rlcf;
}


static char *
ngx_http_rs_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_rs_loc_conf_t *prev = parent;
    ngx_http_rs_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    if (conf->origins == NGX_CONF_UNSET_PTR) {
        conf->origin_any = prev->origin_any;
    }

    ngx_conf_merge_ptr_value(conf->origins, prev->origins, NULL);
    ngx_conf_merge_ptr_value(conf->agent_hosts, prev->agent_hosts, NULL);
    ngx_conf_merge_ptr_value(conf->stun, prev->stun, NULL);
    ngx_conf_merge_ptr_value(conf->turn, prev->turn, NULL);
    ngx_conf_merge_sec_value(conf->turn_ttl, prev->turn_ttl, 300);

    if (conf->console_url == NULL) {
        conf->console_url = prev->console_url;
    }

    if (conf->tenant == NULL) {
        conf->tenant = prev->tenant;
    }

    if (conf->max_sessions == NULL) {
        conf->max_sessions = prev->max_sessions;
    }

    if (conf->max_devices == NULL) {
        conf->max_devices = prev->max_devices;
    }

    if (conf->max_enrollments == NULL) {
        conf->max_enrollments = prev->max_enrollments;
    }

    if (conf->max_tunnels == NULL) {
        conf->max_tunnels = prev->max_tunnels;
    }

    ngx_conf_merge_value(conf->audit_reads, prev->audit_reads, 0);

    if (conf->turn_region == NULL) {
        conf->turn_region = prev->turn_region;
    }

    ngx_conf_merge_size_value(conf->message_size, prev->message_size, 65536);
    ngx_conf_merge_uint_value(conf->message_fragments,
                              prev->message_fragments, 32);
    ngx_conf_merge_size_value(conf->send_queue, prev->send_queue, 262144);
    ngx_conf_merge_uint_value(conf->message_rate, prev->message_rate, 50);
    ngx_conf_merge_uint_value(conf->message_burst, prev->message_burst, 100);
    ngx_conf_merge_uint_value(conf->input_rate, prev->input_rate, 200);
    ngx_conf_merge_uint_value(conf->input_burst, prev->input_burst, 400);
    ngx_conf_merge_size_value(conf->log_rate, prev->log_rate, 262144);
    ngx_conf_merge_size_value(conf->log_size, prev->log_size, 1048576);
    ngx_conf_merge_size_value(conf->body_size, prev->body_size, 65536);

    ngx_conf_merge_msec_value(conf->hello_timeout, prev->hello_timeout, 10000);
    ngx_conf_merge_msec_value(conf->ping_interval, prev->ping_interval, 25000);
    ngx_conf_merge_msec_value(conf->peer_timeout, prev->peer_timeout, 60000);
    ngx_conf_merge_msec_value(conf->resume_grace, prev->resume_grace, 120000);
    ngx_conf_merge_msec_value(conf->recorder_grace, prev->recorder_grace,
                              3000);
    ngx_conf_merge_msec_value(conf->recorder_timeout, prev->recorder_timeout,
                              4000);
    ngx_conf_merge_msec_value(conf->recorder_wait, prev->recorder_wait,
                              30000);
    ngx_conf_merge_msec_value(conf->events_heartbeat, prev->events_heartbeat,
                              15000);
    ngx_conf_merge_str_value(conf->webhook_key, prev->webhook_key, "");

    ngx_conf_merge_uint_value(conf->max_participants,
                              prev->max_participants, 16);
    ngx_conf_merge_sec_value(conf->ticket_ttl, prev->ticket_ttl, 60);
    ngx_conf_merge_sec_value(conf->session_ttl, prev->session_ttl, 43200);
    ngx_conf_merge_sec_value(conf->session_retain, prev->session_retain, 3600);
    ngx_conf_merge_sec_value(conf->tunnel_ttl, prev->tunnel_ttl, 28800);
    ngx_conf_merge_uint_value(conf->device_tunnels, prev->device_tunnels, 16);
    ngx_conf_merge_uint_value(conf->tunnel_pipes, prev->tunnel_pipes, 64);

    if (ngx_http_rs_turn_merge(cf, prev, conf) != NGX_CONF_OK
        || ngx_http_rs_oidc_merge(cf, &prev->oidc, &conf->oidc,
                                  conf->gateway)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (!conf->gateway) {
        return NGX_CONF_OK;
    }

    /* rs_body_size is the bound; nginx's own answer would not be a problem */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->client_max_body_size = 0;

    if (conf->message_size > NGX_HTTP_RS_MESSAGE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rs_message_size\" must not be above 512k");
        return NGX_CONF_ERROR;
    }

    if (conf->log_size > NGX_HTTP_RS_LOG_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rs_log_size\" must not be above 16m");
        return NGX_CONF_ERROR;
    }

    if (conf->send_queue < conf->message_size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rs_send_queue\" must not be smaller "
                           "than \"rs_message_size\"");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_rs_gateway(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rs_loc_conf_t *rlcf = conf;

    ngx_http_rs_main_conf_t   *rmcf;
    ngx_http_core_loc_conf_t  *clcf;

    if (rlcf->gateway) {
        return "is duplicate";
    }

    if (rlcf->metrics) {
        return "needs a location of its own, without \"rs_metrics\"";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

#if (NGX_PCRE)
    if (clcf->regex) {
        return "needs a location given by a prefix, as \"/rs/v1/\"";
    }
#endif

    if (clcf->named || clcf->noname || clcf->name.len == 0) {
        return "needs a location given by a prefix, as \"/rs/v1/\"";
    }

    rlcf->gateway = 1;
    clcf->handler = ngx_http_rs_handler;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_rs_signal_module);
    rmcf->enabled = 1;

    if (rmcf->gateway == NULL) {
        rmcf->gateway = rlcf;
    }

    return NGX_CONF_OK;
}
