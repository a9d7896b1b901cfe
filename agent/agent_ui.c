
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the process rs-agent-ui: starts it when somebody has to be asked or
 * shown, and again when it ends while that is so.  It is a process of its own
 * so that a toolkit's trouble is not the agent's, and so that the agent needs
 * no desktop.
 *
 *     stopped -> starting -> ready -> (it ends) -> starting, or given up
 *
 * Given up means no: questions are answered AGENT_ANSWER_IMPOSSIBLE, and who
 * is on the banner has to go.  The time of a question is counted here, and
 * goes on while the process is started anew.
 *
 * A process that does not read its pipe is killed; the agent never waits.
 */

#define G_LOG_DOMAIN  "rs-ui"

#include "agent_ui.h"
#include "agent_json.h"

#include <gio/gunixinputstream.h>
#include <gio/gunixoutputstream.h>
#include <signal.h>
#include <string.h>


#define AGENT_UI_PROGRAM  "rs-agent-ui"
#define AGENT_UI_LINE     4096


/* one run of rs-agent-ui; there is always one read under way */

typedef struct {
    agent_ui_t     *ui;                 /* NULL: let go of */
    GSubprocess    *process;
    GOutputStream  *in;
    GInputStream   *out;
    GCancellable   *cancel;
    char            buf[AGENT_UI_LINE];
    GString        *line;
} agent_ui_run_t;


struct agent_ui_s {
    const agent_config_t      *config;
    const agent_ui_events_t   *events;
    void                      *data;

    agent_ui_run_t            *run;     /* NULL: stopped */
    gboolean                   ready;
    guint                      late;    /* to be ready */
    guint                      work;    /* idle */
    gint64                     deaths[AGENT_UI_DEATHS];

    GList                     *asks;
    GList                     *shown;
    GQueue                     chats;   /* json_t, until it is ready */
    gint64                     last_id;
    gboolean                   own;     /* control is the person's */
    gboolean                   asking;  /* as told */
};


struct agent_ask_s {
    agent_ui_t         *ui;
    gint64              id;
    char               *name;
    char               *by;
    char               *tunnel;
    gboolean            control;
    gboolean            prompt;
    agent_ask_done_pt   done;
    void               *data;
    guint               timer;
    gint64              until_us;
};


struct agent_shown_s {
    agent_ui_t  *ui;
    char        *name;
    char        *tunnel;
    gboolean     verified;
    gboolean     control;
};


static void agent_ui_forget(agent_ui_t *ui);
static void agent_ui_kick(agent_ui_t *ui);
static gboolean agent_ui_work(gpointer data);
static gboolean agent_ui_start(agent_ui_t *ui);
static char *agent_ui_program(const agent_config_t *config);
static void agent_ui_give_up(agent_ui_t *ui);
static void agent_ui_died(agent_ui_t *ui);
static gboolean agent_ui_dying(const agent_ui_t *ui);
static gboolean agent_ui_late(gpointer data);
static void agent_ui_stop(agent_ui_t *ui);
static void agent_ui_said(agent_ui_t *ui, const char *text, gsize len);
static void agent_ui_ready(agent_ui_t *ui);
static void agent_ui_tell(agent_ui_t *ui, json_t *obj);
static void agent_ui_banner(agent_ui_t *ui);
static void agent_ui_tell_asking(agent_ui_t *ui);

static void agent_ask_put(agent_ask_t *ask);
static void agent_ask_end(agent_ask_t *ask, agent_answer_e answer);
static void agent_ask_free(agent_ask_t *ask);
static gboolean agent_ask_late(gpointer data);

static void agent_ui_read(agent_ui_run_t *run);
static void agent_ui_on_read(GObject *source, GAsyncResult *result,
    gpointer data);
static void agent_ui_run_free(agent_ui_run_t *run);


agent_ui_t *
agent_ui_new(const agent_config_t *config, const agent_ui_events_t *events,
    void *data)
{
    agent_ui_t  *ui;

    /* a write to a process that has just ended is an error, not our end */

    signal(SIGPIPE, SIG_IGN);

    ui = g_new0(agent_ui_t, 1);
    ui->config = config;
    ui->events = events;
    ui->data = data;

    return ui;
}


