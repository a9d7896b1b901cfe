
/*
 * Copyright (C) rs-gateway contributors
 *
 * Where Redis is, as the directive rs_redis and the TURN daemon have it:
 *
 *     redis://host[:port][/db]       rediss:// the same with TLS
 *     sentinel://host[:port][,...]/name[/db]     sentinel+tls://
 *     unix:/path
 */


#ifndef _RS_REDIS_URL_H_INCLUDED_
#define _RS_REDIS_URL_H_INCLUDED_


#include "rs_host.h"


#define RS_REDIS_SERVERS_MAX     16
#define RS_REDIS_DB_MAX          65535
#define RS_REDIS_PORT            6379
#define RS_REDIS_SENTINEL_PORT   26379
#define RS_REDIS_UNIX_MAX        107       /* of sockaddr_un */
#define RS_REDIS_MASTER_MAX      255


/* slices of the URL */

typedef struct {
    rs_str_t            text;              /* host:port, for logs */
    rs_str_t            host;              /* no brackets; or the path */
    unsigned            port;              /* 0: a path */
} rs_redis_server_t;


typedef struct {
    rs_redis_server_t   servers[RS_REDIS_SERVERS_MAX];
    size_t              n;
    rs_str_t            master;            /* Sentinel's name of it */
    unsigned            db;
    unsigned            tls:1;
    unsigned            sentinel:1;        /* the servers are Sentinels */
    unsigned            local:1;           /* the server is a path */
} rs_redis_url_t;


/* NULL: good; else what is wrong, with the cure */
const char *rs_redis_url_parse(rs_str_t text, rs_redis_url_t *url);


#endif /* _RS_REDIS_URL_H_INCLUDED_ */
