
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What the tests of recordings share: a folder of their own, an auditor, a
 * recorder's key, and one recording of frames that are none.
 */

#ifndef _RECORD_T_FIXTURE_H_INCLUDED_
#define _RECORD_T_FIXTURE_H_INCLUDED_


#include "../record_cms.h"
#include "../record_error.h"
#include "../record_keygen.h"
#include "../record_mux.h"
#include "../record_read.h"
#include "../record_store.h"
#include "../record_tar.h"

#include "agent_key.h"
#include "../../agent/t/tap.h"

#include <glib/gstdio.h>
#include <string.h>


#define FIXTURE_ID       "rec_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define FIXTURE_SESSION  "ses_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define FIXTURE_DEVICE   "dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define FIXTURE_PASS     "correct horse"


typedef struct {
    char                   *dir;
    char                   *recordings;
    char                   *cert;
    char                   *private;
    agent_key_t            *key;
    char                   *public_key;
    record_auditors_t      *auditors;
    record_store_params_t   params;
} fixture_t;


__attribute__((unused))
static char *
fixture_sign(void *data, const guint8 *text, gsize len, GError **error)
{
    return agent_key_sign(data, text, len, error);
}


__attribute__((unused))
static void
fixture_init(fixture_t *f, record_keygen_e kind)
{
    const char          *paths[2] = { NULL, NULL };
    g_autoptr(GError)    error = NULL;

    memset(f, 0, sizeof(*f));
    f->dir = g_dir_make_tmp("rs-record-XXXXXX", NULL);
    f->recordings = g_build_filename(f->dir, "recordings", NULL);
    f->cert = g_build_filename(f->dir, "auditor.pem", NULL);
    f->private = g_build_filename(f->dir, "auditor.key", NULL);
    f->key = agent_key_make(f->dir, NULL);
    f->public_key = agent_key_public(f->key);

    ok(record_keygen(kind, "An Auditor", FIXTURE_PASS, f->private, f->cert,
                     &error), "an auditor's key is made");

    paths[0] = f->cert;
    f->auditors = record_auditors_load(paths, &error);
    ok(f->auditors != NULL, "and its certificate is one");

    f->params.dir = f->recordings;
    f->params.id = FIXTURE_ID;
    f->params.session_id = FIXTURE_SESSION;
    f->params.tenant = "default";
    f->params.device_id = FIXTURE_DEVICE;
    f->params.public_key = f->public_key;
    f->params.started_at = 1795283672000;
    f->params.auditors = f->auditors;
    f->params.sign = fixture_sign;
    f->params.data = f->key;
}


__attribute__((unused))
static void
fixture_remove(const char *path)
{
    const char       *name;
    g_autoptr(GDir)   dir = NULL;

    dir = g_dir_open(path, 0, NULL);

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char  *inner = g_build_filename(path, name, NULL);

        if (g_file_test(inner, G_FILE_TEST_IS_DIR)) {
            fixture_remove(inner);

        } else {
            g_unlink(inner);
        }
    }

    g_rmdir(path);
}


__attribute__((unused))
static void
fixture_done(fixture_t *f)
{
    fixture_remove(f->dir);
    g_clear_pointer(&f->auditors, record_auditors_free);
    agent_key_free(f->key);
    g_free(f->public_key);
    g_free(f->private);
    g_free(f->cert);
    g_free(f->recordings);
    g_free(f->dir);
}


/* a frame as VP8 begins, with a byte to be known by */

__attribute__((unused))
static gboolean
fixture_frame(record_mux_t *mux, gint64 t_ms, gboolean key, guint8 mark)
{
    guint8  frame[16] = { key ? 0x10 : 0x11, 2, 0, 0x9d, 1, 0x2a, 0x40, 1,
                          0xc8, 0, mark };

    return record_mux_video(mux, t_ms, frame, sizeof(frame));
}


#endif /* _RECORD_T_FIXTURE_H_INCLUDED_ */
