
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The pool with a launcher that starts nothing: the test is each instance,
 * and the gateway.
 */

#include "render_link.h"
#include "render_pool.h"
#include "../agent/t/tap.h"

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


#define DEADLINE_S  20
#define DEVICE      "dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SESSION     "ses_aaaaaaaaaaaaaaaaaaaaaaaaa"      /* and one more */

#define CROWD              10       /* all that may be about to say who */
#define OTHER_USER         65534
#define OTHER_CONNECTIONS  2

#define WAIT(cond)                                                            \
    do {                                                                      \
        gint64  end_ = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;  \
                                                                              \
        while (!(cond) && g_get_monotonic_time() < end_) {                    \
            g_main_context_iteration(NULL, TRUE);                             \
        }                                                                     \
    } while (0)


typedef struct {
    char           *id;
    render_link_t  *link;
    GString        *heard;
    gboolean        closed;
} played_t;


typedef struct {
    render_launcher_t      launcher;    /* first */
    char                  *dir;
    GPtrArray             *started;     /* ids */
    GString               *stopped;     /* "ID;" */
    char                  *left;        /* id of an instance of before */
    GString               *said;
    GPtrArray             *played;
    gboolean               empty;
    render_pool_limits_t   limits;
    render_pool_t         *pool;
} fixture_t;


/* ---- the launcher */

static void
fake_start(render_launcher_t *launcher, const char *id)
{
    fixture_t  *f = (fixture_t *) launcher;

    g_ptr_array_add(f->started, g_strdup(id));
}


static void
fake_stop(render_launcher_t *launcher, const char *id)
{
    fixture_t  *f = (fixture_t *) launcher;

    g_string_append_printf(f->stopped, "%s;", id);
}


static GPtrArray *
fake_list(render_launcher_t *launcher, GError **error)
{
    GPtrArray  *ids;
    fixture_t  *f = (fixture_t *) launcher;

    (void) error;

    ids = g_ptr_array_new_with_free_func(g_free);

    if (f->left != NULL) {
        g_ptr_array_add(ids, g_strdup(f->left));
    }

    return ids;
}


static void
fake_free(render_launcher_t *launcher)
{
    (void) launcher;
}


static const render_launcher_ops_t  fake_ops = {
    "fake", fake_start, fake_stop, fake_list, fake_free
};


static void
gone(fixture_t *f, const char *id)
{
    f->launcher.gone(f->launcher.data, id, NULL);
}


/* ---- the gateway */

static void
on_say(void *data, char *text)
{
    fixture_t  *f = data;

    g_string_append_printf(f->said, "%s\n", text);
    g_free(text);
}


static void
on_about(void *data, json_t **server, json_t **device)
{
    (void) data;

    *server = json_pack("{s:s}", "url", "https://gw.example.net/rs/v1");
    *device = json_pack("{s:s}", "device_id", DEVICE);
}


static char *
on_sign(void *data, const guint8 *bytes, gsize len, GError **error)
{
    (void) data;
    (void) bytes;
    (void) error;

    return g_strdup_printf("signed-%zu", len);
}


static void
on_empty(void *data)
{
    fixture_t  *f = data;

    f->empty = TRUE;
}


static const render_pool_events_t  events = {
    on_say, on_about, on_sign, on_empty
};


static void
invite(fixture_t *f, char which, const char *type)
{
    g_autofree char           *text = NULL;
    g_autoptr(agent_msg_t)     msg = NULL;

    text = g_strdup_printf("{\"type\":\"invite\",\"session\":{\"id\":\""
                           SESSION "%c\",\"host\":{\"type\":\"%s\"}},"
                           "\"ticket\":\"default.abcd\"}", which, type);
    msg = agent_msg_parse(AGENT_CHANNEL_AGENT, text, strlen(text), 0, NULL);
    render_pool_invite(f->pool, msg);
}


static void
is_said(fixture_t *f, const char *want, const char *what)
{
    is_str(f->said->str, want, what);
    g_string_truncate(f->said, 0);
}


#define LOAD(used, queued)                                                    \
    "{\"type\":\"load\",\"capacity\":2,\"used\":" #used                       \
    ",\"queued\":" #queued ",\"queue\":2}\n"

#define ACCEPT(c)                                                             \
    "{\"type\":\"accept\",\"session_id\":\"" SESSION c "\"}\n"

#define QUEUED(c, n)                                                          \
    "{\"type\":\"queued\",\"session_id\":\"" SESSION c                        \
    "\",\"position\":" #n "}\n"


/* ---- an instance */

