
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what is under way between one viewer and the folder: at most one file
 * in each direction.
 *
 * A file that was there in part is hashed first, a step at a time, so that
 * input and picture go on; its hash tells both sides whether they mean the
 * same bytes.  Bringing a whole file onto the disk may take seconds: that is
 * a task on a thread of its own, which has the file to itself and is not
 * stopped by a viewer that goes.
 *
 * Whoever loses the connection after "end" and before "done" cannot know
 * what became of the file.  So the last few that came are remembered by their
 * keys (agent->arrived), and are told of when they are put again.
 */

#define G_LOG_DOMAIN  "rs-files"

#include "agent_files.h"
#include "agent_folder.h"
#include "agent_json.h"
#include "agent_text.h"
#include "agent_viewer.h"

#include <string.h>


#define AGENT_FILES_MESSAGES  512           /* on their way; window: 64 */
#define AGENT_FILES_UNSENT    (512 * 1024)  /* bytes; of pieces half of it */
#define AGENT_FILES_ACK       (256 * 1024)  /* bytes written between two */
#define AGENT_FILES_ARRIVED   32            /* remembered */


typedef struct {
    char           *key;
    char           *name;
    gint64          size;
    uint8_t         sha256[RS_FILE_DIGEST_LEN];
} agent_arrival_t;


/* id 0: none under way */

typedef struct {
    guint           id;
    agent_file_t   *file;       /* NULL: a task has it, or it arrived before */
    gboolean        ready;      /* caught up, the viewer knows */
    gint64          acked;
    char           *name;
    char           *key;        /* put */
    gint64          mtime;      /* put */
    uint8_t         sha256[RS_FILE_DIGEST_LEN];    /* get: of the start */
} agent_transfer_t;


typedef struct agent_finish_s  agent_finish_t;

typedef struct {
    agent_channel_t    *ch;
    agent_viewer_t     *viewer;
    agent_folder_t     *folder;
    agent_transfer_t    put;
    agent_transfer_t    get;
    agent_finish_t     *finish;         /* of put */
    gint64              last_id;
    guint               idle;
} agent_files_t;


/* a file that a thread brings onto the disk */

struct agent_finish_s {
    agent_files_t      *files;          /* NULL: the viewer is gone */
    agent_t            *agent;
    char               *from;
    agent_file_t       *file;
    agent_arrival_t    *arrival;
    char               *wanted;         /* name */
    gint64              mtime;
};


static void *agent_files_open(agent_channel_t *ch, agent_viewer_t *viewer);
static void agent_files_text(void *data, const char *text, gsize len);
static void agent_files_binary(void *data, const guint8 *bytes, gsize len);
static void agent_files_drained(void *data);
static void agent_files_closed(void *data);
static void agent_files_features(agent_viewer_t *viewer, json_t *features);

static gboolean agent_files_may(agent_files_t *files,
    const rs_file_msg_t *msg);
static gboolean agent_files_next(agent_files_t *files,
    const rs_file_msg_t *msg);
static void agent_files_list(agent_files_t *files, const rs_file_msg_t *msg);
static void agent_files_put(agent_files_t *files, const rs_file_msg_t *msg);
static gboolean agent_files_again(agent_files_t *files,
    const rs_file_msg_t *msg);
static void agent_files_get(agent_files_t *files, const rs_file_msg_t *msg);
static void agent_files_end(agent_files_t *files, const rs_file_msg_t *msg);
static void agent_files_ack(agent_files_t *files, const rs_file_msg_t *msg);
static void agent_files_cancel(agent_files_t *files,
    const rs_file_msg_t *msg);

static void agent_files_later(agent_files_t *files);
static gboolean agent_files_step(gpointer data);
static gboolean agent_files_catch_up(agent_files_t *files,
    agent_transfer_t *t);
static void agent_files_ready(agent_files_t *files, agent_transfer_t *t,
    gint64 size, const uint8_t sha256[RS_FILE_DIGEST_LEN]);
static void agent_files_pump(agent_files_t *files);

static void agent_files_finish(GTask *task, gpointer source, gpointer data,
    GCancellable *cancel);
static void agent_files_finished(GObject *source, GAsyncResult *result,
    gpointer data);
static void agent_files_arrived(agent_t *agent, agent_arrival_t *arrival);
static agent_arrival_t *agent_files_find(const agent_t *agent, rs_str_t key,
    gint64 size);
