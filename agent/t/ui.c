
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The person at the device: the real rs-agent-ui on a real X server, answered
 * with the keyboard and the mouse, killed, frozen and missing.
 */

#include "agent_ui.h"
#include "tap.h"
#include "xvfb.h"

#include <string.h>


#define DEADLINE_S  20
#define QUESTION    "^Remote support request$"
#define NO_ANSWER   99


typedef struct {
    pid_t             xvfb;
    char             *display;
    agent_config_t   *config;
    agent_ui_t       *ui;

    guint             told;
    agent_answer_e    answer;
    guint             ended;
    guint             lost;
    gboolean          asking;
    int               takes;
    gboolean          own;
    char             *said;         /* room and text */
} fixture_t;


static const agent_subject_t  anna = { "Anna", "https://issuer.example",
                                       TRUE, NULL };
static const agent_subject_t  bob = { "<b>Bob</b>\n\xe2\x80\xae", NULL,
                                      FALSE, NULL };


static gboolean
tick(gpointer data)
{
    (void) data;

    return G_SOURCE_CONTINUE;
}


#define WAIT(cond)                                                            \
    do {                                                                      \
        gint64  end_ = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;  \
                                                                              \
        while (!(cond) && g_get_monotonic_time() < end_) {                    \
            g_main_context_iteration(NULL, TRUE);                             \
        }                                                                     \
    } while (0)


/* ---- the agent's side */

static void
on_answer(void *data, agent_answer_e answer)
{
    fixture_t  *f = data;

    f->told++;
    f->answer = answer;
}


static void
on_end(void *data)
{
    ((fixture_t *) data)->ended++;
}


static void
on_lost(void *data)
{
    ((fixture_t *) data)->lost++;
}


static void
on_asking(void *data, gboolean asking)
{
    ((fixture_t *) data)->asking = asking;
}


static void
on_said(void *data, guint room, const char *text)
{
    fixture_t  *f = data;

    g_free(f->said);
    f->said = g_strdup_printf("%u %s", room, text);
}


static void
on_take(void *data, gboolean own)
{
    fixture_t  *f = data;

    f->takes++;
    f->own = own;
}


static const agent_ui_events_t  events = {
    on_end, on_lost, on_take, on_said, on_asking
};


/* ---- the person's side */

G_GNUC_PRINTF(1, 2)
static char *
run(const char *format, ...)
{
    int                status;
    char              *out;
    va_list            args;
    g_autofree char   *command = NULL;

    va_start(args, format);
    command = g_strdup_vprintf(format, args);
    va_end(args);

    out = NULL;

    if (!g_spawn_command_line_sync(command, &out, NULL, &status, NULL)) {
        printf("not ok - %s does not run\n", command);
        exit(1);
    }

    if (status != 0) {
        g_clear_pointer(&out, g_free);
    }

    return (out != NULL) ? g_strstrip(out) : NULL;
}


/* its id, or NULL */

static char *
window(const char *name)
{
    return run("xdotool search --onlyvisible --name '%s'", name);
}


/* until it is on the screen; the caller frees */

static char *
wait_window(const char *name)
{
    char    *id;
    gint64   end_us;

    end_us = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    do {
        g_main_context_iteration(NULL, TRUE);
        id = window(name);
    } while (id == NULL && g_get_monotonic_time() < end_us);

    return id;
}


static gboolean
wait_no_window(const char *name)
{
    gint64           end_us;
    g_autofree char  *id = NULL;

    end_us = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    do {
        g_free(id);
        g_main_context_iteration(NULL, TRUE);
        id = window(name);
    } while (id != NULL && g_get_monotonic_time() < end_us);

    return id == NULL;
}


/*
 * The question's answer.  A window that has just come may not have the
 * keyboard yet, and the one before may not have gone: until it is heard.
 */

static void
press(fixture_t *f, const char *keys)
{
    guint    i;
    gint64   end_us;

    end_us = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    do {
        g_free(run("xdotool search --onlyvisible --name '" QUESTION "' "
                   "windowfocus key %s", keys));

        for (i = 0; i < 25 && f->told == 0; i++) {
            g_main_context_iteration(NULL, TRUE);
        }
    } while (f->told == 0 && g_get_monotonic_time() < end_us);
}


