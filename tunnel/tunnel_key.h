
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The API key, or a user's token: what the gateway knows the caller by.
 */

#ifndef _TUNNEL_KEY_H_INCLUDED_
#define _TUNNEL_KEY_H_INCLUDED_


#include <glib.h>


#define TUNNEL_KEY_ENV  "RS_TUNNEL_KEY"


/*
 * From the file that was named, the environment, the configured file, or a
 * question at the terminal, in this order; never from the command line.  NULL:
 * TUNNEL_ERROR_USAGE says how to give one.  Free it by tunnel_key_free().
 */
char *tunnel_key_get(const char *named, const char *configured,
    GError **error);

/* The first line of path, which nobody else may read. */
char *tunnel_key_file(const char *path, GError **error);

/* What is in text, which is overwritten; whence says where it was found. */
char *tunnel_key_take(char *text, const char *whence, GError **error);

void tunnel_key_free(char *key);


#endif /* _TUNNEL_KEY_H_INCLUDED_ */
