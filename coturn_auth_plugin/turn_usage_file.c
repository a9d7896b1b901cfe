
/*
 * Copyright (C) rs-gateway contributors
 *
 * state_dir/usage: lines that are appended, the last one of an allocation
 * holds.
 *
 *     o ID STARTED TENANT SESSION PARTICIPANT          it has begun
 *     t ID STARTED RCVP RCVB SENTP SENTB               its total
 *     c ID STARTED                                     it is recorded, or lost
 *
 * Read at the start, written anew then and when most of it is history.  A
 * file that cannot be written costs what it is for, and nothing else.
 */


#include "turn_usage_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "turn_log.h"


#define TURN_USAGE_LINE     512
#define TURN_USAGE_HISTORY  65536   /* lines that are not needed any more */
#define TURN_USAGE_LINES    4194304


static int turn_usage_file_read(turn_usage_t *u, char *error);
static void turn_usage_file_line(turn_usage_t *u, rs_str_t line);
static void turn_usage_file_take(turn_usage_t *u);
static int turn_usage_file_rewrite(turn_usage_t *u);
static void turn_usage_file_put(turn_usage_t *u, const char *text, size_t len);
static void turn_usage_file_failed(turn_usage_t *u, const char *what);
static size_t turn_usage_line_begun(char *dst, const turn_use_t *use);
static size_t turn_usage_line_total(char *dst, const turn_use_t *use);
static int turn_usage_word(rs_str_t *s, rs_str_t *word);
static int turn_usage_number(rs_str_t *s, uint64_t *v);


int
turn_usage_file_open(turn_usage_t *u, char *error)
{
    size_t  len;

    len = strlen(u->conf.state_dir) + sizeof("/usage.new");
    u->path = malloc(len);
    u->next = malloc(len);

    if (u->path == NULL || u->next == NULL) {
        (void) strcpy(error, "out of memory");
        return 0;
    }

    (void) snprintf(u->path, len, "%s/usage", u->conf.state_dir);
    (void) snprintf(u->next, len, "%s/usage.new", u->conf.state_dir);

    if (!turn_usage_file_read(u, error)) {
        return 0;
    }

    turn_usage_file_take(u);

    if (!turn_usage_file_rewrite(u)) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "%.500s: %s: the folder "
                        "state_dir has to exist and be this user's",
                        u->next, strerror(errno));
        return 0;
    }

    return 1;
}


void
turn_usage_file_close(turn_usage_t *u)
{
    turn_usage_file_flush(u);

    if (u->fd != -1) {
        (void) close(u->fd);
        u->fd = -1;
    }

    free(u->path);
    free(u->next);
    u->path = NULL;
    u->next = NULL;
}


/* ---- reading */


static int
turn_usage_file_read(turn_usage_t *u, char *error)
{
    char    text[TURN_USAGE_LINE];
    FILE   *f;
    size_t  len, n;

    f = fopen(u->path, "r");

    if (f == NULL) {
        if (errno == ENOENT) {
            return 1;
        }

        (void) snprintf(error, TURN_CONF_ERROR_MAX, "%.500s: %s", u->path,
                        strerror(errno));
        return 0;
    }

    for (n = 0; n < TURN_USAGE_LINES && fgets(text, sizeof(text), f); n++) {
        len = strlen(text);

        /* the last line of a daemon that was killed may be cut */

        if (len && text[len - 1] == '\n') {
            turn_usage_file_line(u, (rs_str_t) { (uint8_t *) text, len - 1 });
        }
    }

    (void) fclose(f);

    return 1;
}


static int
turn_usage_word(rs_str_t *s, rs_str_t *word)
{
    (void) rs_str_split(*s, ' ', word, s);

    return word->len != 0;
}


static int
turn_usage_number(rs_str_t *s, uint64_t *v)
{
    rs_str_t  word;

    return turn_usage_word(s, &word) && rs_u64_parse(word, UINT64_MAX, v);
}


static void
turn_usage_file_line(turn_usage_t *u, rs_str_t s)
{
    uint64_t             id, started_at;
    rs_str_t             kind;
    turn_use_t          *use;
    rs_turn_user_t       user;
    turn_usage_count_t   c;

    if (!turn_usage_word(&s, &kind) || kind.len != 1
        || !turn_usage_number(&s, &id) || !turn_usage_number(&s, &started_at))
    {
        return;
    }

    use = turn_use_find(u, id);

    if (kind.data[0] == 'o') {
        if (!turn_usage_word(&s, &user.tenant)
            || !turn_usage_word(&s, &user.session_id)
            || !turn_usage_word(&s, &user.participant_id) || s.len
            || rs_tenant_check(user.tenant) != RS_OK
            || rs_id_check(user.session_id, RS_ID_SESSION) != RS_OK
            || rs_id_check(user.participant_id, RS_ID_PARTICIPANT) != RS_OK)
        {
            return;
        }

        if (use != NULL && use->total) {
            turn_use_done(u, use);

        } else if (use != NULL) {
            turn_use_free(u, use);
        }

        use = turn_use_create(u, id, &user, started_at);

        if (use != NULL) {
            use->orphan = 1;
            turn_list_add(&u->orphans, &use->in_wait);
        }

        return;
    }

    if (use == NULL || use->started_at != started_at) {
        return;
    }

    if (kind.data[0] == 'c') {
        turn_use_free(u, use);

    } else if (kind.data[0] == 't' && turn_usage_number(&s, &c.rcvp)
               && turn_usage_number(&s, &c.rcvb)
               && turn_usage_number(&s, &c.sentp)
               && turn_usage_number(&s, &c.sentb))
    {
        use->count = c;
        use->total = 1;
    }
}