/* the process, or 0 */

static pid_t
ui_pid(void)
{
    g_autofree char  *text = run("pgrep -P %d -x rs-agent-ui", (int) getpid());

    return (text != NULL) ? (pid_t) atoi(text) : 0;
}


static void
ask(fixture_t *f, const agent_subject_t *subject, gboolean prompt)
{
    f->told = 0;
    f->answer = NO_ANSWER;
    (void) agent_ui_ask(f->ui, subject, prompt, on_answer, f);
    ok(f->told == 0, "no answer inside the call");
}


static void
answered(fixture_t *f, agent_answer_e want, const char *what)
{
    WAIT(f->told != 0);
    is_int(f->answer, want, what);
    is_int(f->told, 1, "once");
    ok(!f->asking, "nothing is asked any more");
}


static void
start(fixture_t *f)
{
    g_autofree char  *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char  *dir = g_path_get_dirname(self);

    memset(f, 0, sizeof(fixture_t));
    g_timeout_add(20, tick, NULL);

    f->display = xvfb_start("800x600x24", &f->xvfb);
    g_setenv("DISPLAY", f->display, TRUE);

    f->config = agent_config_new();
    f->config->display = g_strdup(f->display);
    f->config->ui_program = g_build_filename(dir, "..", "rs-agent-ui", NULL);
}


static void
restart(fixture_t *f)
{
    g_clear_pointer(&f->ui, agent_ui_free);
    WAIT(ui_pid() == 0);
    f->ended = 0;
    f->lost = 0;
    f->ui = agent_ui_new(f->config, &events, f);
}


static void
stop(fixture_t *f)
{
    int  status;

    agent_ui_free(f->ui);
    WAIT(ui_pid() == 0);
    ok(ui_pid() == 0, "rs-agent-ui ends with the agent");
    agent_config_free(f->config);
    kill(f->xvfb, SIGTERM);
    waitpid(f->xvfb, &status, 0);
    g_free(f->said);
    g_free(f->display);
}


static void
test_questions(fixture_t *f)
{
    g_autofree char  *id = NULL;

    restart(f);
    ask(f, &anna, TRUE);
    ok(f->asking, "a question stands");
    id = wait_window(QUESTION);
    ok(id != NULL, "and is on the screen");
    press(f, "alt+a");
    answered(f, AGENT_ANSWER_YES, "allowed");
    ok(wait_no_window(QUESTION), "the window goes");

    ask(f, &bob, TRUE);
    press(f, "alt+d");
    answered(f, AGENT_ANSWER_NO, "denied");
    ok(wait_no_window(QUESTION), "gone");

    ask(f, &bob, TRUE);
    press(f, "Escape");
    answered(f, AGENT_ANSWER_NO, "put away");
    ok(wait_no_window(QUESTION), "gone");

    ask(f, &bob, TRUE);
    press(f, "Return");
    answered(f, AGENT_ANSWER_NO, "a key hit without looking is a no");
    ok(wait_no_window(QUESTION), "gone");
}


static void
test_time(fixture_t *f)
{
    agent_ask_t      *gone;
    g_autofree char  *id = NULL;

    restart(f);
    f->config->consent_timeout = 8;
    ask(f, &anna, TRUE);
    id = wait_window(QUESTION);
    ok(id != NULL, "a question");
    answered(f, AGENT_ANSWER_TIMEOUT, "nobody answers: that is told");
    ok(wait_no_window(QUESTION), "the window goes");
    f->config->consent_timeout = 60;

    f->told = 0;
    gone = agent_ui_ask(f->ui, &anna, TRUE, on_answer, f);
    g_free(id);
    id = wait_window(QUESTION);
    agent_ask_cancel(gone);
    ok(wait_no_window(QUESTION) && f->told == 0,
       "whoever asked has left: nobody is asked any more");
}


