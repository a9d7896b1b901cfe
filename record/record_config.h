
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * record.conf: [agent], the keys of agent.conf that a service has, and
 * [recorder].
 */

#ifndef _RECORD_CONFIG_H_INCLUDED_
#define _RECORD_CONFIG_H_INCLUDED_


#include "agent_config.h"


#define RECORD_CONFIG_FILE     "/etc/rs-gateway/record.conf"
#define RECORD_STATE_DIR       "/var/lib/rs-record"
#define RECORD_DIRECTORY       "/var/lib/rs-record/recordings"


typedef struct {
    agent_config_t  *agent;
    char            *directory;
    char           **auditors;      /* paths of certificates */
    guint            max_sessions;  /* recorded at once */
    guint            retention_days;    /* 0: kept until somebody deletes */
    guint            min_free;      /* MiB of the disk, at least */
    guint            silence_s;     /* without a packet: connects anew */
} record_config_t;


record_config_t *record_config_new(void);
void record_config_free(record_config_t *config);

/* RECORD_ERROR_USAGE or agent_config_error_e; each names what is wrong. */
gboolean record_config_read(record_config_t *config, const char *path,
    GError **error);
gboolean record_config_parse(record_config_t *config, const char *text,
    gsize len, GError **error);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(record_config_t, record_config_free)


#endif /* _RECORD_CONFIG_H_INCLUDED_ */