static void
on_message(void *data, const char *type, json_t *msg)
{
    char      *text;
    played_t  *p = data;

    (void) type;
    text = json_dumps(msg, JSON_COMPACT);
    g_string_append_printf(p->heard, "%s\n", text);
    free(text);
}


static void
on_closed(void *data, const char *why)
{
    played_t  *p = data;

    (void) why;
    p->closed = TRUE;
}


static const render_link_events_t  played_events = {
    on_message, on_closed
};


static played_t *
connects(fixture_t *f, const char *id)
{
    played_t                       *p;
    g_autofree char                *path = render_path_socket(f->dir);
    g_autoptr(GSocketAddress)       address = NULL;
    g_autoptr(GSocketClient)        client = g_socket_client_new();
    g_autoptr(GSocketConnection)    connection = NULL;

    address = g_unix_socket_address_new(path);
    connection = g_socket_client_connect(client,
                                         G_SOCKET_CONNECTABLE(address), NULL,
                                         NULL);
    g_assert_nonnull(connection);

    p = g_new0(played_t, 1);
    p->id = g_strdup(id);
    p->heard = g_string_new(NULL);
    p->link = render_link_new(connection, &played_events, p);
    g_ptr_array_add(f->played, p);

    return p;
}


static void
greets(fixture_t *f, played_t *p, const char *token)
{
    g_autofree char  *file = render_path_token(f->dir, p->id);
    g_autofree char  *own = NULL;

    (void) g_file_get_contents(file, &own, NULL, NULL);
    render_link_send(p->link, json_pack("{s:s, s:s, s:s, s:i}",
                                        "type", "hello", "id", p->id,
                                        "token", token ? token
                                                       : own ? own : "none",
                                        "pid", 1));
}


static played_t *
comes(fixture_t *f, const char *id, const char *token)
{
    played_t  *p;

    p = connects(f, id);
    greets(f, p, token);

    return p;
}


static void
says(played_t *p, const char *type)
{
    render_link_send(p->link, json_pack("{s:s}", "type", type));
}


static played_t *
ready(fixture_t *f, guint i)
{
    played_t  *p;

    p = comes(f, f->started->pdata[i], NULL);
    says(p, "ready");

    return p;
}


/* ---- */

static void
played_free(void *data)
{
    played_t  *p = data;

    g_clear_pointer(&p->link, render_link_free);
    g_string_free(p->heard, TRUE);
    g_free(p->id);
    g_free(p);
}


static gboolean
tick(gpointer data)
{
    (void) data;

    return G_SOURCE_CONTINUE;
}


static void
start(fixture_t *f, guint warm)
{
    g_autoptr(GError)  error = NULL;

    f->launcher.ops = &fake_ops;
    f->dir = g_dir_make_tmp("rs-pool-XXXXXX", NULL);
    f->started = g_ptr_array_new_with_free_func(g_free);
    f->stopped = g_string_new(NULL);
    f->said = g_string_new(NULL);
    f->played = g_ptr_array_new_with_free_func(played_free);
    f->limits.max = 2;
    f->limits.warm = warm;
    f->limits.queue = 2;
    f->limits.queue_time = f->limits.queue_time ? f->limits.queue_time : 60;
    f->limits.start_time = f->limits.start_time ? f->limits.start_time : 30;
    f->limits.stop_time = 1;

    f->pool = render_pool_new(&f->limits, f->dir, DEVICE, &f->launcher,
                              &events, f, &error);
    g_assert_no_error(error);
    g_string_truncate(f->said, 0);
}


static void
stop(fixture_t *f)
{
    if (f->pool != NULL) {
        render_pool_free(f->pool);
    }

    g_ptr_array_unref(f->played);
    g_ptr_array_unref(f->started);
    g_string_free(f->stopped, TRUE);
    g_string_free(f->said, TRUE);
    render_remove(f->dir);
    ok(!g_file_test(f->dir, G_FILE_TEST_EXISTS), "nothing is left");
    g_free(f->dir);
    memset(f, 0, sizeof(*f));
}


