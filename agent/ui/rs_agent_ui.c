
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * rs-agent-ui: what the person at the device sees of remote support.  Owns
 * the windows for questions, which somebody answers or nobody does, and the
 * banner, which is there as long as anybody watches; not those of the chat.
 * It decides nothing: the agent counts the time, and a closed window is a no.
 *
 * One JSON object a line.  From the agent on standard input:
 *
 *     {"type":"ask","id":1,"name":"Anna","verified":true,"by":"https://…",
 *      "control":true,"timeout_s":60}
 *     (and "tunnel":"127.0.0.1:22" of one that reaches this by the computer,
 *     "shell" of one that wants a terminal, "run NAME" of a command)
 *     {"type":"cancel","id":1}
 *     {"type":"banner","own":false,"who":[{"name":"Anna","verified":true,
 *      "control":true}]}                 ("tunnel", too); [] takes it away
 *     {"type":"chat","room":1,"name":"Anna","verified":true,"text":"Hello"}
 *     {"type":"chat_end","room":1}                     rs_agent_chat.c's
 *
 * To it on standard output: {"type":"ready"} first, then
 *
 *     {"type":"answer","id":1,"yes":true}
 *     {"type":"take","own":true}                       the banner's buttons
 *     {"type":"end"}
 *     {"type":"say","room":1,"text":"Hello"}
 *
 * When standard input ends, so does this.  Texts come from strangers: they
 * are never markup, and cleaned once more here.
 */

#define G_LOG_DOMAIN  "rs-agent-ui"

#include "rs_agent_ui.h"
#include "agent_text.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>


#define UI_ASKS     16
#define UI_WHO      16              /* names on the banner */
#define UI_BY       120
#define UI_TUNNEL   300
#define UI_RAISE_US (G_USEC_PER_SEC / 2)


typedef struct ui_s  ui_t;

typedef struct {
    ui_t        *ui;
    gint64       id;
    GtkWidget   *window;
    GtkWidget   *clock;
    guint        timer;
    gint64       left_s;
} ui_ask_t;


struct ui_s {
    GString     *line;
    GList       *asks;

    GtkWidget   *banner;            /* NULL: nobody watches */
    GtkWidget   *text;
    GtkWidget   *take;
    gboolean     own;               /* control is the person's */
    gint64       raised_us;
    gboolean     dragged;
    double       drag_x;
    double       drag_y;
};


static gboolean ui_on_input(gint fd, GIOCondition condition, gpointer data);
static void ui_message(ui_t *ui, const char *text, gsize len);

static void ui_ask(ui_t *ui, const json_t *msg);
static char *ui_ask_head(const char *name, const char *tunnel,
    gboolean control);
static GtkWidget *ui_ask_content(ui_ask_t *ask, const json_t *msg);
static void ui_answer(ui_ask_t *ask, gboolean yes);
static void ui_on_allow(GtkButton *button, gpointer data);
static void ui_on_deny(GtkButton *button, gpointer data);
static gboolean ui_on_close(GtkWidget *window, GdkEvent *event,
    gpointer data);
static gboolean ui_on_key(GtkWidget *window, GdkEventKey *event,
    gpointer data);
static gboolean ui_on_second(gpointer data);
static void ui_cancel(ui_t *ui, gint64 id);
static void ui_ask_free(ui_ask_t *ask);

static void ui_banner(ui_t *ui, const json_t *msg);
static char *ui_banner_text(const json_t *who, gboolean own);
static void ui_banner_make(ui_t *ui);
static void ui_banner_place(ui_t *ui);
static void ui_on_take(GtkButton *button, gpointer data);
static void ui_on_end(GtkButton *button, gpointer data);
static gboolean ui_on_obscured(GtkWidget *window, GdkEventVisibility *event,
    gpointer data);
static gboolean ui_on_drag(GtkWidget *window, GdkEvent *event,
    gpointer data);


