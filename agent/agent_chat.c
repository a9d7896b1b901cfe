
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the rooms of the chat: one for each session, from its first viewer
 * who may chat to its last.  What one says goes to all in his room and to
 * the person at the device, who answers there; nothing is kept.
 */

#define G_LOG_DOMAIN  "rs-chat"

#include "agent_chat.h"
#include "agent_text.h"
#include "agent_viewer.h"

#include <string.h>


#define AGENT_CHAT_MESSAGE   16384      /* bytes */
#define AGENT_CHAT_MESSAGES  64         /* on their way */
#define AGENT_CHAT_BUFFER    (128 * 1024)
#define AGENT_CHAT_BURST     10         /* messages */
#define AGENT_CHAT_EACH_US   (G_USEC_PER_SEC / 2)


struct agent_chat_s {
    GPtrArray  *users;      /* agent_chat_user_t */
    guint       rooms;      /* the last one's number */
};


typedef struct {
    agent_t          *agent;
    agent_channel_t  *channel;
    const char       *id;       /* of the participant, its viewer's */
    const char       *session;
    const char       *name;
    gboolean          verified;
    guint             room;
    gint64            full_us;  /* when its burst is whole again */
} agent_chat_user_t;


static void *agent_chat_open(agent_channel_t *ch, agent_viewer_t *viewer);
static guint agent_chat_room(agent_chat_t *chat, const char *session);
static gboolean agent_chat_room_has(const agent_chat_t *chat, guint room);
static void agent_chat_text(void *data, const char *text, gsize len);
static gboolean agent_chat_may(agent_chat_user_t *user);
static void agent_chat_spread(agent_chat_t *chat,
    const agent_chat_user_t *from, guint room, gint64 id, const char *text);
static void agent_chat_closed(void *data);
static void agent_chat_features(agent_viewer_t *viewer, json_t *features);
static void agent_chat_say(agent_chat_user_t *user, json_t *message);


const agent_channel_kind_t  agent_chat_kind = {
    .label = "rs-chat",
    .message_max = AGENT_CHAT_MESSAGE,
    .messages_max = AGENT_CHAT_MESSAGES,
    .bytes_max = AGENT_CHAT_MESSAGES * AGENT_CHAT_MESSAGE,
    .buffer_max = AGENT_CHAT_BUFFER,
    .open = agent_chat_open,
    .text = agent_chat_text,
    .closed = agent_chat_closed,
    .features = agent_chat_features
};


static void *
agent_chat_open(agent_channel_t *ch, agent_viewer_t *viewer)
{
    agent_chat_t        *chat;
    agent_about_t        about;
    agent_allowed_t      allowed;
    agent_chat_user_t   *user;

    about = agent_viewer_about(viewer);
    agent_viewer_allowed(viewer, &allowed);

    if (!allowed.chat) {
        return NULL;
    }

    chat = about.agent->chat;

    if (chat == NULL) {
        chat = g_new0(agent_chat_t, 1);
        chat->users = g_ptr_array_new();
        about.agent->chat = chat;
    }

    user = g_new0(agent_chat_user_t, 1);
    user->agent = about.agent;
    user->channel = ch;
    user->id = about.id;
    user->session = about.session;
    user->name = (about.name != NULL) ? about.name : "";
    user->verified = about.verified;
    user->room = agent_chat_room(chat, about.session);
    g_ptr_array_add(chat->users, user);

    agent_chat_say(user, json_pack("{s:s, s:i, s:b}", "type", "hello",
                                   "max", AGENT_CHAT_MAX, "person",
                                   about.agent->ui != NULL));

    return user;
}


void
agent_chat_free(agent_chat_t *chat)
{
    g_ptr_array_unref(chat->users);
    g_free(chat);
}


static guint
agent_chat_room(agent_chat_t *chat, const char *session)
{
    guint               i;
    agent_chat_user_t  *user;

    for (i = 0; i < chat->users->len; i++) {
        user = g_ptr_array_index(chat->users, i);

        if (strcmp(user->session, session) == 0) {
            return user->room;
        }
    }

    return ++chat->rooms;
}


