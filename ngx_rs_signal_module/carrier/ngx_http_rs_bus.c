
/*
 * Copyright (C) rs-gateway contributors
 *
 * This worker's Redis channel, and a word to another worker's: over the
 * command link, for this one only listens.
 *
 * TCP alone does not tell that a subscription is dead: nothing is ever sent
 * on it.  So each lease call has Redis publish a beacon to this very channel.
 * When the call's answer came and the beacon did not within rs_redis_timeout,
 * the link is dropped and subscribed anew.  Beacons only grow, so one number
 * expected and one received are enough.
 */


#include "ngx_http_rs.h"


struct ngx_http_rs_bus_s {
    ngx_http_rs_main_conf_t    *rmcf;
    ngx_log_t                  *log;
    ngx_rs_redis_t             *redis;

    ngx_http_rs_bus_env_pt      on_env;
    ngx_http_rs_bus_watch_pt    on_watch;
    ngx_http_rs_bus_up_pt       on_up;

    uint64_t                    received;      /* the last beacon */
    uint64_t                    expected;
    ngx_event_t                 late;          /* expected, not received */
};


/* of all workers */

static ngx_str_t  ngx_http_rs_bus_all[] = {
    ngx_string(NGX_HTTP_RS_BAN_CHANNEL),
    ngx_string("rs:watch")
};


static void ngx_http_rs_bus_state(void *data, ngx_uint_t up);
static void ngx_http_rs_bus_message(void *data, ngx_str_t *channel,
    ngx_str_t *payload);
static ngx_uint_t ngx_http_rs_bus_is(ngx_str_t *channel, ngx_uint_t i);
static void ngx_http_rs_bus_beacon(ngx_http_rs_bus_t *bus, rs_env_t *env);
static void ngx_http_rs_bus_late_handler(ngx_event_t *ev);
static void ngx_http_rs_bus_forget(ngx_http_rs_bus_t *bus);


ngx_http_rs_bus_t *
ngx_http_rs_bus_create(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log,
    ngx_http_rs_bus_env_pt on_env, ngx_http_rs_bus_watch_pt on_watch,
    ngx_http_rs_bus_up_pt on_up)
{
    ngx_str_t           channel;
    ngx_http_rs_bus_t  *bus;

    if (ngx_http_rs_store_channel(ngx_cycle->pool, &rmcf->self_text, &channel)
        != NGX_OK)
    {
        return NULL;
    }

    bus = ngx_calloc(sizeof(ngx_http_rs_bus_t), log);
    if (bus == NULL) {
        return NULL;
    }

    bus->rmcf = rmcf;
    bus->log = log;
    bus->on_env = on_env;
    bus->on_watch = on_watch;
    bus->on_up = on_up;

    bus->late.handler = ngx_http_rs_bus_late_handler;
    bus->late.data = bus;
    bus->late.log = log;
    bus->late.cancelable = 1;

    bus->redis = ngx_rs_redis_subscribe(&rmcf->redis, log, &channel,
                                        ngx_http_rs_bus_all, 2,
                                        ngx_http_rs_bus_state,
                                        ngx_http_rs_bus_message, bus);
    if (bus->redis == NULL) {
        ngx_free(bus);
        return NULL;
    }

    return bus;
}


void
ngx_http_rs_bus_destroy(ngx_http_rs_bus_t *bus)
{
    ngx_http_rs_bus_forget(bus);

    ngx_rs_redis_destroy(bus->redis);

    ngx_free(bus);
}


ngx_uint_t
ngx_http_rs_bus_ready(ngx_http_rs_bus_t *bus)
{
    return ngx_rs_redis_up(bus->redis);
}


ngx_int_t
ngx_http_rs_bus_send(ngx_http_rs_bus_t *bus, rs_addr_t *worker,
    ngx_str_t *envelope)
{
    if (ngx_http_rs_store_publish(bus->rmcf->store, worker, envelope)
        != NGX_OK)
    {
        ngx_http_rs_count(bus->rmcf, NGX_HTTP_RS_STAT_ENV_DROPPED);
        return NGX_BUSY;
    }

    ngx_http_rs_count(bus->rmcf, NGX_HTTP_RS_STAT_REDIS_OUT);

    return NGX_OK;
}


