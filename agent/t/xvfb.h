
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * An X server for a test; it ends with the test.
 */

#ifndef _AGENT_XVFB_H_INCLUDED_
#define _AGENT_XVFB_H_INCLUDED_


#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>


#define XVFB_TRIES  5


/* -noreset: it must not forget everything when its last client leaves */

static char *
xvfb_try(const char *screen, pid_t *pid)
{
    int      fds[2], status;
    char     text[16], fd[16];
    gsize    len;
    ssize_t  n;

    if (pipe(fds) == -1) {
        return NULL;
    }

    g_snprintf(fd, sizeof(fd), "%d", fds[1]);
    *pid = fork();

    if (*pid == 0) {
        close(fds[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("Xvfb", "Xvfb", "-displayfd", fd, "-noreset", "-nolisten",
               "tcp", "-screen", "0", screen, (char *) NULL);
        _exit(127);
    }

    close(fds[1]);

    /* number and newline may come apart */

    for (len = 0; len < sizeof(text) - 1; len += (gsize) n) {
        n = read(fds[0], text + len, sizeof(text) - 1 - len);

        if (n <= 0 || text[len + (gsize) n - 1] == '\n') {
            len += (gsize) MAX(n, 0);
            break;
        }
    }

    close(fds[0]);

    if (len < 2 || text[len - 1] != '\n') {
        kill(*pid, SIGKILL);
        waitpid(*pid, &status, 0);
        return NULL;
    }

    text[len - 1] = '\0';

    return g_strconcat(":", text, NULL);
}


/*
 * The display's name, for the caller to free.  Of two servers that start at
 * once and try the same display the second one ends, and is started again.
 */

static char *
xvfb_start(const char *screen, pid_t *pid)
{
    int    i;
    char  *name;

    for (i = 0; i < XVFB_TRIES; i++) {
        name = xvfb_try(screen, pid);

        if (name != NULL) {
            return name;
        }
    }

    printf("not ok - Xvfb does not start (is xvfb installed?)\n");
    exit(1);
}


#endif /* _AGENT_XVFB_H_INCLUDED_ */
