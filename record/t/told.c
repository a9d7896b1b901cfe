
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What waits to be told: how much of it at once, in which order, and what is
 * no message and never said.
 */

#include "fixture.h"
#include "../record_told.h"


static char        *dir;
static gboolean     online;
static GPtrArray   *said;               /* recording ids */


static gboolean
on_say(void *data, char *text)
{
    json_t  *obj;

    (void) data;

    if (online) {
        obj = json_loads(text, 0, NULL);
        g_ptr_array_add(said, g_strdup(json_string_value(
                                json_object_get(obj, "recording_id"))));
        json_decref(obj);
    }

    g_free(text);

    return online;
}


static char *
id_of(guint n)
{
    static char  id[64];

    g_snprintf(id, sizeof(id), "rec_aaaaaaaaaaaaaaaaaaaaaaaa%c%c",
               'a' + n / 26, 'a' + n % 26);

    return id;
}


static void
put(record_told_t *told, guint n)
{
    record_told_put(told, id_of(n), "end",
                    g_strdup_printf("{\"type\":\"recording\",\"op\":\"end\","
                                    "\"recording_id\":\"%s\"}", id_of(n)));
}


static guint
files_in(const char *path)
{
    guint            n;
    g_autoptr(GDir)  list = g_dir_open(path, 0, NULL);

    for (n = 0; g_dir_read_name(list) != NULL; n++) { }

    return n;
}


static guint
files(void)
{
    return files_in(dir) - 1;           /* .known */
}


static void
leave(const char *name, const char *text)
{
    g_autofree char  *path = g_build_filename(dir, name, NULL);

    g_file_set_contents(path, text, -1, NULL);
}


/* all are told, each as one is answered */

static void
test_pace(void)
{
    guint            i;
    record_told_t   *told = record_told_new(dir, on_say, NULL, NULL);

    for (i = 0; i < 150; i++) {
        put(told, i);
    }

    is_int(files(), 150, "150 wait for somebody");
    online = TRUE;
    record_told_online(told);
    is_int(said->len, RECORD_TOLD_FLIGHT, "some are told at once, not all");
    put(told, 150);
    is_int(said->len, RECORD_TOLD_FLIGHT, "nor one that comes now");

    record_told_answered(told, said->pdata[3], "gone");
    is_int(said->len, RECORD_TOLD_FLIGHT, "another word of it is no answer");
    record_told_answered(told, said->pdata[3], "end");
    is_int(said->len, RECORD_TOLD_FLIGHT + 1, "one for each answer");

    g_ptr_array_set_size(said, 0);
    record_told_online(told);
    is_int(said->len, RECORD_TOLD_FLIGHT, "from the beginning on another "
           "channel");

    for (i = 0; i < said->len; i++) {
        record_told_answered(told, said->pdata[i], "end");
    }

    is_int(said->len, 150, "all are told");
    is_int(files(), 0, "and answered");
    record_told_free(told);
}


static void
test_late(void)
{
    guint            i;
    record_told_t   *told = record_told_new(dir, on_say, NULL, NULL);

    g_ptr_array_set_size(said, 0);

    for (i = 0; i < 30; i++) {
        put(told, i);
    }

    is_int(said->len, RECORD_TOLD_FLIGHT, "nobody answers");
    record_told_late(told);
    is_int(said->len, 30, "the next ones have their turn");
    record_told_late(told);
    is_int(said->len, 30, "once");
    record_told_late(told);
    is_int(said->len, 30 + RECORD_TOLD_FLIGHT, "and all again much later");
    online = FALSE;
    record_told_late(told);
    record_told_online(told);
    is_int(said->len, 30 + RECORD_TOLD_FLIGHT, "the channel is away");
    online = TRUE;
    g_ptr_array_set_size(said, 0);
    record_told_online(told);

    for (i = 0; i < said->len; i++) {
        record_told_answered(told, said->pdata[i], "end");
    }

    is_int(said->len, 30, "and back");
    is_int(files(), 0, "nothing is left");
    record_told_free(told);
}


static void
test_foreign(void)
{
    record_told_t  *told = record_told_new(dir, on_say, NULL, NULL);

    g_ptr_array_set_size(said, 0);
    put(told, 7);
    record_told_answered(told, "../x", "end");
    leave("rec_aaaaaaaaaaaaaaaaaaaaaaaaaa.end.B4GKZ3", "{\"type\":\"rec");
    leave("rec_aaaaaaaaaaaaaaaaaaaaaaaaab.end", "{\"type\":\"recording\",");
    leave("rec_aaaaaaaaaaaaaaaaaaaaaaaaac.end", "");
    leave("rec_aaaaaaaaaaaaaaaaaaaaaaaaad.end", "{\"type\":\"recording\","
          "\"op\":\"end\",\"recording_id\":\"rec_aaaaaaaaaaaaaaaaaaaaaaaaax\""
          "}");
    leave("rec_aaaaaaaaaaaaaaaaaaaaaaaaae.begin", "{}");
    leave("rec_x.end", "{}");
    g_ptr_array_set_size(said, 0);
    record_told_online(told);
    ok(said->len == 1 && strcmp(said->pdata[0], id_of(7)) == 0,
       "what is no message is never said");
    is_int(files(), 1, "and does not stay");
    record_told_answered(told, id_of(7), "end");
    record_told_free(told);
}


static void
test_known(void)
{
    guint             i;
    record_told_t    *told = record_told_new(dir, on_say, NULL, NULL);
    g_autofree char  *known = g_build_filename(dir, ".known", NULL);

    ok(!record_told_knows(told, id_of(200)), "one that nobody was told of");
    put(told, 200);
    ok(record_told_knows(told, id_of(200)), "one that is told");
    record_told_answered(told, id_of(200), "end");
    ok(record_told_knows(told, id_of(200)), "one that was answered");
    record_told_free(told);
    told = record_told_new(dir, on_say, NULL, NULL);
    ok(record_told_knows(told, id_of(200)), "for ever");
    record_told_answered(told, id_of(200), "gone");
    ok(!record_told_knows(told, id_of(200)), "until it is gone");

    for (i = 0; i < 151; i++) {
        record_told_answered(told, id_of(i), "gone");
    }

    is_int(files_in(known), 0, "nothing is left of those that are");
    record_told_free(told);
    g_rmdir(known);
}


int
main(void)
{
    dir = g_dir_make_tmp("rs-told-XXXXXX", NULL);
    said = g_ptr_array_new_with_free_func(g_free);

    test_pace();
    test_late();
    test_foreign();
    test_known();

    g_ptr_array_unref(said);
    g_rmdir(dir);
    g_free(dir);

    return done();
}
