
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * rs-render-inside CHANNEL PROGRAM [ARGUMENT...]: the first process of the
 * browser's namespaces.  It opens the one socket that leads out of its network
 * namespace, which has a loopback interface and nothing else, gives that socket
 * away over CHANNEL, and becomes PROGRAM.  The socket is accepted from outside:
 * render_egress.c.
 *
 * What it runs is a browser with pages of strangers: it leaves no core.
 */

#include "render_inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>


static int inside_listen(void);
static int inside_give(int channel, int fd);
static int inside_failed(const char *what);


int
main(int argc, char **argv)
{
    int                         fd, channel;
    char                       *end;
    static const struct rlimit  none = { 0, 0 };

    if (argc < 3) {
        fprintf(stderr, "usage: rs-render-inside CHANNEL PROGRAM "
                        "[ARGUMENT...]\n");
        return 2;
    }

    channel = (int) strtol(argv[1], &end, 10);

    if (*end != '\0' || channel < 3) {
        fprintf(stderr, "rs-render-inside: invalid channel \"%s\"\n",
                argv[1]);
        return 2;
    }

    if (setrlimit(RLIMIT_CORE, &none) != 0) {
        return inside_failed("setrlimit");
    }

    fd = inside_listen();

    if (fd == -1) {
        return inside_failed("127.0.0.1");
    }

    if (inside_give(channel, fd) != 0) {
        return inside_failed("channel");
    }

    (void) close(fd);
    (void) close(channel);

    (void) execv(argv[2], argv + 2);

    return inside_failed(argv[2]);
}


static int
inside_failed(const char *what)
{
    fprintf(stderr, "rs-render-inside: %s: %s\n", what, strerror(errno));

    return 1;
}


static int
inside_listen(void)
{
    int                 fd;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(RENDER_INSIDE_PORT);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0);

    if (fd == -1) {
        return -1;
    }

    if (bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || listen(fd, RENDER_INSIDE_BACKLOG) == -1)
    {
        return -1;
    }

    return fd;
}


static int
inside_give(int channel, int fd)
{
    char             byte;
    struct iovec     iov;
    struct msghdr    msg;
    struct cmsghdr  *cmsg;

    union {
        char            buf[CMSG_SPACE(sizeof(int))];
        struct cmsghdr  align;
    } control;

    byte = 's';
    iov.iov_base = &byte;
    iov.iov_len = 1;

    memset(&control, 0, sizeof(control));
    memset(&msg, 0, sizeof(msg));
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control.buf;
    msg.msg_controllen = sizeof(control.buf);

    cmsg = CMSG_FIRSTHDR(&msg);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));

    return (sendmsg(channel, &msg, MSG_NOSIGNAL) == 1) ? 0 : -1;
}
