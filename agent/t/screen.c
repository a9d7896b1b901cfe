
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What a viewer may say over rs-screen, and the pointer as a PNG, read back
 * by the chunks it is made of.
 */

#include "agent_json.h"
#include "agent_png.h"
#include "agent_screen.h"
#include "tap.h"

#include <gio/gio.h>
#include <string.h>


#define NAME_31  "0123456789012345678901234567890"


static const struct {
    const char  *what;
    const char  *text;
    const char  *monitor;           /* NULL: not taken */
    gboolean     pointer;
} cases[] = {
    { "a monitor", "{\"type\":\"monitor\",\"id\":\"HDMI-1\"}", "HDMI-1",
      TRUE },
    { "all of them", "{\"type\":\"monitor\",\"id\":\"screen\"}", "", TRUE },
    { "the longest name", "{\"type\":\"monitor\",\"id\":\"" NAME_31 "\"}",
      NAME_31, TRUE },
    { "a longer one", "{\"type\":\"monitor\",\"id\":\"" NAME_31 "0\"}", NULL,
      FALSE },
    { "no name", "{\"type\":\"monitor\"}", NULL, FALSE },
    { "a number", "{\"type\":\"monitor\",\"id\":1}", NULL, FALSE },
    { "a name that ends early",
      "{\"type\":\"monitor\",\"id\":\"a\\u0000b\"}", NULL, FALSE },
    { "the pointer", "{\"type\":\"pointer\",\"own\":true}", "before", FALSE },
    { "and back", "{\"type\":\"pointer\",\"own\":false}", "before", TRUE },
    { "the pointer's what", "{\"type\":\"pointer\"}", NULL, FALSE },
    { "the pointer as a word", "{\"type\":\"pointer\",\"own\":\"true\"}",
      NULL, FALSE },
    { "another type", "{\"type\":\"reboot\"}", NULL, FALSE },
    { "no type", "{\"id\":\"HDMI-1\"}", NULL, FALSE },
    { "a key twice",
      "{\"type\":\"monitor\",\"id\":\"a\",\"id\":\"b\"}", NULL, FALSE },
    { "a list", "[]", NULL, FALSE },
    { "no JSON", "monitor", NULL, FALSE },
    { "nothing", "", NULL, FALSE }
};


static void
test_parse(void)
{
    gsize                  i;
    gboolean               taken;
    agent_view_t           view;
    agent_rate_decoder_t   decoder;

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        memset(&view, 0, sizeof(view));
        g_strlcpy(view.monitor, "before", sizeof(view.monitor));
        view.pointer = TRUE;

        taken = agent_screen_parse(cases[i].text, strlen(cases[i].text),
                                   &view, &decoder) == AGENT_SCREEN_WISH;

        ok(taken == (cases[i].monitor != NULL)
           && strcmp(view.monitor, taken ? cases[i].monitor : "before") == 0
           && view.pointer == (taken ? cases[i].pointer : TRUE),
           "%s: %s", cases[i].what, taken ? "taken" : "left aside");
    }
}


#define DECODER(span, frames, dropped, ms)                                   \
    "{\"type\":\"decoder\",\"span_ms\":" span                                  \
    ",\"frames\":" frames ",\"dropped\":" dropped ",\"decode_ms\":" ms "}"

static void
test_decoder(void)
{
    gsize                  i;
    agent_view_t           view;
    agent_rate_decoder_t   d = { 1, 2, 3, 4 };

    static const char *const  wrong[] = {
        DECODER("99", "1", "1", "1"), DECODER("60001", "1", "1", "1"),
        DECODER("2000", "-1", "1", "1"), DECODER("2000", "1", "10001", "1"),
        DECODER("2000", "1", "1", "1.5"), DECODER("2000", "1", "1", "\"1\""),
        DECODER("2000", "1", "1", "99999999999999999999"),
        "{\"type\":\"decoder\",\"span_ms\":2000,\"frames\":1}"
    };

    for (i = 0; i < G_N_ELEMENTS(wrong); i++) {
        ok(agent_screen_parse(wrong[i], strlen(wrong[i]), &view, &d)
           == AGENT_SCREEN_NOTHING && d.span_ms == 1 && d.frames == 2
           && d.dropped == 3 && d.decode_ms == 4, "left aside: %s", wrong[i]);
    }

    ok(agent_screen_parse(DECODER("2000", "50", "5", "900"),
                          strlen(DECODER("2000", "50", "5", "900")), &view, &d)
       == AGENT_SCREEN_DECODER && d.span_ms == 2000 && d.frames == 50
       && d.dropped == 5 && d.decode_ms == 900, "a decoder's word");
}


static guint32
number(const guint8 *p)
{
    return (guint32) p[0] << 24 | (guint32) p[1] << 16 | (guint32) p[2] << 8
           | p[3];
}


