
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what is said on rs-page.  Whoever looks on is told; only who has
 * control is listened to.
 */

#define G_LOG_DOMAIN  "rs-render"

#include "render_page.h"
#include "agent_text.h"
#include "agent_viewer.h"

#include <string.h>


#define RENDER_PAGE_MESSAGE   8192          /* bytes */
#define RENDER_PAGE_MESSAGES  64            /* on their way */
#define RENDER_PAGE_BUFFER    (256 * 1024)
#define RENDER_PAGE_BLOCKED_MS  200         /* one in so long, the newest */


struct render_pages_s {
    render_browser_t  *browser;
    render_docs_t     *docs;            /* or NULL */
    gboolean           downloads;
    gint64             max_document;
    GPtrArray         *users;           /* render_page_user_t */
    GHashTable        *shows;           /* number -> render_show_t */
    guint              numbers;
    json_t            *blocked;         /* to be told; or NULL */
    guint              blocked_timer;   /* since the last one was */
};


typedef struct {
    render_pages_t   *pages;
    agent_channel_t  *channel;
    agent_viewer_t   *viewer;
} render_page_user_t;


/* a document that is being shown; user: NULL: who asked is gone */

typedef struct {
    render_page_user_t  *user;
    gint64               id;            /* of his */
    char                *name;
} render_show_t;


static void *render_page_open(agent_channel_t *ch, agent_viewer_t *viewer);
static void render_page_text(void *data, const char *text, gsize len);
static void render_page_closed(void *data);
static json_t *render_page_state(const render_pages_t *pages,
    const char *type);
static gboolean render_page_tell_blocked(gpointer data);
static void render_page_say(render_page_user_t *user, json_t *message);
static void render_page_all(render_pages_t *pages, json_t *message);
static void render_page_show(render_pages_t *pages, const json_t *message,
    render_page_user_t *user);
static void render_page_shown(void *data, guint number, const char *url,
    const GError *error);
static void render_page_document(const render_show_t *show,
    const char *state, const char *code, const char *message);
static void render_show_free(void *data);


const agent_channel_kind_t  render_page_kind = {
    .label = "rs-page",
    .message_max = RENDER_PAGE_MESSAGE,
    .messages_max = RENDER_PAGE_MESSAGES,
    .bytes_max = RENDER_PAGE_MESSAGES * RENDER_PAGE_MESSAGE,
    .buffer_max = RENDER_PAGE_BUFFER,
    .open = render_page_open,
    .text = render_page_text,
    .closed = render_page_closed
};


render_pages_t *
render_pages_new(render_browser_t *browser, render_docs_t *docs,
    gboolean downloads, gint64 max_document)
{
    render_pages_t  *pages;

    pages = g_new0(render_pages_t, 1);
    pages->browser = browser;
    pages->docs = docs;
    pages->downloads = downloads;
    pages->max_document = max_document;
    pages->users = g_ptr_array_new();
    pages->shows = g_hash_table_new_full(NULL, NULL, NULL, render_show_free);

    return pages;
}


void
render_pages_free(render_pages_t *pages)
{
    g_clear_handle_id(&pages->blocked_timer, g_source_remove);
    json_decref(pages->blocked);
    g_ptr_array_unref(pages->users);
    g_hash_table_unref(pages->shows);
    g_free(pages);
}


static void
render_show_free(void *data)
{
    render_show_t  *show = data;

    g_free(show->name);
    g_free(show);
}


static void *
render_page_open(agent_channel_t *ch, agent_viewer_t *viewer)
{
    agent_about_t        about;
    render_pages_t      *pages;
    render_page_user_t  *user;

    about = agent_viewer_about(viewer);
    pages = ((render_paged_t *) about.agent->service_data)->pages;

    if (pages == NULL) {
        return NULL;
    }

    user = g_new0(render_page_user_t, 1);
    user->pages = pages;
    user->channel = ch;
    user->viewer = viewer;
    g_ptr_array_add(pages->users, user);
    render_page_say(user, render_page_state(pages, "hello"));

    return user;
}


static void
render_page_closed(void *data)
{
    gpointer             show;
    GHashTableIter       iter;
    render_page_user_t  *user = data;

    g_hash_table_iter_init(&iter, user->pages->shows);

    while (g_hash_table_iter_next(&iter, NULL, &show)) {
        if (((render_show_t *) show)->user == user) {
            ((render_show_t *) show)->user = NULL;
        }
    }

    g_ptr_array_remove_fast(user->pages->users, user);
    g_free(user);
}


static json_t *
render_page_state(const render_pages_t *pages, const char *type)
{
    const render_page_t  *page = render_browser_page(pages->browser);

    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:I}",
                     "type", type, "url", page->url, "title", page->title,
                     "loading", page->loading, "back", page->back,
                     "forward", page->forward,
                     "documents", pages->docs != NULL,
                     "downloads", pages->downloads,
                     "max_document", (json_int_t) pages->max_document);
}


/* takes message over */

static void
render_page_say(render_page_user_t *user, json_t *message)
{
    g_autofree char  *text = agent_json_text(message);

    (void) agent_channel_send_text(user->channel, text);
}


