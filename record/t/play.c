
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A recording of pictures and sound that are some: what comes out of it is a
 * file that GStreamer plays, of the right length.
 *
 * RECORD_SAMPLE=DIR: leaves the recording, its tar archive, the auditor's key
 * ("correct horse") and the recorder's public key there.
 */

#include "fixture.h"

#include <fcntl.h>
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <unistd.h>


#define SECONDS  25
#define FPS      10


static fixture_t  f;


static void
on_segment(void *data, const record_segment_t *segment)
{
    ok(record_store_media(data, segment, NULL), "a segment is kept");
}


static GstElement *
source(const char *text, GstElement **sink)
{
    GstElement  *pipeline;

    pipeline = gst_parse_launch(text, NULL);
    *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);

    return pipeline;
}


static GstBuffer *
next(GstElement *sink, gint64 *t_ms)
{
    GstBuffer  *buffer;
    GstSample  *sample;

    sample = gst_app_sink_pull_sample(GST_APP_SINK(sink));

    if (sample == NULL) {
        return NULL;
    }

    buffer = gst_buffer_ref(gst_sample_get_buffer(sample));
    *t_ms = (gint64) (GST_BUFFER_PTS(buffer) / GST_MSECOND);
    gst_sample_unref(sample);

    return buffer;
}


static void
make(record_mux_t *mux)
{
    gint64        t_ms, s_ms;
    GstMapInfo    map;
    GstBuffer    *picture, *packet;
    GstElement   *video, *sound, *v, *s;

    video = source("videotestsrc pattern=ball num-buffers=250 "
                   "! video/x-raw,width=320,height=240,framerate=10/1 "
                   "! vp8enc deadline=1 keyframe-max-dist=80 "
                   "target-bitrate=200000 ! appsink name=sink sync=false", &v);

    sound = source("audiotestsrc num-buffers=1100 samplesperbuffer=960 "
                   "freq=440 volume=0.2 ! audio/x-raw,rate=48000,channels=2 "
                   "! opusenc ! appsink name=sink sync=false", &s);

    record_mux_sounds(mux);
    packet = next(s, &s_ms);

    while ((picture = next(v, &t_ms)) != NULL) {
        gst_buffer_map(picture, &map, GST_MAP_READ);
        record_mux_video(mux, t_ms, map.data, map.size);
        gst_buffer_unmap(picture, &map);
        gst_buffer_unref(picture);

        while (packet != NULL && s_ms <= t_ms) {
            gst_buffer_map(packet, &map, GST_MAP_READ);
            record_mux_sound(mux, s_ms, map.data, map.size);
            gst_buffer_unmap(packet, &map);
            gst_buffer_unref(packet);
            packet = next(s, &s_ms);
        }
    }

    gst_clear_buffer(&packet);
    record_mux_flush(mux, SECONDS * 1000);

    gst_element_set_state(video, GST_STATE_NULL);
    gst_element_set_state(sound, GST_STATE_NULL);
    gst_object_unref(v);
    gst_object_unref(s);
    gst_object_unref(video);
    gst_object_unref(sound);
}


static void
say(record_store_t *store, gint64 t_ms, json_t *event)
{
    record_store_event(store, t_ms, event, NULL);
}


static void
tell(record_store_t *store)
{
    say(store, 0, json_pack("{s:s, s:s}", "type", "begin", "session_id",
                            FIXTURE_SESSION));
    say(store, 0, json_pack("{s:s, s:s, s:s, s:s, s:b}", "type", "joined",
                            "id", "par_aaaaaaaaaaaaaaaaaaaaaaaaaa", "name",
                            "Anna", "role", "controller", "guest", 0));
    say(store, 3000, json_pack("{s:s, s:s}", "type", "control", "holder",
                               "par_aaaaaaaaaaaaaaaaaaaaaaaaaa"));
    say(store, 12000, json_pack("{s:s, s:{s:s, s:b, s:s}}", "type", "path",
                                "path", "kind", "turn", "relay", 1,
                                "protocol", "udp"));
    say(store, 24000, json_pack("{s:s, s:s, s:s}", "type", "left", "id",
                                "par_aaaaaaaaaaaaaaaaaaaaaaaaaa", "reason",
                                "left"));
}


