
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns rs-screen of docs/protocol/peer.md.
 *
 * A viewer who draws the pointer himself moves it without delay, and his
 * picture does not have it: an arrow that moves costs no frames then.  He
 * gets its shape when that changes, and its place, for others move it, too.
 *
 * What a viewer wants is done some times a second at most, the newest wish:
 * each other picture starts an encoder.
 */

#define G_LOG_DOMAIN  "rs-screen"

#include "agent_screen.h"
#include "agent_png.h"
#include "agent_viewer.h"

#include <string.h>


#define AGENT_SCREEN_MESSAGE   256      /* bytes */
#define AGENT_SCREEN_MESSAGES  64
#define AGENT_SCREEN_BUFFERED  (128 * 1024)
#define AGENT_SCREEN_WISH_MS   250      /* between two that are done */
#define AGENT_SCREEN_POLL_MS   50       /* of the pointer's place */
#define AGENT_SCREEN_SHAPE_US  (100 * 1000)


struct agent_screen_s {
    agent_viewer_t   *viewer;
    agent_t          *agent;
    agent_channel_t  *channel;

    agent_view_t      wish;
    guint             wish_timer;

    guint             poll;
    gboolean          reshaped;         /* not told yet */
    gint64            shape_us;         /* told last */
    int               x;                /* 0 to 65535; -1: not in his picture */
    int               y;
};


static void *agent_screen_open(agent_channel_t *ch, agent_viewer_t *viewer);
static void agent_screen_text(void *data, const char *text, gsize len);
static void agent_screen_closed(void *data);
static void agent_screen_features(agent_viewer_t *viewer, json_t *features);
static gboolean agent_screen_monitor(const char *id, agent_view_t *view);
static gboolean agent_screen_decoder(const json_t *obj,
    agent_rate_decoder_t *decoder);
static void agent_screen_hello(agent_screen_t *screen);
static void agent_screen_grant(agent_screen_t *screen);
static gboolean agent_screen_later(gpointer data);
static void agent_screen_watch(agent_screen_t *screen);
static gboolean agent_screen_look(gpointer data);
static void agent_screen_shape(agent_screen_t *screen);
static void agent_screen_place(agent_screen_t *screen);
static gboolean agent_screen_draws(agent_platform_t *platform);


const agent_channel_kind_t  agent_screen_kind = {
    .label = "rs-screen",
    .message_max = AGENT_SCREEN_MESSAGE,
    .messages_max = AGENT_SCREEN_MESSAGES,
    .bytes_max = AGENT_SCREEN_MESSAGES * AGENT_SCREEN_MESSAGE,
    .buffer_max = AGENT_SCREEN_BUFFERED,
    .buffer_low = AGENT_SCREEN_BUFFERED / 2,
    .open = agent_screen_open,
    .text = agent_screen_text,
    .closed = agent_screen_closed,
    .features = agent_screen_features
};


agent_screen_e
agent_screen_parse(const char *text, gsize len, agent_view_t *view,
    agent_rate_decoder_t *decoder)
{
    gboolean            own;
    const char         *type;
    g_autoptr(json_t)   obj = NULL;

    obj = agent_json_load(text, len, AGENT_SCREEN_MESSAGE, NULL);
    type = (obj != NULL) ? agent_json_string(obj, "type", 16) : NULL;

    if (type == NULL) {
        return AGENT_SCREEN_NOTHING;
    }

    if (strcmp(type, "pointer") == 0 && agent_json_bool(obj, "own", &own)) {
        view->pointer = !own;
        return AGENT_SCREEN_WISH;
    }

    if (strcmp(type, "monitor") == 0
        && agent_screen_monitor(agent_json_string(obj, "id",
                                                  AGENT_MONITOR_NAME - 1),
                                view))
    {
        return AGENT_SCREEN_WISH;
    }

    if (strcmp(type, "decoder") == 0 && agent_screen_decoder(obj, decoder)) {
        return AGENT_SCREEN_DECODER;
    }

    return AGENT_SCREEN_NOTHING;
}


static gboolean
agent_screen_monitor(const char *id, agent_view_t *view)
{
    if (id == NULL) {
        return FALSE;
    }

    memset(view->monitor, 0, sizeof(view->monitor));

    if (strcmp(id, AGENT_SCREEN_WHOLE) != 0) {
        g_strlcpy(view->monitor, id, sizeof(view->monitor));
    }

    return TRUE;
}