static void agent_arrival_free(agent_arrival_t *arrival);

static void agent_files_say(agent_files_t *files, json_t *obj);
static void agent_files_fail(agent_files_t *files, guint id,
    const char *code, const char *message);
static void agent_files_broken(agent_files_t *files, agent_transfer_t *t,
    const GError *error);
static void agent_transfer_clear(agent_transfer_t *t, gboolean keep);
static json_t *agent_files_hex(const uint8_t sha256[RS_FILE_DIGEST_LEN]);


const agent_channel_kind_t  agent_files_kind = {
    .label = AGENT_FILES,
    .message_max = RS_FILE_HEAD_LEN + RS_FILE_PIECE_MAX,
    .messages_max = AGENT_FILES_MESSAGES,
    .bytes_max = 2 * RS_FILE_WINDOW,
    .buffer_max = AGENT_FILES_UNSENT,
    .buffer_low = AGENT_FILES_UNSENT / 8,
    .open = agent_files_open,
    .text = agent_files_text,
    .binary = agent_files_binary,
    .drained = agent_files_drained,
    .closed = agent_files_closed,
    .features = agent_files_features
};


static void *
agent_files_open(agent_channel_t *ch, agent_viewer_t *viewer)
{
    agent_files_t     *files;
    agent_about_t      about;
    agent_folder_t    *folder;
    agent_allowed_t    allowed;
    const char        *path;
    g_autofree char   *name = NULL;
    g_autoptr(GError)  error = NULL;

    about = agent_viewer_about(viewer);
    agent_viewer_allowed(viewer, &allowed);
    path = about.agent->config->files_dir;

    if (allowed.files == AGENT_WAY_NONE || path == NULL) {
        return NULL;
    }

    folder = agent_folder_new(path,
                              (gint64) about.agent->config->files_max << 20,
                              &error);
    if (folder == NULL) {
        g_warning("no files for %s: %s: %s", about.id, path, error->message);
        return NULL;
    }

    files = g_new0(agent_files_t, 1);
    files->ch = ch;
    files->viewer = viewer;
    files->folder = folder;

    name = agent_text_clean(agent_folder_name(folder),
                            strlen(agent_folder_name(folder)), 80);
    agent_files_say(files,
        json_pack("{s:s, s:b, s:b, s:I, s:s}", "type", "hello",
                  "to_device", (allowed.files & AGENT_WAY_TO_DEVICE) != 0,
                  "from_device", (allowed.files & AGENT_WAY_FROM_DEVICE) != 0,
                  "max", (json_int_t) about.agent->config->files_max << 20,
                  "folder", name));

    return files;
}


static void
agent_files_features(agent_viewer_t *viewer, json_t *features)
{
    agent_allowed_t  allowed;

    agent_viewer_allowed(viewer, &allowed);
    json_object_set_new(features, "files",
                        json_string(agent_way_word(allowed.files)));
}


static void
agent_files_closed(void *data)
{
    agent_files_t  *files = data;

    g_clear_handle_id(&files->idle, g_source_remove);

    if (files->finish != NULL) {
        files->finish->files = NULL;
    }

    agent_transfer_clear(&files->put, TRUE);
    agent_transfer_clear(&files->get, TRUE);
    agent_folder_free(files->folder);
    g_free(files);
}


static void
agent_transfer_clear(agent_transfer_t *t, gboolean keep)
{
    if (t->file != NULL) {
        agent_file_free(t->file, keep && agent_file_offset(t->file) > 0);
    }

    g_free(t->name);
    g_free(t->key);
    memset(t, 0, sizeof(*t));
}


/* takes obj over; what is said is little, unless nobody listens */

static void
agent_files_say(agent_files_t *files, json_t *obj)
{
    g_autofree char  *text = agent_json_text(obj);

    if (!agent_channel_send_text(files->ch, text)) {
        agent_channel_close(files->ch);
    }
}


static void
agent_files_fail(agent_files_t *files, guint id, const char *code,
    const char *message)
{
    g_info("transfer %u: %s: %s", id, code, message);

    agent_files_say(files,
        json_pack("{s:s, s:i, s:s, s:s}", "type", "error", "id", (int) id,
                  "code", code, "message", message));
}


/* the transfer is over; a part that the disk or the viewer broke is no good */

