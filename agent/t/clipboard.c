
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The clipboard's kind: who may have it in which direction, pieces, bounds,
 * several viewers.  Desktop, channels and policy are played by the test.
 */

#include "agent_clipboard.h"
#include "agent_viewer.h"
#include "fake_channel.h"
#include "tap.h"


/* ---- what is played */

struct agent_viewer_s {
    agent_t          *agent;
    const char       *id;
    agent_allowed_t   allowed;
};


static agent_clip_t   *clip;            /* the desktop's, or NULL */
static GString        *owned;           /* what it was given last */
static gboolean        takes = TRUE;
static gboolean        opens = TRUE;


agent_about_t
agent_viewer_about(const agent_viewer_t *viewer)
{
    return (agent_about_t) { .agent = viewer->agent, .id = viewer->id };
}


void
agent_viewer_allowed(const agent_viewer_t *viewer, agent_allowed_t *allowed)
{
    *allowed = viewer->allowed;
}


static gboolean
play_set(agent_clip_t *c, const char *text, gsize len)
{
    (void) c;

    if (takes) {
        g_string_truncate(owned, 0);
        g_string_append_len(owned, text, (gssize) len);
    }

    return takes;
}


static void
play_close(agent_clip_t *c)
{
    g_free(c);
    clip = NULL;
}


static const agent_clip_ops_t  clip_ops = { play_set, play_close };


static agent_clip_t *
play_clipboard(agent_platform_t *p, agent_clip_copied_pt copied, void *data,
    GError **error)
{
    (void) p;

    if (!opens) {
        g_set_error(error, AGENT_JSON_ERROR, 0, "no clipboard today");
        return NULL;
    }

    clip = g_new0(agent_clip_t, 1);
    clip->ops = &clip_ops;
    clip->copied = copied;
    clip->data = data;

    return clip;
}


static const agent_platform_ops_t  platform_ops = {
    .name = "test",
    .clipboard = play_clipboard
};


static agent_platform_t  platform = { .ops = &platform_ops };
static agent_t           agent = { .platform = &platform };


/* ---- */

static const agent_channel_kind_t *const  kinds[] = {
    &agent_clipboard_kind, NULL
};


typedef struct {
    agent_viewer_t    viewer;
    agent_channel_t  *ch;
    guint             read;         /* texts of ch looked at */
} user_t;


static void
join(user_t *u, const char *id, agent_way_e way)
{
    memset(u, 0, sizeof(user_t));
    u->viewer.agent = &agent;
    u->viewer.id = id;
    u->viewer.allowed.clipboard = way;
    u->ch = fake_channel_open(kinds, "rs-clipboard", &u->viewer);
}


static void
leave(user_t *u)
{
    fake_channel_free(u->ch);
}


/* what came since the last call, one message after the other */

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
copies(const char *text)
{
    clip->copied(clip->data, text, strlen(text));
}


static void
test_directions(void)
{
    user_t  both, to, from, none;

    join(&none, "par_n", AGENT_WAY_NONE);
    ok(!none.ch->open && clip == NULL, "none: no answer, nothing is opened");
    heard(&none, "", "not a word");

    join(&both, "par_b", AGENT_WAY_BOTH);
    join(&to, "par_t", AGENT_WAY_TO_DEVICE);
    join(&from, "par_f", AGENT_WAY_FROM_DEVICE);
    heard(&both, "{\"type\":\"hello\",\"direction\":\"both\","
          "\"max\":1048576}", "both");
    heard(&to, "{\"type\":\"hello\",\"direction\":\"to_device\","
          "\"max\":1048576}", "one way");
    heard(&from, "{\"type\":\"hello\",\"direction\":\"from_device\","
          "\"max\":1048576}", "the other way");

    copies("of the device \"\\\n\x01");
    heard(&both, "{\"type\":\"text\",\"id\":1,\"text\":"
          "\"of the device \\\"\\\\\\n\\u0001\",\"last\":true}",
          "copied there: to who may have it");
    heard(&from, "{\"type\":\"text\",\"id\":1,\"text\":"
          "\"of the device \\\"\\\\\\n\\u0001\",\"last\":true}", "also");
    heard(&to, "", "and to nobody else");
    heard(&none, "", "least of all");

    fake_channel_say(from.ch, "{\"type\":\"text\",\"id\":5,"
                     "\"text\":\"in the wrong direction\",\"last\":true}");
    is_str(owned->str, "", "who may not send changes nothing");
    heard(&from, "{\"type\":\"refused\",\"id\":5,\"reason\":\"direction\"}",
          "and is told");
    heard(&both, "", "others hear nothing of it");

    fake_channel_say(to.ch, "{\"type\":\"text\",\"id\":1,"
                     "\"text\":\"for the device\",\"last\":true}");
    is_str(owned->str, "for the device", "who may, does");
    heard(&to, "{\"type\":\"taken\",\"id\":1}", "and is told once it is");
    heard(&both, "{\"type\":\"text\",\"id\":2,\"text\":\"for the device\","
          "\"last\":true}", "it is the clipboard of all now");
    heard(&from, "{\"type\":\"text\",\"id\":2,\"text\":\"for the device\","
          "\"last\":true}", "of each who may have it");

    leave(&none);
    leave(&both);
    leave(&to);
    ok(clip != NULL, "somebody is left");
    leave(&from);
    ok(clip == NULL && agent.clipboard == NULL, "the last one closes it");
}