static void
test_many(fixture_t *f)
{
    guint         i;
    agent_ask_t  *asks[AGENT_UI_ASKS];

    restart(f);
    f->told = 0;

    for (i = 0; i < AGENT_UI_ASKS; i++) {
        asks[i] = agent_ui_ask(f->ui, &bob, TRUE, on_answer, f);
    }

    ask(f, &bob, TRUE);
    WAIT(f->told != 0);
    is_int(f->answer, AGENT_ANSWER_IMPOSSIBLE, "one question too many");
    ok(f->asking, "the others stand");

    for (i = 0; i < AGENT_UI_ASKS; i++) {
        agent_ask_cancel(asks[i]);
    }

    ok(wait_no_window(QUESTION), "none is left");
}


/* left of the button at the right end */

static void
press_take(fixture_t *f, const char *id)
{
    int  n = f->takes;

    g_free(run("sh -c 'eval $(xdotool getwindowgeometry --shell %s); "
               "xdotool mousemove $((X + WIDTH - 170)) $((Y + HEIGHT / 2)) "
               "click 1'", id));
    WAIT(f->takes != n);
    is_int(f->takes, n + 1, "its other button");
}


static void
test_banner(fixture_t *f)
{
    agent_shown_t    *first, *second;
    g_autofree char  *id = NULL;
    g_autofree char  *both = NULL;
    g_autofree char  *name = NULL;

    restart(f);
    ask(f, &anna, FALSE);
    answered(f, AGENT_ANSWER_YES, "a banner can be shown");
    id = window("^Remote support");
    ok(id == NULL, "but is not, without anybody");

    first = agent_ui_show(f->ui, &anna);
    id = wait_window("^Remote support: Anna .verified. controls$");
    ok(id != NULL, "who is there is on the screen");

    second = agent_ui_show(f->ui, &bob);
    both = wait_window("not verified");
    name = run("xdotool getwindowname %s", both);
    is_str(name, "Remote support: Anna (verified) controls, not verified: "
           "\xe2\x80\x9c<b>Bob</b>\xe2\x80\x9d watches",
           "so is the next one, as text");

    /* the button is at the banner's right end */

    g_free(run("sh -c 'eval $(xdotool getwindowgeometry --shell %s); "
               "xdotool mousemove $((X + WIDTH - 40)) $((Y + HEIGHT / 2)) "
               "click 1'", both));
    WAIT(f->ended != 0);
    is_int(f->ended, 1, "its button");

    /* who has control is on it, and the other button is for that */

    agent_shown_control(first, FALSE);
    g_free(wait_window("^Remote support: Anna .verified. watches, "));
    press_take(f, both);
    is_int(f->own, TRUE, "the person there wants control");
    agent_ui_own(f->ui, TRUE);
    g_clear_pointer(&id, g_free);
    id = wait_window("^You have control. Remote support: Anna");
    ok(id != NULL, "and is told to have it");
    press_take(f, both);
    is_int(f->own, FALSE, "and gives it away");
    agent_ui_own(f->ui, FALSE);
    agent_shown_control(first, TRUE);
    g_clear_pointer(&id, g_free);
    id = wait_window("^Remote support: Anna .verified. controls, ");
    ok(id != NULL, "who has it then is on the screen");

    agent_shown_free(first);
    agent_shown_free(second);
    ok(wait_no_window("Remote support"), "gone with the last one");
}


/* tunnels are no sessions, and are called what they are */

static void
test_tunnels(fixture_t *f)
{
    agent_shown_t    *first, *second;
    g_autofree char  *id = NULL;
    g_autofree char  *name = NULL;

    agent_subject_t  printer = { "Eve", NULL, FALSE, "printer.lan:9100" };
    agent_subject_t  shell = { "Eve", NULL, FALSE, "shell" };
    agent_subject_t  spooler = { "Eve", NULL, FALSE, "run spooler" };

    restart(f);
    first = agent_ui_show(f->ui, &printer);
    second = agent_ui_show(f->ui, &shell);
    id = wait_window("terminal");
    name = run("xdotool getwindowname %s", id);
    is_str(name, "Remote support: not verified: \xe2\x80\x9c" "Eve"
           "\xe2\x80\x9d reaches printer.lan:9100, not verified: "
           "\xe2\x80\x9c" "Eve\xe2\x80\x9d has a terminal",
           "where they lead is on the banner");
    agent_shown_free(first);
    agent_shown_free(second);

    first = agent_ui_show(f->ui, &spooler);
    g_free(id);
    id = wait_window("runs spooler$");
    ok(id != NULL, "and what runs");
    agent_shown_free(first);
    ok(wait_no_window("Remote support"), "gone");
}


