
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What the two ends of a chain are taken for: what was signed, and nothing
 * that somebody wrote there since.
 */

#include "fixture.h"
#include "../record_chain.h"
#include "../record_ended.h"


#define OTHER  "rec_bbbbbbbbbbbbbbbbbbbbbbbbbb"


static fixture_t  f;


static void
make(void)
{
    record_sum_t       sum;
    record_store_t    *store;
    g_autoptr(GBytes)  bytes = g_bytes_new("abc", 3);
    record_segment_t   segment = { bytes, 0, 1000, TRUE, TRUE, "video/webm" };

    store = record_store_new(&f.params, NULL);
    record_store_media(store, &segment, NULL);
    record_store_end(store, 1000, TRUE, "ended", &sum, NULL);
    record_store_free(store);
}


/* the last one of the text has another digit at its end */

static char *
changed(const char *text, const char *what)
{
    char  *copy = g_strdup(text);
    char  *at = g_strrstr(copy, what);

    g_assert(at != NULL);
    at[strlen(what) - 1] ^= 1;

    return copy;
}


static void
looks(const char *path, const char *text, gboolean known,
    record_chain_e state, const char *what)
{
    record_chain_t   chain;
    record_ended_t   ended;

    g_assert(g_file_set_contents(path, text, -1, NULL));

    ok(record_chain_look(f.recordings, FIXTURE_ID, &chain, NULL) == known
       && (!known || chain.state == state), "%s", what);
    ok(!record_ended_read(f.recordings, FIXTURE_ID, &ended, NULL),
       "%s: nobody is told of its end", what);
}


int
main(void)
{
    record_chain_t     chain;
    record_ended_t     ended;
    g_autofree char   *text = NULL;
    g_autofree char   *last = NULL;
    g_autofree char   *first = NULL;
    g_autofree char   *open = NULL;
    g_autofree char   *path = NULL;
    g_autofree char   *own = NULL;
    g_autofree char   *other = NULL;

    fixture_init(&f, RECORD_KEYGEN_EC);
    g_mkdir_with_parents(f.recordings, 0700);
    make();

    own = g_build_filename(f.recordings, FIXTURE_ID, NULL);
    other = g_build_filename(f.recordings, OTHER, NULL);
    path = g_build_filename(own, RECORD_STORE_CHAIN, NULL);
    g_assert(g_file_get_contents(path, &text, NULL, NULL));

    ok(record_chain_look(f.recordings, FIXTURE_ID, &chain, NULL)
       && chain.state == RECORD_CHAIN_ENDED
       && chain.ended_ms == f.params.started_at + 1000, "one that has ended");
    ok(record_ended_read(f.recordings, FIXTURE_ID, &ended, NULL)
       && strcmp(ended.session_id, FIXTURE_SESSION) == 0
       && ended.sum.duration_ms == 1000, "and what it became");
    record_ended_clear(&ended);

    g_assert(g_rename(own, other) == 0);
    ok(!record_ended_read(f.recordings, OTHER, &ended, NULL),
       "in the place of another one it is none");
    g_assert(g_rename(other, own) == 0);

    last = changed(text, "\"t_ms\":1000");
    first = changed(text, "\"started_at\":1795283672000");
    open = g_strdup(text);
    open[strlen(open) - 1] = '\0';
    *strrchr(open, '\n') = '\0';
    strcat(open, "\n");

    looks(path, last, TRUE, RECORD_CHAIN_OPEN, "another end");
    looks(path, first, FALSE, RECORD_CHAIN_NONE, "another beginning");
    looks(path, open, TRUE, RECORD_CHAIN_OPEN, "no end");

    fixture_done(&f);

    return done();
}
