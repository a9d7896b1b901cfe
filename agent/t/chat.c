
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The chat's kind: rooms that do not hear each other, the person at the
 * device, bounds.  Channels, policy, windows and the clock are played by the
 * test.
 */

#include "agent_chat.h"
#include "agent_viewer.h"
#include "fake_channel.h"
#include "tap.h"


/* ---- what is played */

struct agent_viewer_s {
    agent_t          *agent;
    const char       *session;
    const char       *id;
    const char       *name;
    gboolean          verified;
    agent_allowed_t   allowed;
};


static gint64    now_us = 1000 * G_USEC_PER_SEC;
static GString  *shown;                 /* what the windows were told */


gint64
g_get_monotonic_time(void)
{
    return now_us;
}


agent_about_t
agent_viewer_about(const agent_viewer_t *viewer)
{
    return (agent_about_t) { .agent = viewer->agent, .id = viewer->id,
                             .session = viewer->session,
                             .name = viewer->name,
                             .verified = viewer->verified };
}


void
agent_viewer_allowed(const agent_viewer_t *viewer, agent_allowed_t *allowed)
{
    *allowed = viewer->allowed;
}


void
agent_ui_chat(agent_ui_t *ui, guint room, const agent_subject_t *from,
    const char *text)
{
    (void) ui;

    g_string_append_printf(shown, "[%u %s%s: %s]", room, from->name,
                           from->by != NULL ? "+" : "", text);
}


void
agent_ui_chat_end(agent_ui_t *ui, guint room)
{
    (void) ui;

    g_string_append_printf(shown, "[%u ends]", room);
}


/* ---- */

static const agent_channel_kind_t *const  kinds[] = {
    &agent_chat_kind, NULL
};

static agent_t  agent;


typedef struct {
    agent_viewer_t    viewer;
    agent_channel_t  *ch;
    guint             read;
} user_t;


static void
join(user_t *u, const char *session, const char *id, const char *name,
    gboolean verified)
{
    memset(u, 0, sizeof(user_t));
    u->viewer.agent = &agent;
    u->viewer.session = session;
    u->viewer.id = id;
    u->viewer.name = name;
    u->viewer.verified = verified;
    u->viewer.allowed.chat = TRUE;
    u->ch = fake_channel_open(kinds, "rs-chat", &u->viewer);
}


static void
heard(user_t *u, const char *want, const char *what)
{
    g_autoptr(GString)  all = g_string_new(NULL);

    for ( /* void */ ; u->read < u->ch->texts->len; u->read++) {
        g_string_append(all, g_ptr_array_index(u->ch->texts, u->read));
    }

    is_str(all->str, want, what);
}


static void
windows(const char *want, const char *what)
{
    is_str(shown->str, want, what);
    g_string_truncate(shown, 0);
}


static void
test_rooms(void)
{
    user_t  anna, bob, carl, none;

    memset(&none, 0, sizeof(none));
    none.viewer.agent = &agent;
    none.ch = fake_channel_open(kinds, "rs-chat", &none.viewer);
    ok(!none.ch->open && none.ch->texts->len == 0, "not allowed: no word");
    fake_channel_free(none.ch);

    join(&anna, "ses_a", "par_a", "Anna", TRUE);
    join(&bob, "ses_a", "par_b", NULL, FALSE);
    join(&carl, "ses_c", "par_c", "Carl", FALSE);
    heard(&anna, "{\"type\":\"hello\",\"max\":1000,\"person\":true}",
          "hello");
    bob.read = carl.read = 1;

    fake_channel_say(anna.ch, "{\"type\":\"say\",\"id\":7,"
                     "\"text\":\" Hi\\n\\u202ethere  \"}");
    heard(&anna, "{\"type\":\"said\",\"device\":false,\"from\":\"par_a\","
          "\"name\":\"Anna\",\"text\":\"Hi there\",\"id\":7}",
          "one line, cleaned, back with its number");
    heard(&bob, "{\"type\":\"said\",\"device\":false,\"from\":\"par_a\","
          "\"name\":\"Anna\",\"text\":\"Hi there\"}", "to the others");
    heard(&carl, "", "of the same session alone");
    windows("[1 Anna+: Hi there]", "and to the person at the device");

    fake_channel_say(carl.ch, "{\"type\":\"say\",\"id\":1,"
                     "\"text\":\"Hello\"}");
    windows("[2 Carl: Hello]", "another session is another room");
    heard(&anna, "", "which is not heard here");
    carl.read = carl.ch->texts->len;

    agent_chat_said(&agent, 1, "Who is there?\n");
    heard(&anna, "{\"type\":\"said\",\"device\":true,\"from\":\"\","
          "\"name\":\"\",\"text\":\"Who is there?\"}", "the person answers");
    heard(&bob, "{\"type\":\"said\",\"device\":true,\"from\":\"\","
          "\"name\":\"\",\"text\":\"Who is there?\"}", "in that room");
    heard(&carl, "", "and not in the other");
    agent_chat_said(&agent, 3, "Nobody?");
    agent_chat_said(&agent, 1, "\n");
    heard(&anna, "", "a room that is not there, nothing at all");

    fake_channel_free(anna.ch);
    windows("", "somebody is left");
    fake_channel_free(bob.ch);
    windows("[1 ends]", "nobody is");

    join(&anna, "ses_a", "par_a", "Anna", TRUE);
    fake_channel_say(anna.ch, "{\"type\":\"say\",\"id\":1,"
                     "\"text\":\"again\"}");
    windows("[3 Anna+: again]", "who comes later has a room of his own");
    fake_channel_free(anna.ch);
    fake_channel_free(carl.ch);
    g_string_truncate(shown, 0);
}