static int
height(const char *id)
{
    g_autofree char  *text = run("sh -c 'eval $(xdotool getwindowgeometry "
                                 "--shell %s); echo $HEIGHT'", id);

    return atoi(text);
}


/* the gateway gives names, and would like to give more than that */

static void
test_names(fixture_t *f)
{
    int               one;
    agent_shown_t    *shown, *liar;
    g_autofree char  *id = NULL;
    g_autofree char  *both = NULL;
    g_autofree char  *name = NULL;

    agent_subject_t  stranger = {
        (char *) "Eve\xe2\x80\x9d watches, Ada Admin (verified) controls "
                 "the whole of it", NULL, FALSE, NULL
    };

    restart(f);
    shown = agent_ui_show(f->ui, &anna);
    id = wait_window("^Remote support: Anna");
    one = height(id);

    liar = agent_ui_show(f->ui, &stranger);
    both = wait_window("Eve");
    name = run("xdotool getwindowname %s", both);
    is_str(name, "Remote support: Anna (verified) controls, not verified: "
           "\xe2\x80\x9c" "Eve' watches, Ada Admin (verified) controls the "
           "whole of it\xe2\x80\x9d watches", "a name stays in its quotes");
    WAIT(height(both) > one);
    ok(height(both) > one, "nobody is cut off: %d pixels, not %d",
       height(both), one);

    agent_shown_free(liar);
    agent_shown_free(shown);
    ok(wait_no_window("^Remote support"), "gone");
}


/* a process that is killed is no way to watch unseen */

static void
test_killed(fixture_t *f)
{
    guint             i;
    pid_t             pid;
    agent_shown_t    *shown;
    g_autofree char  *id = NULL;

    restart(f);
    shown = agent_ui_show(f->ui, &anna);
    id = wait_window("^Remote support: Anna");
    ok(id != NULL, "a banner");

    ask(f, &bob, TRUE);
    g_free(id);
    id = wait_window(QUESTION);
    pid = ui_pid();
    kill(pid, SIGKILL);
    WAIT(ui_pid() != pid && ui_pid() != 0);
    g_free(id);
    id = wait_window("^Remote support: Anna");
    ok(id != NULL, "killed: the banner is back");
    g_free(id);
    id = wait_window(QUESTION);
    ok(id != NULL && f->told == 0, "so is the question");
    press(f, "alt+a");
    answered(f, AGENT_ANSWER_YES, "and is answered");
    is_int(f->lost, 0, "nobody had to go");

    for (i = 1; i < AGENT_UI_DEATHS; i++) {
        WAIT(ui_pid() != 0);
        kill(ui_pid(), SIGKILL);
        WAIT(ui_pid() == 0 || f->lost != 0);
    }

    WAIT(f->lost != 0);
    is_int(f->lost, 1, "killed again and again: whoever watches has to go");

    ask(f, &bob, TRUE);
    answered(f, AGENT_ANSWER_IMPOSSIBLE, "and nobody else comes");
    agent_shown_free(shown);
}


/* the agent never waits for it */

