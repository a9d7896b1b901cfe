
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the calls that turn bytes into jansson values and back.
 */

#define G_LOG_DOMAIN  "rs-json"

#include "agent_json.h"

#include <string.h>


static gboolean agent_json_depth_ok(const char *text, gsize len);


G_DEFINE_QUARK(agent-json-error-quark, agent_json_error)


/*
 * jansson bounds the depth only at 2048: counted here before it recurses.
 * Brackets inside strings do not nest.
 */

static gboolean
agent_json_depth_ok(const char *text, gsize len)
{
    gsize     i;
    guint     depth;
    gboolean  quoted;

    depth = 0;
    quoted = FALSE;

    for (i = 0; i < len; i++) {

        if (quoted) {
            if (text[i] == '\\') {
                i++;

            } else if (text[i] == '"') {
                quoted = FALSE;
            }

            continue;
        }

        switch (text[i]) {

        case '"':
            quoted = TRUE;
            break;

        case '{':
        case '[':
            if (++depth > AGENT_JSON_DEPTH) {
                return FALSE;
            }

            break;

        case '}':
        case ']':
            if (depth > 0) {
                depth--;
            }

            break;

        default:
            break;
        }
    }

    return TRUE;
}


json_t *
agent_json_load(const char *text, gsize len, gsize max, GError **error)
{
    json_t        *obj;
    json_error_t   jerr;

    if (len > max) {
        g_set_error(error, AGENT_JSON_ERROR, 0,
                    "%" G_GSIZE_FORMAT " bytes of JSON, at most %"
                    G_GSIZE_FORMAT " are taken", len, max);
        return NULL;
    }

    if (!agent_json_depth_ok(text, len)) {
        g_set_error(error, AGENT_JSON_ERROR, 0,
                    "JSON nested deeper than %d levels", AGENT_JSON_DEPTH);
        return NULL;
    }

    obj = json_loadb(text, len, JSON_REJECT_DUPLICATES, &jerr);

    if (obj == NULL) {

        /* jerr.text may quote the input, which may hold a secret */

        g_set_error(error, AGENT_JSON_ERROR, 0,
                    "invalid JSON at byte %d", jerr.position);
        return NULL;
    }

    if (!json_is_object(obj)) {
        json_decref(obj);
        g_set_error(error, AGENT_JSON_ERROR, 0, "not a JSON object");
        return NULL;
    }

    return obj;
}


const char *
agent_json_string(const json_t *obj, const char *name, gsize max)
{
    json_t  *value;

    value = json_object_get(obj, name);

    if (!json_is_string(value)
        || json_string_length(value) > max
        || strlen(json_string_value(value)) != json_string_length(value))
    {
        return NULL;
    }

    return json_string_value(value);
}


gboolean
agent_json_int(const json_t *obj, const char *name, gint64 min, gint64 max,
    gint64 *value)
{
    json_t  *member;

    member = json_object_get(obj, name);

    if (!json_is_integer(member)
        || json_integer_value(member) < min
        || json_integer_value(member) > max)
    {
        return FALSE;
    }

    *value = json_integer_value(member);

    return TRUE;
}


gboolean
agent_json_number(const json_t *obj, const char *name, double min, double max,
    double *value)
{
    double   n;
    json_t  *member;

    member = json_object_get(obj, name);

    if (!json_is_number(member)) {
        return FALSE;
    }

    n = json_number_value(member);

    if (!(n >= min && n <= max)) {
        return FALSE;
    }

    *value = n;

    return TRUE;
}


gboolean
agent_json_bool(const json_t *obj, const char *name, gboolean *value)
{
    json_t  *member;

    member = json_object_get(obj, name);

    if (!json_is_boolean(member)) {
        return FALSE;
    }

    *value = json_is_true(member);

    return TRUE;
}


json_t *
agent_json_object(const json_t *obj, const char *name)
{
    json_t  *member;

    member = json_object_get(obj, name);

    return json_is_object(member) ? member : NULL;
}


json_t *
agent_json_array(const json_t *obj, const char *name, gsize max)
{
    json_t  *member;

    member = json_object_get(obj, name);

    if (!json_is_array(member) || json_array_size(member) > max) {
        return NULL;
    }

    return member;
}


char *
agent_json_text(json_t *obj)
{
    char   *text;
    char   *copy;

    text = json_dumps(obj, JSON_COMPACT);
    json_decref(obj);

    if (text == NULL) {
        g_error("cannot serialise a message");
    }

    /* jansson allocates with malloc, GLib frees with g_free */

    copy = g_strdup(text);
    free(text);

    return copy;
}
