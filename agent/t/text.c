
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What of other people's text is shown.
 */

#include "agent_text.h"
#include "tap.h"

#include <string.h>


static void
cleaned(const char *text, guint max, const char *want, const char *what)
{
    g_autofree char  *got = agent_text_clean(text, text ? strlen(text) : 0,
                                             max);

    is_str(got, want, what);
    ok(g_utf8_validate(got, -1, NULL), "valid UTF-8");
}


int
main(void)
{
    cleaned(NULL, 10, "", "nothing");
    cleaned("", 10, "", "an empty text");
    cleaned("Anna", 10, "Anna", "a name");
    cleaned("J\xc3\xbcrgen \xe6\x9d\xb1", 10, "J\xc3\xbcrgen \xe6\x9d\xb1",
            "in other scripts");
    cleaned("<b>&amp;</b>", 20, "<b>&amp;</b>", "markup is text");
    cleaned(" a \t\r\n b\n", 10, "a b", "white space");
    cleaned("a\x01\x1b[31mb\x7f", 10, "a[31mb", "controls");
    cleaned("a\xe2\x80\xae" "cba\xe2\x80\xac", 10, "acba", "bidi overrides");
    cleaned("a\xe2\x81\xa6" "b\xe2\x81\xa9", 10, "ab", "bidi isolates");
    cleaned("a\xe2\x80\x8b\xef\xbb\xbf" "b", 10, "ab", "zero width");
    cleaned("a\xe2\x80\xa8" "b", 10, "a b", "a separator of lines");
    cleaned("a\xee\x80\x80" "b", 10, "ab", "private use");
    cleaned("a\xff" "b", 10, "a\xef\xbf\xbd" "b", "no UTF-8");
    cleaned("a\xcc\x80\xcc\x80\xcc\x80\xcc\x80", 10, "a\xcc\x80\xcc\x80",
            "two marks on one character");
    cleaned("\xcc\x80" "a", 10, "a", "a mark on nothing");
    cleaned("abcdef", 6, "abcdef", "just as long");
    cleaned("abcdefg", 6, "abcdef\xe2\x80\xa6", "too long");
    cleaned("abcde fg", 6, "abcde\xe2\x80\xa6", "cut at a blank");

    return done();
}