void
agent_ui_free(agent_ui_t *ui)
{
    agent_ui_stop(ui);
    g_clear_handle_id(&ui->work, g_source_remove);
    agent_ui_forget(ui);
    g_free(ui);
}


gboolean
agent_ui_asking(const agent_ui_t *ui)
{
    return ui->asking;
}


agent_ask_t *
agent_ui_ask(agent_ui_t *ui, const agent_subject_t *subject, gboolean prompt,
    agent_ask_done_pt done, void *data)
{
    guint         wait_s;
    agent_ask_t  *ask;

    ask = g_new0(agent_ask_t, 1);
    ask->ui = ui;
    ask->id = ++ui->last_id;
    ask->name = g_strdup(subject->name);
    ask->by = g_strdup(subject->by);
    ask->tunnel = g_strdup(subject->tunnel);
    ask->control = subject->control;
    ask->prompt = prompt;
    ask->done = done;
    ask->data = data;

    wait_s = prompt ? ui->config->consent_timeout : AGENT_UI_START_S;
    ask->until_us = g_get_monotonic_time() + wait_s * G_USEC_PER_SEC;
    ask->timer = g_timeout_add_seconds(wait_s, agent_ask_late, ask);

    ui->asks = g_list_append(ui->asks, ask);
    agent_ui_tell_asking(ui);

    if (ui->ready && prompt) {
        agent_ask_put(ask);
    }

    agent_ui_kick(ui);

    return ask;
}


void
agent_ask_cancel(agent_ask_t *ask)
{
    agent_ui_t  *ui = ask->ui;

    ui->asks = g_list_remove(ui->asks, ask);

    if (ui->ready && ask->prompt) {
        agent_ui_tell(ui, json_pack("{s:s, s:I}", "type", "cancel",
                                    "id", (json_int_t) ask->id));
    }

    agent_ask_free(ask);
    agent_ui_tell_asking(ui);
}


static void
agent_ask_free(agent_ask_t *ask)
{
    g_clear_handle_id(&ask->timer, g_source_remove);
    g_free(ask->name);
    g_free(ask->by);
    g_free(ask->tunnel);
    g_free(ask);
}


static void
agent_ask_end(agent_ask_t *ask, agent_answer_e answer)
{
    void               *data = ask->data;
    agent_ask_done_pt   done = ask->done;

    agent_ask_cancel(ask);
    done(data, answer);
}


static gboolean
agent_ask_late(gpointer data)
{
    agent_ask_t  *ask = data;

    ask->timer = 0;
    agent_ask_end(ask, ask->prompt ? AGENT_ANSWER_TIMEOUT
                                   : AGENT_ANSWER_IMPOSSIBLE);

    return G_SOURCE_REMOVE;
}


static void
agent_ask_put(agent_ask_t *ask)
{
    gint64  left_s;

    left_s = (ask->until_us - g_get_monotonic_time()) / G_USEC_PER_SEC;

    agent_ui_tell(ask->ui,
                  json_pack("{s:s, s:I, s:s, s:b, s:s, s:s*, s:b, s:I}",
                            "type", "ask", "id", (json_int_t) ask->id,
                            "name", ask->name,
                            "verified", ask->by != NULL,
                            "by", ask->by != NULL ? ask->by : "",
                            "tunnel", ask->tunnel,
                            "control", ask->control,
                            "timeout_s", (json_int_t) MAX(left_s, 1)));
}


agent_shown_t *
agent_ui_show(agent_ui_t *ui, const agent_subject_t *subject)
{
    agent_shown_t  *shown;

    shown = g_new0(agent_shown_t, 1);
    shown->ui = ui;
    shown->name = g_strdup(subject->name);
    shown->tunnel = g_strdup(subject->tunnel);
    shown->verified = (subject->by != NULL);
    shown->control = subject->control;

    ui->shown = g_list_append(ui->shown, shown);
    agent_ui_banner(ui);
    agent_ui_kick(ui);

    return shown;
}


void
agent_shown_free(agent_shown_t *shown)
{
    agent_ui_t  *ui = shown->ui;

    ui->shown = g_list_remove(ui->shown, shown);
    agent_ui_banner(ui);

    g_free(shown->name);
    g_free(shown->tunnel);
    g_free(shown);
}