static void
test_bounds(void)
{
    guint               i;
    user_t              u;
    g_autofree char    *text = g_strnfill(AGENT_CHAT_MAX + 500, 'x');
    g_autofree char    *message = NULL;

    static const char *const  bad[] = {
        "", "{", "[]", "{}", "{\"type\":\"say\"}",
        "{\"type\":\"say\",\"id\":0,\"text\":\"x\"}",
        "{\"type\":\"say\",\"id\":\"1\",\"text\":\"x\"}",
        "{\"type\":\"said\",\"id\":1,\"text\":\"x\"}",
        "{\"type\":\"say\",\"id\":1,\"text\":\"a\",\"text\":\"b\"}"
    };

    join(&u, "ses_a", "par_a", "Anna", FALSE);
    u.read = 1;

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        fake_channel_say(u.ch, bad[i]);
    }

    heard(&u, "", "what is no message has no answer");

    fake_channel_say(u.ch, "{\"type\":\"say\",\"id\":1,"
                     "\"text\":\"\\u200b\\n\"}");
    heard(&u, "{\"type\":\"refused\",\"id\":1,\"reason\":\"empty\"}",
          "nothing to be seen in it");
    fake_channel_say(u.ch, "{\"type\":\"say\",\"id\":1,\"text\":5}");
    heard(&u, "{\"type\":\"refused\",\"id\":1,\"reason\":\"empty\"}",
          "no text");
    windows("", "nobody sees any of it");

    message = g_strdup_printf("{\"type\":\"say\",\"id\":2,\"text\":\"%s\"}",
                              text);
    fake_channel_say(u.ch, message);
    ok(strlen(shown->str) < AGENT_CHAT_MAX + 20, "a long one is cut");
    g_string_truncate(shown, 0);

    for (i = 0; i < 30; i++) {
        fake_channel_say(u.ch, "{\"type\":\"say\",\"id\":3,\"text\":\"y\"}");
    }

    is_str(fake_channel_heard(u.ch), "{\"type\":\"refused\",\"id\":3,"
           "\"reason\":\"too_many\"}", "a flood is refused");
    is_int((gint64) (shown->len / strlen("[1 Anna: y]")), 9,
           "after a burst of ten");
    g_string_truncate(shown, 0);
    now_us += G_USEC_PER_SEC;

    for (i = 0; i < 5; i++) {
        fake_channel_say(u.ch, "{\"type\":\"say\",\"id\":3,\"text\":\"y\"}");
    }

    is_int((gint64) (shown->len / strlen("[1 Anna: y]")), 2,
           "two a second from then on");
    fake_channel_free(u.ch);
}


static void
test_features(void)
{
    agent_viewer_t      viewer = { .agent = &agent };
    g_autoptr(json_t)   features = json_object();

    viewer.allowed.chat = TRUE;
    agent_chat_kind.features(&viewer, features);
    ok(json_is_true(json_object_get(features, "chat")), "hello says it");
}


int
main(void)
{
    shown = g_string_new(NULL);
    agent.ui = (agent_ui_t *) shown;

    test_rooms();
    test_bounds();
    test_features();

    agent_chat_free(agent.chat);
    g_string_free(shown, TRUE);

    return done();
}
