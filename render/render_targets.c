
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what the browser is told over its debugging pipe, and what is made of
 * what it says: targets, the page, what is not let through.
 *
 * Of a document that could not be set up nothing may be seen: that is a crash.
 */

#define G_LOG_DOMAIN  "rs-render"

#include "render_browser_internal.h"
#include "render_docs.h"
#include "render_script.h"

#include <string.h>


#define RENDER_TARGETS_URL    65536     /* bytes, as the browser has it */
#define RENDER_TARGETS_SHOWN  2048      /* of it for viewers */
#define RENDER_TARGETS_TITLE  1024


/* of a command that a target waits for */

typedef struct {
    render_browser_t  *browser;
    char              *session;
    goffset            script;      /* where its number goes; 0: none */
} render_asked_t;


static void render_targets_tell(render_target_t *target, const char *method,
    json_t *params);
static void render_targets_ask(render_target_t *target, const char *method,
    json_t *params, goffset script);
static void render_targets_answered(void *data, const json_t *result,
    const char *error);
static void render_targets_asked_free(void *data);
static void render_targets_attached(render_browser_t *browser,
    const char *session, const json_t *params);
static void render_targets_created(render_browser_t *browser,
    const char *session, const json_t *params);
static gboolean render_targets_empty(const char *url);
static void render_targets_detached(render_browser_t *browser,
    const char *session, const json_t *params);
static void render_targets_setup(render_target_t *target);
static void render_targets_script(render_target_t *target,
    render_script_e script);
static void render_targets_up(render_target_t *target);
static void render_targets_paused(render_browser_t *browser,
    const char *session, const json_t *params);
static const char *render_targets_verdict(render_browser_t *browser,
    const char *url, const char *method, gboolean window);
static gboolean render_targets_may(render_browser_t *browser,
    const char *url);
static void render_targets_navigated(render_browser_t *browser,
    const char *session, const json_t *params);
static void render_targets_within(render_browser_t *browser,
    const char *session, const json_t *params);
static void render_targets_at(render_browser_t *browser, const char *url);
static void render_targets_history(void *data, const json_t *result,
    const char *error);
static void render_targets_title(render_browser_t *browser,
    const char *title);
static void render_targets_ask_history(render_browser_t *browser);
static void render_targets_started(render_browser_t *browser,
    const char *session, const json_t *params);
static void render_targets_stopped(render_browser_t *browser,
    const char *session, const json_t *params);
static void render_targets_info(render_browser_t *browser,
    const char *session, const json_t *params);
static void render_targets_window(render_browser_t *browser,
    const char *session, const json_t *params);
static void render_targets_requested(render_browser_t *browser,
    const char *session, const json_t *params);
static void render_targets_said(render_browser_t *browser,
    const char *session, const json_t *params);
static void render_targets_died(render_browser_t *browser,
    const char *session, const json_t *params);
static gboolean render_targets_is_main(const render_browser_t *browser,
    const char *session, const json_t *params);


static const struct {
    const char  *name;
    void       (*handle)(render_browser_t *browser, const char *session,
                         const json_t *params);
} render_targets_events[] = {
    { "Target.targetCreated", render_targets_created },
    { "Target.attachedToTarget", render_targets_attached },
    { "Target.detachedFromTarget", render_targets_detached },
    { "Target.targetInfoChanged", render_targets_info },
    { "Inspector.targetCrashed", render_targets_died },
    { "Fetch.requestPaused", render_targets_paused },
    { "Page.frameNavigated", render_targets_navigated },
    { "Page.navigatedWithinDocument", render_targets_within },
    { "Page.frameStartedLoading", render_targets_started },
    { "Page.frameStoppedLoading", render_targets_stopped },
    { "Page.frameRequestedNavigation", render_targets_requested },
    { "Page.windowOpen", render_targets_window },
    { "Runtime.bindingCalled", render_targets_said },
    { "Browser.downloadWillBegin", render_download_begins },
    { "Browser.downloadProgress", render_download_goes_on }
};


void
render_browser_on_event(void *data, const char *session, const char *method,
    const json_t *params)
{
    gsize              i;
    render_browser_t  *browser = data;

    browser->heard_us = g_get_monotonic_time();

    for (i = 0; i < G_N_ELEMENTS(render_targets_events); i++) {
        if (strcmp(render_targets_events[i].name, method) == 0) {
            render_targets_events[i].handle(browser, session, params);
            return;
        }
    }
}


