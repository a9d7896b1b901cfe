
/*
 * Copyright (C) rs-gateway contributors
 *
 * The table of REST: {method, path, id, verb, body, handler}, and the call
 * that a request is by it.
 */


#include "ngx_http_rs_api_internal.h"


static ngx_uint_t ngx_http_rs_api_match_path(
    const ngx_http_rs_api_route_t *route, ngx_str_t *path, ngx_str_t *found);


static const ngx_http_rs_api_route_t  ngx_http_rs_api_routes[] = {

    { NGX_HTTP_GET, "/", NULL, NGX_HTTP_RS_API_OPEN,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_root },

    { NGX_HTTP_GET, "/health/live", NULL, NGX_HTTP_RS_API_OPEN,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_live },

    { NGX_HTTP_GET, "/health/ready", NULL, NGX_HTTP_RS_API_OPEN,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_ready },

    { NGX_HTTP_GET, "/openapi.json", NULL, NGX_HTTP_RS_API_OPEN,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_openapi },

    { NGX_HTTP_GET, "/check", NULL, NGX_HTTP_RS_API_OPEN,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_check_get },

    { NGX_HTTP_POST, "/check", NULL, NGX_HTTP_RS_API_OPEN,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_check_post },

    { NGX_HTTP_POST, "/sessions", NULL, RS_VERB_SESSIONS_WRITE,
      NGX_HTTP_RS_API_BODY, ngx_http_rs_api_session_create },

    { NGX_HTTP_GET, "/sessions", NULL, RS_VERB_SESSIONS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_session_list },

    { NGX_HTTP_GET, "/sessions/{id}", RS_ID_SESSION, RS_VERB_SESSIONS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_session_get },

    { NGX_HTTP_DELETE, "/sessions/{id}", RS_ID_SESSION, RS_VERB_SESSIONS_WRITE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_session_end },

    { NGX_HTTP_POST, "/sessions/{id}/participants", RS_ID_SESSION,
      RS_VERB_SESSIONS_WRITE,
      NGX_HTTP_RS_API_BODY, ngx_http_rs_api_participant_add },

    { NGX_HTTP_GET, "/sessions/{id}/links", RS_ID_SESSION,
      RS_VERB_SESSIONS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_link_list },

    { NGX_HTTP_DELETE, "/sessions/{id}/links/{link}", RS_ID_SESSION,
      RS_VERB_SESSIONS_INVITE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_link_delete },

    { NGX_HTTP_POST, "/sessions/{id}/help", RS_ID_SESSION,
      RS_VERB_SESSIONS_WRITE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_help_create },

    { NGX_HTTP_POST, "/help", NULL, NGX_HTTP_RS_API_OPEN,
      NGX_HTTP_RS_API_BODY, ngx_http_rs_api_help },

    { NGX_HTTP_POST, "/join", NULL, NGX_HTTP_RS_API_OPEN,
      NGX_HTTP_RS_API_BODY, ngx_http_rs_api_join },

    { NGX_HTTP_POST, "/enrollments", NULL, RS_VERB_ENROLLMENTS_WRITE,
      NGX_HTTP_RS_API_MAY_BODY, ngx_http_rs_api_enrollment_create },

    { NGX_HTTP_GET, "/enrollments", NULL, RS_VERB_ENROLLMENTS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_enrollment_list },

    { NGX_HTTP_GET, "/enrollments/{id}", RS_ID_ENROLLMENT,
      RS_VERB_ENROLLMENTS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_enrollment_get },

    { NGX_HTTP_DELETE, "/enrollments/{id}", RS_ID_ENROLLMENT,
      RS_VERB_ENROLLMENTS_WRITE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_enrollment_delete },

    { NGX_HTTP_POST, "/devices", NULL, NGX_HTTP_RS_API_OPEN,
      NGX_HTTP_RS_API_BODY, ngx_http_rs_api_device_create },

    { NGX_HTTP_GET, "/devices", NULL, RS_VERB_DEVICES_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_device_list },

    { NGX_HTTP_GET, "/devices/{id}", RS_ID_DEVICE, RS_VERB_DEVICES_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_device_get },

    { NGX_HTTP_PATCH, "/devices/{id}", RS_ID_DEVICE, RS_VERB_DEVICES_WRITE,
      NGX_HTTP_RS_API_PATCH, ngx_http_rs_api_device_patch },

    { NGX_HTTP_DELETE, "/devices/{id}", RS_ID_DEVICE, RS_VERB_DEVICES_WRITE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_device_delete },

    { NGX_HTTP_POST, "/devices/{id}/tunnels", RS_ID_DEVICE,
      RS_VERB_TUNNELS_WRITE,
      NGX_HTTP_RS_API_BODY, ngx_http_rs_api_tunnel_create },

    { NGX_HTTP_POST, "/devices/{id}/commands", RS_ID_DEVICE,
      RS_VERB_COMMANDS_RUN,
      NGX_HTTP_RS_API_BODY, ngx_http_rs_api_command_run },

    { NGX_HTTP_GET, "/tunnels", NULL, RS_VERB_TUNNELS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_tunnel_list },

    { NGX_HTTP_GET, "/tunnels/{id}", RS_ID_TUNNEL, RS_VERB_TUNNELS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_tunnel_get },

    { NGX_HTTP_PATCH, "/tunnels/{id}", RS_ID_TUNNEL, RS_VERB_TUNNELS_WRITE,
      NGX_HTTP_RS_API_PATCH, ngx_http_rs_api_tunnel_patch },

    { NGX_HTTP_DELETE, "/tunnels/{id}", RS_ID_TUNNEL, RS_VERB_TUNNELS_WRITE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_tunnel_delete },

    { NGX_HTTP_POST, "/tunnels/{id}/pipes", RS_ID_TUNNEL, RS_VERB_TUNNELS_USE,
      NGX_HTTP_RS_API_MAY_BODY, ngx_http_rs_api_pipe_create },

    { NGX_HTTP_POST, "/tunnels/{id}/port", RS_ID_TUNNEL, RS_VERB_TUNNELS_USE,
      NGX_HTTP_RS_API_MAY_BODY, ngx_http_rs_api_port_create },

    { NGX_HTTP_GET, "/recordings", NULL, RS_VERB_RECORDINGS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_recording_list },

    { NGX_HTTP_GET, "/recordings/{id}", RS_ID_RECORDING,
      RS_VERB_RECORDINGS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_recording_get },

    { NGX_HTTP_DELETE, "/recordings/{id}", RS_ID_RECORDING,
      RS_VERB_RECORDINGS_DELETE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_recording_delete },

    { NGX_HTTP_POST, "/recordings/{id}/pipes", RS_ID_RECORDING,
      RS_VERB_RECORDINGS_READ,
      NGX_HTTP_RS_API_MAY_BODY, ngx_http_rs_api_recording_open },

    { NGX_HTTP_POST, "/ice", NULL, RS_VERB_ICE,
      NGX_HTTP_RS_API_MAY_BODY, ngx_http_rs_api_ice },

    { NGX_HTTP_GET, "/turn", NULL, RS_VERB_ICE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_turn },

    { NGX_HTTP_POST, "/turn/keys/{id}/credentials/generate-ice-servers",
      RS_ID_KEY, RS_VERB_ICE,
      NGX_HTTP_RS_API_MAY_BODY, ngx_http_rs_api_turn_generate },

    { NGX_HTTP_POST, "/turn/keys/{id}/credentials/{username}/revoke",
      RS_ID_KEY, RS_VERB_ICE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_turn_revoke },

    { NGX_HTTP_POST, "/watch", NULL, RS_VERB_DEVICES_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_watch_create },

    { NGX_HTTP_GET, "/events", NULL, RS_VERB_DEVICES_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_events },

    { NGX_HTTP_POST, "/webhooks", NULL, RS_VERB_WEBHOOKS_WRITE,
      NGX_HTTP_RS_API_BODY, ngx_http_rs_api_webhook_create },

    { NGX_HTTP_GET, "/webhooks", NULL, RS_VERB_WEBHOOKS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_webhook_list },

    { NGX_HTTP_GET, "/webhooks/{id}", RS_ID_WEBHOOK, RS_VERB_WEBHOOKS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_webhook_get },

    { NGX_HTTP_PATCH, "/webhooks/{id}", RS_ID_WEBHOOK, RS_VERB_WEBHOOKS_WRITE,
      NGX_HTTP_RS_API_PATCH, ngx_http_rs_api_webhook_patch },

    { NGX_HTTP_POST, "/webhooks/{id}/secret", RS_ID_WEBHOOK,
      RS_VERB_WEBHOOKS_WRITE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_webhook_secret },

    { NGX_HTTP_DELETE, "/webhooks/{id}", RS_ID_WEBHOOK, RS_VERB_WEBHOOKS_WRITE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_webhook_delete },

    { NGX_HTTP_GET, "/me", NULL, NGX_HTTP_RS_API_SELF,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_me },

    { NGX_HTTP_POST, "/me/sign-out", NULL, NGX_HTTP_RS_API_SELF,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_me_sign_out },

    { NGX_HTTP_POST, "/users/{id}/revoke", RS_ID_USER, RS_VERB_USERS_WRITE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_user_revoke },

    { NGX_HTTP_POST, "/groups", NULL, RS_VERB_GROUPS_WRITE,
      NGX_HTTP_RS_API_BODY, ngx_http_rs_api_group_create },

    { NGX_HTTP_GET, "/groups", NULL, RS_VERB_GROUPS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_group_list },

    { NGX_HTTP_GET, "/groups/{id}", RS_ID_GROUP, RS_VERB_GROUPS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_group_get },

    { NGX_HTTP_PATCH, "/groups/{id}", RS_ID_GROUP, RS_VERB_GROUPS_WRITE,
      NGX_HTTP_RS_API_PATCH, ngx_http_rs_api_group_patch },

    { NGX_HTTP_DELETE, "/groups/{id}", RS_ID_GROUP, RS_VERB_GROUPS_WRITE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_group_delete },

    { NGX_HTTP_GET, "/policies", NULL, RS_VERB_POLICIES_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_policy_list },

    { NGX_HTTP_GET, "/policies/{name}", NULL, RS_VERB_POLICIES_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_policy_get },

    { NGX_HTTP_PUT, "/policies/{name}", NULL, RS_VERB_POLICIES_WRITE,
      NGX_HTTP_RS_API_BODY, ngx_http_rs_api_policy_put },

    { NGX_HTTP_DELETE, "/policies/{name}", NULL, RS_VERB_POLICIES_WRITE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_policy_delete },

    { NGX_HTTP_POST, "/grants", NULL, RS_VERB_GRANTS_WRITE,
      NGX_HTTP_RS_API_BODY, ngx_http_rs_api_grant_create },

    { NGX_HTTP_GET, "/grants", NULL, RS_VERB_GRANTS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_grant_list },

    { NGX_HTTP_GET, "/grants/{id}", RS_ID_GRANT, RS_VERB_GRANTS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_grant_get },

    { NGX_HTTP_DELETE, "/grants/{id}", RS_ID_GRANT, RS_VERB_GRANTS_WRITE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_grant_delete },

    { NGX_HTTP_POST, "/bootstrap", NULL, NGX_HTTP_RS_API_OPEN,
      NGX_HTTP_RS_API_BODY, ngx_http_rs_api_bootstrap },

    { NGX_HTTP_POST, "/login", NULL, NGX_HTTP_RS_API_OPEN,
      NGX_HTTP_RS_API_BODY, ngx_http_rs_api_login },

    { NGX_HTTP_POST, "/keys", NULL, RS_VERB_KEYS_WRITE,
      NGX_HTTP_RS_API_BODY, ngx_http_rs_api_key_create },

    { NGX_HTTP_GET, "/keys", NULL, RS_VERB_KEYS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_key_list },

    { NGX_HTTP_GET, "/keys/{id}", RS_ID_KEY, RS_VERB_KEYS_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_key_get },

    { NGX_HTTP_DELETE, "/keys/{id}", RS_ID_KEY, RS_VERB_KEYS_WRITE,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_key_delete },

    { NGX_HTTP_GET, "/audit", NULL, RS_VERB_AUDIT_READ,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_audit_list },

    { NGX_HTTP_DELETE, "/audit", NULL, RS_VERB_AUDIT_TRIM,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_audit_trim },

    { NGX_HTTP_GET, "/drain", NULL, RS_VERB_NODE_DRAIN,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_drain_get },

    { NGX_HTTP_POST, "/drain", NULL, RS_VERB_NODE_DRAIN,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_drain_start },

    { NGX_HTTP_DELETE, "/drain", NULL, RS_VERB_NODE_DRAIN,
      NGX_HTTP_RS_API_NO_BODY, ngx_http_rs_api_drain_end },

    { 0, NULL, NULL, 0, NGX_HTTP_RS_API_NO_BODY, NULL }
};


