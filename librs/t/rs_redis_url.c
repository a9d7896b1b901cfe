
/*
 * Copyright (C) rs-gateway contributors
 *
 * Where Redis is.
 */


#include "tap.h"
#include "rs_redis_url.h"


static const struct {
    const char  *text;
    const char  *hosts;               /* each with a blank after it */
    const char  *master;
    unsigned     port;                /* of the last */
    unsigned     db;
    unsigned     flags;               /* 1 TLS, 2 Sentinel, 4 local */
} good[] = {
    { "redis://127.0.0.1", "127.0.0.1 ", "", 6379, 0, 0 },
    { "redis://r.example.net:7000/3", "r.example.net ", "", 7000, 3, 0 },
    { "redis://r/", "r ", "", 6379, 0, 0 },
    { "redis://[::1]:7000", "::1 ", "", 7000, 0, 0 },
    { "rediss://r/65535", "r ", "", 6379, 65535, 1 },
    { "sentinel://a,b:1,[::1]:2/main", "a b ::1 ", "main", 2, 0, 2 },
    { "sentinel://a/main/", "a ", "main", 26379, 0, 2 },
    { "sentinel+tls://a.test,b.test/m/7", "a.test b.test ", "m", 26379, 7,
      3 },
    { "unix:/run/redis/redis.sock", "/run/redis/redis.sock ", "", 0, 0, 4 },
    { "unix:/a b@c", "/a b@c ", "", 0, 0, 4 }
};

static const struct {
    const char  *text;
    const char  *says;
} bad[] = {
    { "", "must be" }, { "redis://", "must be" }, { "redis:/a", "must be" },
    { "http://a", "must be" }, { "Redis://a", "must be" },
    { "rediss:/a", "must be" }, { "sentinel://", "must be" },
    { "redis://:pw@host", "no password" },
    { "sentinel://a/b@c", "no password" },
    { "redis://a/x", "must be a number" },
    { "redis://a/65536", "must be a number" },
    { "redis://a/01", "must be a number" },
    { "redis://a/1/2", "must be a number" },
    { "redis:///1", "a host is empty" },
    { "redis://a,b", "a host must be" },
    { "redis://a:0", "a host must be" },
    { "redis://a:65536", "a host must be" },
    { "redis://::1", "a host must be" },
    { "redis://a b", "a host must be" },
    { "sentinel://a", "after the Sentinels" },
    { "sentinel://a/", "after the Sentinels" },
    { "sentinel://a//", "is empty" },
    { "sentinel://a/m n", "is no name" },
    { "sentinel://a/m/x", "must be a number" },
    { "sentinel://a,/m", "a host is empty" },
    { "sentinel://,a/m", "a host is empty" },
    { "sentinel://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a/m",
      "more than 16 Sentinels" },
    { "unix:", "begins with" }, { "unix:redis.sock", "begins with" },
    { "unix:/a\nb", "control" },
    { "unix:/0123456789012345678901234567890123456789012345678901234567890123"
      "45678901234567890123456789012345678901234567", "107 bytes" }
};


int
main(void)
{
    char             hosts[1024];
    size_t           i, k;
    unsigned         flags;
    rs_buf_t         b;
    const char      *error;
    rs_redis_url_t   url;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        error = rs_redis_url_parse(rs_str(good[i].text), &url);

        if (!ok(error == NULL, "%s", good[i].text)) {
            printf("#   %s\n", error);
            continue;
        }

        rs_buf_init(&b, hosts, sizeof(hosts));

        for (k = 0; k < url.n; k++) {
            rs_buf_str(&b, url.servers[k].host);
            rs_buf_char(&b, ' ');
        }

        is_str(rs_buf_get(&b), good[i].hosts, "its hosts");
        is_str(url.master, good[i].master, "its master");
        is_int(url.servers[url.n - 1].port, good[i].port, "its port");
        is_int(url.db, good[i].db, "its database");

        flags = url.tls | (unsigned) url.sentinel << 1
                | (unsigned) url.local << 2;
        is_int(flags, good[i].flags, "what it is");
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        error = rs_redis_url_parse(rs_str(bad[i].text), &url);

        if (!ok(error && strstr(error, bad[i].says), "refused: %s",
                bad[i].text))
        {
            printf("#   %s\n", error ? error : "taken");
        }
    }

    return tap_done();
}
