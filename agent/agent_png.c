
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * ISO/IEC 15948: the signature, and the chunks IHDR, IDAT and IEND, with the
 * one filter that changes nothing.  The compressor is GLib's.
 */

#include "agent_png.h"

#include <gio/gio.h>
#include <string.h>


static void agent_png_chunk(GByteArray *png, const char *type,
    const guint8 *data, gsize len);
static guint32 agent_png_crc(const guint8 *data, gsize len);
static void agent_png_number(guint8 *out, guint32 n);
static GByteArray *agent_png_deflate(const guint8 *data, gsize len);


GByteArray *
agent_png(const guint8 *rgba, guint width, guint height)
{
    guint                   y;
    guint8                  head[13];
    GByteArray             *png;
    g_autoptr(GByteArray)   lines = NULL;
    g_autoptr(GByteArray)   packed = NULL;

    static const guint8  signature[] = {
        0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'
    };

    static const guint8  no_filter[] = { 0 };

    lines = g_byte_array_new();

    for (y = 0; y < height; y++) {
        g_byte_array_append(lines, no_filter, 1);
        g_byte_array_append(lines, rgba + (gsize) y * width * 4, width * 4);
    }

    packed = agent_png_deflate(lines->data, lines->len);

    memset(head, 0, sizeof(head));
    agent_png_number(head, width);
    agent_png_number(head + 4, height);
    head[8] = 8;                        /* bits */
    head[9] = 6;                        /* red, green, blue, alpha */

    png = g_byte_array_new();
    g_byte_array_append(png, signature, sizeof(signature));
    agent_png_chunk(png, "IHDR", head, sizeof(head));
    agent_png_chunk(png, "IDAT", packed->data, packed->len);
    agent_png_chunk(png, "IEND", NULL, 0);

    return png;
}


static void
agent_png_chunk(GByteArray *png, const char *type, const guint8 *data,
    gsize len)
{
    guint   start;
    guint8  number[4];

    agent_png_number(number, (guint32) len);
    g_byte_array_append(png, number, 4);

    start = png->len;
    g_byte_array_append(png, (const guint8 *) type, 4);

    if (len > 0) {
        g_byte_array_append(png, data, (guint) len);
    }

    agent_png_number(number, agent_png_crc(png->data + start,
                                           png->len - start));
    g_byte_array_append(png, number, 4);
}


/* Annex D, bit by bit: what is sent is small */

static guint32
agent_png_crc(const guint8 *data, gsize len)
{
    int      bit;
    gsize    i;
    guint32  crc;

    crc = 0xffffffff;

    for (i = 0; i < len; i++) {
        crc ^= data[i];

        for (bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) ? 0xedb88320 : 0);
        }
    }

    return ~crc;
}


static void
agent_png_number(guint8 *out, guint32 n)
{
    n = GUINT32_TO_BE(n);
    memcpy(out, &n, sizeof(n));
}


static GByteArray *
agent_png_deflate(const guint8 *data, gsize len)
{
    gsize                        used, made;
    guint8                       room[4096];
    GByteArray                  *packed;
    GConverterResult             result;
    g_autoptr(GConverter)        deflate = NULL;

    deflate = G_CONVERTER(g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_ZLIB,
                                                -1));
    packed = g_byte_array_new();

    do {
        result = g_converter_convert(deflate, data, len, room, sizeof(room),
                                     G_CONVERTER_INPUT_AT_END, &used, &made,
                                     NULL);
        if (result == G_CONVERTER_ERROR) {
            break;
        }

        data += used;
        len -= used;
        g_byte_array_append(packed, room, (guint) made);

    } while (result != G_CONVERTER_FINISHED);

    return packed;
}