static void
test_pieces(void)
{
    guint               i;
    user_t              u;
    const char         *left;
    g_autofree char    *big = g_strnfill(AGENT_CLIPBOARD_PIECE, 'a');
    g_autofree char    *message = NULL;

    g_string_truncate(owned, 0);
    join(&u, "par_u", AGENT_WAY_BOTH);
    u.read = u.ch->texts->len;

    fake_channel_say(u.ch, "{\"type\":\"text\",\"id\":1,\"text\":\"one \","
                     "\"last\":false}");
    fake_channel_say(u.ch, "{\"type\":\"text\",\"id\":1,\"text\":\"two\","
                     "\"last\":true}");
    is_str(owned->str, "one two", "pieces are put together");
    heard(&u, "{\"type\":\"taken\",\"id\":1}", "one answer");

    fake_channel_say(u.ch, "{\"type\":\"text\",\"id\":2,\"text\":\"old\","
                     "\"last\":false}");
    fake_channel_say(u.ch, "{\"type\":\"text\",\"id\":3,\"text\":\"new\","
                     "\"last\":true}");
    is_str(owned->str, "new", "a newer text takes its place");
    heard(&u, "{\"type\":\"taken\",\"id\":3}", "and is answered alone");

    fake_channel_say(u.ch, "{\"type\":\"text\",\"id\":4,\"text\":\"\","
                     "\"last\":true}");
    heard(&u, "{\"type\":\"refused\",\"id\":4,\"reason\":\"empty\"}",
          "nothing at all is no text");

    /* 128 pieces are as much as there may be, one byte more is not */

    message = g_strdup_printf("{\"type\":\"text\",\"id\":5,\"text\":\"%s\","
                              "\"last\":false}", big);

    for (i = 0; i < AGENT_CLIP_MAX / AGENT_CLIPBOARD_PIECE; i++) {
        fake_channel_say(u.ch, message);
    }

    fake_channel_say(u.ch, "{\"type\":\"text\",\"id\":5,\"text\":\"\","
                     "\"last\":true}");
    is_int((gint64) owned->len, AGENT_CLIP_MAX, "the longest text");
    heard(&u, "{\"type\":\"taken\",\"id\":5}", "is taken");

    message[strlen("{\"type\":\"text\",\"id\":")] = '6';

    for (i = 0; i < AGENT_CLIP_MAX / AGENT_CLIPBOARD_PIECE; i++) {
        fake_channel_say(u.ch, message);
    }

    g_string_assign(owned, "as before");
    fake_channel_say(u.ch, "{\"type\":\"text\",\"id\":6,\"text\":\"b\","
                     "\"last\":true}");
    is_str(owned->str, "as before", "a longer one is not");
    heard(&u, "{\"type\":\"refused\",\"id\":6,\"reason\":\"too_long\"}",
          "and that is said");

    takes = FALSE;
    fake_channel_say(u.ch, "{\"type\":\"text\",\"id\":7,\"text\":\"b\","
                     "\"last\":true}");
    heard(&u, "{\"type\":\"refused\",\"id\":7,\"reason\":\"unavailable\"}",
          "a desktop that does not take it");
    takes = TRUE;

    /* to the viewer: in pieces, as there is room, and only the newest */

    u.ch->buffered = u.ch->kind->buffer_max;
    copies("never seen");
    big = g_realloc(big, AGENT_CLIPBOARD_PIECE + 8);
    strcpy(big + AGENT_CLIPBOARD_PIECE - 1, "\xe2\x82\xac!");
    copies(big);
    heard(&u, "", "congested: it waits");
    u.ch->buffered = 0;
    u.ch->kind->drained(u.ch->data);
    is_int(u.ch->texts->len - u.read, 2, "room: the newest, in two pieces");
    left = fake_channel_heard(u.ch);
    is_str(left, "{\"type\":\"text\",\"id\":2,\"text\":\"\xe2\x82\xac!\","
           "\"last\":true}", "no character is torn");
    leave(&u);
}


