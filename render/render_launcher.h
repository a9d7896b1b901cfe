
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * How instances are started and ended: what a launcher has to be able to do.
 * A cluster's would be a third file of these.
 */

#ifndef _RENDER_LAUNCHER_H_INCLUDED_
#define _RENDER_LAUNCHER_H_INCLUDED_


#include <gio/gio.h>


#define RENDER_ID_LEN  12                   /* of [0-9a-f] */


typedef struct render_launcher_s  render_launcher_t;


typedef struct {
    const char  *name;

    /*
     * The token's file and the pool's socket are there.  Comes back at once;
     * an instance that cannot be started is gone.
     */
    void       (*start)(render_launcher_t *launcher, const char *id);

    /* Politely; called again for one that is still there: by force. */
    void       (*stop)(render_launcher_t *launcher, const char *id);

    /* ids of all there are, those of an earlier pool; NULL: *error */
    GPtrArray *(*list)(render_launcher_t *launcher, GError **error);

    void       (*free)(render_launcher_t *launcher);
} render_launcher_ops_t;


/* gone(): once for each start, and each stop of a listed one; from the main
 * loop.  Nothing of it is left then: no process, no folder. */

struct render_launcher_s {
    const render_launcher_ops_t  *ops;
    void                        (*gone)(void *data, const char *id,
                                        const char *why);
    void                         *data;
};


/* where things are, below the pool's runtime_dir; the caller frees */

char *render_path_socket(const char *runtime_dir);
char *render_path_token(const char *runtime_dir, const char *id);
char *render_path_instance(const char *runtime_dir, const char *id);

/* Whether text is an id of an instance. */
gboolean render_id_check(const char *text);

/* Removes a folder with what is in it; follows no links. */
void render_remove(const char *path);


typedef struct {
    const char  *runtime_dir;
    const char  *program;           /* rs-render-host */
    const char  *config;            /* of it */
    gboolean     verbose;
} render_plain_conf_t;

/* Child processes of this one.  conf is copied. */
render_launcher_t *render_plain_new(const render_plain_conf_t *conf);

/* Units rs-render@ID.service of the system's systemd. */
render_launcher_t *render_systemd_new(GError **error);


#endif /* _RENDER_LAUNCHER_H_INCLUDED_ */