/* ---- targets */

void
render_target_free(void *data)
{
    guint             i;
    render_target_t  *target = data;

    g_free(target->session);
    g_free(target->id);

    for (i = 0; i < RENDER_SCRIPT_N; i++) {
        g_free(target->scripts[i]);
    }

    g_free(target);
}


static json_t *
render_targets_auto(void)
{
    return json_pack("{s:b, s:b, s:b}", "autoAttach", 1,
                     "waitForDebuggerOnStart", 1, "flatten", 1);
}


void
render_browser_attach(render_browser_t *browser)
{
    render_cdp_send(browser->cdp, NULL, "Target.setDiscoverTargets",
                    json_pack("{s:b}", "discover", 1), NULL, NULL, NULL);
    render_cdp_send(browser->cdp, NULL, "Browser.setDownloadBehavior",
                    json_pack("{s:s}", "behavior", "deny"), NULL, NULL,
                    NULL);
    render_cdp_send(browser->cdp, NULL, "Target.setAutoAttach",
                    render_targets_auto(), NULL, NULL, NULL);
}


static void
render_targets_tell(render_target_t *target, const char *method,
    json_t *params)
{
    render_cdp_send(target->browser->cdp, target->session, method, params,
                    NULL, NULL, NULL);
}


static void
render_targets_ask(render_target_t *target, const char *method,
    json_t *params, goffset script)
{
    render_asked_t  *asked;

    asked = g_new0(render_asked_t, 1);
    asked->browser = target->browser;
    asked->session = g_strdup(target->session);
    asked->script = script;
    target->asked++;

    render_cdp_send(target->browser->cdp, target->session, method, params,
                    render_targets_answered, asked,
                    render_targets_asked_free);
}


static void
render_targets_asked_free(void *data)
{
    render_asked_t  *asked = data;

    g_free(asked->session);
    g_free(asked);
}


static void
render_targets_answered(void *data, const json_t *result, const char *error)
{
    char              **field;
    const char         *number;
    render_asked_t     *asked = data;
    render_target_t    *target;
    render_browser_t   *browser = asked->browser;

    target = g_hash_table_lookup(browser->targets, asked->session);

    if (target == NULL) {
        return;
    }

    number = (result != NULL && asked->script != 0)
             ? agent_json_string(result, "identifier", 64) : "";

    /* a frame may be gone already; one that is not stands still for ever */

    if ((result == NULL || number == NULL) && target != browser->main) {
        return;
    }

    if (result == NULL || number == NULL) {
        g_warning("a page cannot be set up: %s", error ? error : "no number");
        render_browser_crashed(browser, TRUE);
        return;
    }

    if (asked->script != 0) {
        field = (char **) G_STRUCT_MEMBER_P(target, asked->script);

        if (*field != NULL) {
            render_targets_tell(target,
                            "Page.removeScriptToEvaluateOnNewDocument",
                            json_pack("{s:s}", "identifier", *field));
        }

        g_free(*field);
        *field = g_strdup(number);
    }

    if (--target->asked == 0) {
        render_targets_up(target);
    }
}


/* the tools' own page, should there be a way to it */

static void
render_targets_created(render_browser_t *browser, const char *session,
    const json_t *params)
{
    const char    *id, *url;
    const json_t  *info;

    (void) session;

    info = agent_json_object(params, "targetInfo");
    id = agent_json_string(info, "targetId", 128);

    url = agent_json_string(info, "url", RENDER_TARGETS_URL);

    if (id == NULL || url == NULL) {
        return;
    }

    if (g_str_has_prefix(url, "devtools:")) {
        render_cdp_send(browser->cdp, NULL, "Target.closeTarget",
                        json_pack("{s:s}", "targetId", id), NULL, NULL, NULL);
    }
}


static gboolean
render_targets_empty(const char *url)
{
    return url != NULL && (strcmp(url, "about:blank") == 0
                           || strcmp(url, RENDER_SANDBOX_EMPTY) == 0);
}


