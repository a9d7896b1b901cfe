
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the templates of commands.  A parameter is put into its argument as it
 * is: what an argument is, and where it ends, the template alone says.
 */

#include "agent_command.h"

#include <string.h>


#define AGENT_COMMAND_LETTERS  G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_-"
#define AGENT_COMMAND_PARAM    "param."
#define AGENT_COMMAND_VALUE    (RS_PARAM_TEXT_MAX + 1)


static gboolean agent_command_named(const char *name);
static gboolean agent_command_number(const char *key, const char *value,
    guint max, guint *number, GError **error);
static gboolean agent_command_words(agent_command_t *command,
    const char *value, GError **error);
static gboolean agent_command_param(agent_command_t *command,
    const char *name, const char *value, GError **error);
static void agent_param_free(void *data);
static agent_param_t *agent_command_find(const agent_command_t *command,
    const char *name, gsize len);
static gboolean agent_command_used(const agent_command_t *command,
    const agent_param_t *param);
static char *agent_command_value(const agent_param_t *param,
    const json_t *args, GError **error);
static char *agent_command_word(const agent_command_t *command,
    const char *word, const json_t *args, GError **error);


static gboolean
agent_command_named(const char *name)
{
    gsize  len = strlen(name);

    return len != 0 && len <= AGENT_COMMAND_NAME
           && name[strspn(name, AGENT_COMMAND_LETTERS)] == '\0';
}


agent_command_t *
agent_command_new(const char *name, GError **error)
{
    agent_command_t  *command;

    if (!agent_command_named(name)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "\"%s\" is no name of a command: 1 to %d letters, "
                    "digits, \"-\" and \"_\" are wanted", name,
                    AGENT_COMMAND_NAME);
        return NULL;
    }

    command = g_new0(agent_command_t, 1);
    command->name = g_strdup(name);
    command->timeout_s = 60;
    command->output = 1024;
    command->params = g_ptr_array_new_with_free_func(agent_param_free);

    return command;
}


static void
agent_param_free(void *data)
{
    agent_param_t  *param = data;

    g_free(param->name);
    g_free(param->text);
    g_free(param);
}


void
agent_command_free(void *data)
{
    agent_command_t  *command = data;

    g_free(command->name);
    g_strfreev(command->argv);
    g_free(command->user);
    g_ptr_array_unref(command->params);
    g_free(command);
}


gboolean
agent_command_set(agent_command_t *command, const char *key,
    const char *value, GError **error)
{
    if (strcmp(key, "argv") == 0) {
        return agent_command_words(command, value, error);
    }

    if (strcmp(key, "user") == 0 && value[0] != '\0') {
        g_free(command->user);
        command->user = g_strdup(value);
        return TRUE;
    }

    if (strcmp(key, "timeout") == 0) {
        return agent_command_number(key, value, 3600, &command->timeout_s,
                                    error);
    }

    if (strcmp(key, "output") == 0) {
        return agent_command_number(key, value, 1048576, &command->output,
                                    error);
    }

    if (g_str_has_prefix(key, AGENT_COMMAND_PARAM)) {
        return agent_command_param(command,
                                   key + strlen(AGENT_COMMAND_PARAM), value,
                                   error);
    }

    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                "unknown key \"%s\" in [command %s]", key, command->name);

    return FALSE;
}


static gboolean
agent_command_number(const char *key, const char *value, guint max,
    guint *number, GError **error)
{
    guint64  n;

    if (!g_ascii_string_to_unsigned(value, 10, 1, max, &n, NULL)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "invalid %s \"%s\": a number from 1 to %u is wanted",
                    key, value, max);
        return FALSE;
    }

    *number = (guint) n;

    return TRUE;
}


static gboolean
agent_command_words(agent_command_t *command, const char *value,
    GError **error)
{
    guint           n;
    g_auto(GStrv)   words = NULL;

    words = g_strsplit(value, ";", AGENT_COMMAND_WORDS + 1);
    n = g_strv_length(words);

    /* a ";" at the end is not taken for one more */

    if (n > 1 && words[n - 1][0] == '\0') {
        g_clear_pointer(&words[--n], g_free);
    }

    if (n == 0 || n > AGENT_COMMAND_WORDS || words[0][0] != '/'
        || strchr(words[0], '{') != NULL)
    {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "invalid argv \"%s\": a program's whole path is wanted, "
                    "and at most %d arguments with \";\" between them",
                    value, AGENT_COMMAND_WORDS - 1);
        return FALSE;
    }

    g_strfreev(command->argv);
    command->argv = g_steal_pointer(&words);

    return TRUE;
}