static void
render_page_all(render_pages_t *pages, json_t *message)
{
    guint  i;

    for (i = 0; i < pages->users->len; i++) {
        render_page_say(g_ptr_array_index(pages->users, i),
                        json_incref(message));
    }

    json_decref(message);
}


void
render_pages_changed(render_pages_t *pages)
{
    render_page_all(pages, render_page_state(pages, "page"));
}


/* a page can try as often as it likes */

/* the newest of what came since the last one was told */

static gboolean
render_page_tell_blocked(gpointer data)
{
    render_pages_t  *pages = data;

    if (pages->blocked == NULL) {
        pages->blocked_timer = 0;
        return G_SOURCE_REMOVE;
    }

    render_page_all(pages, g_steal_pointer(&pages->blocked));

    if (pages->blocked_timer == 0) {
        pages->blocked_timer = g_timeout_add(RENDER_PAGE_BLOCKED_MS,
                                             render_page_tell_blocked, pages);
    }

    return G_SOURCE_CONTINUE;
}


void
render_pages_blocked(render_pages_t *pages, const char *url, const char *why)
{
    g_autofree char  *shown = NULL;

    shown = agent_text_clean(url, strlen(url), RS_WEBURL_MAX);

    json_decref(pages->blocked);
    pages->blocked = json_pack("{s:s, s:s, s:s}", "type", "blocked", "url",
                               shown, "why", why);

    if (pages->blocked_timer == 0) {
        render_page_tell_blocked(pages);
    }
}


void
render_pages_crashed(render_pages_t *pages, gboolean restarting)
{
    render_page_all(pages, json_pack("{s:s, s:b}", "type", "crashed",
                                     "restarting", restarting));
}


void
render_pages_downloaded(render_pages_t *pages, const char *name)
{
    render_page_all(pages, json_pack("{s:s, s:s}", "type", "downloaded",
                                     "name", name));
}


static void
render_page_text(void *data, const char *text, gsize len)
{
    render_page_user_t  *user = data;
    g_autoptr(json_t)    message = NULL;

    message = agent_json_load(text, len, RENDER_PAGE_MESSAGE, NULL);

    if (message == NULL) {
        agent_channel_close(user->channel);
        return;
    }

    if (agent_viewer_controls(user->viewer)) {
        (void) render_pages_input(user->pages, message, user);
    }
}


gboolean
render_pages_input(render_pages_t *pages, const json_t *message, void *user)
{
    const char  *type, *url;

    type = agent_json_string(message, "type", 32);

    if (type == NULL) {
        return FALSE;
    }

    if (strcmp(type, "go") == 0) {
        url = agent_json_string(message, "url", RS_WEBURL_MAX);

        if (url != NULL && url[0] != '\0') {
            render_browser_go(pages->browser, url);
        }

        return TRUE;
    }

    if (strcmp(type, "back") == 0) {
        render_browser_move(pages->browser, -1);

    } else if (strcmp(type, "forward") == 0) {
        render_browser_move(pages->browser, 1);

    } else if (strcmp(type, "reload") == 0) {
        render_browser_reload(pages->browser);

    } else if (strcmp(type, "stop") == 0) {
        render_browser_stop(pages->browser);

    } else if (strcmp(type, "show") == 0) {
        render_page_show(pages, message, user);

    } else {
        return FALSE;
    }

    return TRUE;
}


/* ---- documents */

static void
render_page_show(render_pages_t *pages, const json_t *message,
    render_page_user_t *user)
{
    const char      *name;
    render_show_t   *show;

    show = g_new0(render_show_t, 1);
    show->user = user;
    name = agent_json_string(message, "name", RENDER_DOCS_NAME_MAX);

    if (name == NULL
        || !agent_json_int(message, "id", 1, G_MAXINT, &show->id))
    {
        render_show_free(show);
        return;
    }

    show->name = g_strdup(name);

    if (pages->docs == NULL) {
        render_page_document(show, "refused", "unavailable",
                             "documents cannot be shown here");
        render_show_free(show);
        return;
    }

    g_hash_table_insert(pages->shows, GUINT_TO_POINTER(++pages->numbers),
                        show);
    render_page_document(show, "converting", NULL, NULL);
    render_docs_show(pages->docs, pages->numbers, name, TRUE,
                     render_page_shown, pages);
}


static void
render_page_shown(void *data, guint number, const char *url,
    const GError *error)
{
    render_show_t   *show;
    render_pages_t  *pages = data;

    show = g_hash_table_lookup(pages->shows, GUINT_TO_POINTER(number));

    if (show == NULL) {
        return;
    }

    if (url == NULL) {
        render_page_document(show, "refused", render_docs_code(error),
                             error->message);

    } else {
        render_browser_show(pages->browser, url);
        render_page_document(show, "shown", NULL, NULL);
    }

    g_hash_table_remove(pages->shows, GUINT_TO_POINTER(number));
}


static void
render_page_document(const render_show_t *show, const char *state,
    const char *code, const char *message)
{
    json_t  *said;

    if (show->user == NULL) {
        return;
    }

    said = json_pack("{s:s, s:I, s:s, s:s}", "type", "document", "id",
                     (json_int_t) show->id, "name", show->name, "state",
                     state);

    if (code != NULL) {
        json_object_set_new(said, "code", json_string(code));
        json_object_set_new(said, "message", json_string(message));
    }

    render_page_say(show->user, said);
}
