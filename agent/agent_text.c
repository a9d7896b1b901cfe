
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what of other people's text is shown.
 */

#include "agent_text.h"

#include <string.h>


#define AGENT_TEXT_MARKS  2         /* on one character */


static gboolean agent_text_drawn(gunichar c, guint *marks);


/* marks: how many the character before has */

static gboolean
agent_text_drawn(gunichar c, guint *marks)
{
    switch (g_unichar_type(c)) {

    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_UNASSIGNED:
    case G_UNICODE_PRIVATE_USE:
    case G_UNICODE_SURROGATE:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
        return FALSE;

    case G_UNICODE_SPACING_MARK:
    case G_UNICODE_ENCLOSING_MARK:
    case G_UNICODE_NON_SPACING_MARK:
        return (*marks)++ < AGENT_TEXT_MARKS;

    default:
        *marks = 0;
        return TRUE;
    }
}


char *
agent_text_clean(const char *text, gsize len, guint max)
{
    guint               n, marks;
    gunichar            c;
    gboolean            blank;
    GString            *out;
    const char         *p;
    g_autofree char    *valid = NULL;

    out = g_string_new(NULL);

    if (text == NULL) {
        return g_string_free(out, FALSE);
    }

    valid = g_utf8_make_valid(text, (gssize) len);
    n = 0;
    marks = AGENT_TEXT_MARKS;
    blank = FALSE;

    for (p = valid; *p != '\0'; p = g_utf8_next_char(p)) {
        c = g_utf8_get_char(p);

        if (g_unichar_isspace(c)) {
            blank = (n > 0);
            continue;
        }

        if (!agent_text_drawn(c, &marks)) {
            continue;
        }

        if (n + (blank ? 1 : 0) >= max) {
            g_string_append(out, "\xe2\x80\xa6");
            break;
        }

        if (blank) {
            g_string_append_c(out, ' ');
            blank = FALSE;
            n++;
        }

        g_string_append_unichar(out, c);
        n++;
    }

    return g_string_free(out, FALSE);
}
