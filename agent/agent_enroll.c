
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the one REST call of the agent.
 */

#define G_LOG_DOMAIN  "rs-enroll"

#include "agent_enroll.h"
#include "agent_json.h"
#include "agent_key.h"
#include "agent_log.h"
#include "agent_socket.h"
#include "agent_version.h"
#include "rs_devkey.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>


#define AGENT_ENROLL_TOKEN   512        /* bytes */
#define AGENT_ENROLL_ANSWER  65536
#define AGENT_ENROLL_ENV     "RS_ENROLLMENT_TOKEN"
#define AGENT_ENROLL_TRIES   5
#define AGENT_ENROLL_WAIT_S  30         /* the longest Retry-After taken */


static char *agent_enroll_read(FILE *f, const char *name, GError **error);
static char *agent_enroll_body(const agent_config_t *config,
    const agent_key_t *key, const char *token);
static SoupMessage *agent_enroll_message(const char *url, const char *body);
static char *agent_enroll_post(SoupSession *soup, SoupMessage *msg,
    GError **error);
static gboolean agent_enroll_wait(const char *url, SoupMessage *msg);
static agent_device_t *agent_enroll_answer(const char *url, SoupMessage *msg,
    const char *text, GError **error);


static char *
agent_enroll_read(FILE *f, const char *name, GError **error)
{
    char   buf[AGENT_ENROLL_TOKEN + 2];
    gsize  len;

    len = fread(buf, 1, sizeof(buf) - 1, f);
    buf[len] = '\0';

    g_strstrip(buf);
    len = strlen(buf);

    if (len == 0 || len > AGENT_ENROLL_TOKEN || strpbrk(buf, " \t\r\n")) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "%s holds no enrolment token (rse_...)", name);
        return NULL;
    }

    return g_strdup(buf);
}


char *
agent_enroll_token(const char *path, GError **error)
{
    FILE        *f;
    char        *token;
    const char  *env;

    env = g_getenv(AGENT_ENROLL_ENV);

    if (path == NULL && env != NULL && env[0] != '\0') {
        token = g_strdup(env);
        g_unsetenv(AGENT_ENROLL_ENV);
        return token;
    }

    if (path == NULL || strcmp(path, "-") == 0) {
        return agent_enroll_read(stdin, "standard input", error);
    }

    f = fopen(path, "re");

    if (f == NULL) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "cannot read the enrolment token from %s", path);
        return NULL;
    }

    token = agent_enroll_read(f, path, error);
    fclose(f);

    return token;
}


static char *
agent_enroll_body(const agent_config_t *config, const agent_key_t *key,
    const char *token)
{
    struct utsname     un;
    g_autofree char   *program = NULL;
    g_autofree char   *public_key = NULL;

    public_key = agent_key_public(key);
    program = g_strconcat(agent_log_program(), " " AGENT_VERSION, NULL);

    if (uname(&un) == -1) {
        memset(&un, 0, sizeof(un));
    }

    return agent_json_text(json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:s}}",
                                     "enrollment", token,
                                     "public_key", public_key,
                                     "name", config->name,
                                     "meta",
                                     "agent", program,
                                     "os", un.sysname,
                                     "arch", un.machine));
}


static SoupMessage *
agent_enroll_message(const char *url, const char *body)
{
    SoupMessage         *msg;
    g_autoptr(GBytes)    bytes = NULL;

    msg = soup_message_new(SOUP_METHOD_POST, url);
    soup_message_add_flags(msg, SOUP_MESSAGE_NO_REDIRECT);

    bytes = g_bytes_new(body, strlen(body));
    soup_message_set_request_body_from_bytes(msg, "application/json", bytes);

    return msg;
}


/* waits as long as a busy gateway asks for; FALSE: it does not ask */

static gboolean
agent_enroll_wait(const char *url, SoupMessage *msg)
{
    guint  wait_s;

    wait_s = agent_retry_after(msg);

    if (soup_message_get_status(msg) != SOUP_STATUS_SERVICE_UNAVAILABLE
        || wait_s == 0 || wait_s > AGENT_ENROLL_WAIT_S)
    {
        return FALSE;
    }

    g_message("%s is busy, next attempt in %u s", url, wait_s);
    g_usleep(wait_s * G_USEC_PER_SEC
             + (gulong) g_random_int_range(0, G_USEC_PER_SEC));

    return TRUE;
}


