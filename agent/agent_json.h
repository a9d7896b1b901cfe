
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Strict reading and compact writing of JSON over jansson.  Whatever comes
 * from outside (gateway, peers, files) is loaded here: size and depth are
 * bounded, duplicate keys refused, and every getter checks type and range.
 */

#ifndef _AGENT_JSON_H_INCLUDED_
#define _AGENT_JSON_H_INCLUDED_


#include <glib.h>
#include <jansson.h>


#define AGENT_JSON_DEPTH    16
#define AGENT_JSON_MESSAGE  (128 * 1024)    /* bytes, one message */


G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)


#define AGENT_JSON_ERROR  agent_json_error_quark()

GQuark agent_json_error_quark(void);


/*
 * The object in text, or NULL with *error set: longer than max bytes, not
 * UTF-8, nested deeper than AGENT_JSON_DEPTH, a duplicate key, or anything
 * but an object at the top.  The caller owns the result.
 */
json_t *agent_json_load(const char *text, gsize len, gsize max,
    GError **error);

/*
 * Getters: NULL or FALSE when the member is missing, of another type, or
 * out of range (a string longer than max bytes, or with a NUL, is).  What
 * they return is borrowed from obj.
 */
const char *agent_json_string(const json_t *obj, const char *name, gsize max);
gboolean agent_json_int(const json_t *obj, const char *name, gint64 min,
    gint64 max, gint64 *value);
gboolean agent_json_number(const json_t *obj, const char *name, double min,
    double max, double *value);
gboolean agent_json_bool(const json_t *obj, const char *name,
    gboolean *value);
json_t *agent_json_object(const json_t *obj, const char *name);
json_t *agent_json_array(const json_t *obj, const char *name, gsize max);

/* Takes over obj; one line of compact JSON, keys in the order they were set. */
char *agent_json_text(json_t *obj);


#endif /* _AGENT_JSON_H_INCLUDED_ */