/* the lines of the picture, each behind its filter */

static GBytes *
lines_of(const guint8 *idat, gsize len)
{
    GBytes                    *bytes;
    g_autoptr(GConverter)      inflate = NULL;
    g_autoptr(GOutputStream)   memory = NULL;
    g_autoptr(GOutputStream)   out = NULL;

    inflate = G_CONVERTER(g_zlib_decompressor_new(
                              G_ZLIB_COMPRESSOR_FORMAT_ZLIB));
    memory = g_memory_output_stream_new_resizable();
    out = g_converter_output_stream_new(memory, inflate);

    if (!g_output_stream_write_all(out, idat, len, NULL, NULL, NULL)
        || !g_output_stream_close(out, NULL, NULL))
    {
        return g_bytes_new(NULL, 0);
    }

    g_output_stream_close(memory, NULL, NULL);
    bytes = g_memory_output_stream_steal_as_bytes(
                G_MEMORY_OUTPUT_STREAM(memory));

    return bytes;
}


static void
test_png(guint width, guint height)
{
    guint                   i, y, same;
    const guint8           *p, *line;
    g_autoptr(GBytes)       lines = NULL;
    g_autoptr(GByteArray)   png = NULL;
    g_autofree guint8      *rgba = NULL;

    rgba = g_malloc((gsize) width * height * 4);

    for (i = 0; i < width * height * 4; i++) {
        rgba[i] = (guint8) (i * 2654435761u >> 13);
    }

    png = agent_png(rgba, width, height);
    p = png->data;

    ok(memcmp(p, "\x89PNG\r\n\x1a\n", 8) == 0 && number(p + 8) == 13
       && memcmp(p + 12, "IHDR", 4) == 0 && number(p + 16) == width
       && number(p + 20) == height
       && memcmp(p + 24, "\x08\x06\0\0\0", 5) == 0,
       "%u by %u: the header", width, height);

    /* an empty chunk has always the same sum */

    ok(memcmp(p + png->len - 12, "\0\0\0\0IEND\xae\x42\x60\x82", 12) == 0,
       "the end");
    ok(memcmp(p + 37, "IDAT", 4) == 0 && number(p + 33) == png->len - 57,
       "one chunk of data between them");

    lines = lines_of(p + 41, number(p + 33));
    is_int((gint64) g_bytes_get_size(lines), (width * 4 + 1) * height,
           "of the right size");

    line = g_bytes_get_data(lines, NULL);

    for (y = 0, same = 0;
         y < height && g_bytes_get_size(lines) == (width * 4 + 1) * height;
         y++, line += width * 4 + 1)
    {
        same += line[0] == 0
                && memcmp(line + 1, rgba + (gsize) y * width * 4, width * 4)
                   == 0;
    }

    is_int(same, height, "with every line of the picture");
}


static void
test_cursor(void)
{
    gint64               n;
    gsize                len;
    const char          *text;
    agent_cursor_t       cursor = { 2, 3, 1, 2, NULL };
    g_autofree char     *message = NULL;
    g_autofree guint8   *png = NULL;
    g_autoptr(json_t)    obj = NULL;

    cursor.rgba = g_malloc0(2 * 3 * 4);
    message = agent_screen_cursor(&cursor);
    obj = agent_json_load(message, strlen(message), 65536, NULL);

    is_str(agent_json_string(obj, "type", 16), "cursor", "a cursor message");
    ok(agent_json_int(obj, "x", 1, 1, &n) && agent_json_int(obj, "y", 2, 2, &n)
       && agent_json_int(obj, "width", 2, 2, &n)
       && agent_json_int(obj, "height", 3, 3, &n), "where it clicks, its size");

    text = agent_json_string(obj, "png", 65536);
    png = g_base64_decode(text, &len);
    ok(len > 57 && memcmp(png + 1, "PNG", 3) == 0, "and the picture");

    /* the largest, of noise, fits into a message */

    g_free(cursor.rgba);
    cursor.width = AGENT_CURSOR_SIZE;
    cursor.height = AGENT_CURSOR_SIZE;
    cursor.rgba = g_malloc(AGENT_CURSOR_SIZE * AGENT_CURSOR_SIZE * 4);

    for (n = 0; n < AGENT_CURSOR_SIZE * AGENT_CURSOR_SIZE * 4; n++) {
        cursor.rgba[n] = (guint8) g_random_int();
    }

    g_free(message);
    message = agent_screen_cursor(&cursor);
    ok(strlen(message) < AGENT_CHANNEL_MESSAGE, "the largest fits: %u bytes",
       (guint) strlen(message));
    g_free(cursor.rgba);
}


int
main(void)
{
    test_parse();
    test_decoder();
    test_png(1, 1);
    test_png(3, 5);
    test_png(96, 96);
    test_cursor();

    return done();
}