static void
render_targets_attached(render_browser_t *browser, const char *session,
    const json_t *params)
{
    const char        *id, *type, *its, *url;
    const json_t      *info;
    render_target_t   *target;

    (void) session;

    info = agent_json_object(params, "targetInfo");
    its = agent_json_string(params, "sessionId", 128);
    id = agent_json_string(info, "targetId", 128);
    type = agent_json_string(info, "type", 64);
    url = agent_json_string(info, "url", RENDER_TARGETS_URL);

    /* what there is no room for stands still for ever */

    if (its == NULL || id == NULL || type == NULL
        || g_hash_table_size(browser->targets) >= RENDER_BROWSER_TARGETS)
    {
        return;
    }

    /* parts of the browser's own window are pages, too */

    if (strcmp(type, "page") == 0 && url != NULL
        && g_str_has_prefix(url, "chrome://omnibox"))
    {
        return;
    }

    if (browser->main != NULL && strcmp(id, browser->main->id) == 0) {
        return;
    }

    if (strcmp(type, "page") == 0 && browser->main != NULL) {
        render_cdp_send(browser->cdp, NULL, "Target.closeTarget",
                        json_pack("{s:s}", "targetId", id), NULL, NULL, NULL);
        return;
    }

    /* the one that has it would be freed, and it may be main */

    if (g_hash_table_contains(browser->targets, its)) {
        g_warning("the browser names two targets alike");
        render_browser_crashed(browser, TRUE);
        return;
    }

    target = g_new0(render_target_t, 1);
    target->browser = browser;
    target->session = g_strdup(its);
    target->id = g_strdup(id);
    target->document = (strcmp(type, "page") == 0
                        || strcmp(type, "iframe") == 0);
    g_hash_table_insert(browser->targets, g_strdup(its), target);

    if (strcmp(type, "page") == 0) {
        browser->main = target;
    }

    if (target->document) {
        render_targets_setup(target);

    } else {
        render_targets_tell(target, "Runtime.runIfWaitingForDebugger", NULL);
    }
}


static void
render_targets_detached(render_browser_t *browser, const char *session,
    const json_t *params)
{
    const char  *its;

    (void) session;

    its = agent_json_string(params, "sessionId", 128);

    if (its == NULL) {
        return;
    }

    if (browser->main != NULL && strcmp(browser->main->session, its) == 0) {
        g_warning("the window was closed");
        render_browser_crashed(browser, TRUE);
        return;
    }

    g_hash_table_remove(browser->targets, its);
}


/* one by one, in this order; it goes on when all were answered */

static void
render_targets_setup(render_target_t *target)
{
    render_targets_ask(target, "Page.enable", NULL, 0);
    render_targets_ask(target, "Inspector.enable", NULL, 0);
    render_targets_ask(target, "Target.setAutoAttach", render_targets_auto(),
                       0);
    render_targets_ask(target, "Runtime.enable", NULL, 0);
    render_targets_ask(target, "Runtime.addBinding",
                       json_pack("{s:s, s:s}", "name", RENDER_SCRIPT_SAY,
                                 "executionContextName",
                                 RENDER_SCRIPT_WORLD), 0);
    render_targets_ask(target, "Fetch.enable",
                       json_pack("{s:[{s:s, s:s, s:s}]}", "patterns",
                                 "urlPattern", "*", "resourceType",
                                 "Document", "requestStage", "Request"), 0);
    render_targets_script(target, RENDER_SCRIPT_MASKS);
    render_targets_script(target, RENDER_SCRIPT_SHADOWS);
    render_targets_script(target, RENDER_SCRIPT_FORMS);
}


static void
render_targets_script(render_target_t *target, render_script_e script)
{
    json_t             *params;
    render_browser_t   *browser = target->browser;
    const GPtrArray    *masks;
    g_autofree char    *text = NULL;

    masks = browser->rules != NULL ? browser->rules->masks : NULL;

    switch (script) {

    case RENDER_SCRIPT_MASKS:
        text = render_script_masks(masks);
        break;

    case RENDER_SCRIPT_SHADOWS:
        text = render_script_shadows(masks);
        break;

    default:
        text = g_strdup(render_script_forms(browser->held));
        break;
    }

    params = json_pack("{s:s, s:b}", "source", text, "runImmediately", 1);

    if (script != RENDER_SCRIPT_SHADOWS) {
        json_object_set_new(params, "worldName",
                            json_string(RENDER_SCRIPT_WORLD));
    }

    render_targets_ask(target, "Page.addScriptToEvaluateOnNewDocument", params,
                       G_STRUCT_OFFSET(render_target_t, scripts)
                       + script * sizeof(char *));
}