void
agent_shown_control(agent_shown_t *shown, gboolean control)
{
    if (shown->control != control) {
        shown->control = control;
        agent_ui_banner(shown->ui);
    }
}


void
agent_ui_own(agent_ui_t *ui, gboolean own)
{
    if (ui->own != own) {
        ui->own = own;
        agent_ui_banner(ui);
    }
}


void
agent_ui_chat(agent_ui_t *ui, guint room, const agent_subject_t *from,
    const char *text)
{
    json_t  *msg;

    msg = json_pack("{s:s, s:i, s:s, s:b, s:s}", "type", "chat",
                    "room", (int) room, "name", from->name,
                    "verified", from->by != NULL, "text", text);

    if (ui->ready) {
        agent_ui_tell(ui, msg);
        return;
    }

    g_queue_push_tail(&ui->chats, msg);

    if (g_queue_get_length(&ui->chats) > AGENT_UI_CHATS) {
        json_decref(g_queue_pop_head(&ui->chats));
    }

    agent_ui_kick(ui);
}


void
agent_ui_chat_end(agent_ui_t *ui, guint room)
{
    agent_ui_tell(ui, json_pack("{s:s, s:i}", "type", "chat_end",
                                "room", (int) room));
}


static void
agent_ui_forget(agent_ui_t *ui)
{
    while (!g_queue_is_empty(&ui->chats)) {
        json_decref(g_queue_pop_head(&ui->chats));
    }
}


/* all that cannot be done inside a call of the owner's */

static void
agent_ui_kick(agent_ui_t *ui)
{
    if (ui->work == 0) {
        ui->work = g_idle_add_full(G_PRIORITY_DEFAULT, agent_ui_work, ui,
                                   NULL);
    }
}


static gboolean
agent_ui_work(gpointer data)
{
    guint         n;
    GList        *link, *next;
    agent_ui_t   *ui = data;
    agent_ask_t  *ask;

    ui->work = 0;

    if (ui->asks == NULL && ui->shown == NULL
        && g_queue_is_empty(&ui->chats))
    {
        return G_SOURCE_REMOVE;
    }

    if (ui->run == NULL && (agent_ui_dying(ui) || !agent_ui_start(ui))) {
        agent_ui_give_up(ui);
        return G_SOURCE_REMOVE;
    }

    /* a banner can be shown; and too many questions are none */

    for (link = ui->asks, n = 0; link != NULL; link = next) {
        next = link->next;
        ask = link->data;

        if (!ask->prompt) {

            if (ui->ready) {
                agent_ask_end(ask, AGENT_ANSWER_YES);
                agent_ui_kick(ui);
                return G_SOURCE_REMOVE;
            }

        } else if (++n > AGENT_UI_ASKS) {
            agent_ask_end(ask, AGENT_ANSWER_IMPOSSIBLE);
            agent_ui_kick(ui);
            return G_SOURCE_REMOVE;
        }
    }

    return G_SOURCE_REMOVE;
}


/* each answer may change the lists, so they are looked at anew */

static void
agent_ui_give_up(agent_ui_t *ui)
{
    g_warning("nobody can be asked or told at this device: sessions that "
              "want that are refused");
    agent_ui_forget(ui);

    while (ui->asks != NULL) {
        agent_ask_end(ui->asks->data, AGENT_ANSWER_IMPOSSIBLE);
    }

    if (ui->shown != NULL) {
        ui->events->lost(ui->data);
    }
}


/* ended too often of late */

static gboolean
agent_ui_dying(const agent_ui_t *ui)
{
    gint64  oldest_us = ui->deaths[AGENT_UI_DEATHS - 1];

    return oldest_us != 0
           && g_get_monotonic_time() - oldest_us
              < AGENT_UI_WINDOW_S * G_USEC_PER_SEC;
}


static char *
agent_ui_program(const agent_config_t *config)
{
    g_autofree char  *self = NULL;
    g_autofree char  *dir = NULL;

    if (config->ui_program != NULL) {
        return g_strdup(config->ui_program);
    }

    self = g_file_read_link("/proc/self/exe", NULL);
    dir = (self != NULL) ? g_path_get_dirname(self) : g_strdup("/usr/bin");

    return g_build_filename(dir, AGENT_UI_PROGRAM, NULL);
}


