
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What can be wrong with a recording, a key or a command line.
 */

#ifndef _RECORD_ERROR_H_INCLUDED_
#define _RECORD_ERROR_H_INCLUDED_


#include <glib.h>


typedef enum {
    RECORD_ERROR_USAGE = 0,         /* of the command line, of record.conf */
    RECORD_ERROR_KEY,               /* an auditor's certificate or key */
    RECORD_ERROR_IO,
    RECORD_ERROR_FORM,              /* no recording, or not a whole one */
    RECORD_ERROR_CHANGED,           /* not what was signed */
    RECORD_ERROR_FULL               /* no room for another one */
} record_error_e;

#define RECORD_ERROR  record_error_quark()

GQuark record_error_quark(void);

/* FALSE; the errors that OpenSSL has are logged and forgotten. */
gboolean record_error_openssl(GError **error, record_error_e code,
    const char *what);

/* FALSE; errno as text is behind what. */
gboolean record_error_errno(GError **error, const char *what,
    const char *path);


#endif /* _RECORD_ERROR_H_INCLUDED_ */