static gboolean
agent_screen_decoder(const json_t *obj, agent_rate_decoder_t *decoder)
{
    gint64  span_ms, frames, dropped, decode_ms;

    if (!agent_json_int(obj, "span_ms", 100, 60000, &span_ms)
        || !agent_json_int(obj, "frames", 0, 10000, &frames)
        || !agent_json_int(obj, "dropped", 0, 10000, &dropped)
        || !agent_json_int(obj, "decode_ms", 0, 60000, &decode_ms))
    {
        return FALSE;
    }

    decoder->span_ms = (guint) span_ms;
    decoder->frames = (guint) frames;
    decoder->dropped = (guint) dropped;
    decoder->decode_ms = (guint) decode_ms;

    return TRUE;
}


char *
agent_screen_cursor(const agent_cursor_t *cursor)
{
    g_autofree char         *data = NULL;
    g_autoptr(GByteArray)    png = NULL;

    png = agent_png(cursor->rgba, (guint) cursor->width,
                    (guint) cursor->height);
    data = g_base64_encode(png->data, png->len);

    return agent_json_text(json_pack("{s:s, s:i, s:i, s:i, s:i, s:s}",
                                     "type", "cursor", "x", cursor->x,
                                     "y", cursor->y,
                                     "width", cursor->width,
                                     "height", cursor->height,
                                     "png", data));
}


/* one alone is the whole screen */

static void
agent_screen_features(agent_viewer_t *viewer, json_t *features)
{
    guint               i, n;
    json_t             *list;
    agent_area_t        all;
    agent_view_t        whole = { "", TRUE };
    agent_monitor_t    *m, monitors[AGENT_MONITORS];
    agent_platform_t   *platform = agent_viewer_about(viewer).agent->platform;

    n = (platform->ops->monitors != NULL)
        ? platform->ops->monitors(platform, monitors) : 0;

    if (n < 2) {
        agent_platform_area(platform, &whole, &all);
        n = 1;
        g_strlcpy(monitors[0].name, AGENT_SCREEN_WHOLE, AGENT_MONITOR_NAME);
        monitors[0].area = all;
        monitors[0].primary = TRUE;
    }

    list = json_array();

    for (i = 0; i < n; i++) {
        m = &monitors[i];
        json_array_append_new(list,
            json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:b}", "id", m->name,
                      "name", m->name, "x", m->area.x, "y", m->area.y,
                      "width", m->area.width, "height", m->area.height,
                      "primary", (int) m->primary));
    }

    json_object_set_new(features, "monitors", list);
    json_object_set_new(features, "sound",
                        json_boolean(agent_viewer_sound(viewer)));
}


static gboolean
agent_screen_draws(agent_platform_t *platform)
{
    return platform->ops->cursor != NULL && platform->ops->pointer != NULL;
}


static void *
agent_screen_open(agent_channel_t *ch, agent_viewer_t *viewer)
{
    agent_screen_t  *screen;

    screen = g_new0(agent_screen_t, 1);
    screen->viewer = viewer;
    screen->agent = agent_viewer_about(viewer).agent;
    screen->channel = ch;
    screen->wish = *agent_viewer_view(viewer);
    screen->agent->screens = g_list_prepend(screen->agent->screens, screen);

    agent_screen_hello(screen);
    agent_screen_watch(screen);

    return screen;
}


/* the view stays: the next connection of this viewer begins with it */

static void
agent_screen_closed(void *data)
{
    agent_screen_t  *screen = data;

    screen->agent->screens = g_list_remove(screen->agent->screens, screen);
    g_clear_handle_id(&screen->wish_timer, g_source_remove);
    g_clear_handle_id(&screen->poll, g_source_remove);
    g_free(screen);
}


/* what the picture is: said after each wish, too */

static void
agent_screen_hello(agent_screen_t *screen)
{
    g_autofree char      *text = NULL;
    const agent_view_t   *view = agent_viewer_view(screen->viewer);

    text = agent_json_text(json_pack("{s:s, s:s, s:b}", "type", "hello",
                                     "monitor", view->monitor[0] != '\0'
                                                ? view->monitor
                                                : AGENT_SCREEN_WHOLE,
                                     "pointer", (int) view->pointer));
    agent_channel_send_text(screen->channel, text);
}