static const char  ui_css[] =
    "#rs-banner { background: #b3261e; }"
    "#rs-banner label { color: #ffffff; font-weight: bold; }"
    ".rs-head { font-size: 130%; font-weight: bold; }"
    ".rs-verified { color: #1b5e20; font-weight: bold; }"
    ".rs-stranger { color: #b3261e; font-weight: bold; }";


int
main(int argc, char **argv)
{
    ui_t                         ui;
    g_autoptr(GtkCssProvider)    css = NULL;

    /* not a moment longer than the agent */

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);

    if (!gtk_init_check(&argc, &argv)) {
        g_printerr("rs-agent-ui: the display \"%s\" cannot be opened\n",
                   g_getenv("DISPLAY") ? g_getenv("DISPLAY") : "");
        return 1;
    }

    memset(&ui, 0, sizeof(ui));
    ui.line = g_string_new(NULL);

    css = gtk_css_provider_new();
    gtk_css_provider_load_from_data(css, ui_css, -1, NULL);
    gtk_style_context_add_provider_for_screen(gdk_screen_get_default(),
                                 GTK_STYLE_PROVIDER(css),
                                 GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);

    g_unix_set_fd_nonblocking(STDIN_FILENO, TRUE, NULL);
    g_unix_fd_add(STDIN_FILENO, G_IO_IN|G_IO_HUP|G_IO_ERR, ui_on_input, &ui);

    ui_say(json_pack("{s:s}", "type", "ready"));
    gtk_main();

    /* what toolkits keep to the end is not taken apart */

    _exit(0);
}


/* a pipe of 64 KiB which the agent empties: it is only full when it is gone */

void
ui_say(json_t *obj)
{
    gsize              len;
    g_autofree char   *text = agent_json_text(obj);
    g_autofree char   *line = g_strconcat(text, "\n", NULL);

    len = strlen(line);

    if (write(STDOUT_FILENO, line, len) != (gssize) len) {
        gtk_main_quit();
    }
}


static gboolean
ui_on_input(gint fd, GIOCondition condition, gpointer data)
{
    ui_t     *ui = data;
    char      buf[4096], *end;
    gssize    n;

    (void) condition;

    n = read(fd, buf, sizeof(buf));

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        return G_SOURCE_CONTINUE;
    }

    if (n <= 0 || ui->line->len + (gsize) n > UI_LINE) {
        gtk_main_quit();
        return G_SOURCE_REMOVE;
    }

    g_string_append_len(ui->line, buf, n);

    while ((end = memchr(ui->line->str, '\n', ui->line->len)) != NULL) {
        ui_message(ui, ui->line->str, (gsize) (end - ui->line->str));
        g_string_erase(ui->line, 0, end - ui->line->str + 1);
    }

    return G_SOURCE_CONTINUE;
}


static void
ui_message(ui_t *ui, const char *text, gsize len)
{
    gint64               id;
    const char          *type;
    g_autoptr(json_t)    msg = NULL;

    msg = agent_json_load(text, len, UI_LINE, NULL);
    type = agent_json_string(msg, "type", 16);

    if (g_strcmp0(type, "ask") == 0) {
        ui_ask(ui, msg);

    } else if (g_strcmp0(type, "banner") == 0) {
        ui_banner(ui, msg);

    } else if (g_strcmp0(type, "chat") == 0) {
        ui_chat(msg);

    } else if (g_strcmp0(type, "chat_end") == 0) {
        ui_chat_end(msg);

    } else if (g_strcmp0(type, "cancel") == 0
               && agent_json_int(msg, "id", 1, G_MAXINT32, &id))
    {
        ui_cancel(ui, id);

    } else {
        g_warning("a message from the agent is not understood");
    }
}


char *
ui_string(const json_t *obj, const char *name, guint max)
{
    const char  *text;

    text = agent_json_string(obj, name, UI_LINE);

    return agent_text_clean(text, (text != NULL) ? strlen(text) : 0, max);
}