static void
render_targets_up(render_target_t *target)
{
    render_browser_t  *browser = target->browser;

    render_targets_tell(target, "Runtime.runIfWaitingForDebugger", NULL);

    if (target != browser->main) {
        return;
    }

    if (!browser->up) {
        browser->up = TRUE;

        if (!browser->readied) {
            browser->readied = TRUE;
            browser->events->ready(browser->data);
            return;
        }

        if (browser->rules != NULL) {
            render_browser_enforce(browser);
        }

        return;
    }

    if (browser->opening) {
        browser->opening = FALSE;
        render_browser_open(browser, browser->shown);
    }
}


/*
 * The old script goes first, for of two the first one rules; the page is
 * empty, and is left only when both were answered.
 */

void
render_browser_enforce(render_browser_t *browser)
{
    guint             i;
    json_t           *params;
    render_target_t  *main = browser->main;

    if (main == NULL || !browser->up) {
        return;
    }

    params = browser->rules->downloads
             ? json_pack("{s:s, s:s, s:b}", "behavior", "allowAndName",
                         "downloadPath", RENDER_SANDBOX_DOWNLOADS,
                         "eventsEnabled", 1)
             : json_pack("{s:s}", "behavior", "deny");

    render_cdp_send(browser->cdp, NULL, "Browser.setDownloadBehavior", params,
                    NULL, NULL, NULL);
    browser->opening = TRUE;

    for (i = 0; i < RENDER_SCRIPT_N; i++) {
        if (i != RENDER_SCRIPT_FORMS) {
            render_targets_tell(main,
                            "Page.removeScriptToEvaluateOnNewDocument",
                            json_pack("{s:s}", "identifier",
                                      main->scripts[i]));
            g_clear_pointer(&main->scripts[i], g_free);
        }

        render_targets_script(main, i);
    }
}


void
render_browser_forms(render_browser_t *browser)
{
    gpointer         value;
    GHashTableIter   iter;
    render_target_t *target;

    g_hash_table_iter_init(&iter, browser->targets);

    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        target = value;

        if (target->document) {
            render_targets_script(target, RENDER_SCRIPT_FORMS);
        }
    }
}


void
render_browser_open(render_browser_t *browser, const char *url)
{
    /* one that is coming back is told when it is there */

    if (browser->main == NULL || !browser->up || browser->opening) {
        if (url != browser->shown) {
            g_free(browser->shown);
            browser->shown = g_strdup(url);
        }

        return;
    }

    render_targets_tell(browser->main, "Page.navigate",
                        json_pack("{s:s}", "url",
                                  url != NULL ? url : "about:blank"));
}


void
render_browser_move(render_browser_t *browser, int by)
{
    json_int_t  id;

    id = (by < 0) ? browser->back_id : browser->forward_id;

    if (id != 0 && browser->main != NULL) {
        render_targets_tell(browser->main, "Page.navigateToHistoryEntry",
                            json_pack("{s:I}", "entryId", id));
    }
}


void
render_browser_reload(render_browser_t *browser)
{
    if (browser->main != NULL) {
        render_targets_tell(browser->main, "Page.reload", NULL);
    }
}


void
render_browser_stop(render_browser_t *browser)
{
    if (browser->main != NULL) {
        render_targets_tell(browser->main, "Page.stopLoading", NULL);
    }
}


/* ---- what is let through */

static void
render_targets_paused(render_browser_t *browser, const char *session,
    const json_t *params)
{
    gboolean          window;
    const char       *id, *url, *method, *frame, *why;
    const json_t     *request;
    render_target_t  *target;

    target = g_hash_table_lookup(browser->targets, session);
    id = agent_json_string(params, "requestId", 128);
    request = agent_json_object(params, "request");
    url = agent_json_string(request, "url", RENDER_TARGETS_URL);
    method = agent_json_string(request, "method", 32);
    frame = agent_json_string(params, "frameId", 128);

    if (target == NULL || id == NULL) {
        return;
    }

    window = (target == browser->main && g_strcmp0(frame, target->id) == 0);
    why = (url != NULL && method != NULL)
          ? render_targets_verdict(browser, url, method, window) : "policy";

    if (why == NULL) {
        render_targets_tell(target, "Fetch.continueRequest",
                            json_pack("{s:s}", "requestId", id));
        return;
    }

    /* "no content": the page that is there stays */

    render_targets_tell(target, "Fetch.fulfillRequest",
                        json_pack("{s:s, s:i}", "requestId", id,
                                  "responseCode", 204));
    render_browser_blocked(browser, url != NULL ? url : "", why);
}


