
/*
 * Copyright (C) rs-gateway contributors
 *
 * Envelopes between bytes and struct.  One table says what each kind has; the
 * encoder uses the decoder's check, so what is encoded always decodes.
 */


#include "rs_env.h"
#include "rs_addr.h"

#include <string.h>


#define RS_ENV_VERSION   "rs1"

/* fields; those of "needs" must be there, those of "may" can be */
#define RS_ENV_TENANT    0x01
#define RS_ENV_SESSION   0x02
#define RS_ENV_POSITION  0x04
#define RS_ENV_FROM      0x08
#define RS_ENV_PEER      0x10         /* to: a participant */
#define RS_ENV_ADDRESS   0x20         /* to: a socket */
#define RS_ENV_ID        0x40
#define RS_ENV_BODY      0x80
#define RS_ENV_SOCKET    0x100        /* id: a socket */
#define RS_ENV_PIPE      0x200        /* session: a pipe */
#define RS_ENV_RECORDING 0x400        /* session: a recording */

#define RS_ENV_PLACE     (RS_ENV_TENANT|RS_ENV_SESSION|RS_ENV_POSITION)
#define RS_ENV_PATH      (RS_ENV_TENANT|RS_ENV_SESSION|RS_ENV_ADDRESS        \
                          |RS_ENV_SOCKET)


typedef struct {
    const char  *name;
    unsigned     needs;
    unsigned     may;
} rs_env_spec_t;


static rs_err_e rs_env_check(const rs_env_t *env, int has_position);
static int rs_env_socket(rs_str_t address);
static int rs_env_field(rs_str_t *rest, uint8_t sep, rs_str_t *field);
static void rs_env_put(rs_buf_t *b, rs_str_t s, char sep);


static const rs_env_spec_t  rs_env_specs[] = {
    [RS_ENV_SIG] = { "sig",
                     RS_ENV_PLACE|RS_ENV_FROM|RS_ENV_ID|RS_ENV_BODY,
                     RS_ENV_PEER },
    [RS_ENV_EVT] = { "evt", RS_ENV_PLACE|RS_ENV_BODY, RS_ENV_FROM },
    [RS_ENV_END] = { "end", RS_ENV_PLACE|RS_ENV_BODY, 0 },
    [RS_ENV_INV] = { "inv", RS_ENV_TENANT|RS_ENV_SESSION|RS_ENV_ADDRESS, 0 },
    [RS_ENV_RVK] = { "rvk",
                     RS_ENV_TENANT|RS_ENV_SESSION|RS_ENV_ADDRESS|RS_ENV_BODY,
                     0 },
    [RS_ENV_FEN] = { "fen", RS_ENV_ADDRESS|RS_ENV_BODY, RS_ENV_TENANT },
    [RS_ENV_BCN] = { "bcn", RS_ENV_ID, 0 },
    [RS_ENV_VOL] = { "vol", RS_ENV_PATH|RS_ENV_FROM|RS_ENV_BODY, 0 },
    [RS_ENV_GON] = { "gon", RS_ENV_PATH, 0 },
    [RS_ENV_PIP] = { "pip",
                     RS_ENV_TENANT|RS_ENV_PIPE|RS_ENV_ADDRESS|RS_ENV_BODY, 0 },
    [RS_ENV_REC] = { "rec",
                     RS_ENV_TENANT|RS_ENV_RECORDING|RS_ENV_ADDRESS
                     |RS_ENV_BODY, 0 }
};


rs_env_kind_e
rs_env_kind(rs_str_t name)
{
    unsigned  i;

    for (i = RS_ENV_SIG; i <= RS_ENV_REC; i++) {
        if (rs_str_eq(name, rs_str(rs_env_specs[i].name))) {
            return (rs_env_kind_e) i;
        }
    }

    return RS_ENV_NONE;
}


const char *
rs_env_kind_name(rs_env_kind_e kind)
{
    if (kind < RS_ENV_SIG || kind > RS_ENV_REC) {
        return NULL;
    }

    return rs_env_specs[kind].name;
}