static gboolean
agent_ui_start(agent_ui_t *ui)
{
    agent_ui_run_t                   *run;
    g_autofree char                  *program = NULL;
    g_autoptr(GError)                 error = NULL;
    g_autoptr(GSubprocess)            process = NULL;
    g_autoptr(GSubprocessLauncher)    launcher = NULL;

    program = agent_ui_program(ui->config);
    launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDIN_PIPE
                                         |G_SUBPROCESS_FLAGS_STDOUT_PIPE);

    if (ui->config->display != NULL) {
        g_subprocess_launcher_setenv(launcher, "DISPLAY", ui->config->display,
                                     TRUE);
    }

    g_subprocess_launcher_setenv(launcher, "GDK_BACKEND", "x11", TRUE);
    g_subprocess_launcher_setenv(launcher, "NO_AT_BRIDGE", "1", FALSE);

    process = g_subprocess_launcher_spawn(launcher, &error, program, NULL);

    if (process == NULL) {
        g_warning("%s", error->message);
        return FALSE;
    }

    run = g_new0(agent_ui_run_t, 1);
    run->ui = ui;
    run->process = g_steal_pointer(&process);
    run->in = g_object_ref(g_subprocess_get_stdin_pipe(run->process));
    run->out = g_object_ref(g_subprocess_get_stdout_pipe(run->process));
    run->cancel = g_cancellable_new();
    run->line = g_string_new(NULL);

    ui->run = run;
    ui->ready = FALSE;
    ui->late = g_timeout_add_seconds(AGENT_UI_START_S, agent_ui_late, ui);
    agent_ui_read(run);

    return TRUE;
}


static gboolean
agent_ui_late(gpointer data)
{
    agent_ui_t  *ui = data;

    ui->late = 0;
    g_warning("rs-agent-ui is not ready after %d s", AGENT_UI_START_S);
    agent_ui_stop(ui);
    agent_ui_died(ui);

    return G_SOURCE_REMOVE;
}


/* the process ends; its last read frees the run */

static void
agent_ui_stop(agent_ui_t *ui)
{
    agent_ui_run_t  *run = g_steal_pointer(&ui->run);

    g_clear_handle_id(&ui->late, g_source_remove);
    ui->ready = FALSE;

    if (run != NULL) {
        run->ui = NULL;
        g_subprocess_force_exit(run->process);
        g_cancellable_cancel(run->cancel);
    }
}


static void
agent_ui_died(agent_ui_t *ui)
{
    memmove(ui->deaths + 1, ui->deaths,
            sizeof(ui->deaths) - sizeof(ui->deaths[0]));
    ui->deaths[0] = g_get_monotonic_time();

    agent_ui_kick(ui);
}


static void
agent_ui_run_free(agent_ui_run_t *run)
{
    g_object_unref(run->in);
    g_object_unref(run->out);
    g_object_unref(run->process);
    g_object_unref(run->cancel);
    g_string_free(run->line, TRUE);
    g_free(run);
}


static void
agent_ui_read(agent_ui_run_t *run)
{
    g_input_stream_read_async(run->out, run->buf, sizeof(run->buf),
                              G_PRIORITY_DEFAULT, run->cancel,
                              agent_ui_on_read, run);
}


static void
agent_ui_on_read(GObject *source, GAsyncResult *result, gpointer data)
{
    char            *end;
    gssize           n;
    agent_ui_t      *ui;
    agent_ui_run_t  *run = data;

    n = g_input_stream_read_finish(G_INPUT_STREAM(source), result, NULL);
    ui = run->ui;

    if (ui == NULL) {
        agent_ui_run_free(run);
        return;
    }

    if (n <= 0 || run->line->len + (gsize) n > AGENT_UI_LINE) {
        g_warning("rs-agent-ui has ended");
        agent_ui_stop(ui);
        agent_ui_died(ui);
        agent_ui_run_free(run);
        return;
    }

    g_string_append_len(run->line, run->buf, n);

    /* what is said may end the run */

    while (run->ui != NULL
           && (end = memchr(run->line->str, '\n', run->line->len)) != NULL)
    {
        agent_ui_said(ui, run->line->str, (gsize) (end - run->line->str));
        g_string_erase(run->line, 0, end - run->line->str + 1);
    }

    if (run->ui == NULL) {
        agent_ui_run_free(run);
        return;
    }

    agent_ui_read(run);
}