static void
agent_files_broken(agent_files_t *files, agent_transfer_t *t,
    const GError *error)
{
    guint  id = t->id;

    agent_transfer_clear(t, FALSE);
    agent_files_fail(files, id, agent_folder_code(error), error->message);
}


static json_t *
agent_files_hex(const uint8_t sha256[RS_FILE_DIGEST_LEN])
{
    char  hex[2 * RS_FILE_DIGEST_LEN];

    rs_file_hex(hex, sha256);

    return json_stringn(hex, sizeof(hex));
}


static void
agent_files_text(void *data, const char *text, gsize len)
{
    rs_err_e          rc;
    json_t           *obj;
    agent_files_t    *files = data;
    rs_file_msg_t     msg;
    rs_json_error_t   err;

    rc = rs_file_parse(text, len, &obj, &msg, &err);

    if (rc == RS_E_UNKNOWN_TYPE) {
        g_debug("a message of a type not known here is left aside");
        return;
    }

    if (rc != RS_OK) {
        g_message("files: %s %s: closed", err.pointer, err.text);
        agent_channel_close(files->ch);
        return;
    }

    switch (msg.type) {

    case RS_FILE_LIST:
    case RS_FILE_PUT:
    case RS_FILE_GET:

        if (agent_files_next(files, &msg) && agent_files_may(files, &msg)) {

            if (msg.type == RS_FILE_LIST) {
                agent_files_list(files, &msg);

            } else if (msg.type == RS_FILE_PUT) {
                agent_files_put(files, &msg);

            } else {
                agent_files_get(files, &msg);
            }
        }

        break;

    case RS_FILE_END:
        agent_files_end(files, &msg);
        break;

    case RS_FILE_ACK:
        agent_files_ack(files, &msg);
        break;

    case RS_FILE_CANCEL:
        agent_files_cancel(files, &msg);
        break;
    }

    json_decref(obj);
}


static gboolean
agent_files_next(agent_files_t *files, const rs_file_msg_t *msg)
{
    if (msg->id <= files->last_id) {
        g_message("files: id %" G_GINT64_FORMAT " after %" G_GINT64_FORMAT
                  ": closed", msg->id, files->last_id);
        agent_channel_close(files->ch);
        return FALSE;
    }

    files->last_id = msg->id;

    return TRUE;
}


/* asked each time: what is allowed may become less */

static gboolean
agent_files_may(agent_files_t *files, const rs_file_msg_t *msg)
{
    agent_way_e       way;
    agent_transfer_t *t;
    agent_allowed_t   allowed;

    way = (msg->type == RS_FILE_PUT) ? AGENT_WAY_TO_DEVICE
                                     : AGENT_WAY_FROM_DEVICE;
    agent_viewer_allowed(files->viewer, &allowed);

    if ((allowed.files & way) == 0) {
        agent_files_fail(files, msg->id, "forbidden",
                         way == AGENT_WAY_TO_DEVICE
                         ? "no files to this device for you in this session"
                         : "no files from this device for you in this "
                           "session");
        return FALSE;
    }

    t = (msg->type == RS_FILE_PUT) ? &files->put : &files->get;

    if (msg->type != RS_FILE_LIST && t->id != 0) {
        agent_files_fail(files, msg->id, "busy",
                         "another file is under way in this direction");
        return FALSE;
    }

    return TRUE;
}


static void
agent_files_list(agent_files_t *files, const rs_file_msg_t *msg)
{
    json_t             *list;
    gboolean            more;
    g_autoptr(GError)   error = NULL;

    list = agent_folder_list(files->folder, msg->name, &more, &error);

    if (list == NULL) {
        agent_files_fail(files, msg->id, agent_folder_code(error),
                         error->message);
        return;
    }

    agent_files_say(files,
        json_pack("{s:s, s:I, s:o, s:b}", "type", "files",
                  "id", (json_int_t) msg->id, "files", list, "more", more));
}


static void
agent_files_put(agent_files_t *files, const rs_file_msg_t *msg)
{
    agent_transfer_t   *t = &files->put;
    g_autoptr(GError)   error = NULL;

    if (agent_files_again(files, msg)) {
        return;
    }

    t->file = agent_folder_put(files->folder, msg->key, msg->size, msg->anew,
                               &error);
    if (t->file == NULL) {
        agent_files_fail(files, msg->id, agent_folder_code(error),
                         error->message);
        return;
    }

    t->id = msg->id;
    t->name = g_strndup((const char *) msg->name.data, msg->name.len);
    t->key = g_strndup((const char *) msg->key.data, msg->key.len);
    t->mtime = msg->mtime;
    t->acked = agent_file_offset(t->file);

    agent_files_later(files);
}


