
/*
 * Copyright (C) rs-gateway contributors
 *
 * Preloaded: writes a line about each connect() and sendto() of an internet
 * address to the file that RS_CONNECT_LOG names when the process starts.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>


static int  fd = -1;


__attribute__((constructor))
static void
watch_open(void)
{
    const char  *path;

    path = getenv("RS_CONNECT_LOG");

    if (path != NULL) {
        fd = open(path, O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0666);
    }
}


static void
watch_log(const struct sockaddr *sa)
{
    int                         n;
    char                        addr[INET6_ADDRSTRLEN], line[128];
    const struct sockaddr_in   *in;
    const struct sockaddr_in6  *in6;

    if (fd == -1 || sa == NULL) {
        return;
    }

    if (sa->sa_family == AF_INET) {
        in = (const struct sockaddr_in *) sa;
        n = snprintf(line, sizeof(line), "%s %d\n",
                     inet_ntop(AF_INET, &in->sin_addr, addr, sizeof(addr)),
                     ntohs(in->sin_port));

    } else if (sa->sa_family == AF_INET6) {
        in6 = (const struct sockaddr_in6 *) sa;
        n = snprintf(line, sizeof(line), "%s %d\n",
                     inet_ntop(AF_INET6, &in6->sin6_addr, addr, sizeof(addr)),
                     ntohs(in6->sin6_port));

    } else {
        return;
    }

    if (write(fd, line, (size_t) n) != n) {
        _exit(1);
    }
}


int
connect(int s, const struct sockaddr *sa, socklen_t len)
{
    int  (*next)(int, const struct sockaddr *, socklen_t);

    watch_log(sa);

    *(void **) &next = dlsym(RTLD_NEXT, "connect");

    return next(s, sa, len);
}


ssize_t
sendto(int s, const void *data, size_t size, int flags,
    const struct sockaddr *sa, socklen_t len)
{
    ssize_t  (*next)(int, const void *, size_t, int, const struct sockaddr *,
                     socklen_t);

    watch_log(sa);

    *(void **) &next = dlsym(RTLD_NEXT, "sendto");

    return next(s, data, size, flags, sa, len);
}