static void
test_hostile(void)
{
    guint   i;
    user_t  u;

    static const char *const  words[] = {
        "", "{", "[]", "null", "\"text\"", "{}", "{\"type\":1}",
        "{\"type\":\"steal\"}",
        "{\"type\":\"text\"}",
        "{\"type\":\"text\",\"id\":0,\"text\":\"x\",\"last\":true}",
        "{\"type\":\"text\",\"id\":-1,\"text\":\"x\",\"last\":true}",
        "{\"type\":\"text\",\"id\":1.5,\"text\":\"x\",\"last\":true}",
        "{\"type\":\"text\",\"id\":9999999999,\"text\":\"x\",\"last\":true}",
        "{\"type\":\"text\",\"id\":\"1\",\"text\":\"x\",\"last\":true}",
        "{\"type\":\"text\",\"id\":1,\"text\":1,\"last\":true}",
        "{\"type\":\"text\",\"id\":1,\"text\":null,\"last\":true}",
        "{\"type\":\"text\",\"id\":1,\"text\":\"x\",\"last\":1}",
        "{\"type\":\"text\",\"id\":1,\"text\":\"x\"}",
        "{\"type\":\"text\",\"id\":1,\"text\":\"a\\u0000b\",\"last\":true}",
        "{\"type\":\"text\",\"id\":1,\"text\":\"\\ud800\",\"last\":true}",
        "{\"type\":\"text\",\"id\":1,\"text\":\"\xff\",\"last\":true}",
        "{\"type\":\"text\",\"id\":1,\"id\":1,\"text\":\"x\",\"last\":true}"
    };

    g_autofree char  *long_piece = g_strnfill(AGENT_CLIPBOARD_PIECE + 1, 'x');
    g_autofree char  *message = NULL;

    g_string_assign(owned, "as before");
    join(&u, "par_u", AGENT_WAY_BOTH);
    u.read = u.ch->texts->len;

    for (i = 0; i < G_N_ELEMENTS(words); i++) {
        fake_channel_say(u.ch, words[i]);
    }

    message = g_strdup_printf("{\"type\":\"text\",\"id\":1,\"text\":\"%s\","
                              "\"last\":true}", long_piece);
    fake_channel_say(u.ch, message);

    is_str(owned->str, "as before", "what is no text of one changes nothing");
    heard(&u, "", "and has no answer");
    leave(&u);

    opens = FALSE;
    join(&u, "par_u", AGENT_WAY_BOTH);
    ok(!u.ch->open && agent.clipboard == NULL, "no clipboard, no answer");
    leave(&u);
    opens = TRUE;
}


static void
test_features(void)
{
    agent_viewer_t      viewer = { .agent = &agent };
    g_autoptr(json_t)   features = json_object();

    viewer.allowed.clipboard = AGENT_WAY_FROM_DEVICE;
    agent_clipboard_kind.features(&viewer, features);
    is_str(json_string_value(json_object_get(features, "clipboard")),
           "from_device", "hello says what is left");
}


static void
test_piece(void)
{
    is_int((gint64) agent_clipboard_piece("abc", 3, 8), 3, "short");
    is_int((gint64) agent_clipboard_piece("abcdefgh", 8, 8), 8, "as long");
    is_int((gint64) agent_clipboard_piece("abcdefghi", 9, 8), 8, "longer");
    is_int((gint64) agent_clipboard_piece("abcdef\xf0\x9f\x98\x80", 10, 9), 6,
           "four bytes of one character");
}


int
main(void)
{
    owned = g_string_new(NULL);

    test_directions();
    test_pieces();
    test_hostile();
    test_features();
    test_piece();

    g_string_free(owned, TRUE);

    return done();
}