static gboolean
agent_chat_room_has(const agent_chat_t *chat, guint room)
{
    guint                     i;
    const agent_chat_user_t  *user;

    for (i = 0; i < chat->users->len; i++) {
        user = g_ptr_array_index(chat->users, i);

        if (user->room == room) {
            return TRUE;
        }
    }

    return FALSE;
}


/* rooms keep their numbers over the last viewer's going: windows have them */

static void
agent_chat_closed(void *data)
{
    agent_chat_user_t  *user = data;
    agent_chat_t       *chat = user->agent->chat;

    g_ptr_array_remove(chat->users, user);

    if (user->agent->ui != NULL && !agent_chat_room_has(chat, user->room)) {
        agent_ui_chat_end(user->agent->ui, user->room);
    }

    g_free(user);
}


static void
agent_chat_features(agent_viewer_t *viewer, json_t *features)
{
    agent_allowed_t  allowed;

    agent_viewer_allowed(viewer, &allowed);
    json_object_set_new(features, "chat", json_boolean(allowed.chat));
}


static void
agent_chat_say(agent_chat_user_t *user, json_t *message)
{
    g_autofree char  *text = agent_json_text(message);

    agent_channel_send_text(user->channel, text);
}


static void
agent_chat_text(void *data, const char *text, gsize len)
{
    gint64               id;
    const char          *said;
    agent_subject_t      subject;
    agent_chat_user_t   *user = data;
    agent_t             *agent = user->agent;
    g_autofree char     *clean = NULL;
    g_autoptr(json_t)    obj = NULL;

    obj = agent_json_load(text, len, AGENT_CHAT_MESSAGE, NULL);

    if (obj == NULL
        || g_strcmp0(agent_json_string(obj, "type", 16), "say") != 0
        || !agent_json_int(obj, "id", 1, G_MAXINT32, &id))
    {
        return;
    }

    said = agent_json_string(obj, "text", AGENT_CHAT_MESSAGE);
    clean = agent_text_clean(said, (said != NULL) ? strlen(said) : 0,
                             AGENT_CHAT_MAX);

    if (clean[0] == '\0' || !agent_chat_may(user)) {
        agent_chat_say(user, json_pack("{s:s, s:I, s:s}", "type", "refused",
                                       "id", (json_int_t) id, "reason",
                                       clean[0] ? "too_many" : "empty"));
        return;
    }

    agent_chat_spread(agent->chat, user, user->room, id, clean);

    if (agent->ui != NULL) {
        subject.name = user->name;
        subject.by = user->verified ? "" : NULL;
        subject.control = FALSE;
        subject.tunnel = NULL;
        agent_ui_chat(agent->ui, user->room, &subject, clean);
    }
}


/* two a second, after a burst */

static gboolean
agent_chat_may(agent_chat_user_t *user)
{
    gint64  now_us = g_get_monotonic_time();

    user->full_us = MAX(user->full_us, now_us);

    if (user->full_us - now_us >= AGENT_CHAT_BURST * AGENT_CHAT_EACH_US) {
        return FALSE;
    }

    user->full_us += AGENT_CHAT_EACH_US;

    return TRUE;
}


/* from: NULL: the person at the device */

static void
agent_chat_spread(agent_chat_t *chat, const agent_chat_user_t *from,
    guint room, gint64 id, const char *text)
{
    guint               i;
    json_t             *message;
    agent_chat_user_t  *user;

    for (i = 0; i < chat->users->len; i++) {
        user = g_ptr_array_index(chat->users, i);

        if (user->room != room) {
            continue;
        }

        message = json_pack("{s:s, s:b, s:s, s:s, s:s}", "type", "said",
                            "device", from == NULL,
                            "from", (from != NULL) ? from->id : "",
                            "name", (from != NULL) ? from->name : "",
                            "text", text);

        if (user == from) {
            json_object_set_new(message, "id", json_integer(id));
        }

        agent_chat_say(user, message);
    }
}


void
agent_chat_said(agent_t *agent, guint room, const char *text)
{
    g_autofree char  *clean = agent_text_clean(text, strlen(text),
                                               AGENT_CHAT_MAX);

    if (agent->chat != NULL && clean[0] != '\0') {
        agent_chat_spread(agent->chat, NULL, room, 0, clean);
    }
}