void
ui_claimed(char **name)
{
    char      *quoted;
    gunichar   c;
    GString   *text;

    const char  *p;

    if ((*name)[0] == '\0') {
        return;
    }

    text = g_string_new("\xe2\x80\x9c");

    for (p = *name; *p != '\0'; p = g_utf8_next_char(p)) {
        c = g_utf8_get_char(p);

        switch (g_unichar_type(c)) {

        case G_UNICODE_INITIAL_PUNCTUATION:
        case G_UNICODE_FINAL_PUNCTUATION:
            c = '\'';
            break;

        default:
            c = (c == '"' || c == 0x201e || c == 0x201f || c == 0x301d
                 || c == 0x301e || c == 0xff02) ? '\'' : c;
            break;
        }

        g_string_append_unichar(text, c);
    }

    g_string_append(text, "\xe2\x80\x9d");

    quoted = g_string_free(text, FALSE);
    g_free(*name);
    *name = quoted;
}


GtkWidget *
ui_label(const char *text, const char *style)
{
    GtkWidget  *label;

    label = gtk_label_new(text);
    gtk_label_set_line_wrap(GTK_LABEL(label), TRUE);
    gtk_label_set_max_width_chars(GTK_LABEL(label), 50);
    gtk_label_set_xalign(GTK_LABEL(label), 0);

    if (style != NULL) {
        gtk_style_context_add_class(gtk_widget_get_style_context(label),
                                    style);
    }

    return label;
}


/* ---- questions */

static void
ui_ask(ui_t *ui, const json_t *msg)
{
    ui_ask_t  *ask;

    ask = g_new0(ui_ask_t, 1);
    ask->ui = ui;

    if (!agent_json_int(msg, "id", 1, G_MAXINT32, &ask->id)
        || !agent_json_int(msg, "timeout_s", 1, 3600, &ask->left_s)
        || g_list_length(ui->asks) >= UI_ASKS)
    {
        ui_say(json_pack("{s:s, s:I, s:b}", "type", "answer",
                         "id", (json_int_t) ask->id, "yes", 0));
        g_free(ask);
        return;
    }

    ui->asks = g_list_append(ui->asks, ask);

    ask->window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
    gtk_window_set_title(GTK_WINDOW(ask->window), "Remote support request");
    gtk_window_set_type_hint(GTK_WINDOW(ask->window),
                             GDK_WINDOW_TYPE_HINT_DIALOG);
    gtk_window_set_position(GTK_WINDOW(ask->window), GTK_WIN_POS_CENTER);
    gtk_window_set_keep_above(GTK_WINDOW(ask->window), TRUE);
    gtk_window_set_urgency_hint(GTK_WINDOW(ask->window), TRUE);
    gtk_window_set_resizable(GTK_WINDOW(ask->window), FALSE);
    gtk_window_stick(GTK_WINDOW(ask->window));

    g_signal_connect(ask->window, "delete-event", G_CALLBACK(ui_on_close),
                     ask);
    g_signal_connect(ask->window, "key-press-event", G_CALLBACK(ui_on_key),
                     ask);

    gtk_container_add(GTK_CONTAINER(ask->window), ui_ask_content(ask, msg));
    ask->timer = g_timeout_add_seconds(1, ui_on_second, ask);
    gtk_widget_show_all(ask->window);
    gtk_window_present(GTK_WINDOW(ask->window));
}


static char *
ui_ask_head(const char *name, const char *tunnel, gboolean control)
{
    if (strcmp(tunnel, "shell") == 0) {
        return g_strdup_printf("%s wants a terminal on this computer", name);
    }

    if (g_str_has_prefix(tunnel, "run ")) {
        return g_strdup_printf("%s wants to %s on this computer", name,
                               tunnel);
    }

    if (tunnel[0] != '\0') {
        return g_strdup_printf("%s wants to reach %s through this computer",
                               name, tunnel);
    }

    return g_strdup_printf(control ? "%s wants to see and control this "
                                     "computer"
                                   : "%s wants to see this screen", name);
}


