
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what errors are called.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_error.h"

#include <errno.h>
#include <openssl/err.h>


G_DEFINE_QUARK(record-error, record_error)


gboolean
record_error_openssl(GError **error, record_error_e code, const char *what)
{
    char           text[256];
    unsigned long  e;

    while ((e = ERR_get_error()) != 0) {
        ERR_error_string_n(e, text, sizeof(text));
        g_debug("%s: %s", what, text);
    }

    g_set_error(error, RECORD_ERROR, code, "%s", what);

    return FALSE;
}


gboolean
record_error_errno(GError **error, const char *what, const char *path)
{
    int  err = errno;

    g_set_error(error, RECORD_ERROR, RECORD_ERROR_IO, "%s %s: %s", what,
                path, g_strerror(err));

    return FALSE;
}
