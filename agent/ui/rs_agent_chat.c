
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The windows of the chat, one for each session: what was said, a line to
 * answer in.  One that is closed comes again with the next message; none
 * takes the keyboard from what somebody is typing into.
 */

#include "rs_agent_ui.h"


#define UI_CHATS        8           /* windows; the oldest goes */
#define UI_CHAT_TEXT    1000        /* characters of a message */
#define UI_CHAT_REPLY   500
#define UI_CHAT_LINES   200


typedef struct {
    gint64          room;
    GtkWidget      *window;
    GtkWidget      *entry;
    GtkWidget      *scroll;
    GtkTextBuffer  *text;
} ui_chat_t;


static GList  *ui_chats;


static ui_chat_t *ui_chat_find(gint64 room);
static ui_chat_t *ui_chat_make(gint64 room);
static GtkWidget *ui_chat_content(ui_chat_t *chat);
static void ui_chat_free(ui_chat_t *chat);
static void ui_chat_add(ui_chat_t *chat, const char *who, const char *text);
static void ui_on_reply(GtkWidget *widget, gpointer data);
static gboolean ui_on_chat_key(GtkWidget *window, GdkEventKey *event,
    gpointer data);


static ui_chat_t *
ui_chat_find(gint64 room)
{
    GList      *link;
    ui_chat_t  *chat;

    for (link = ui_chats; link != NULL; link = link->next) {
        chat = link->data;

        if (chat->room == room) {
            return chat;
        }
    }

    return NULL;
}


void
ui_chat(const json_t *msg)
{
    gint64              room;
    gboolean            verified;
    ui_chat_t          *chat;
    g_autofree char    *name = ui_string(msg, "name", UI_NAME);
    g_autofree char    *text = ui_string(msg, "text", UI_CHAT_TEXT);

    if (!agent_json_int(msg, "room", 1, G_MAXINT32, &room)) {
        return;
    }

    if (!agent_json_bool(msg, "verified", &verified) || !verified) {
        ui_claimed(&name);
    }

    chat = ui_chat_find(room);

    if (chat == NULL) {
        chat = ui_chat_make(room);
    }

    ui_chat_add(chat, name[0] != '\0' ? name : "somebody", text);
    gtk_widget_set_sensitive(chat->entry, TRUE);
    gtk_widget_show_all(chat->window);
    gtk_window_set_urgency_hint(GTK_WINDOW(chat->window), TRUE);
}


void
ui_chat_end(const json_t *msg)
{
    gint64      room;
    ui_chat_t  *chat;

    chat = agent_json_int(msg, "room", 1, G_MAXINT32, &room)
           ? ui_chat_find(room) : NULL;

    if (chat == NULL) {
        return;
    }

    if (!gtk_widget_get_visible(chat->window)) {
        ui_chat_free(chat);
        return;
    }

    ui_chat_add(chat, NULL, "The other side has left.");
    gtk_widget_set_sensitive(chat->entry, FALSE);
}


static ui_chat_t *
ui_chat_make(gint64 room)
{
    ui_chat_t  *chat;

    if (g_list_length(ui_chats) >= UI_CHATS) {
        ui_chat_free(ui_chats->data);
    }

    chat = g_new0(ui_chat_t, 1);
    chat->room = room;
    chat->window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
    ui_chats = g_list_append(ui_chats, chat);

    gtk_window_set_title(GTK_WINDOW(chat->window), "Remote support chat");
    gtk_window_set_default_size(GTK_WINDOW(chat->window), 360, 320);
    gtk_window_set_keep_above(GTK_WINDOW(chat->window), TRUE);
    gtk_window_set_focus_on_map(GTK_WINDOW(chat->window), FALSE);

    g_signal_connect(chat->window, "delete-event",
                     G_CALLBACK(gtk_widget_hide_on_delete), NULL);
    g_signal_connect(chat->window, "key-press-event",
                     G_CALLBACK(ui_on_chat_key), NULL);
    gtk_container_add(GTK_CONTAINER(chat->window), ui_chat_content(chat));

    return chat;
}