static GtkWidget *
ui_ask_content(ui_ask_t *ask, const json_t *msg)
{
    gboolean            verified, control;
    GtkWidget          *box, *buttons, *allow, *deny;
    g_autofree char    *name = ui_string(msg, "name", UI_NAME);
    g_autofree char    *by = ui_string(msg, "by", UI_BY);
    g_autofree char    *tunnel = ui_string(msg, "tunnel", UI_TUNNEL);
    g_autofree char    *head = NULL;
    g_autofree char    *mark = NULL;

    verified = agent_json_bool(msg, "verified", &verified) && verified;
    control = !agent_json_bool(msg, "control", &control) || control;

    if (!verified) {
        ui_claimed(&name);
    }

    head = ui_ask_head(name[0] != '\0' ? name : "Somebody", tunnel, control);
    mark = verified ? g_strdup_printf("\xe2\x9c\x93 Verified by %s", by)
                    : g_strdup("Not verified: nobody has proven that this "
                               "is who it says");

    box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 12);
    gtk_container_set_border_width(GTK_CONTAINER(box), 18);
    gtk_container_add(GTK_CONTAINER(box), ui_label(head, "rs-head"));
    gtk_container_add(GTK_CONTAINER(box),
                      ui_label(mark, verified ? "rs-verified"
                                              : "rs-stranger"));

    ask->clock = ui_label("", NULL);
    gtk_container_add(GTK_CONTAINER(box), ask->clock);
    ask->left_s++;
    (void) ui_on_second(ask);

    deny = gtk_button_new_with_mnemonic("_Deny");
    allow = gtk_button_new_with_mnemonic("_Allow");
    g_signal_connect(deny, "clicked", G_CALLBACK(ui_on_deny), ask);
    g_signal_connect(allow, "clicked", G_CALLBACK(ui_on_allow), ask);

    buttons = gtk_button_box_new(GTK_ORIENTATION_HORIZONTAL);
    gtk_button_box_set_layout(GTK_BUTTON_BOX(buttons), GTK_BUTTONBOX_END);
    gtk_box_set_spacing(GTK_BOX(buttons), 6);
    gtk_container_add(GTK_CONTAINER(buttons), deny);
    gtk_container_add(GTK_CONTAINER(buttons), allow);
    gtk_container_add(GTK_CONTAINER(box), buttons);

    /* who hits a key without looking says no */

    gtk_window_set_focus(GTK_WINDOW(ask->window), deny);

    return box;
}


static gboolean
ui_on_second(gpointer data)
{
    ui_ask_t           *ask = data;
    g_autofree char    *text = NULL;

    ask->left_s = MAX(ask->left_s - 1, 0);
    text = g_strdup_printf("Without an answer it is refused in %d s.",
                           (int) ask->left_s);
    gtk_label_set_text(GTK_LABEL(ask->clock), text);

    return G_SOURCE_CONTINUE;
}


static void
ui_ask_free(ui_ask_t *ask)
{
    ask->ui->asks = g_list_remove(ask->ui->asks, ask);
    g_clear_handle_id(&ask->timer, g_source_remove);
    gtk_widget_destroy(ask->window);
    g_free(ask);
}


static void
ui_answer(ui_ask_t *ask, gboolean yes)
{
    ui_say(json_pack("{s:s, s:I, s:b}", "type", "answer",
                     "id", (json_int_t) ask->id, "yes", yes));
    ui_ask_free(ask);
}


static void
ui_cancel(ui_t *ui, gint64 id)
{
    GList     *link;
    ui_ask_t  *ask;

    for (link = ui->asks; link != NULL; link = link->next) {
        ask = link->data;

        if (ask->id == id) {
            ui_ask_free(ask);
            return;
        }
    }
}