static void
test_limits(fixture_t *f)
{
    played_t  *a, *b;

    start(f, 0);
    is_int(f->started->len, 0, "none is warm: none is started");
    render_pool_online(f->pool);
    is_said(f, LOAD(0, 0), "how busy it is");

    invite(f, 'x', "device");
    ok(strstr(f->said->str, "\"policy\"") != NULL, "no rendered session");
    g_string_truncate(f->said, 0);

    invite(f, 'a', "render");
    is_said(f, LOAD(1, 0) ACCEPT("a"), "the load, then the answer");
    invite(f, 'b', "render");
    is_said(f, LOAD(2, 0) ACCEPT("b"), "a second");
    invite(f, 'c', "render");
    is_said(f, LOAD(2, 1) QUEUED("c", 1), "a third waits");
    invite(f, 'd', "render");
    is_said(f, LOAD(2, 2) QUEUED("d", 2), "so does a fourth");
    invite(f, 'e', "render");
    ok(strstr(f->said->str, "\"busy\"") != NULL, "there is no room for more");
    g_string_truncate(f->said, 0);
    is_int(f->started->len, 2, "two instances were started");

    invite(f, 'c', "render");
    is_said(f, QUEUED("c", 1), "invited again: it still waits");

    a = ready(f, 0);
    b = ready(f, 1);
    WAIT(strstr(a->heard->str, "invite") && strstr(b->heard->str, "invite"));
    ok(strstr(a->heard->str, SESSION "a") || strstr(a->heard->str, SESSION "b"),
       "each gets its invite");
    ok(strstr(a->heard->str, "\"server\":{\"url\":\"https://gw.example.net")
       && strstr(a->heard->str, "\"device\":{\"device_id\":\"" DEVICE),
       "with what it has to know");

    render_pool_revoke(f->pool, SESSION "c");
    is_said(f, LOAD(2, 1) QUEUED("d", 1), "who has left the queue");

    if (strstr(a->heard->str, SESSION "a") == NULL) {
        a = b;
    }

    render_pool_revoke(f->pool, SESSION "a");
    WAIT(strstr(a->heard->str, "\"end\""));
    ok(strstr(a->heard->str, "\"end\"") != NULL, "it is asked to end");
    is_said(f, LOAD(1, 1), "the place is not free until it is gone");
    is_int(f->started->len, 2, "so no other one is started");

    gone(f, a->id);
    is_said(f, LOAD(2, 0) ACCEPT("d"), "now it is");
    is_int(f->started->len, 3, "by a new instance");

    stop(f);
}


static void
test_warm(fixture_t *f)
{
    played_t  *p;

    start(f, 1);
    is_int(f->started->len, 1, "one is started for nobody");
    p = ready(f, 0);
    invite(f, 'a', "render");
    is_said(f, LOAD(1, 0) ACCEPT("a"), "who comes before it is ready has it");
    WAIT(strstr(p->heard->str, "invite"));
    ok(strstr(p->heard->str, SESSION "a") != NULL, "and gets it");
    is_int(f->started->len, 2, "another one is started");

    invite(f, 'a', "render");
    is_said(f, ACCEPT("a"), "invited again: the same answer");
    says(p, "joined");
    says(p, "ended");
    WAIT(strstr(f->said->str, "\"used\":0"));
    is_said(f, LOAD(0, 0), "its session is over");
    is_int(f->started->len, 2, "max holds for those that end, too");
    WAIT(f->stopped->len > 0);
    ok(strstr(f->stopped->str, p->id) != NULL,
       "one that does not go is stopped");
    gone(f, p->id);
    is_int(f->started->len, 2, "one is warm, or will be");

    stop(f);
}


static void
test_nobody(fixture_t *f)
{
    played_t  *wrong, *other, *twice, *p;

    start(f, 1);
    wrong = comes(f, f->started->pdata[0], "x");
    WAIT(wrong->closed);
    ok(wrong->closed, "no token of it: closed");

    other = comes(f, "0123456789ab", NULL);
    WAIT(other->closed);
    ok(other->closed, "an instance that is none: closed");

    p = ready(f, 0);
    invite(f, 'a', "render");
    WAIT(strstr(p->heard->str, "invite"));
    twice = comes(f, p->id, NULL);
    WAIT(twice->closed);
    ok(twice->closed, "a token is good once");
    ok(!p->closed, "whose it is stays");
    stop(f);
}


/* who says nothing does not keep those away who would */

static void
test_crowd(fixture_t *f)
{
    guint      i;
    played_t  *p;

    start(f, 1);

    for (i = 0; i < CROWD; i++) {
        (void) connects(f, "0123456789ab");
    }

    p = ready(f, 0);
    invite(f, 'a', "render");
    WAIT(strstr(p->heard->str, "invite") || p->closed);
    ok(strstr(p->heard->str, "invite") != NULL,
       "the pool's own user crowds its door: it still opens");
    stop(f);

    /* a user that is none of an instance */

    start(f, 1);
    p = connects(f, f->started->pdata[0]);
    (void) chmod(f->dir, 0755);

    if (seteuid(OTHER_USER) != 0) {
        ok(TRUE, "# SKIP there is no other user here");
        stop(f);
        return;
    }

    for (i = 0; i < CROWD; i++) {
        (void) connects(f, "0123456789ab");
    }

    (void) !seteuid(0);
    WAIT(((played_t *) f->played->pdata[CROWD - OTHER_CONNECTIONS])->closed);
    greets(f, p, NULL);
    says(p, "ready");
    invite(f, 'a', "render");
    WAIT(strstr(p->heard->str, "invite") || p->closed);
    ok(strstr(p->heard->str, "invite") != NULL,
       "another one does: nobody else loses his place");
    stop(f);
}