static GtkWidget *
ui_chat_content(ui_chat_t *chat)
{
    GtkWidget  *box, *row, *view, *send;

    view = gtk_text_view_new();
    gtk_text_view_set_editable(GTK_TEXT_VIEW(view), FALSE);
    gtk_text_view_set_cursor_visible(GTK_TEXT_VIEW(view), FALSE);
    gtk_text_view_set_wrap_mode(GTK_TEXT_VIEW(view), GTK_WRAP_WORD_CHAR);
    gtk_text_view_set_left_margin(GTK_TEXT_VIEW(view), 8);
    gtk_text_view_set_right_margin(GTK_TEXT_VIEW(view), 8);
    gtk_widget_set_can_focus(view, FALSE);
    chat->text = gtk_text_view_get_buffer(GTK_TEXT_VIEW(view));

    chat->scroll = gtk_scrolled_window_new(NULL, NULL);
    gtk_container_add(GTK_CONTAINER(chat->scroll), view);

    chat->entry = gtk_entry_new();
    gtk_entry_set_max_length(GTK_ENTRY(chat->entry), UI_CHAT_REPLY);
    gtk_entry_set_placeholder_text(GTK_ENTRY(chat->entry), "Your answer");
    g_signal_connect(chat->entry, "activate", G_CALLBACK(ui_on_reply), chat);

    send = gtk_button_new_with_mnemonic("_Send");
    g_signal_connect(send, "clicked", G_CALLBACK(ui_on_reply), chat);

    row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    gtk_box_pack_start(GTK_BOX(row), chat->entry, TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(row), send, FALSE, FALSE, 0);

    box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
    gtk_container_set_border_width(GTK_CONTAINER(box), 8);
    gtk_box_pack_start(GTK_BOX(box), chat->scroll, TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(box), row, FALSE, FALSE, 0);
    gtk_window_set_focus(GTK_WINDOW(chat->window), chat->entry);

    return box;
}


static void
ui_chat_free(ui_chat_t *chat)
{
    ui_chats = g_list_remove(ui_chats, chat);
    gtk_widget_destroy(chat->window);
    g_free(chat);
}


/* who: NULL: nobody said it; the oldest lines go */

static void
ui_chat_add(ui_chat_t *chat, const char *who, const char *text)
{
    int                 lines;
    GtkTextIter         end, start;
    GtkAdjustment      *at;
    g_autofree char    *line = NULL;

    line = (who != NULL) ? g_strdup_printf("%s: %s\n", who, text)
                         : g_strdup_printf("%s\n", text);

    gtk_text_buffer_get_end_iter(chat->text, &end);
    gtk_text_buffer_insert(chat->text, &end, line, -1);
    lines = gtk_text_buffer_get_line_count(chat->text);

    if (lines > UI_CHAT_LINES) {
        gtk_text_buffer_get_start_iter(chat->text, &start);
        gtk_text_buffer_get_iter_at_line(chat->text, &end,
                                         lines - UI_CHAT_LINES);
        gtk_text_buffer_delete(chat->text, &start, &end);
    }

    at = gtk_scrolled_window_get_vadjustment(
             GTK_SCROLLED_WINDOW(chat->scroll));
    gtk_adjustment_set_value(at, gtk_adjustment_get_upper(at));
}


static void
ui_on_reply(GtkWidget *widget, gpointer data)
{
    ui_chat_t          *chat = data;
    g_autofree char    *text = NULL;

    (void) widget;

    text = g_strstrip(g_strdup(gtk_entry_get_text(GTK_ENTRY(chat->entry))));

    if (text[0] == '\0' || !gtk_widget_get_sensitive(chat->entry)) {
        return;
    }

    ui_say(json_pack("{s:s, s:I, s:s}", "type", "say",
                     "room", (json_int_t) chat->room, "text", text));
    ui_chat_add(chat, "You", text);
    gtk_entry_set_text(GTK_ENTRY(chat->entry), "");
    gtk_window_set_urgency_hint(GTK_WINDOW(chat->window), FALSE);
}


static gboolean
ui_on_chat_key(GtkWidget *window, GdkEventKey *event, gpointer data)
{
    (void) data;

    if (event->keyval != GDK_KEY_Escape) {
        return FALSE;
    }

    gtk_widget_hide(window);

    return TRUE;
}
