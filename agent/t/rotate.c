
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The device's next key: what is offered, as the gateway reads it; which file
 * has which key after each step, also after one that was cut off; and which
 * key is shown when the last one was refused.
 */

#include "agent_rotate.h"
#include "rs_devkey.h"
#include "rs_msg.h"
#include "tap.h"

#include <glib/gstdio.h>
#include <string.h>
#include <time.h>
#include <utime.h>


#define DEV  "dev_dddddddddddddddddddddddddd"


static char            *dir;
static agent_config_t   config;
static agent_device_t   device = { .tenant = (char *) "default",
                                   .id = (char *) DEV };
static guint            wanted;


static void
count(void *data)
{
    (void) data;
    wanted++;
}


static char *
in(const char *name)
{
    g_autoptr(agent_key_t)  key = agent_key_load_named(dir, name, NULL);

    return (key != NULL) ? agent_key_public(key) : g_strdup("none");
}


static void
has(const char *name, const char *want, const char *what)
{
    g_autofree char  *got = in(name);

    is_str(got, want, what);
}


static void
shows(agent_rotate_t *rotate, const char *want, const char *what)
{
    g_autofree char  *got = agent_key_public(agent_rotate_key(rotate));

    is_str(got, want, what);
}


/* the key offered, which the gateway finds to be a change from old */

static char *
offered(agent_rotate_t *rotate, const char *old)
{
    char              *key;
    rs_msg_t           msg;
    g_autofree char   *text = agent_rotate_offer(rotate);

    if (!ok(text != NULL && rs_msg_parse(&msg, RS_CHANNEL_AGENT, text,
                                         strlen(text)) == RS_OK,
            "offered"))
    {
        return g_strdup("");
    }

    ok(rs_devkey_rotation_verify(RS_STR("default"), RS_STR(DEV), rs_str(old),
                                 msg.public_key, msg.signature, msg.proof)
       == RS_OK, "by a statement that both keys have signed");

    key = g_strndup((const char *) msg.public_key.data, msg.public_key.len);
    rs_msg_free(&msg);

    return key;
}


static void
copy(const char *from, const char *to)
{
    gsize              len;
    g_autofree char   *a = g_build_filename(dir, from, NULL);
    g_autofree char   *b = g_build_filename(dir, to, NULL);
    g_autofree char   *text = NULL;

    g_file_get_contents(a, &text, &len, NULL);
    g_file_set_contents_full(b, text, (gssize) len, G_FILE_SET_CONTENTS_NONE,
                             0600, NULL);
}


static void
test_change(agent_key_t *key)
{
    g_autofree char             *first = agent_key_public(key);
    g_autofree char             *made = NULL;
    g_autofree char             *again = NULL;
    g_autofree char             *next = NULL;
    g_autoptr(agent_rotate_t)    rotate = NULL;

    rotate = agent_rotate_new(&config, &device, key, count, NULL);

    ok(agent_rotate_offer(rotate) == NULL, "nothing to offer");

    made = agent_rotate_make(dir, NULL);
    again = agent_rotate_make(dir, NULL);
    is_str(made, again, "the next key is made once");

    next = offered(rotate, first);
    has("device.key.next", next, "the one in the file");
    ok(agent_rotate_offer(rotate) == NULL, "once a connection");

    agent_rotate_done(rotate, first);
    has("device.key", first, "told of another key: nothing changes");

    agent_rotate_failed(rotate);
    g_free(agent_rotate_offer(rotate));

    agent_rotate_done(rotate, next);
    has("device.key", next, "changed");
    has("device.key.old", first, "the one before is kept");
    has("device.key.next", "none", "there is no next one");
    shows(rotate, next, "it is shown from now on");
}


static void
test_cut_off(agent_key_t *key)
{
    g_autofree char             *first = agent_key_public(key);
    g_autofree char             *old = in("device.key.old");
    g_autofree char             *next = NULL;
    g_autoptr(agent_rotate_t)    rotate = NULL;

    g_free(agent_rotate_make(dir, NULL));
    next = in("device.key.next");

    /* nobody knows which one the gateway has: one after the other */

    rotate = agent_rotate_new(&config, &device, key, count, NULL);
    shows(rotate, first, "the key is shown first");
    ok(agent_rotate_refused(rotate), "another one");
    shows(rotate, next, "then the next one");
    ok(agent_rotate_refused(rotate), "another one");
    shows(rotate, old, "then the one before");
    ok(!agent_rotate_refused(rotate), "all were shown");
    shows(rotate, first, "from the beginning");
    agent_rotate_refused(rotate);

    /* killed between link and rename: old is the key already */

    copy("device.key", "device.key.old");
    agent_rotate_welcome(rotate);
    has("device.key", next, "let in with the next one: it is the key");
    has("device.key.old", first, "and the key is the old one");
    shows(rotate, next, "it is shown");

    /* the gateway has forgotten it */

    agent_rotate_refused(rotate);
    shows(rotate, first, "refused: the old one");
    agent_rotate_welcome(rotate);
    has("device.key", first, "let in with it: it is the key");
    has("device.key.next", next, "and the other one is offered again");
    has("device.key.old", "none", "there is none before");

    g_free(offered(rotate, first));
    agent_rotate_done(rotate, next);
    has("device.key", next, "changed again");
}


static void
test_time(agent_key_t *key)
{
    g_autofree char             *path = NULL;
    g_autofree char             *first = agent_key_public(key);
    g_autoptr(agent_rotate_t)    rotate = NULL;
    struct utimbuf               times;

    path = g_build_filename(dir, "device.key", NULL);
    times.actime = times.modtime = time(NULL) - 30 * 86400;
    g_utime(path, &times);

    rotate = agent_rotate_new(&config, &device, key, count, NULL);
    ok(agent_rotate_offer(rotate) == NULL, "never, unless it is wanted");

    config.key_rotation = 31;
    ok(agent_rotate_offer(rotate) == NULL, "not yet");

    config.key_rotation = 30;
    g_free(offered(rotate, first));
}


int
main(void)
{
    guint    i;
    char    *path;

    static const char *const  names[] = {
        "device.key", "device.key.next", "device.key.old"
    };

    g_autoptr(agent_key_t)  key = NULL;
    g_autoptr(GError)       error = NULL;

    dir = g_dir_make_tmp("rs-XXXXXX", NULL);
    config.state_dir = dir;
    key = agent_key_make(dir, &error);

    test_change(key);
    test_cut_off(key);
    test_time(key);

    for (i = 0; i < G_N_ELEMENTS(names); i++) {
        path = g_build_filename(dir, names[i], NULL);
        g_unlink(path);
        g_free(path);
    }

    g_rmdir(dir);
    g_free(dir);

    return done();
}