/* whether it arrived, and only that was not heard: nothing is missing then */

static gboolean
agent_files_again(agent_files_t *files, const rs_file_msg_t *msg)
{
    agent_t           *agent = agent_viewer_about(files->viewer).agent;
    agent_arrival_t   *arrival;
    agent_transfer_t  *t = &files->put;

    arrival = agent_files_find(agent, msg->key, msg->size);

    if (arrival == NULL) {
        return FALSE;
    }

    if (msg->anew) {
        g_ptr_array_remove(agent->arrived, arrival);
        return FALSE;
    }

    t->id = msg->id;
    t->ready = TRUE;
    t->name = g_strdup(arrival->name);
    t->key = g_strdup(arrival->key);
    memcpy(t->sha256, arrival->sha256, sizeof(t->sha256));

    agent_files_ready(files, t, arrival->size, arrival->sha256);

    return TRUE;
}


static void
agent_files_get(agent_files_t *files, const rs_file_msg_t *msg)
{
    agent_transfer_t   *t = &files->get;
    g_autoptr(GError)   error = NULL;

    t->file = agent_folder_get(files->folder, msg->name, msg->offset, &error);

    if (t->file == NULL) {
        agent_files_fail(files, msg->id, agent_folder_code(error),
                         error->message);
        return;
    }

    t->id = msg->id;
    t->name = g_strndup((const char *) msg->name.data, msg->name.len);
    t->acked = msg->offset;
    memcpy(t->sha256, msg->sha256, sizeof(t->sha256));

    agent_files_later(files);
}


static void
agent_files_later(agent_files_t *files)
{
    if (files->idle == 0) {
        files->idle = g_idle_add(agent_files_step, files);
    }
}


static gboolean
agent_files_step(gpointer data)
{
    gboolean        more;
    agent_files_t  *files = data;

    more = agent_files_catch_up(files, &files->put);
    more = agent_files_catch_up(files, &files->get) || more;

    if (more) {
        return G_SOURCE_CONTINUE;
    }

    files->idle = 0;

    return G_SOURCE_REMOVE;
}


static gboolean
agent_files_catch_up(agent_files_t *files, agent_transfer_t *t)
{
    uint8_t             sha256[RS_FILE_DIGEST_LEN];
    gboolean            more;
    g_autoptr(GError)   error = NULL;

    if (t->file == NULL || t->ready) {
        return FALSE;
    }

    if (!agent_file_catch_up(t->file, &more, &error)) {
        agent_files_broken(files, t, error);
        return FALSE;
    }

    if (more) {
        return TRUE;
    }

    agent_file_digest(t->file, sha256);

    if (t == &files->put) {
        t->ready = TRUE;
        agent_files_ready(files, t, agent_file_offset(t->file), sha256);
        return FALSE;
    }

    if (agent_file_offset(t->file) > 0
        && memcmp(sha256, t->sha256, sizeof(sha256)) != 0)
    {
        g_set_error_literal(&error, AGENT_FOLDER_ERROR, AGENT_FOLDER_CHANGED,
                            "the file is another one than it was");
        agent_files_broken(files, t, error);
        return FALSE;
    }

    t->ready = TRUE;

    if (agent_file_offset(t->file) > 0) {
        g_message("%s: file \"%s\" is sent from %" G_GINT64_FORMAT " on",
                  agent_viewer_about(files->viewer).id, t->name,
                  agent_file_offset(t->file));
    }

    agent_files_say(files,
        json_pack("{s:s, s:i, s:I, s:I, s:I}", "type", "sending",
                  "id", (int) t->id,
                  "size", (json_int_t) agent_file_size(t->file),
                  "mtime", (json_int_t) agent_file_mtime(t->file),
                  "offset", (json_int_t) agent_file_offset(t->file)));
    agent_files_pump(files);

    return FALSE;
}


