
/*
 * Copyright (C) rs-gateway contributors
 *
 * sd_notify(3): one datagram to the socket systemd names.
 */


#include "turn_notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rs_str.h"
#include "turn_log.h"


#define TURN_NOTIFY_USEC_MAX  (3600ull * 1000000)


void
turn_notify(const char *state)
{
    int                  fd;
    size_t               len;
    const char          *path;
    struct sockaddr_un   addr;

    path = getenv("NOTIFY_SOCKET");

    if (path == NULL) {
        return;
    }

    len = strlen(path);

    if ((path[0] != '/' && path[0] != '@') || len < 2
        || len >= sizeof(addr.sun_path))
    {
        return;
    }

    memset(&addr, 0, sizeof(addr));
    addr.sun_family = AF_UNIX;
    memcpy(addr.sun_path, path, len);

    /* "@": in the abstract namespace, which a zero byte begins */

    if (path[0] == '@') {
        addr.sun_path[0] = '\0';
    }

    fd = socket(AF_UNIX, SOCK_DGRAM|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return;
    }

    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL,
               (struct sockaddr *) &addr,
               (socklen_t) (offsetof(struct sockaddr_un, sun_path) + len))
        == -1)
    {
        turn_log(TURN_LOG_WARN, "cannot notify systemd");
    }

    (void) close(fd);
}


unsigned
turn_notify_watchdog(void)
{
    uint64_t     usec, pid;
    const char  *text;

    text = getenv("WATCHDOG_USEC");

    if (text == NULL || getenv("NOTIFY_SOCKET") == NULL
        || !rs_u64_parse(rs_str(text), TURN_NOTIFY_USEC_MAX, &usec))
    {
        return 0;
    }

    /* it may be meant for somebody else */

    text = getenv("WATCHDOG_PID");

    if (text != NULL
        && (!rs_u64_parse(rs_str(text), UINT32_MAX, &pid)
            || pid != (uint64_t) getpid()))
    {
        return 0;
    }

    return (unsigned) (usec / 3000);
}
