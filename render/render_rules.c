
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the reading of a rendered session's policy.  Pure.
 */

#include "render_rules.h"

#include <string.h>


static gboolean render_rules_host(render_rules_t *rules, const json_t *session,
    GError **error);
static gboolean render_rules_urls(render_rules_t *rules, const json_t *policy,
    GError **error);
static gboolean render_rules_list(render_rules_t *rules, const json_t *list,
    GError **error);
static gboolean render_rules_masks(render_rules_t *rules,
    const json_t *policy, GError **error);
static gboolean render_rules_words(render_rules_t *rules,
    const json_t *policy, GError **error);
static gboolean render_rules_bad(GError **error, const char *member);


render_rules_t *
render_rules_new(const json_t *session, GError **error)
{
    const char                  *id;
    const json_t                *policy;
    g_autoptr(json_t)            none = NULL;
    g_autoptr(render_rules_t)    rules = g_new0(render_rules_t, 1);

    rules->lists = g_ptr_array_new_with_free_func(
                                        (GDestroyNotify) g_ptr_array_unref);
    rules->masks = g_ptr_array_new_with_free_func(g_free);

    id = agent_json_string(session, "id", 64);

    if (id == NULL) {
        render_rules_bad(error, "id");
        return NULL;
    }

    rules->session_id = g_strdup(id);
    policy = json_object_get(session, "policy");

    if (policy == NULL) {
        policy = none = json_object();
    }

    if (!json_is_object(policy)) {
        render_rules_bad(error, "policy");
        return NULL;
    }

    if (!render_rules_host(rules, session, error)
        || !render_rules_urls(rules, policy, error)
        || !render_rules_masks(rules, policy, error)
        || !render_rules_words(rules, policy, error))
    {
        return NULL;
    }

    return g_steal_pointer(&rules);
}


void
render_rules_free(render_rules_t *rules)
{
    g_free(rules->session_id);
    g_free(rules->url);
    g_ptr_array_unref(rules->lists);
    g_ptr_array_unref(rules->masks);
    g_free(rules);
}


static gboolean
render_rules_bad(GError **error, const char *member)
{
    g_set_error(error, AGENT_JSON_ERROR, 0,
                "the session's %s is missing or invalid", member);

    return FALSE;
}


static gboolean
render_rules_host(render_rules_t *rules, const json_t *session,
    GError **error)
{
    gint64         width, height;
    const char    *url;
    const json_t  *host, *value;
    rs_weburl_t    parsed;

    host = agent_json_object(session, "host");

    if (host == NULL) {
        return render_rules_bad(error, "host");
    }

    value = json_object_get(host, "url");

    if (value != NULL && !json_is_null(value)) {
        url = agent_json_string(host, "url", RS_WEBURL_MAX);

        if (url == NULL || rs_weburl_parse(rs_str(url), &parsed) != RS_OK) {
            return render_rules_bad(error, "host.url");
        }

        rules->url = g_strdup(url);
    }

    if (json_object_get(host, "width") == NULL
        && json_object_get(host, "height") == NULL)
    {
        return TRUE;
    }

    if (!agent_json_int(host, "width", 320, 1920, &width)
        || !agent_json_int(host, "height", 240, 1200, &height)
        || width % 2 != 0 || height % 2 != 0)
    {
        return render_rules_bad(error, "host.width or host.height");
    }

    rules->width = (guint) width;
    rules->height = (guint) height;

    return TRUE;
}


/* a list of lists; one list is one of them, for its policy was the only one */

static gboolean
render_rules_urls(render_rules_t *rules, const json_t *policy, GError **error)
{
    size_t         i;
    const json_t  *urls, *list;

    urls = json_object_get(policy, "urls");

    if (urls == NULL || json_is_null(urls)) {
        return TRUE;
    }

    if (!json_is_array(urls)) {
        return render_rules_bad(error, "policy.urls");
    }

    if (json_is_string(json_array_get(urls, 0))) {
        return render_rules_list(rules, urls, error);
    }

    if (json_array_size(urls) > RENDER_RULES_LISTS) {
        return render_rules_bad(error, "policy.urls");
    }

    json_array_foreach(urls, i, list) {
        if (!render_rules_list(rules, list, error)) {
            return FALSE;
        }
    }

    return TRUE;
}


static gboolean
render_rules_list(render_rules_t *rules, const json_t *list, GError **error)
{
    size_t                  i;
    const json_t           *value;
    rs_weburl_rule_t        rule;
    g_autoptr(GPtrArray)    texts = g_ptr_array_new_with_free_func(g_free);

    if (!json_is_array(list) || json_array_size(list) > RENDER_RULES_URLS) {
        return render_rules_bad(error, "policy.urls");
    }

    json_array_foreach(list, i, value) {

        if (!json_is_string(value)
            || rs_weburl_rule_parse(rs_str(json_string_value(value)), &rule)
               != RS_OK)
        {
            return render_rules_bad(error, "policy.urls");
        }

        g_ptr_array_add(texts, g_strdup(json_string_value(value)));
    }

    /* nothing in it: that policy says nothing of it */

    if (texts->len != 0) {
        g_ptr_array_add(rules->lists, g_steal_pointer(&texts));
    }

    return TRUE;
}


static gboolean
render_rules_masks(render_rules_t *rules, const json_t *policy,
    GError **error)
{
    size_t         i;
    const json_t  *masks, *value;

    masks = json_object_get(policy, "mask");

    if (masks == NULL || json_is_null(masks)) {
        return TRUE;
    }

    if (!json_is_array(masks) || json_array_size(masks) > RENDER_RULES_MASKS) {
        return render_rules_bad(error, "policy.mask");
    }

    json_array_foreach(masks, i, value) {

        if (!json_is_string(value) || json_string_length(value) == 0
            || json_string_length(value) > RENDER_RULES_MASK)
        {
            return render_rules_bad(error, "policy.mask");
        }

        g_ptr_array_add(rules->masks, g_strdup(json_string_value(value)));
    }

    return TRUE;
}


/* what is not known is the narrowest there is */

static gboolean
render_rules_words(render_rules_t *rules, const json_t *policy,
    GError **error)
{
    const char    *word;
    const json_t  *value;

    value = json_object_get(policy, "no_submit");

    if (value != NULL && !json_is_boolean(value)) {
        return render_rules_bad(error, "policy.no_submit");
    }

    rules->no_submit = json_is_true(value);
    value = json_object_get(policy, "downloads");
    word = json_string_value(value);
    rules->downloads = (value == NULL || g_strcmp0(word, "both") == 0);

    return TRUE;
}


gboolean
render_rules_allow(const render_rules_t *rules, const char *url)
{
    guint              i, n;
    gboolean           found;
    rs_str_t           text, query;
    GPtrArray         *list;
    rs_weburl_t        parsed;
    rs_weburl_rule_t   rule;

    /* one that is too long to be compared counts without its query */

    text = rs_str(url);

    if (text.len > RS_WEBURL_MAX) {
        (void) rs_str_split(text, '?', &text, &query);
    }

    if (rs_weburl_parse(text, &parsed) != RS_OK) {
        return FALSE;
    }

    for (i = 0; i < rules->lists->len; i++) {
        list = g_ptr_array_index(rules->lists, i);
        found = FALSE;

        for (n = 0; n < list->len && !found; n++) {
            found = rs_weburl_rule_parse(rs_str(g_ptr_array_index(list, n)),
                                         &rule) == RS_OK
                    && rs_weburl_match(&rule, &parsed);
        }

        if (!found) {
            return FALSE;
        }
    }

    return TRUE;
}
