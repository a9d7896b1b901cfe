
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the host lacks.
 */


#include "turn_host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rs_nft.h"
#include "turn_log.h"


#define TURN_HOST_RELAYS  16
#define TURN_HOST_ROOM    65536


struct turn_host_s {
    struct event   *event;
    pid_t           pid;              /* of nft; 0: none */
    int             fd;
    char           *text;
    size_t          len;
    size_t          size;

    char            relay[TURN_HOST_RELAYS][RS_IP_TEXT_MAX + 1];
    unsigned        relays;
};


extern char  **environ;


static int turn_host_shared(const turn_conf_t *conf, const char *relay);
static int turn_host_spawn(turn_host_t *host);
static void turn_host_read(evutil_socket_t fd, short what, void *data);
static int turn_host_grow(turn_host_t *host);
static void turn_host_unseen(turn_host_t *host, const char *why);
static void turn_host_verdict(turn_host_t *host);
static void turn_host_end(turn_host_t *host);


turn_host_t *
turn_host_check(struct event_base *base, const turn_conf_t *conf)
{
    size_t           i;
    const char      *relay;
    turn_host_t     *host;
    struct timeval   timeout = { TURN_HOST_TIMEOUT, 0 };

    host = calloc(1, sizeof(turn_host_t));

    if (host == NULL) {
        return NULL;
    }

    host->fd = -1;

    for (i = 0; i < conf->relay_ip.n; i++) {
        relay = conf->relay_ip.item[i];

        if (turn_host_shared(conf, relay)) {
            turn_log(TURN_LOG_WARN, "relay_ip and listening_ip are both %s: "
                     "whoever has a relay reaches coturn, and every UDP "
                     "service of this host, from within: give the relay an "
                     "address of its own", relay);

        } else if (host->relays < TURN_HOST_RELAYS
                   && strlen(relay) <= RS_IP_TEXT_MAX)
        {
            (void) strcpy(host->relay[host->relays++], relay);
        }
    }

    if (host->relays == 0) {
        turn_host_free(host);
        return NULL;
    }

    if (!turn_host_spawn(host)) {
        turn_host_unseen(host, strerror(errno));
        turn_host_free(host);
        return NULL;
    }

    host->event = event_new(base, host->fd, EV_READ|EV_PERSIST,
                            turn_host_read, host);

    if (host->event == NULL || event_add(host->event, &timeout) != 0) {
        turn_host_unseen(host, "out of memory");
        turn_host_free(host);
        return NULL;
    }

    return host;
}


void
turn_host_free(turn_host_t *host)
{
    if (host == NULL) {
        return;
    }

    turn_host_end(host);
    free(host);
}


static int
turn_host_shared(const turn_conf_t *conf, const char *relay)
{
    size_t  i;

    for (i = 0; i < conf->listening_ip.n; i++) {
        if (strcmp(conf->listening_ip.item[i], relay) == 0) {
            return 1;
        }
    }

    return 0;
}


static int
turn_host_spawn(turn_host_t *host)
{
    int                          rc, pipes[2];
    posix_spawn_file_actions_t   actions;

    static char                 *argv[] = {
        "nft", "-j", "list", "ruleset", NULL
    };

    if (pipe(pipes) != 0) {
        return 0;
    }

    host->fd = pipes[0];
    rc = ENOMEM;

    if (fcntl(pipes[0], F_SETFD, FD_CLOEXEC) == 0
        && fcntl(pipes[0], F_SETFL, O_NONBLOCK) == 0
        && posix_spawn_file_actions_init(&actions) == 0)
    {
        if (posix_spawn_file_actions_addopen(&actions, STDIN_FILENO,
                                             "/dev/null", O_RDONLY, 0) == 0
            && posix_spawn_file_actions_addopen(&actions, STDERR_FILENO,
                                                "/dev/null", O_WRONLY, 0) == 0
            && posix_spawn_file_actions_adddup2(&actions, pipes[1],
                                                STDOUT_FILENO) == 0
            && posix_spawn_file_actions_addclosefrom_np(&actions, 3) == 0)
        {
            rc = posix_spawnp(&host->pid, argv[0], &actions, NULL, argv,
                              environ);
        }

        (void) posix_spawn_file_actions_destroy(&actions);
    }

    (void) close(pipes[1]);

    if (rc != 0) {
        host->pid = 0;
        errno = rc;
    }

    return rc == 0;
}


static void
turn_host_read(evutil_socket_t fd, short what, void *data)
{
    ssize_t       n;
    turn_host_t  *host = data;

    if (what & EV_TIMEOUT) {
        turn_host_unseen(host, "nft does not answer");
        turn_host_end(host);
        return;
    }

    if (!turn_host_grow(host)) {
        turn_host_unseen(host, "there is too much of them");
        turn_host_end(host);
        return;
    }

    n = read(fd, host->text + host->len, host->size - host->len);

    if (n > 0) {
        host->len += (size_t) n;
        return;
    }

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    turn_host_verdict(host);
    turn_host_end(host);
}


/* room for one byte at least */

static int
turn_host_grow(turn_host_t *host)
{
    char  *text;

    if (host->len < host->size) {
        return 1;
    }

    if (host->size >= RS_NFT_MAX) {
        return 0;
    }

    text = realloc(host->text, host->size + TURN_HOST_ROOM);

    if (text == NULL) {
        return 0;
    }

    host->text = text;
    host->size += TURN_HOST_ROOM;

    return 1;
}


static void
turn_host_unseen(turn_host_t *host, const char *why)
{
    turn_log(TURN_LOG_NOTICE, "cannot see the kernel's rules (%s): whether "
             "%s is closed to all but relayed packets, \"nft list table inet "
             "rs_turn\" tells root; --print-nft makes the rules", why,
             host->relay[0]);
}


static void
turn_host_verdict(turn_host_t *host)
{
    rs_ip_t    ip;
    rs_err_e   rc;
    rs_str_t   text;
    unsigned   i;

    text.data = (uint8_t *) host->text;
    text.len = host->len;

    for (i = 0; i < host->relays; i++) {
        if (rs_ip_parse(rs_str(host->relay[i]), &ip) != RS_OK) {
            continue;
        }

        rc = rs_nft_closed(text, &ip);

        if (rc == RS_OK) {
            turn_log(TURN_LOG_INFO, "relay_ip %s is closed by a kernel rule",
                     host->relay[i]);

        } else if (rc == RS_E_NOT_FOUND) {
            turn_log(TURN_LOG_WARN, "no kernel rule closes relay_ip %s: "
                     "whoever has a relay reaches the UDP services of this "
                     "host that are bound to 0.0.0.0 or to it: load what "
                     "--print-nft prints", host->relay[i]);

        } else {
            turn_host_unseen(host, "nft may not list them");
            return;
        }
    }
}


static void
turn_host_end(turn_host_t *host)
{
    if (host->event != NULL) {
        event_free(host->event);
        host->event = NULL;
    }

    if (host->fd != -1) {
        (void) close(host->fd);
        host->fd = -1;
    }

    /* it has said all it has to say, or never will */

    if (host->pid > 0) {
        (void) kill(host->pid, SIGKILL);

        while (waitpid(host->pid, NULL, 0) == -1 && errno == EINTR) { }

        host->pid = 0;
    }

    free(host->text);
    host->text = NULL;
    host->len = 0;
    host->size = 0;
}