static void
agent_screen_text(void *data, const char *text, gsize len)
{
    agent_screen_t        *screen = data;
    agent_rate_decoder_t   decoder;

    switch (agent_screen_parse(text, len, &screen->wish, &decoder)) {

    case AGENT_SCREEN_NOTHING:
        return;

    case AGENT_SCREEN_DECODER:
        agent_viewer_decoded(screen->viewer, &decoder);
        return;

    case AGENT_SCREEN_WISH:
        break;
    }

    if (!agent_screen_draws(screen->agent->platform)) {
        screen->wish.pointer = TRUE;
    }

    if (screen->wish_timer == 0) {
        agent_screen_grant(screen);
        screen->wish_timer = g_timeout_add(AGENT_SCREEN_WISH_MS,
                                           agent_screen_later, screen);
    }
}


static gboolean
agent_screen_later(gpointer data)
{
    agent_screen_t  *screen = data;

    screen->wish_timer = 0;

    if (memcmp(&screen->wish, agent_viewer_view(screen->viewer),
               sizeof(agent_view_t)) != 0)
    {
        agent_screen_grant(screen);
        screen->wish_timer = g_timeout_add(AGENT_SCREEN_WISH_MS,
                                           agent_screen_later, screen);
    }

    return G_SOURCE_REMOVE;
}


static void
agent_screen_grant(agent_screen_t *screen)
{
    if (!agent_viewer_look(screen->viewer, &screen->wish)) {
        screen->wish = *agent_viewer_view(screen->viewer);
    }

    agent_screen_hello(screen);
    agent_screen_watch(screen);
}


/* the shape and the place, as long as they are not in the picture */

static void
agent_screen_watch(agent_screen_t *screen)
{
    if (agent_viewer_view(screen->viewer)->pointer) {
        g_clear_handle_id(&screen->poll, g_source_remove);
        return;
    }

    if (screen->poll == 0) {
        screen->x = -2;                 /* to be told, wherever it is */
        screen->reshaped = TRUE;
        screen->shape_us = 0;
        screen->poll = g_timeout_add(AGENT_SCREEN_POLL_MS, agent_screen_look,
                                     screen);
    }
}


void
agent_screen_reshaped(gpointer data, gpointer none)
{
    agent_screen_t  *screen = data;

    (void) none;

    screen->reshaped = TRUE;

    if (screen->poll != 0) {
        agent_screen_shape(screen);
    }
}


static gboolean
agent_screen_look(gpointer data)
{
    agent_screen_t  *screen = data;

    agent_screen_shape(screen);
    agent_screen_place(screen);

    return G_SOURCE_CONTINUE;
}


/* pointers that turn and blink are told some times a second */

static void
agent_screen_shape(agent_screen_t *screen)
{
    gint64              now_us;
    agent_cursor_t      cursor;
    g_autofree char    *text = NULL;
    agent_platform_t   *platform = screen->agent->platform;

    now_us = g_get_monotonic_time();

    if (!screen->reshaped || now_us - screen->shape_us < AGENT_SCREEN_SHAPE_US)
    {
        return;
    }

    screen->reshaped = FALSE;

    if (!platform->ops->cursor(platform, &cursor)) {
        return;
    }

    text = agent_screen_cursor(&cursor);
    g_free(cursor.rgba);

    /* not now: at the next look */

    if (agent_channel_send_text(screen->channel, text)) {
        screen->shape_us = now_us;

    } else {
        screen->reshaped = TRUE;
    }
}


static void
agent_screen_place(agent_screen_t *screen)
{
    int                 x, y;
    agent_area_t        area;
    g_autofree char    *text = NULL;
    agent_platform_t   *platform = screen->agent->platform;

    if (!platform->ops->pointer(platform, &x, &y)) {
        return;
    }

    agent_platform_area(platform, agent_viewer_view(screen->viewer), &area);
    x -= area.x;
    y -= area.y;

    if (x < 0 || y < 0 || x >= area.width || y >= area.height) {
        x = -1;
        y = -1;

    } else {
        x = (int) (((gint64) x * 2 + 1) * 32768 / area.width);
        y = (int) (((gint64) y * 2 + 1) * 32768 / area.height);
    }

    if (x == screen->x && y == screen->y) {
        return;
    }

    text = agent_json_text(json_pack("{s:s, s:i, s:i}", "type", "pointer",
                                     "x", x, "y", y));

    if (agent_channel_send_text(screen->channel, text)) {
        screen->x = x;
        screen->y = y;
    }
}
