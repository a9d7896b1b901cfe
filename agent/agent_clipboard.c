
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what the desktop's clipboard and the viewers' say to each other.
 *
 * The desktop's is opened with the first viewer that may have anything of
 * it, and closed with the last; agent->clipboard is the one for all.  What
 * somebody there copies goes to every viewer who may have it; what a viewer
 * sends becomes the desktop's, and so goes to the others.  Texts travel in
 * pieces; the newest is what counts: it takes the place of one on its way.
 */

#define G_LOG_DOMAIN  "rs-clipboard"

#include "agent_clipboard.h"
#include "agent_viewer.h"

#include <string.h>


#define AGENT_CLIPBOARD_MESSAGES  512           /* on their way */
#define AGENT_CLIPBOARD_BUFFER    (256 * 1024)  /* bytes unsent */


struct agent_clipboard_s {
    agent_clip_t   *clip;
    GPtrArray      *users;      /* agent_clip_user_t */
};


typedef struct {
    agent_t          *agent;
    agent_channel_t  *channel;
    const char       *id;       /* of the participant, its viewer's */
    agent_way_e       way;

    gint64            in_id;    /* of the text that is coming */
    GString          *in;
    const char       *in_bad;   /* why it will be refused, or NULL */

    gint64            out_id;
    char             *out;      /* going, or NULL */
    gsize             out_len;
    gsize             out_at;
} agent_clip_user_t;


static void *agent_clipboard_open(agent_channel_t *ch,
    agent_viewer_t *viewer);
static gboolean agent_clipboard_join(agent_t *agent, agent_clip_user_t *user);
static void agent_clipboard_text(void *data, const char *text, gsize len);
static void agent_clipboard_piece_in(agent_clip_user_t *user, gint64 id,
    const char *text);
static void agent_clipboard_whole(agent_clip_user_t *user);
static void agent_clipboard_copied(void *data, const char *text, gsize len);
static void agent_clipboard_tell(agent_clipboard_t *clipboard,
    const agent_clip_user_t *but, const char *text, gsize len);
static void agent_clipboard_send(void *data);
static void agent_clipboard_closed(void *data);
static void agent_clipboard_features(agent_viewer_t *viewer,
    json_t *features);
static void agent_clipboard_say(agent_clip_user_t *user, json_t *message);


const agent_channel_kind_t  agent_clipboard_kind = {
    .label = "rs-clipboard",
    .message_max = AGENT_CHANNEL_MESSAGE,
    .messages_max = AGENT_CLIPBOARD_MESSAGES,
    .bytes_max = 8 * AGENT_CLIP_MAX,
    .buffer_max = AGENT_CLIPBOARD_BUFFER,
    .buffer_low = AGENT_CLIPBOARD_BUFFER / 4,
    .open = agent_clipboard_open,
    .text = agent_clipboard_text,
    .drained = agent_clipboard_send,
    .closed = agent_clipboard_closed,
    .features = agent_clipboard_features
};


static void *
agent_clipboard_open(agent_channel_t *ch, agent_viewer_t *viewer)
{
    agent_about_t        about;
    agent_allowed_t      allowed;
    agent_clip_user_t   *user;

    about = agent_viewer_about(viewer);
    agent_viewer_allowed(viewer, &allowed);

    if (allowed.clipboard == AGENT_WAY_NONE) {
        return NULL;
    }

    user = g_new0(agent_clip_user_t, 1);
    user->agent = about.agent;
    user->channel = ch;
    user->id = about.id;
    user->way = allowed.clipboard;
    user->in = g_string_new(NULL);

    if (!agent_clipboard_join(about.agent, user)) {
        g_string_free(user->in, TRUE);
        g_free(user);
        return NULL;
    }

    agent_clipboard_say(user, json_pack("{s:s, s:s, s:i}", "type", "hello",
                                        "direction",
                                        agent_way_word(user->way),
                                        "max", AGENT_CLIP_MAX));

    return user;
}


static gboolean
agent_clipboard_join(agent_t *agent, agent_clip_user_t *user)
{
    agent_platform_t    *platform = agent->platform;
    agent_clipboard_t   *clipboard = agent->clipboard;
    g_autoptr(GError)    error = NULL;

    if (clipboard == NULL) {
        clipboard = g_new0(agent_clipboard_t, 1);
        clipboard->clip = platform->ops->clipboard(platform,
                                                   agent_clipboard_copied,
                                                   clipboard, &error);
        if (clipboard->clip == NULL) {
            g_warning("no clipboard: %s", error->message);
            g_free(clipboard);
            return FALSE;
        }

        clipboard->users = g_ptr_array_new();
        agent->clipboard = clipboard;
    }

    g_ptr_array_add(clipboard->users, user);

    return TRUE;
}


static void
agent_clipboard_closed(void *data)
{
    agent_clip_user_t  *user = data;
    agent_clipboard_t  *clipboard = user->agent->clipboard;

    g_ptr_array_remove(clipboard->users, user);

    if (clipboard->users->len == 0) {
        user->agent->clipboard = NULL;
        clipboard->clip->ops->close(clipboard->clip);
        g_ptr_array_unref(clipboard->users);
        g_free(clipboard);
    }

    g_string_free(user->in, TRUE);
    g_free(user->out);
    g_free(user);
}