/* totals that were not acknowledged are sent at once */

static void
turn_usage_file_take(turn_usage_t *u)
{
    turn_use_t   *use;
    turn_list_t  *l, *next;

    for (l = u->orphans.next; l != &u->orphans; l = next) {
        next = l->next;
        use = TURN_OF(l, turn_use_t, in_wait);

        if (use->total) {
            use->orphan = 0;
            turn_use_done(u, use);
        }
    }

    for (l = u->done.next; l != &u->done; l = l->next) {
        use = TURN_OF(l, turn_use_t, in_wait);
        use->dirty = 1;
        (void) turn_heap_set(&u->due, &use->ses->due, u->now);
    }
}


/* ---- writing */


static size_t
turn_usage_line_begun(char *dst, const turn_use_t *use)
{
    return (size_t) snprintf(dst, TURN_USAGE_LINE, "o %llu %llu %.*s %.*s "
                             "%.*s\n", (unsigned long long) use->id,
                             (unsigned long long) use->started_at,
                             (int) use->ses->tenant_len, use->ses->tenant,
                             RS_ID_LEN, use->ses->id, RS_ID_LEN, use->par);
}


static size_t
turn_usage_line_total(char *dst, const turn_use_t *use)
{
    return (size_t) snprintf(dst, TURN_USAGE_LINE,
                             "t %llu %llu %llu %llu %llu %llu\n",
                             (unsigned long long) use->id,
                             (unsigned long long) use->started_at,
                             (unsigned long long) use->count.rcvp,
                             (unsigned long long) use->count.rcvb,
                             (unsigned long long) use->count.sentp,
                             (unsigned long long) use->count.sentb);
}


void
turn_usage_file_begun(turn_usage_t *u, const turn_use_t *use)
{
    char  text[TURN_USAGE_LINE];

    turn_usage_file_put(u, text, turn_usage_line_begun(text, use));
}


void
turn_usage_file_total(turn_usage_t *u, const turn_use_t *use)
{
    char  text[TURN_USAGE_LINE];

    turn_usage_file_put(u, text, turn_usage_line_total(text, use));
}


void
turn_usage_file_over(turn_usage_t *u, const turn_use_t *use)
{
    int   n;
    char  text[TURN_USAGE_LINE];

    n = snprintf(text, sizeof(text), "c %llu %llu\n",
                 (unsigned long long) use->id,
                 (unsigned long long) use->started_at);
    turn_usage_file_put(u, text, (size_t) n);
}


static void
turn_usage_file_put(turn_usage_t *u, const char *text, size_t len)
{
    if (u->fd == -1) {
        return;
    }

    if (len > sizeof(u->buf) - u->len) {
        turn_usage_file_flush(u);
    }

    memcpy(u->buf + u->len, text, len);
    u->len += len;
    u->lines++;
}


void
turn_usage_file_flush(turn_usage_t *u)
{
    size_t   at;
    ssize_t  n;

    if (u->fd == -1 || u->len == 0) {
        u->len = 0;
        return;
    }

    for (at = 0; at < u->len; at += (size_t) n) {
        n = write(u->fd, u->buf + at, u->len - at);

        if (n <= 0) {
            turn_usage_file_failed(u, u->path);
            return;
        }
    }

    u->len = 0;

    if (u->lines > 2 * u->n + TURN_USAGE_HISTORY
        && !turn_usage_file_rewrite(u))
    {
        turn_usage_file_failed(u, u->next);
    }
}


static void
turn_usage_file_failed(turn_usage_t *u, const char *what)
{
    turn_log(TURN_LOG_ERR, "%s: %s: usage may be counted twice, or totals "
             "be lost, if the daemon is restarted", what, strerror(errno));

    u->stat.failures++;
    u->len = 0;

    if (u->fd != -1) {
        (void) close(u->fd);
        u->fd = -1;
    }
}


/* what is needed still, under another name, then in the place of the old */

static int
turn_usage_file_rewrite(turn_usage_t *u)
{
    int              fd, old;
    char             text[TURN_USAGE_LINE];
    FILE            *f;
    size_t           i, lines;
    turn_use_t      *use;
    turn_list_t     *l;
    turn_hnode_t    *node;
    turn_use_ses_t  *s;

    fd = open(u->next, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC,
              0600);
    f = (fd != -1) ? fdopen(dup(fd), "a") : NULL;

    if (f == NULL) {
        if (fd != -1) {
            (void) close(fd);
        }

        return 0;
    }

    for (i = 0, lines = 0; i < u->sessions.size; i++) {
        for (node = u->sessions.buckets[i]; node != NULL; node = node->next) {
            s = TURN_OF(node, turn_use_ses_t, node);

            for (l = s->uses.next; l != &s->uses; l = l->next) {
                use = TURN_OF(l, turn_use_t, in_ses);
                (void) fwrite(text, turn_usage_line_begun(text, use), 1, f);
                lines++;

                if (use->total) {
                    (void) fwrite(text, turn_usage_line_total(text, use), 1,
                                  f);
                    lines++;
                }
            }
        }
    }

    if (fclose(f) != 0 || rename(u->next, u->path) != 0) {
        (void) close(fd);
        return 0;
    }

    old = u->fd;
    u->fd = fd;
    u->lines = lines;

    if (old != -1) {
        (void) close(old);
    }

    return 1;
}