static void
test_sign(fixture_t *f)
{
    played_t  *p;

    static const char  own[] = "rs-device-v1\0" SESSION "a\0" DEVICE "\0par";
    static const char  foreign[] = "rs-device-v1\0" SESSION "b\0" DEVICE
                                   "\0par";
    static const char  agent[] = "rs-agent-v1\0host\0default\0" DEVICE;

    static const struct {
        const char  *bytes;
        gsize        len;
        const char  *answer;
    } cases[] = {
        { own, sizeof(own) - 1, "\"signature\":\"signed-" },
        { foreign, sizeof(foreign) - 1, "\"error\":" },
        { agent, sizeof(agent) - 1, "\"error\":" },
        { "", 0, "\"error\":" }
    };

    gsize  i;

    start(f, 1);
    p = ready(f, 0);

    render_link_send(p->link, json_pack("{s:s, s:i, s:s}", "type", "sign",
                                        "n", 9, "data", "AAAA"));
    WAIT(strstr(p->heard->str, "\"n\":9"));
    ok(strstr(p->heard->str, "\"error\"") != NULL, "no session: nothing");

    invite(f, 'a', "render");
    WAIT(strstr(p->heard->str, "invite"));

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char  *text = g_base64_encode((const guint8 *)
                                                 cases[i].bytes,
                                                 cases[i].len);

        g_strdelimit(text, "+", '-');
        g_strdelimit(text, "/", '_');

        if (strchr(text, '=') != NULL) {
            *strchr(text, '=') = '\0';
        }

        g_string_truncate(p->heard, 0);
        render_link_send(p->link, json_pack("{s:s, s:i, s:s}",
                                            "type", "sign", "n", (int) i + 1,
                                            "data", text));
        WAIT(p->heard->len > 0);
        ok(strstr(p->heard->str, cases[i].answer) != NULL, "sign %zu", i);
    }

    render_link_send(p->link, json_pack("{s:s, s:i, s:s}", "type", "sign",
                                        "n", 1, "data", "no+base64url"));
    WAIT(strstr(p->heard->str, "\"end\""));
    ok(strstr(p->heard->str, "\"end\"") != NULL, "malformed: it is ended");
    stop(f);
}


static void
test_lost(fixture_t *f)
{
    played_t  *p, *q;

    start(f, 1);
    p = ready(f, 0);
    invite(f, 'a', "render");
    WAIT(strstr(p->heard->str, "invite"));
    g_string_truncate(f->said, 0);

    /* dies before anybody has seen it: another one takes its place */

    gone(f, p->id);
    WAIT(f->started->len == 3);
    is_int(f->started->len, 3, "dead before it joined: another one");
    ok(strstr(f->said->str, ACCEPT("a")) != NULL, "said again");
    q = ready(f, 1);
    WAIT(strstr(q->heard->str, "invite"));
    ok(strstr(q->heard->str, SESSION "a") != NULL, "which has the session");

    /* after it: the gateway is told at once */

    says(q, "joined");
    render_link_send(q->link, json_pack("{s:s, s:i, s:s}", "type", "sign",
                                        "n", 7, "data", "AAAA"));
    WAIT(strstr(q->heard->str, "\"n\":7"));
    g_string_truncate(f->said, 0);
    g_clear_pointer(&q->link, render_link_free);
    WAIT(strstr(f->said->str, "\"failed\""));
    ok(strstr(f->said->str, "\"reject\",\"session_id\":\"" SESSION "a\","
              "\"reason\":\"failed\"") != NULL, "dead after it: said so");
    gone(f, q->id);
    stop(f);
}


static void
gives_up(played_t *p, gboolean failed)
{
    render_link_send(p->link, json_pack("{s:s, s:s, s:b}", "type", "ended",
                                        "reason", "display", "failed",
                                        failed));
}


/* by itself: it was not asked to */