static void
test_frozen(fixture_t *f)
{
    guint             i;
    pid_t             pid;
    gint64            from_us;
    agent_shown_t    *shown, *more;
    g_autofree char  *id = NULL;

    restart(f);
    shown = agent_ui_show(f->ui, &anna);
    id = wait_window("^Remote support: Anna");
    pid = ui_pid();
    kill(pid, SIGSTOP);
    from_us = g_get_monotonic_time();

    for (i = 0; i < 2000; i++) {
        more = agent_ui_show(f->ui, &bob);
        agent_shown_free(more);
    }

    ok(g_get_monotonic_time() - from_us < 10 * G_USEC_PER_SEC,
       "a process that does not read holds nobody up");
    WAIT(ui_pid() != pid && ui_pid() != 0);
    g_free(id);
    id = wait_window("^Remote support: Anna");
    ok(id != NULL, "another one takes its place");
    agent_shown_free(shown);
}


#define CHAT  "^Remote support chat$"


/* the person's answer, until it is heard: as press() */

static void
reply(fixture_t *f, const char *text)
{
    guint    i;
    gint64   end_us;

    end_us = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    do {
        g_free(run("xdotool search --onlyvisible --name '" CHAT "' "
                   "windowfocus --sync key ctrl+a key BackSpace "
                   "type --delay 5 '%s'", text));
        g_free(run("xdotool key Return"));

        for (i = 0; i < 25 && f->said == NULL; i++) {
            g_main_context_iteration(NULL, TRUE);
        }
    } while (f->said == NULL && g_get_monotonic_time() < end_us);
}


static gboolean
put_away(void)
{
    gint64           end_us;
    g_autofree char  *id = NULL;

    end_us = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    do {
        g_free(run("xdotool search --onlyvisible --name '" CHAT "' "
                   "windowfocus key Escape"));
        g_main_context_iteration(NULL, TRUE);
        g_free(id);
        id = window(CHAT);
    } while (id != NULL && g_get_monotonic_time() < end_us);

    return id == NULL;
}


/* nobody is on the banner: the first message starts the program */

static void
test_chat(fixture_t *f)
{
    g_autofree char  *id = NULL;
    g_autofree char  *again = NULL;

    restart(f);
    agent_ui_chat(f->ui, 3, &bob, "<b>Hello</b>");
    id = wait_window(CHAT);
    ok(id != NULL, "somebody writes: there is a window");
    reply(f, "Yes please");
    is_str(f->said, "3 Yes please", "the person answers in that room");

    /* closed, and opened by the next message */

    ok(put_away(), "Escape puts it away");
    agent_ui_chat(f->ui, 3, &anna, "Still there?");
    again = wait_window(CHAT);
    is_str(again, id, "the next message has it come back");

    /* one that is put away goes with the last viewer */

    ok(put_away(), "away again");
    agent_ui_chat_end(f->ui, 3);
    agent_ui_chat(f->ui, 3, &anna, "A new beginning");
    g_free(again);
    again = wait_window(CHAT);
    ok(again != NULL && strcmp(again, id) != 0, "what was said is gone");
}


static void
test_missing(fixture_t *f)
{
    agent_shown_t  *shown;

    g_free(f->config->ui_program);
    f->config->ui_program = g_strdup("/nonexistent/rs-agent-ui");
    restart(f);

    ask(f, &anna, TRUE);
    answered(f, AGENT_ANSWER_IMPOSSIBLE, "no program: nobody can be asked");
    ask(f, &anna, FALSE);
    answered(f, AGENT_ANSWER_IMPOSSIBLE, "nor told");

    shown = agent_ui_show(f->ui, &anna);
    WAIT(f->lost != 0);
    is_int(f->lost, 1, "nobody is served unseen");
    agent_shown_free(shown);

    /* one that ends at once, as without a display */

    g_free(f->config->ui_program);
    f->config->ui_program = g_strdup("/bin/false");
    restart(f);
    ask(f, &anna, TRUE);
    answered(f, AGENT_ANSWER_IMPOSSIBLE, "a program that cannot start");
}


int
main(void)
{
    fixture_t  f;

    start(&f);
    test_questions(&f);
    test_time(&f);
    test_many(&f);
    test_tunnels(&f);
    test_banner(&f);
    test_names(&f);
    test_killed(&f);
    test_frozen(&f);
    test_chat(&f);
    test_missing(&f);
    stop(&f);

    return done();
}