static void
agent_files_ready(agent_files_t *files, agent_transfer_t *t, gint64 offset,
    const uint8_t sha256[RS_FILE_DIGEST_LEN])
{
    if (offset > 0) {
        g_message("%s: file \"%s\" goes on at %" G_GINT64_FORMAT,
                  agent_viewer_about(files->viewer).id, t->name, offset);
    }

    agent_files_say(files,
        json_pack("{s:s, s:i, s:I, s:o}", "type", "ready",
                  "id", (int) t->id, "offset", (json_int_t) offset,
                  "sha256", agent_files_hex(sha256)));
}


static void
agent_files_binary(void *data, const guint8 *bytes, gsize len)
{
    gint64              offset;
    agent_files_t      *files = data;
    rs_file_piece_t     piece;
    agent_transfer_t   *t = &files->put;
    g_autoptr(GError)   error = NULL;

    if (rs_file_piece(bytes, len, &piece) != RS_OK) {
        g_message("files: %" G_GSIZE_FORMAT " bytes that are no piece of a "
                  "file: closed", len);
        agent_channel_close(files->ch);
        return;
    }

    if (piece.id != t->id || t->file == NULL || !t->ready) {
        return;
    }

    if (!agent_file_write(t->file, piece.offset, piece.data, piece.len,
                          &error))
    {
        agent_files_broken(files, t, error);
        return;
    }

    offset = agent_file_offset(t->file);

    if (offset - t->acked >= AGENT_FILES_ACK
        || offset == agent_file_size(t->file))
    {
        t->acked = offset;
        agent_files_say(files,
            json_pack("{s:s, s:i, s:I}", "type", "ack", "id", (int) t->id,
                      "offset", (json_int_t) offset));
    }
}


static void
agent_files_ack(agent_files_t *files, const rs_file_msg_t *msg)
{
    agent_transfer_t  *t = &files->get;

    if (msg->id == t->id && t->ready && msg->offset > t->acked
        && msg->offset <= agent_file_offset(t->file))
    {
        t->acked = msg->offset;
        agent_files_pump(files);
    }
}


static void
agent_files_drained(void *data)
{
    agent_files_pump(data);
}


/* as much as the viewer and the channel have room for */

static void
agent_files_pump(agent_files_t *files)
{
    gssize              n;
    uint8_t             piece[RS_FILE_HEAD_LEN + RS_FILE_PIECE_MAX];
    uint8_t             sha256[RS_FILE_DIGEST_LEN];
    agent_transfer_t   *t = &files->get;
    g_autoptr(GError)   error = NULL;

    if (t->file == NULL || !t->ready) {
        return;
    }

    while (agent_file_offset(t->file) - t->acked
           <= RS_FILE_WINDOW - RS_FILE_PIECE_MAX
           && agent_channel_buffered(files->ch) < AGENT_FILES_UNSENT / 2)
    {
        rs_file_head(piece, t->id, agent_file_offset(t->file));
        n = agent_file_read(t->file, piece + RS_FILE_HEAD_LEN,
                            RS_FILE_PIECE_MAX, &error);
        if (n < 0) {
            agent_files_broken(files, t, error);
            return;
        }

        if (n == 0) {
            agent_file_digest(t->file, sha256);
            agent_files_say(files,
                json_pack("{s:s, s:i, s:o}", "type", "end", "id",
                          (int) t->id, "sha256", agent_files_hex(sha256)));
            g_message("%s: file \"%s\" of %" G_GINT64_FORMAT " bytes was "
                      "sent", agent_viewer_about(files->viewer).id, t->name,
                      agent_file_size(t->file));
            agent_transfer_clear(t, TRUE);
            return;
        }

        if (!agent_channel_send_binary(files->ch, piece,
                                       RS_FILE_HEAD_LEN + n))
        {
            agent_channel_close(files->ch);
            return;
        }
    }
}


static void
agent_files_cancel(agent_files_t *files, const rs_file_msg_t *msg)
{
    /* what a task has is on its way to the disk: it arrives */

    if (msg->id == files->put.id && files->finish == NULL) {
        agent_transfer_clear(&files->put, msg->keep);

    } else if (msg->id == files->get.id) {
        agent_transfer_clear(&files->get, TRUE);
    }
}


