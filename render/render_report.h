
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * An instance's end of the pool's socket: JSON objects, a line each, and the
 * signatures that only the pool can make.
 */

#ifndef _RENDER_REPORT_H_INCLUDED_
#define _RENDER_REPORT_H_INCLUDED_


#include "agent_json.h"

#include <gio/gio.h>


#define RENDER_REPORT_LINE   (256 * 1024)       /* bytes, each way */
#define RENDER_REPORT_QUEUE  16                 /* lines beside a signature */
#define RENDER_REPORT_S      5


typedef struct render_report_s  render_report_t;


/* Neither runs inside of a call, nor frees the report. */

typedef struct {
    void  (*message)(void *data, const char *type, json_t *msg);
    void  (*gone)(void *data);                  /* the last one */
} render_report_events_t;


/* NULL: *error. */
render_report_t *render_report_new(const char *path,
    const render_report_events_t *events, void *data, GError **error);
void render_report_free(render_report_t *report);

/* Takes msg over. */
void render_report_say(render_report_t *report, json_t *msg);

/*
 * The device's signature, base64url: waits for it, RENDER_REPORT_S at most.
 * What comes beside it is told later.  An agent_key_sign_pt.
 */
char *render_report_sign(void *report, const guint8 *bytes, gsize len,
    GError **error);


#endif /* _RENDER_REPORT_H_INCLUDED_ */