static gboolean
agent_command_param(agent_command_t *command, const char *name,
    const char *value, GError **error)
{
    agent_param_t  *param;

    param = g_new0(agent_param_t, 1);
    param->name = g_strdup(name);
    param->text = g_strdup(value);

    if (!agent_command_named(name)
        || agent_command_find(command, name, strlen(name)) != NULL
        || command->params->len == AGENT_COMMAND_PARAMS
        || rs_param_parse(rs_str(param->text), &param->type) != RS_OK)
    {
        agent_param_free(param);
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "invalid param.%s \"%s\": int:MIN-MAX, word, text:MAX or "
                    "one:A|B|C is wanted, of at most %d parameters", name,
                    value, AGENT_COMMAND_PARAMS);
        return FALSE;
    }

    g_ptr_array_add(command->params, param);

    return TRUE;
}


static agent_param_t *
agent_command_find(const agent_command_t *command, const char *name,
    gsize len)
{
    guint           i;
    agent_param_t  *param;

    for (i = 0; i < command->params->len; i++) {
        param = g_ptr_array_index(command->params, i);

        if (strlen(param->name) == len
            && strncmp(param->name, name, len) == 0)
        {
            return param;
        }
    }

    return NULL;
}


static gboolean
agent_command_used(const agent_command_t *command,
    const agent_param_t *param)
{
    guint             i;
    g_autofree char  *mark = g_strconcat("{", param->name, "}", NULL);

    for (i = 0; command->argv[i] != NULL; i++) {
        if (strstr(command->argv[i], mark) != NULL) {
            return TRUE;
        }
    }

    return FALSE;
}


/* of an argument at most one parameter, which is known; all are used */

gboolean
agent_command_whole(const agent_command_t *command, GError **error)
{
    guint         i;
    const char   *open, *close;

    if (command->argv == NULL || command->user == NULL) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "[command %s] has no %s", command->name,
                    command->argv == NULL ? "argv" : "user");
        return FALSE;
    }

    for (i = 0; command->argv[i] != NULL; i++) {
        open = strchr(command->argv[i], '{');
        close = strchr(command->argv[i], '}');

        if (open == NULL && close == NULL) {
            continue;
        }

        if (open == NULL || close == NULL || close < open
            || strpbrk(close + 1, "{}") != NULL
            || agent_command_find(command, open + 1,
                                  (gsize) (close - open - 1)) == NULL)
        {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                        "[command %s]: \"%s\" is to have one parameter that "
                        "a param.NAME declares", command->name,
                        command->argv[i]);
            return FALSE;
        }
    }

    for (i = 0; i < command->params->len; i++) {
        agent_param_t  *param = g_ptr_array_index(command->params, i);

        if (!agent_command_used(command, param)) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                        "[command %s]: argv has no {%s}", command->name,
                        param->name);
            return FALSE;
        }
    }

    return TRUE;
}


static char *
agent_command_value(const agent_param_t *param, const json_t *args,
    GError **error)
{
    gint64            number;
    const char       *text;
    g_autofree char  *value = NULL;

    text = agent_json_string(args, param->name, AGENT_COMMAND_VALUE);

    if (text != NULL) {
        value = g_strdup(text);

    } else if (agent_json_int(args, param->name, 0, G_MAXINT64, &number)) {
        value = g_strdup_printf("%" G_GINT64_FORMAT, number);
    }

    if (value == NULL || rs_param_check(&param->type, rs_str(value)) != RS_OK)
    {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "\"%s\" is missing, or is not %s", param->name,
                    param->text);
        return NULL;
    }

    return g_steal_pointer(&value);
}


static char *
agent_command_word(const agent_command_t *command, const char *word,
    const json_t *args, GError **error)
{
    const char       *open, *close;
    agent_param_t    *param;
    g_autofree char  *head = NULL;
    g_autofree char  *value = NULL;

    open = strchr(word, '{');

    if (open == NULL) {
        return g_strdup(word);
    }

    close = strchr(open, '}');
    param = agent_command_find(command, open + 1,
                               (gsize) (close - open - 1));
    value = agent_command_value(param, args, error);

    if (value == NULL) {
        return NULL;
    }

    head = g_strndup(word, (gsize) (open - word));

    return g_strconcat(head, value, close + 1, NULL);
}


char **
agent_command_argv(const agent_command_t *command, const json_t *args,
    GError **error)
{
    guint            i, n;
    const char      *name;
    json_t          *value;
    g_auto(GStrv)    argv = NULL;

    /* a value that nobody asked for is one that somebody relies on */

    json_object_foreach((json_t *) args, name, value) {
        if (agent_command_find(command, name, strlen(name)) == NULL) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                        "there is a parameter that \"%s\" has not",
                        command->name);
            return NULL;
        }
    }

    n = g_strv_length(command->argv);
    argv = g_new0(char *, n + 1);

    for (i = 0; i < n; i++) {
        argv[i] = agent_command_word(command, command->argv[i], args, error);

        if (argv[i] == NULL) {
            return NULL;
        }
    }

    return g_steal_pointer(&argv);
}