static void
test_gives_up(fixture_t *f)
{
    played_t  *p;

    start(f, 1);
    p = ready(f, 0);
    invite(f, 'a', "render");
    WAIT(strstr(p->heard->str, "invite"));
    g_string_truncate(f->said, 0);
    gives_up(p, FALSE);
    WAIT(strstr(f->said->str, ACCEPT("a")));
    ok(strstr(f->said->str, ACCEPT("a")) != NULL,
       "ended before it joined: another one");
    gone(f, p->id);

    p = ready(f, 1);
    WAIT(strstr(p->heard->str, "invite"));
    gives_up(p, TRUE);
    WAIT(strstr(f->said->str, "\"failed\""));
    ok(strstr(f->said->str, "\"reject\",\"session_id\":\"" SESSION "a\","
              "\"reason\":\"failed\"") != NULL, "that one, too: said so");
    gone(f, p->id);
    WAIT(f->started->len > 2);

    p = ready(f, 2);
    invite(f, 'b', "render");
    WAIT(strstr(p->heard->str, "invite"));
    says(p, "joined");
    g_string_truncate(f->said, 0);
    gives_up(p, TRUE);
    WAIT(strstr(f->said->str, "\"failed\""));
    ok(strstr(f->said->str, "\"reject\",\"session_id\":\"" SESSION "b\","
              "\"reason\":\"failed\"") != NULL,
       "one that failed without a goodbye: said so");
    stop(f);
}


static void
test_late(fixture_t *f)
{
    played_t  *p;

    f->limits.start_time = 2;
    start(f, 0);
    invite(f, 'a', "render");
    is_said(f, LOAD(1, 0) ACCEPT("a"), "accepted");
    p = comes(f, f->started->pdata[0], NULL);

    WAIT(strstr(p->heard->str, "\"end\""));
    ok(strstr(p->heard->str, "\"end\"") != NULL, "never ready: ended");
    WAIT(f->started->len == 2);
    is_int(f->started->len, 2, "another one is tried, a little later");
    WAIT(strstr(f->said->str, "\"failed\""));
    ok(strstr(f->said->str, "did not report in time") != NULL,
       "nor that one: the session is given up");
    WAIT(strstr(f->stopped->str, f->started->pdata[1]));
    ok(strstr(f->stopped->str, f->started->pdata[1]) != NULL, "and stopped");
    stop(f);
}


static void
test_restart(fixture_t *f)
{
    f->left = (char *) "00000000000a";
    start(f, 1);
    ok(strstr(f->stopped->str, f->left) != NULL,
       "what an earlier pool left is stopped");
    is_int(f->started->len, 1, "and has a place until it is gone");
    invite(f, 'a', "render");
    invite(f, 'b', "render");
    ok(strstr(f->said->str, QUEUED("b", 1)) != NULL, "nobody else has it");
    gone(f, f->left);
    ok(strstr(f->said->str, ACCEPT("b")) != NULL, "now somebody has");
    stop(f);
}


static void
test_quit(fixture_t *f)
{
    played_t  *p;

    start(f, 1);
    p = ready(f, 0);
    invite(f, 'a', "render");
    WAIT(strstr(p->heard->str, "invite"));
    g_string_truncate(f->said, 0);
    render_pool_quit(f->pool);
    ok(render_pool_busy(f->pool) && !f->empty, "not over");
    WAIT(strstr(p->heard->str, "\"end\""));
    ok(strstr(p->heard->str, "\"end\"") != NULL, "asked to end");
    is_said(f, "", "the gateway hears of it by the channel");
    invite(f, 'b', "render");
    ok(strstr(f->said->str, "\"busy\"") != NULL, "nothing new");
    gone(f, f->started->pdata[0]);
    gone(f, f->started->pdata[1]);
    ok(f->empty && !render_pool_busy(f->pool), "over");
    stop(f);
}


static void
on_log(const char *domain, GLogLevelFlags level, const char *message,
    gpointer data)
{
    (void) domain;
    (void) data;

    if (!(level & (G_LOG_LEVEL_DEBUG|G_LOG_LEVEL_INFO))) {
        printf("# %s\n", message);
    }
}


int
main(void)
{
    fixture_t  f;

    setvbuf(stdout, NULL, _IOLBF, 0);
    memset(&f, 0, sizeof(f));
    g_log_set_default_handler(on_log, NULL);
    g_timeout_add(20, tick, NULL);

    test_limits(&f);
    test_warm(&f);
    test_nobody(&f);
    test_crowd(&f);
    test_sign(&f);
    test_lost(&f);
    test_gives_up(&f);
    test_late(&f);
    test_restart(&f);
    test_quit(&f);

    return done();
}