static void
agent_files_end(agent_files_t *files, const rs_file_msg_t *msg)
{
    GTask              *task;
    agent_about_t       about;
    agent_finish_t     *finish;
    agent_transfer_t   *t = &files->put;
    g_autoptr(GError)   error = NULL;

    if (msg->id != t->id || !t->ready || files->finish != NULL) {
        return;
    }

    if (t->file == NULL) {

        if (memcmp(t->sha256, msg->sha256, sizeof(t->sha256)) != 0) {
            g_set_error_literal(&error, AGENT_FOLDER_ERROR,
                                AGENT_FOLDER_MISMATCH, "the file that came "
                                "is not the one that was sent");
            agent_files_broken(files, t, error);
            return;
        }

        agent_files_say(files,
            json_pack("{s:s, s:i, s:s}", "type", "done", "id", (int) t->id,
                      "name", t->name));
        agent_transfer_clear(t, TRUE);
        return;
    }

    about = agent_viewer_about(files->viewer);

    finish = g_new0(agent_finish_t, 1);
    finish->files = files;
    finish->agent = about.agent;
    finish->from = g_strdup(about.id);
    finish->file = g_steal_pointer(&t->file);
    finish->wanted = g_strdup(t->name);
    finish->mtime = t->mtime;
    finish->arrival = g_new0(agent_arrival_t, 1);
    finish->arrival->key = g_strdup(t->key);
    finish->arrival->size = agent_file_size(finish->file);
    memcpy(finish->arrival->sha256, msg->sha256, sizeof(msg->sha256));
    files->finish = finish;

    task = g_task_new(NULL, NULL, agent_files_finished, finish);
    g_task_set_task_data(task, finish, NULL);
    g_task_run_in_thread(task, agent_files_finish);
    g_object_unref(task);
}


/* a thread of its own */

static void
agent_files_finish(GTask *task, gpointer source, gpointer data,
    GCancellable *cancel)
{
    GError          *error = NULL;
    agent_finish_t  *finish = data;

    (void) source;
    (void) cancel;

    if (agent_file_finish(finish->file, rs_str(finish->wanted),
                          finish->mtime, finish->arrival->sha256,
                          &finish->arrival->name, &error))
    {
        g_task_return_boolean(task, TRUE);

    } else {
        g_task_return_error(task, error);
    }
}


/* the main loop again */

static void
agent_files_finished(GObject *source, GAsyncResult *result, gpointer data)
{
    guint               id;
    agent_files_t      *files;
    agent_finish_t     *finish = data;
    g_autofree char    *name = NULL;
    g_autoptr(GError)   error = NULL;

    (void) source;

    files = finish->files;
    agent_file_free(finish->file, FALSE);

    if (g_task_propagate_boolean(G_TASK(result), &error)) {
        name = g_strdup(finish->arrival->name);
        g_message("%s: file \"%s\" of %" G_GINT64_FORMAT " bytes came",
                  finish->from, name, finish->arrival->size);
        agent_files_arrived(finish->agent, finish->arrival);

    } else {
        g_message("%s: file \"%s\" did not come: %s", finish->from,
                  finish->wanted, error->message);
        agent_arrival_free(finish->arrival);
    }

    if (files != NULL) {
        id = files->put.id;
        files->finish = NULL;

        if (error != NULL) {
            agent_files_broken(files, &files->put, error);

        } else {
            agent_transfer_clear(&files->put, TRUE);
            agent_files_say(files,
                json_pack("{s:s, s:i, s:s}", "type", "done", "id", (int) id,
                          "name", name));
        }
    }

    g_free(finish->from);
    g_free(finish->wanted);
    g_free(finish);
}


/* takes arrival over */

static void
agent_files_arrived(agent_t *agent, agent_arrival_t *arrival)
{
    if (agent->arrived == NULL) {
        agent->arrived = g_ptr_array_new_with_free_func(
                             (GDestroyNotify) agent_arrival_free);
    }

    if (agent->arrived->len == AGENT_FILES_ARRIVED) {
        g_ptr_array_remove_index(agent->arrived, 0);
    }

    g_ptr_array_add(agent->arrived, arrival);
}


static agent_arrival_t *
agent_files_find(const agent_t *agent, rs_str_t key, gint64 size)
{
    guint             i;
    agent_arrival_t  *arrival;

    for (i = 0; agent->arrived != NULL && i < agent->arrived->len; i++) {
        arrival = g_ptr_array_index(agent->arrived, i);

        if (arrival->size == size && rs_str_eq(rs_str(arrival->key), key)) {
            return arrival;
        }
    }

    return NULL;
}


static void
agent_arrival_free(agent_arrival_t *arrival)
{
    g_free(arrival->key);
    g_free(arrival->name);
    g_free(arrival);
}