static void
ui_on_allow(GtkButton *button, gpointer data)
{
    (void) button;

    ui_answer(data, TRUE);
}


static void
ui_on_deny(GtkButton *button, gpointer data)
{
    (void) button;

    ui_answer(data, FALSE);
}


static gboolean
ui_on_close(GtkWidget *window, GdkEvent *event, gpointer data)
{
    (void) window;
    (void) event;

    ui_answer(data, FALSE);

    return TRUE;
}


static gboolean
ui_on_key(GtkWidget *window, GdkEventKey *event, gpointer data)
{
    (void) window;

    if (event->keyval != GDK_KEY_Escape) {
        return FALSE;
    }

    ui_answer(data, FALSE);

    return TRUE;
}


/* ---- the banner */

static void
ui_banner(ui_t *ui, const json_t *msg)
{
    const json_t       *who;
    g_autofree char    *text = NULL;

    who = agent_json_array(msg, "who", UI_WHO);

    if (json_array_size(who) == 0) {
        g_clear_pointer(&ui->banner, gtk_widget_destroy);
        return;
    }

    if (ui->banner == NULL) {
        ui_banner_make(ui);
    }

    ui->own = agent_json_bool(msg, "own", &ui->own) && ui->own;
    text = ui_banner_text(who, ui->own);
    gtk_button_set_label(GTK_BUTTON(ui->take),
                         ui->own ? "Give control" : "Take control");
    gtk_label_set_text(GTK_LABEL(ui->text), text);
    gtk_window_set_title(GTK_WINDOW(ui->banner), text);

    gtk_widget_show_all(ui->banner);
    ui_banner_place(ui);
}


/*
 * "Remote support: Anna (verified) controls, not verified: “Bob” watches".
 * and "You have control" before them while nobody else does anything.  Who is
 * not verified has the name that the gateway gave, which is not to be
 * read as the next one's, nor to have the mark behind it cut off.
 */

static char *
ui_banner_text(const json_t *who, gboolean own)
{
    gsize          i;
    GString       *text;
    gboolean       verified, control;
    const json_t  *one;

    text = g_string_new(own ? "You have control. Remote support: "
                            : "Remote support: ");

    for (i = 0; i < json_array_size(who); i++) {
        g_autofree char  *does = NULL;
        g_autofree char  *name = NULL;
        g_autofree char  *tunnel = NULL;

        one = json_array_get(who, i);
        name = ui_string(one, "name", UI_NAME);
        tunnel = ui_string(one, "tunnel", UI_TUNNEL);
        verified = agent_json_bool(one, "verified", &verified) && verified;
        control = !agent_json_bool(one, "control", &control) || control;

        if (!verified) {
            ui_claimed(&name);
        }

        does = (strcmp(tunnel, "shell") == 0) ? g_strdup("has a terminal")
               : g_str_has_prefix(tunnel, "run ")
               ? g_strconcat("runs ", tunnel + strlen("run "), NULL)
               : (tunnel[0] != '\0') ? g_strconcat("reaches ", tunnel, NULL)
               : g_strdup(control ? "controls" : "watches");

        g_string_append_printf(text, verified ? "%s%s (verified) %s"
                                              : "%snot verified: %s %s",
                               i ? ", " : "",
                               name[0] != '\0' ? name : "somebody",
                               does);
    }

    return g_string_free(text, FALSE);
}


/* no window manager's: it stays where it is, above, and has no close button */

