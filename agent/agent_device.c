
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns device.conf: what enrolment left in the state directory.
 */

#include "agent_config.h"
#include "agent_log.h"
#include "rs_devkey.h"


#define AGENT_DEVICE_FILE    "device.conf"
#define AGENT_DEVICE_GROUP   "device"


agent_device_t *
agent_device_load(const char *state_dir, GError **error)
{
    g_autofree char            *path = NULL;
    g_autoptr(GError)           local = NULL;
    g_autoptr(GKeyFile)         file = g_key_file_new();
    g_autoptr(agent_device_t)   device = NULL;

    path = g_build_filename(state_dir, AGENT_DEVICE_FILE, NULL);

    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &local)) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_STATE,
                    "this device is not enrolled (%s: %s): "
                    "run %s enroll URL", path, local->message,
                    agent_log_program());
        return NULL;
    }

    device = g_new0(agent_device_t, 1);

    device->server = g_key_file_get_string(file, AGENT_DEVICE_GROUP,
                                           "server", NULL);
    device->tenant = g_key_file_get_string(file, AGENT_DEVICE_GROUP,
                                           "tenant", NULL);
    device->id = g_key_file_get_string(file, AGENT_DEVICE_GROUP,
                                       "device_id", NULL);

    device->identity = g_key_file_get_string(file, AGENT_DEVICE_GROUP,
                                             "identity", NULL);
    device->identity_from = g_key_file_get_string(file, AGENT_DEVICE_GROUP,
                                                  "identity_from", NULL);

    if (device->identity != NULL
        && rs_devkey_check(rs_str(device->identity)) != RS_OK)
    {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "%s: identity \"%s\" is no key: put the one in its "
                    "place that rs-identity show prints on the gateway",
                    path, device->identity);
        return NULL;
    }

    if (device->server == NULL || device->tenant == NULL
        || device->id == NULL)
    {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "%s: server, tenant or device_id is missing: "
                    "remove the file and enrol anew", path);
        return NULL;
    }

    return g_steal_pointer(&device);
}


gboolean
agent_device_save(const agent_device_t *device, const char *state_dir,
    GError **error)
{
    gsize                  len;
    g_autofree char       *path = NULL;
    g_autofree char       *text = NULL;
    g_autoptr(GKeyFile)    file = g_key_file_new();

    g_key_file_set_string(file, AGENT_DEVICE_GROUP, "server",
                          device->server);
    g_key_file_set_string(file, AGENT_DEVICE_GROUP, "tenant",
                          device->tenant);
    g_key_file_set_string(file, AGENT_DEVICE_GROUP, "device_id", device->id);

    if (device->identity != NULL) {
        g_key_file_set_string(file, AGENT_DEVICE_GROUP, "identity",
                              device->identity);
    }

    if (device->identity_from != NULL) {
        g_key_file_set_string(file, AGENT_DEVICE_GROUP, "identity_from",
                              device->identity_from);
    }

    path = g_build_filename(state_dir, AGENT_DEVICE_FILE, NULL);
    text = g_key_file_to_data(file, &len, NULL);

    return g_file_set_contents_full(path, text, (gssize) len,
                                    G_FILE_SET_CONTENTS_CONSISTENT
                                    |G_FILE_SET_CONTENTS_DURABLE, 0600,
                                    error);
}


void
agent_device_free(agent_device_t *device)
{
    g_free(device->server);
    g_free(device->tenant);
    g_free(device->id);
    g_free(device->identity);
    g_free(device->identity_from);
    g_free(device);
}