static char *
agent_enroll_post(SoupSession *soup, SoupMessage *msg, GError **error)
{
    gsize                      len;
    char                      *text;
    g_autoptr(GInputStream)    in = NULL;

    in = soup_session_send(soup, msg, NULL, error);
    if (in == NULL) {
        return NULL;
    }

    text = g_malloc(AGENT_ENROLL_ANSWER + 1);

    if (!g_input_stream_read_all(in, text, AGENT_ENROLL_ANSWER, &len, NULL,
                                 error))
    {
        g_free(text);
        return NULL;
    }

    text[len] = '\0';

    return text;
}


static agent_device_t *
agent_enroll_answer(const char *url, SoupMessage *msg, const char *text,
    GError **error)
{
    guint                status;
    const char          *id, *tenant, *detail, *code, *identity;
    agent_device_t      *device;
    g_autoptr(json_t)    obj = NULL;

    status = soup_message_get_status(msg);
    obj = agent_json_load(text, strlen(text), AGENT_ENROLL_ANSWER, NULL);

    if (status != SOUP_STATUS_CREATED) {
        code = agent_json_string(obj, "code", 64);
        detail = agent_json_string(obj, "detail", 1024);

        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_STATE,
                    "%s answered %u %s%s%s", url, status,
                    code ? code : soup_status_get_phrase(status),
                    detail ? ": " : "", detail ? detail : "");
        return NULL;
    }

    id = agent_json_string(agent_json_object(obj, "device"), "id", 64);
    tenant = agent_json_string(obj, "tenant", 32);

    if (id == NULL || tenant == NULL) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_STATE,
                    "%s answered 201 without device.id or tenant: "
                    "is this the gateway's base URL?", url);
        return NULL;
    }

    identity = agent_json_string(obj, "gateway_identity", 64);

    if (identity != NULL && rs_devkey_check(rs_str(identity)) != RS_OK) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_STATE,
                    "%s answered 201 with a gateway_identity that is no key",
                    url);
        return NULL;
    }

    device = g_new0(agent_device_t, 1);
    device->identity = g_strdup(identity);
    device->server = g_strdup(url);
    device->tenant = g_strdup(tenant);
    device->id = g_strdup(id);

    return device;
}


agent_device_t *
agent_enroll(const agent_config_t *config, SoupSession *soup,
    const char *url, const char *token, GError **error)
{
    guint                       n;
    g_autofree char            *base = NULL;
    g_autofree char            *target = NULL;
    g_autofree char            *body = NULL;
    g_autofree char            *text = NULL;
    g_autoptr(agent_key_t)      key = NULL;
    g_autoptr(SoupMessage)      msg = NULL;
    g_autoptr(agent_device_t)   device = NULL;

    base = agent_config_url(url, NULL, error);
    if (base == NULL) {
        return NULL;
    }

    device = agent_device_load(config->state_dir, NULL);

    if (device != NULL) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_STATE,
                    "already enrolled as %s at %s: remove device.conf and "
                    "device.key from %s to enrol anew",
                    device->id, device->server, config->state_dir);
        return NULL;
    }

    key = agent_key_make(config->state_dir, error);
    if (key == NULL) {
        return NULL;
    }

    target = g_strconcat(base, "/devices", NULL);
    body = agent_enroll_body(config, key, token);

    for (n = 1; n <= AGENT_ENROLL_TRIES; n++) {
        g_clear_object(&msg);
        g_clear_pointer(&text, g_free);

        msg = agent_enroll_message(target, body);
        text = agent_enroll_post(soup, msg, error);

        if (text == NULL) {
            g_prefix_error(error, "%s: ", target);
            return NULL;
        }

        if (n == AGENT_ENROLL_TRIES || !agent_enroll_wait(target, msg)) {
            break;
        }
    }

    device = agent_enroll_answer(base, msg, text, error);

    /* a key that was configured counts, not what was told just now */

    if (device != NULL && config->gateway_identity != NULL) {
        g_clear_pointer(&device->identity, g_free);
    }

    if (device == NULL || !agent_device_save(device, config->state_dir,
                                             error))
    {
        return NULL;
    }

    return g_steal_pointer(&device);
}