static rs_err_e
rs_env_check(const rs_env_t *env, int has_position)
{
    unsigned              has, to, id, object;
    uint64_t              number;
    const rs_env_spec_t  *spec;

    if (rs_env_kind_name(env->kind) == NULL) {
        return RS_E_INVALID_VALUE;
    }

    spec = &rs_env_specs[env->kind];
    to = (spec->needs | spec->may) & (RS_ENV_PEER|RS_ENV_ADDRESS);
    id = (spec->needs & RS_ENV_SOCKET) ? RS_ENV_SOCKET : RS_ENV_ID;
    object = spec->needs & (RS_ENV_PIPE|RS_ENV_RECORDING);
    object = object ? object : RS_ENV_SESSION;

    has = (env->tenant.len ? RS_ENV_TENANT : 0)
          | (env->session.len ? object : 0)
          | (has_position ? RS_ENV_POSITION : 0)
          | (env->from.len ? RS_ENV_FROM : 0)
          | (env->to.len ? (to ? to : RS_ENV_PEER) : 0)
          | (env->id.len ? id : 0)
          | (env->body.len ? RS_ENV_BODY : 0);

    if ((has & spec->needs) != spec->needs
        || (has & ~(spec->needs | spec->may)) != 0)
    {
        return RS_E_INVALID_VALUE;
    }

    if (((has & RS_ENV_TENANT) && rs_tenant_check(env->tenant) != RS_OK)
        || ((has & RS_ENV_SESSION)
            && rs_id_check(env->session, RS_ID_SESSION) != RS_OK)
        || ((has & RS_ENV_PIPE)
            && rs_id_check(env->session, RS_ID_PIPE) != RS_OK)
        || ((has & RS_ENV_RECORDING)
            && rs_id_check(env->session, RS_ID_RECORDING) != RS_OK)
        || ((has & RS_ENV_FROM)
            && rs_id_check(env->from, RS_ID_PARTICIPANT) != RS_OK)
        || ((has & RS_ENV_PEER)
            && rs_id_check(env->to, RS_ID_PARTICIPANT) != RS_OK)
        || ((has & RS_ENV_ADDRESS) && !rs_env_socket(env->to))
        || ((has & RS_ENV_SOCKET) && !rs_env_socket(env->id))
        || ((has & RS_ENV_ID)
            && !rs_u64_parse(env->id, UINT64_MAX, &number)))
    {
        return RS_E_INVALID_VALUE;
    }

    return RS_OK;
}


static int
rs_env_socket(rs_str_t address)
{
    rs_addr_t  addr;

    return rs_addr_parse(address, &addr) == RS_OK && addr.conn != 0;
}


/* the next field, empty for "-"; a field is never empty in the text */

static int
rs_env_field(rs_str_t *rest, uint8_t sep, rs_str_t *field)
{
    if (!rs_str_split(*rest, sep, field, rest) || field->len == 0) {
        return 0;
    }

    if (field->len == 1 && field->data[0] == '-') {
        field->len = 0;
    }

    return 1;
}


rs_err_e
rs_env_decode(rs_str_t s, rs_env_t *env)
{
    rs_str_t  header, rest, version, kind, position;

    memset(env, 0, sizeof(rs_env_t));

    header.data = s.data;
    header.len = (s.len < RS_ENV_HEADER_MAX) ? s.len : RS_ENV_HEADER_MAX;

    if (!rs_str_split(header, '\n', &header, &rest)) {
        return RS_E_INVALID_VALUE;
    }

    env->body.data = s.data + header.len + 1;
    env->body.len = s.len - header.len - 1;

    /* the LF ends the last field */
    rest.data = s.data;
    rest.len = header.len + 1;

    if (!rs_env_field(&rest, ' ', &version)
        || !rs_str_eq(version, RS_STR(RS_ENV_VERSION))
        || !rs_env_field(&rest, ' ', &kind)
        || !rs_env_field(&rest, ' ', &env->tenant)
        || !rs_env_field(&rest, ' ', &env->session)
        || !rs_env_field(&rest, ' ', &position)
        || !rs_env_field(&rest, ' ', &env->from)
        || !rs_env_field(&rest, ' ', &env->to)
        || !rs_env_field(&rest, '\n', &env->id))
    {
        return RS_E_INVALID_VALUE;
    }

    env->kind = rs_env_kind(kind);

    if (position.len && rs_pos_parse(position, &env->position) != RS_OK) {
        return RS_E_INVALID_VALUE;
    }

    return rs_env_check(env, position.len != 0);
}


static void
rs_env_put(rs_buf_t *b, rs_str_t s, char sep)
{
    rs_buf_str(b, s.len ? s : RS_STR("-"));
    rs_buf_char(b, sep);
}


rs_err_e
rs_env_encode(rs_buf_t *b, const rs_env_t *env)
{
    int       has_position;
    char      pos[RS_POS_MAX];
    rs_str_t  position;

    has_position = rs_env_kind_name(env->kind) != NULL
                   && (rs_env_specs[env->kind].needs & RS_ENV_POSITION);

    if (rs_env_check(env, has_position) != RS_OK
        || (!has_position && (env->position.epoch || env->position.n)))
    {
        return RS_E_INVALID_VALUE;
    }

    position.data = (uint8_t *) pos;
    position.len = has_position
                   ? rs_pos_format(&env->position, pos, sizeof(pos)) : 0;

    rs_env_put(b, RS_STR(RS_ENV_VERSION), ' ');
    rs_env_put(b, rs_str(rs_env_kind_name(env->kind)), ' ');
    rs_env_put(b, env->tenant, ' ');
    rs_env_put(b, env->session, ' ');
    rs_env_put(b, position, ' ');
    rs_env_put(b, env->from, ' ');
    rs_env_put(b, env->to, ' ');
    rs_env_put(b, env->id, '\n');
    rs_buf_str(b, env->body);

    return b->overflow ? RS_E_WS_TOO_BIG : RS_OK;
}