static const struct {
    ngx_uint_t   method;
    const char  *names;
} ngx_http_rs_api_methods[] = {
    { NGX_HTTP_GET, "GET, HEAD, " },
    { NGX_HTTP_POST, "POST, " },
    { NGX_HTTP_PUT, "PUT, " },
    { NGX_HTTP_PATCH, "PATCH, " },
    { NGX_HTTP_DELETE, "DELETE, " },
    { 0, NULL }
};


const ngx_http_rs_api_route_t *
ngx_http_rs_api_match(ngx_http_request_t *r, ngx_str_t *path,
    ngx_str_t *found, ngx_str_t *allow)
{
    u_char                         *p;
    ngx_uint_t                      i, method;
    const ngx_http_rs_api_route_t  *route, *match;

    p = allow->data;
    match = NULL;
    method = (r->method == NGX_HTTP_HEAD) ? NGX_HTTP_GET : r->method;

    for (route = ngx_http_rs_api_routes; route->path; route++) {

        if (!ngx_http_rs_api_match_path(route, path, found)) {
            continue;
        }

        if (route->method == method) {
            match = route;
        }

        for (i = 0; ngx_http_rs_api_methods[i].names; i++) {
            if (ngx_http_rs_api_methods[i].method == route->method) {
                p = ngx_cpymem(p, ngx_http_rs_api_methods[i].names,
                               ngx_strlen(ngx_http_rs_api_methods[i].names));
            }
        }
    }

    if (p != allow->data) {
        p = ngx_cpymem(p, "OPTIONS", sizeof("OPTIONS") - 1);
        allow->len = p - allow->data;
    }

    return match;
}


static ngx_uint_t
ngx_http_rs_api_match_path(const ngx_http_rs_api_route_t *route,
    ngx_str_t *path, ngx_str_t *found)
{
    u_char      *p, *last;
    ngx_str_t    segments[NGX_HTTP_RS_API_SEGMENTS];
    ngx_uint_t   n;
    const char  *pattern;

    p = path->data;
    last = path->data + path->len;
    pattern = route->path;

    n = 0;
    ngx_memzero(segments, sizeof(segments));

    while (*pattern) {

        if (*pattern == '{') {
            segments[n].data = p;

            while (p < last && *p != '/') {
                p++;
            }

            segments[n].len = p - segments[n].data;
            n++;

            pattern = ngx_strchr(pattern, '}') + 1;

            continue;
        }

        if (p == last || *p != (u_char) *pattern) {
            return 0;
        }

        p++;
        pattern++;
    }

    if (p != last) {
        return 0;
    }

    /* what cannot be an id names nothing */

    if (route->id
        && rs_id_check(ngx_http_rs_slice(&segments[0]), route->id) != RS_OK)
    {
        return 0;
    }

    ngx_memcpy(found, segments, sizeof(segments));

    return 1;
}
