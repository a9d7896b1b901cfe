
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The channel rs-page: what the page is, for all, and what who has control
 * does with it.  docs/protocol/peer.md, "The page".
 */

#ifndef _RENDER_PAGE_H_INCLUDED_
#define _RENDER_PAGE_H_INCLUDED_


#include "agent_channel.h"
#include "agent_json.h"
#include "render_browser.h"
#include "render_docs.h"


extern const agent_channel_kind_t  render_page_kind;


typedef struct render_pages_s  render_pages_t;


/* docs: NULL: no documents; both are the caller's.  downloads: as rules say. */
render_pages_t *render_pages_new(render_browser_t *browser,
    render_docs_t *docs, gboolean downloads, gint64 max_document);
void render_pages_free(render_pages_t *pages);

/* Of an agent whose service_data begins with it. */
typedef struct {
    render_pages_t  *pages;             /* NULL: not yet */
} render_paged_t;

/* To all that have the channel. */
void render_pages_changed(render_pages_t *pages);
void render_pages_blocked(render_pages_t *pages, const char *url,
    const char *why);
void render_pages_crashed(render_pages_t *pages, gboolean restarting);
void render_pages_downloaded(render_pages_t *pages, const char *name);

/*
 * What came over the channel or by way of the gateway, from who has control.
 * FALSE: no word of this channel.
 */
gboolean render_pages_input(render_pages_t *pages, const json_t *message,
    void *user);


#endif /* _RENDER_PAGE_H_INCLUDED_ */