void
ngx_http_rs_bus_expect(ngx_http_rs_bus_t *bus, uint64_t beacon)
{
    if (!ngx_rs_redis_up(bus->redis) || beacon <= bus->received) {
        return;
    }

    bus->expected = beacon;

    if (!bus->late.timer_set) {
        ngx_add_timer(&bus->late, bus->rmcf->redis.timeout);
    }
}


static void
ngx_http_rs_bus_state(void *data, ngx_uint_t up)
{
    ngx_http_rs_bus_t *bus = data;

    /* a beacon of before the subscription never comes */

    ngx_http_rs_bus_forget(bus);

    ngx_http_rs_gauge_set(bus->rmcf, NGX_HTTP_RS_GAUGE_BUS, up);

    bus->on_up(bus->rmcf, up);
}


static void
ngx_http_rs_bus_message(void *data, ngx_str_t *channel, ngx_str_t *payload)
{
    ngx_http_rs_bus_t *bus = data;

    rs_env_t  env;

    if (ngx_http_rs_bus_is(channel, 0)) {
        ngx_http_rs_ban_told(bus->rmcf, payload);
        return;
    }

    if (ngx_http_rs_bus_is(channel, 1)) {
        bus->on_watch(bus->rmcf, payload);
        return;
    }

    if (rs_env_decode(ngx_http_rs_slice(payload), &env) != RS_OK) {
        ngx_http_rs_count(bus->rmcf, NGX_HTTP_RS_STAT_ENV_BAD);
        ngx_log_error(NGX_LOG_WARN, bus->log, 0,
                      "rs bus: an envelope of %uz bytes is not version 1 "
                      "or malformed", payload->len);
        return;
    }

    ngx_http_rs_count(bus->rmcf, NGX_HTTP_RS_STAT_REDIS_IN);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, bus->log, 0,
                   "rs bus kind:%s session:%*s",
                   rs_env_kind_name(env.kind), env.session.len,
                   env.session.data);

    /* number 0 is nobody's answer: a lease was given back */

    if (env.kind == RS_ENV_BCN && !rs_str_eq(env.id, RS_STR("0"))) {
        ngx_http_rs_bus_beacon(bus, &env);
        return;
    }

    bus->on_env(bus->rmcf, &env);
}


static ngx_uint_t
ngx_http_rs_bus_is(ngx_str_t *channel, ngx_uint_t i)
{
    return channel->len == ngx_http_rs_bus_all[i].len
           && ngx_memcmp(channel->data, ngx_http_rs_bus_all[i].data,
                         channel->len)
              == 0;
}


static void
ngx_http_rs_bus_beacon(ngx_http_rs_bus_t *bus, rs_env_t *env)
{
    uint64_t  beacon;

    if (!rs_u64_parse(env->id, UINT64_MAX, &beacon)
        || beacon <= bus->received)
    {
        return;
    }

    bus->received = beacon;

    if (bus->received >= bus->expected) {
        ngx_http_rs_bus_forget(bus);
    }
}


static void
ngx_http_rs_bus_late_handler(ngx_event_t *ev)
{
    ngx_http_rs_bus_t  *bus;

    bus = ev->data;

    /* it may lie there since before this worker got to its timers */

    if (ngx_rs_redis_poll(bus->redis)) {
        ngx_add_timer(ev, 1);
        return;
    }

    if (bus->expected) {
        ngx_rs_redis_reset(bus->redis, "a beacon did not come back");
    }
}


static void
ngx_http_rs_bus_forget(ngx_http_rs_bus_t *bus)
{
    bus->expected = 0;

    if (bus->late.timer_set) {
        ngx_del_timer(&bus->late);
    }
}