/* window: of the whole of it, and not of a frame in it; NULL: let through */

static const char *
render_targets_verdict(render_browser_t *browser, const char *url,
    const char *method, gboolean window)
{
    if (browser->held && strcmp(method, "GET") != 0
        && strcmp(method, "HEAD") != 0)
    {
        return "submit";
    }

    if (!window) {
        return NULL;
    }

    if (!g_str_has_prefix(url, "http://") && !g_str_has_prefix(url, "https://"))
    {
        return "scheme";
    }

    return render_targets_may(browser, url) ? NULL : "policy";
}


static gboolean
render_targets_may(render_browser_t *browser, const char *url)
{
    if (browser->events->inside != NULL
        && g_str_has_prefix(url, RENDER_DOCS_ORIGIN "/"))
    {
        return TRUE;
    }

    return browser->rules != NULL && render_rules_allow(browser->rules, url);
}


/* a form that goes by GET, sent by a script: no event of the page tells */

static void
render_targets_requested(render_browser_t *browser, const char *session,
    const json_t *params)
{
    const char       *reason, *url;
    render_target_t  *target;

    target = g_hash_table_lookup(browser->targets, session);
    reason = agent_json_string(params, "reason", 64);
    url = agent_json_string(params, "url", RENDER_TARGETS_URL);

    if (target == NULL || !browser->held || reason == NULL
        || !g_str_has_prefix(reason, "formSubmission"))
    {
        return;
    }

    render_targets_tell(target, "Page.stopLoading", NULL);
    render_browser_blocked(browser, url != NULL ? url : "", "submit");
}


static void
render_targets_said(render_browser_t *browser, const char *session,
    const json_t *params)
{
    const char  *word;

    (void) session;

    word = agent_json_string(params, "payload", 64);

    if (g_strcmp0(word, "submit") == 0) {
        render_browser_blocked(browser, browser->page.url, "submit");
    }
}


/* it is closed as soon as it is attached to */

static void
render_targets_window(render_browser_t *browser, const char *session,
    const json_t *params)
{
    const char  *url;

    url = agent_json_string(params, "url", RENDER_TARGETS_URL);

    if (url != NULL && browser->main != NULL
        && strcmp(session, browser->main->session) == 0
        && json_is_true(json_object_get(params, "userGesture"))
        && (g_str_has_prefix(url, "http://")
            || g_str_has_prefix(url, "https://")))
    {
        if (!render_targets_may(browser, url)) {
            render_browser_blocked(browser, url, "policy");
            return;
        }

        render_browser_open(browser, url);
    }
}


/* ---- the page */

static gboolean
render_targets_is_main(const render_browser_t *browser, const char *session,
    const json_t *params)
{
    return browser->main != NULL
           && strcmp(session, browser->main->session) == 0
           && g_strcmp0(agent_json_string(params, "frameId", 128),
                        browser->main->id) == 0;
}


static void
render_targets_navigated(render_browser_t *browser, const char *session,
    const json_t *params)
{
    const char    *url, *failed;
    const json_t  *frame;

    frame = agent_json_object(params, "frame");

    if (browser->main == NULL || strcmp(session, browser->main->session) != 0
        || g_strcmp0(agent_json_string(frame, "id", 128), browser->main->id)
           != 0)
    {
        return;
    }

    url = agent_json_string(frame, "url", RENDER_TARGETS_URL);
    failed = agent_json_string(frame, "unreachableUrl", RENDER_TARGETS_URL);

    if (failed != NULL) {
        render_browser_blocked(browser, failed,
                               (g_str_has_prefix(failed, "http://")
                                || g_str_has_prefix(failed, "https://"))
                               ? "network" : "scheme");
        url = failed;

    } else if (url == NULL
               || (!render_targets_empty(url)
                   && !g_str_has_prefix(url, "http://")
                   && !g_str_has_prefix(url, "https://")))
    {
        render_browser_blocked(browser, url != NULL ? url : "", "scheme");
        render_browser_open(browser, NULL);
        return;

    } else if (!render_targets_empty(url) && !render_targets_may(browser, url))
    {
        /* out of the history, or of a worker of the page's */

        render_browser_blocked(browser, url, "policy");
        render_browser_open(browser, NULL);
        return;
    }

    render_targets_at(browser, url);
}