static void
agent_clipboard_features(agent_viewer_t *viewer, json_t *features)
{
    agent_allowed_t  allowed;

    agent_viewer_allowed(viewer, &allowed);
    json_object_set_new(features, "clipboard",
                        json_string(agent_way_word(allowed.clipboard)));
}


static void
agent_clipboard_say(agent_clip_user_t *user, json_t *message)
{
    g_autofree char  *text = agent_json_text(message);

    agent_channel_send_text(user->channel, text);
}


/* ---- to the device */

static void
agent_clipboard_text(void *data, const char *text, gsize len)
{
    gint64               id;
    gboolean             last;
    const char          *type, *piece;
    agent_clip_user_t   *user = data;
    g_autoptr(json_t)    obj = NULL;

    obj = agent_json_load(text, len, AGENT_CHANNEL_MESSAGE, NULL);
    type = (obj != NULL) ? agent_json_string(obj, "type", 64) : NULL;

    if (g_strcmp0(type, "text") != 0) {
        return;
    }

    piece = agent_json_string(obj, "text", AGENT_CLIPBOARD_PIECE);

    if (piece == NULL || !agent_json_bool(obj, "last", &last)
        || !agent_json_int(obj, "id", 1, G_MAXINT32, &id))
    {
        g_info("%s: a text without id, last or a piece of at most %d bytes",
               user->id, AGENT_CLIPBOARD_PIECE);
        return;
    }

    agent_clipboard_piece_in(user, id, piece);

    if (last) {
        agent_clipboard_whole(user);
    }
}


static void
agent_clipboard_piece_in(agent_clip_user_t *user, gint64 id,
    const char *text)
{
    if (id != user->in_id) {
        user->in_id = id;
        user->in_bad = (user->way & AGENT_WAY_TO_DEVICE) ? NULL : "direction";
        g_string_truncate(user->in, 0);
    }

    if (user->in_bad == NULL
        && user->in->len + strlen(text) > AGENT_CLIP_MAX)
    {
        user->in_bad = "too_long";
        g_string_truncate(user->in, 0);
    }

    if (user->in_bad == NULL) {
        g_string_append(user->in, text);
    }
}


static void
agent_clipboard_whole(agent_clip_user_t *user)
{
    gint64              id = user->in_id;
    const char         *bad = user->in_bad;
    agent_clipboard_t  *clipboard = user->agent->clipboard;

    if (bad == NULL && user->in->len == 0) {
        bad = "empty";
    }

    if (bad == NULL
        && !clipboard->clip->ops->set(clipboard->clip, user->in->str,
                                      user->in->len))
    {
        bad = "unavailable";
    }

    if (bad == NULL) {
        g_info("%s: %zu bytes to the clipboard", user->id, user->in->len);
        agent_clipboard_say(user, json_pack("{s:s, s:I}", "type", "taken",
                                            "id", (json_int_t) id));
        agent_clipboard_tell(clipboard, user, user->in->str, user->in->len);

    } else {
        g_info("%s: a text for the clipboard is refused: %s", user->id, bad);
        agent_clipboard_say(user, json_pack("{s:s, s:I, s:s}", "type",
                                            "refused", "id", (json_int_t) id,
                                            "reason", bad));
    }

    user->in_id = 0;
    g_string_truncate(user->in, 0);
}


/* ---- from the device */

static void
agent_clipboard_copied(void *data, const char *text, gsize len)
{
    agent_clipboard_tell(data, NULL, text, len);
}


static void
agent_clipboard_tell(agent_clipboard_t *clipboard,
    const agent_clip_user_t *but, const char *text, gsize len)
{
    guint               i;
    agent_clip_user_t  *user;

    for (i = 0; i < clipboard->users->len; i++) {
        user = g_ptr_array_index(clipboard->users, i);

        if (user == but || !(user->way & AGENT_WAY_FROM_DEVICE)) {
            continue;
        }

        g_free(user->out);
        user->out = g_strndup(text, len);
        user->out_len = len;
        user->out_at = 0;
        user->out_id++;
        g_info("%s: %zu bytes of the clipboard", user->id, len);
        agent_clipboard_send(user);
    }
}


/* as much as may be unsent; the rest when that has left */

static void
agent_clipboard_send(void *data)
{
    gsize               n;
    gboolean            sent;
    agent_clip_user_t  *user = data;

    while (user->out != NULL) {
        g_autofree char  *text = NULL;

        n = agent_clipboard_piece(user->out + user->out_at,
                                  user->out_len - user->out_at,
                                  AGENT_CLIPBOARD_PIECE);
        text = agent_json_text(json_pack("{s:s, s:I, s:s%, s:b}",
                                         "type", "text",
                                         "id", (json_int_t) user->out_id,
                                         "text", user->out + user->out_at, n,
                                         "last", user->out_at + n
                                                 == user->out_len));
        sent = agent_channel_send_text(user->channel, text);

        if (!sent) {
            return;
        }

        user->out_at += n;

        if (user->out_at == user->out_len) {
            g_clear_pointer(&user->out, g_free);
        }
    }
}


gsize
agent_clipboard_piece(const char *text, gsize len, gsize max)
{
    if (len <= max) {
        return len;
    }

    while (((guchar) text[max] & 0xc0) == 0x80) {
        max--;
    }

    return max;
}
