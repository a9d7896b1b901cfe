
/*
 * Copyright (C) rs-gateway contributors
 */

#include "tunnel_error.h"


G_DEFINE_QUARK(tunnel-error-quark, tunnel_error)


int
tunnel_error_status(const GError *error)
{
    if (error->domain != TUNNEL_ERROR) {
        return TUNNEL_ERROR_FAILED;
    }

    switch (error->code) {

    case TUNNEL_ERROR_BUSY:
        return TUNNEL_ERROR_REFUSED;

    case TUNNEL_ERROR_GONE:
        return TUNNEL_ERROR_ABSENT;

    default:
        return error->code;
    }
}


gboolean
tunnel_error_final(const GError *error)
{
    return g_error_matches(error, TUNNEL_ERROR, TUNNEL_ERROR_REFUSED)
           || g_error_matches(error, TUNNEL_ERROR, TUNNEL_ERROR_GONE);
}