static void
ui_banner_make(ui_t *ui)
{
    GtkWidget  *box, *end;

    ui->banner = gtk_window_new(GTK_WINDOW_POPUP);
    ui->dragged = FALSE;
    gtk_widget_set_name(ui->banner, "rs-banner");
    gtk_widget_add_events(ui->banner,
                          GDK_VISIBILITY_NOTIFY_MASK|GDK_BUTTON_PRESS_MASK
                          |GDK_BUTTON1_MOTION_MASK);

    ui->text = gtk_label_new(NULL);
    gtk_label_set_line_wrap(GTK_LABEL(ui->text), TRUE);
    gtk_label_set_line_wrap_mode(GTK_LABEL(ui->text), PANGO_WRAP_WORD_CHAR);
    gtk_label_set_max_width_chars(GTK_LABEL(ui->text), 80);

    end = gtk_button_new_with_label("End session");
    g_signal_connect(end, "clicked", G_CALLBACK(ui_on_end), ui);

    ui->take = gtk_button_new_with_label("Take control");
    g_signal_connect(ui->take, "clicked", G_CALLBACK(ui_on_take), ui);

    box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
    gtk_container_set_border_width(GTK_CONTAINER(box), 6);
    gtk_container_add(GTK_CONTAINER(box), ui->text);
    gtk_container_add(GTK_CONTAINER(box), ui->take);
    gtk_container_add(GTK_CONTAINER(box), end);
    gtk_container_add(GTK_CONTAINER(ui->banner), box);

    g_signal_connect(ui->banner, "visibility-notify-event",
                     G_CALLBACK(ui_on_obscured), ui);
    g_signal_connect(ui->banner, "button-press-event",
                     G_CALLBACK(ui_on_drag), ui);
    g_signal_connect(ui->banner, "motion-notify-event",
                     G_CALLBACK(ui_on_drag), ui);
}


/* at the top, in the middle of the screen, until somebody moves it */

static void
ui_banner_place(ui_t *ui)
{
    int           width;
    GdkDisplay   *display;
    GdkMonitor   *monitor;
    GdkRectangle  area;

    gdk_window_raise(gtk_widget_get_window(ui->banner));
    display = gtk_widget_get_display(ui->banner);
    monitor = gdk_display_get_primary_monitor(display);

    if (monitor == NULL) {
        monitor = gdk_display_get_monitor(display, 0);
    }

    if (ui->dragged || monitor == NULL) {
        return;
    }

    gdk_monitor_get_geometry(monitor, &area);
    gtk_widget_get_preferred_width(ui->banner, NULL, &width);
    gtk_window_move(GTK_WINDOW(ui->banner),
                    area.x + MAX(area.width - width, 0) / 2, area.y);
}


/* asks for it: the label changes when it is so */

static void
ui_on_take(GtkButton *button, gpointer data)
{
    ui_t  *ui = data;

    (void) button;

    ui_say(json_pack("{s:s, s:b}", "type", "take", "own", !ui->own));
}


static void
ui_on_end(GtkButton *button, gpointer data)
{
    (void) button;
    (void) data;

    ui_say(json_pack("{s:s}", "type", "end"));
}


/* two that both want to be above must not keep the X server busy */

static gboolean
ui_on_obscured(GtkWidget *window, GdkEventVisibility *event, gpointer data)
{
    ui_t    *ui = data;
    gint64   now_us = g_get_monotonic_time();

    if (event->state != GDK_VISIBILITY_UNOBSCURED
        && now_us - ui->raised_us > UI_RAISE_US)
    {
        ui->raised_us = now_us;
        gdk_window_raise(gtk_widget_get_window(window));
    }

    return FALSE;
}


static gboolean
ui_on_drag(GtkWidget *window, GdkEvent *event, gpointer data)
{
    int      x, y;
    ui_t    *ui = data;
    double   at_x, at_y;

    if (!gdk_event_get_root_coords(event, &at_x, &at_y)) {
        return FALSE;
    }

    if (event->type == GDK_MOTION_NOTIFY) {
        gtk_window_get_position(GTK_WINDOW(window), &x, &y);
        gtk_window_move(GTK_WINDOW(window), x + (int) (at_x - ui->drag_x),
                        y + (int) (at_y - ui->drag_y));
        ui->dragged = TRUE;
    }

    ui->drag_x = at_x;
    ui->drag_y = at_y;

    return FALSE;
}