/* frames and length, as GStreamer finds them */

static void
play(const char *path)
{
    guint             frames;
    gint64            t_ms, last_ms;
    GstBuffer        *buffer;
    GstElement       *pipeline, *sink;
    g_autofree char  *text = NULL;

    text = g_strdup_printf("filesrc location=%s ! matroskademux name=d "
                           "d.video_0 ! queue ! vp8dec ! videoconvert "
                           "! appsink name=sink sync=false "
                           "d.audio_0 ! queue ! opusdec ! fakesink "
                           "sync=false", path);
    pipeline = source(text, &sink);
    frames = 0;
    last_ms = 0;

    while ((buffer = next(sink, &t_ms)) != NULL) {
        frames++;
        last_ms = t_ms;
        gst_buffer_unref(buffer);
    }

    ok(frames == SECONDS * FPS, "%u frames are decoded", frames);
    ok(last_ms == SECONDS * 1000 - 1000 / FPS, "the last of %"
       G_GINT64_FORMAT " ms", last_ms);

    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(sink);
    gst_object_unref(pipeline);
}


static void
leave(const char *to)
{
    int               fd;
    g_autofree char  *tar = g_build_filename(to, "sample.tar", NULL);
    g_autofree char  *key = g_build_filename(to, "auditor.key", NULL);
    g_autofree char  *pub = g_build_filename(to, "recorder.pub", NULL);
    g_autofree char  *text = NULL;

    g_mkdir_with_parents(to, 0700);
    fd = open(tar, O_WRONLY|O_CREAT|O_TRUNC, 0600);
    record_tar_write(f.recordings, FIXTURE_ID, fd, NULL);
    close(fd);
    g_file_get_contents(f.private, &text, NULL, NULL);
    g_file_set_contents(key, text, -1, NULL);
    g_file_set_contents(pub, f.public_key, -1, NULL);
}


int
main(int argc, char **argv)
{
    EVP_PKEY                    *key;
    record_sum_t                 sum;
    record_mux_t                *mux;
    record_read_sum_t            found;
    g_autofree char             *path = NULL;
    g_autofree char             *out = NULL;
    g_autoptr(GFile)             file = NULL;
    g_autoptr(GError)            error = NULL;
    g_autoptr(record_read_t)     read = NULL;
    g_autoptr(record_store_t)    store = NULL;
    g_autoptr(GFileOutputStream) media = NULL;

    gst_init(&argc, &argv);
    fixture_init(&f, RECORD_KEYGEN_EC);

    store = record_store_new(&f.params, &error);
    mux = record_mux_new(on_segment, store);
    tell(store);
    make(mux);
    record_mux_free(mux);
    ok(record_store_end(store, SECONDS * 1000, TRUE, "ended", &sum, &error)
       && sum.segments == 4, "a recording of four segments");

    path = g_build_filename(f.recordings, FIXTURE_ID, NULL);
    out = g_build_filename(f.dir, "out.webm", NULL);
    key = record_cms_key(f.private, FIXTURE_PASS, NULL);
    read = record_read_open(path, &error);
    file = g_file_new_for_path(out);
    media = g_file_replace(file, NULL, FALSE, 0, NULL, NULL);

    ok(record_read_verify(read, f.public_key, sum.sha256, &found, &error)
       && record_read_decrypt(read, key, G_OUTPUT_STREAM(media), NULL,
                              &error),
       "is whole and opened");
    g_output_stream_close(G_OUTPUT_STREAM(media), NULL, NULL);
    EVP_PKEY_free(key);

    play(out);

    if (g_getenv("RECORD_SAMPLE") != NULL) {
        leave(g_getenv("RECORD_SAMPLE"));
    }

    fixture_done(&f);

    return done();
}