static void
agent_ui_said(agent_ui_t *ui, const char *text, gsize len)
{
    gint64               id;
    GList               *link;
    gboolean             yes, own;
    const char          *type;
    agent_ask_t         *ask;
    g_autoptr(json_t)    msg = NULL;

    msg = agent_json_load(text, len, AGENT_UI_LINE, NULL);
    type = agent_json_string(msg, "type", 16);

    if (g_strcmp0(type, "ready") == 0) {
        agent_ui_ready(ui);

    } else if (g_strcmp0(type, "end") == 0) {
        ui->events->end(ui->data);

    } else if (g_strcmp0(type, "take") == 0
               && agent_json_bool(msg, "own", &own))
    {
        ui->events->take(ui->data, own);

    } else if (g_strcmp0(type, "say") == 0
               && agent_json_int(msg, "room", 1, G_MAXINT32, &id)
               && agent_json_string(msg, "text", AGENT_UI_TEXT) != NULL)
    {
        ui->events->said(ui->data, (guint) id,
                         agent_json_string(msg, "text", AGENT_UI_TEXT));

    } else if (g_strcmp0(type, "answer") == 0
               && agent_json_int(msg, "id", 1, G_MAXINT64, &id)
               && agent_json_bool(msg, "yes", &yes))
    {
        for (link = ui->asks; link != NULL; link = link->next) {
            ask = link->data;

            if (ask->prompt && ask->id == id) {
                agent_ask_end(ask, yes ? AGENT_ANSWER_YES : AGENT_ANSWER_NO);
                return;
            }
        }

    } else {
        g_warning("rs-agent-ui says what is not understood");
    }
}


static void
agent_ui_ready(agent_ui_t *ui)
{
    GList        *link;
    agent_ask_t  *ask;

    g_clear_handle_id(&ui->late, g_source_remove);
    ui->ready = TRUE;
    agent_ui_banner(ui);

    while (ui->ready && !g_queue_is_empty(&ui->chats)) {
        agent_ui_tell(ui, g_queue_pop_head(&ui->chats));
    }

    for (link = ui->asks; link != NULL && ui->ready; link = link->next) {
        ask = link->data;

        if (ask->prompt) {
            agent_ask_put(ask);
        }
    }

    agent_ui_kick(ui);
}


/* takes obj over */

static void
agent_ui_tell(agent_ui_t *ui, json_t *obj)
{
    gssize             n;
    g_autofree char   *text = agent_json_text(obj);
    g_autofree char   *line = g_strconcat(text, "\n", NULL);

    if (!ui->ready) {
        return;
    }

    n = g_pollable_output_stream_write_nonblocking(
            G_POLLABLE_OUTPUT_STREAM(ui->run->in), line, strlen(line), NULL,
            NULL);

    if (n != (gssize) strlen(line)) {
        g_warning("rs-agent-ui does not listen any more");
        agent_ui_stop(ui);
        agent_ui_died(ui);
    }
}


static void
agent_ui_banner(agent_ui_t *ui)
{
    guint           n;
    GList          *link;
    json_t         *who;
    agent_shown_t  *shown;

    who = json_array();

    for (link = ui->shown, n = 0; link != NULL && n < AGENT_UI_SHOWN;
         link = link->next, n++)
    {
        shown = link->data;
        json_array_append_new(who, json_pack("{s:s, s:b, s:s*, s:b}",
                                             "name", shown->name,
                                             "verified", shown->verified,
                                             "tunnel", shown->tunnel,
                                             "control", shown->control));
    }

    agent_ui_tell(ui, json_pack("{s:s, s:o, s:b}", "type", "banner",
                                "who", who, "own", ui->own));
}


static void
agent_ui_tell_asking(agent_ui_t *ui)
{
    GList     *link;
    gboolean   asking;

    asking = FALSE;

    for (link = ui->asks; link != NULL; link = link->next) {
        asking = asking || ((agent_ask_t *) link->data)->prompt;
    }

    if (asking != ui->asking) {
        ui->asking = asking;
        ui->events->asking(ui->data, asking);
    }
}