/* a page that gives itself another address than it may have */

static void
render_targets_within(render_browser_t *browser, const char *session,
    const json_t *params)
{
    const char  *url;

    if (!render_targets_is_main(browser, session, params)) {
        return;
    }

    url = agent_json_string(params, "url", RENDER_TARGETS_URL);

    if (url == NULL || (!render_targets_empty(url)
                        && !render_targets_may(browser, url)))
    {
        render_browser_blocked(browser, url != NULL ? url : "", "policy");
        render_browser_open(browser, NULL);
        return;
    }

    render_targets_at(browser, url);
}


static void
render_targets_at(render_browser_t *browser, const char *url)
{
    gboolean  empty;

    empty = render_targets_empty(url);

    /* what is to be opened next is not what was there before */

    if (!browser->opening && browser->rules != NULL) {
        g_free(browser->shown);
        browser->shown = empty ? NULL : g_strdup(url);
    }

    g_free(browser->page.url);
    browser->page.url = g_strndup(empty ? "" : url, RENDER_TARGETS_SHOWN);

    render_targets_ask_history(browser);
    render_browser_changed(browser);
}


static void
render_targets_ask_history(render_browser_t *browser)
{
    render_cdp_send(browser->cdp, browser->main->session,
                    "Page.getNavigationHistory", NULL,
                    render_targets_history, browser, NULL);
}


/* the empty page that it began with is none to go back to */

static void
render_targets_history(void *data, const json_t *result, const char *error)
{
    gint64             at;
    const char        *url, *title;
    const json_t      *entries, *entry;
    render_browser_t  *browser = data;

    (void) error;

    if (result == NULL
        || !agent_json_int(result, "currentIndex", 0, G_MAXINT, &at))
    {
        return;
    }

    entries = json_object_get(result, "entries");
    title = agent_json_string(json_array_get(entries, (size_t) at), "title",
                              RENDER_TARGETS_TITLE);
    render_targets_title(browser, title);
    entry = (at > 0) ? json_array_get(entries, (size_t) at - 1) : NULL;
    url = agent_json_string(entry, "url", RENDER_TARGETS_URL);
    browser->back_id = (url != NULL && !render_targets_empty(url))
                       ? json_integer_value(json_object_get(entry, "id")) : 0;
    entry = json_array_get(entries, (size_t) at + 1);
    browser->forward_id = json_integer_value(json_object_get(entry, "id"));

    browser->page.back = (browser->back_id != 0);
    browser->page.forward = (browser->forward_id != 0);
    render_browser_changed(browser);
}


static void
render_targets_started(render_browser_t *browser, const char *session,
    const json_t *params)
{
    if (render_targets_is_main(browser, session, params)) {
        browser->page.loading = TRUE;
        render_browser_changed(browser);
    }
}


static void
render_targets_stopped(render_browser_t *browser, const char *session,
    const json_t *params)
{
    if (render_targets_is_main(browser, session, params)) {
        browser->page.loading = FALSE;
        render_targets_ask_history(browser);
        render_browser_changed(browser);
    }
}


static void
render_targets_info(render_browser_t *browser, const char *session,
    const json_t *params)
{
    const json_t  *info;

    (void) session;

    info = agent_json_object(params, "targetInfo");

    if (browser->main == NULL
        || g_strcmp0(agent_json_string(info, "targetId", 128),
                     browser->main->id) != 0)
    {
        return;
    }

    render_targets_title(browser, agent_json_string(info, "title",
                                                    RENDER_TARGETS_TITLE));
}


static void
render_targets_title(render_browser_t *browser, const char *title)
{
    if (title == NULL || render_targets_empty(title)) {
        title = "";
    }

    if (strcmp(title, browser->page.title) != 0) {
        g_free(browser->page.title);
        browser->page.title = g_strdup(title);
        render_browser_changed(browser);
    }
}


/* a frame of another site shows that by itself */

static void
render_targets_died(render_browser_t *browser, const char *session,
    const json_t *params)
{
    (void) params;

    if (browser->main != NULL && strcmp(session, browser->main->session) == 0)
    {
        g_warning("the page crashed");
        render_browser_crashed(browser, FALSE);
    }
}
