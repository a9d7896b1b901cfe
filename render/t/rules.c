
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What an invite says of a rendered session, what of it refuses the session,
 * and which pages its lists leave; and the scripts and settings beside it.
 */

#include "../../agent/t/tap.h"
#include "render_managed.h"
#include "render_rules.h"
#include "render_script.h"
#include "render_settings.h"

#include <string.h>


static render_rules_t *
rules(const char *text)
{
    g_autoptr(json_t)   session = NULL;
    g_autoptr(GError)   error = NULL;

    session = agent_json_load(text, strlen(text), 65536, NULL);

    return render_rules_new(session, &error);
}


static void
test_bad(void)
{
    gsize            i;
    render_rules_t  *r;

    static const char *const  bad[] = {
        "{}",
        "{\"id\":\"s\"}",
        "{\"id\":\"s\",\"host\":{\"url\":\"file:///etc/passwd\"}}",
        "{\"id\":\"s\",\"host\":{\"url\":7}}",
        "{\"id\":\"s\",\"host\":{\"width\":1280}}",
        "{\"id\":\"s\",\"host\":{\"width\":1281,\"height\":720}}",
        "{\"id\":\"s\",\"host\":{\"width\":100,\"height\":720}}",
        "{\"id\":\"s\",\"host\":{},\"policy\":[]}",
        "{\"id\":\"s\",\"host\":{},\"policy\":{\"urls\":\"https://a/*\"}}",
        "{\"id\":\"s\",\"host\":{},\"policy\":{\"urls\":[[\"a\"]]}}",
        "{\"id\":\"s\",\"host\":{},\"policy\":{\"urls\":[[7]]}}",
        "{\"id\":\"s\",\"host\":{},\"policy\":{\"mask\":\"a\"}}",
        "{\"id\":\"s\",\"host\":{},\"policy\":{\"mask\":[\"\"]}}",
        "{\"id\":\"s\",\"host\":{},\"policy\":{\"no_submit\":\"yes\"}}"
    };

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        r = rules(bad[i]);
        ok(r == NULL, "refused: %s", bad[i]);
    }
}


static void
test_good(void)
{
    g_autoptr(render_rules_t)  plain = NULL;
    g_autoptr(render_rules_t)  strict = NULL;
    g_autofree char           *big = NULL;

    plain = rules("{\"id\":\"s\",\"host\":{\"url\":null}}");
    ok(plain != NULL && plain->url == NULL && plain->width == 0
       && !plain->no_submit && plain->downloads, "nothing said");
    ok(render_rules_allow(plain, "http://x.example/"), "any page then");
    ok(!render_rules_allow(plain, "file:///etc/passwd")
       && !render_rules_allow(plain, "chrome://version"),
       "but none that is no page");

    strict = rules("{\"id\":\"s\",\"host\":{\"url\":\"https://a.example/\","
                   "\"width\":640,\"height\":480},\"policy\":{\"urls\":["
                   "[\"https://*.example/*\",\"https://b.test/*\"],[],"
                   "[\"https://a.example/*\",\"https://b.test/x*\"]],"
                   "\"mask\":[\".card\",\"#x\"],\"no_submit\":true,"
                   "\"downloads\":\"none\"}}");
    ok(strict != NULL && strict->width == 640 && strict->masks->len == 2
       && strict->no_submit && !strict->downloads, "all of it");
    ok(render_rules_allow(strict, "https://a.example/y")
       && render_rules_allow(strict, "https://b.test/x"),
       "what all lists have");
    ok(!render_rules_allow(strict, "https://c.example/")
       && !render_rules_allow(strict, "https://b.test/y"),
       "what one of them has not");

    big = g_strnfill(4000, 'q');
    memcpy(big, "https://a.example/?", strlen("https://a.example/?"));
    ok(render_rules_allow(strict, big), "a long address counts by its path");

    plain->downloads = TRUE;
}


static void
test_scripts(void)
{
    g_autofree char        *text = NULL;
    g_autofree char        *policy = NULL;
    g_autoptr(GPtrArray)    masks = g_ptr_array_new();

    g_ptr_array_add(masks, (char *) "a[b=\"</script>\"]");
    text = render_script_masks(masks);
    ok(strstr(text, "\"[data-rs-mask]\",\"a[b=\\\"") != NULL,
       "selectors are strings of the script, the own one first");

    policy = render_managed_policy();
    ok(strstr(policy, "\"file://*\"") != NULL
       && strstr(policy, "\"AllowFileSelectionDialogs\":false") != NULL,
       "what nobody in front of the browser changes");
}


static void
test_settings(void)
{
    gsize  i;

    static const struct {
        const char  *text;
        const char  *says;          /* NULL: good */
    } cases[] = {
        { "[browser]\nwidth=640\nheight=480\nidle_s=5\nrelay_only=true\n",
          NULL },
        { "[agent]\nserver=x\n[pool]\nmax=2\nunknown=1\n", NULL },
        { "[egress]\nallow=192.0.2.0/24\nmode=listed\n", NULL },
        { "[documents]\nenabled=false\nmax=10\n", NULL },
        { "[browsers]\n", "unknown group" },
        { "[browser]\nwide=1\n", "unknown key \"wide\"" },
        { "[browser]\nwidth=100\n", "from 320 to 1920" },
        { "[browser]\nwidth=641\n", "even" },
        { "[browser]\nrelay_only=yes\n", "true or false" },
        { "[browser]\nbrowser=./chromium\n", "absolute path" },
        { "[browser]\nbitrate_min=5000000\n", "above bitrate" },
        { "[egress]\nallows=x\n", "unknown key" },
        { "[egress]\nmode=all\n", "invalid mode" },
        { "width=1\n", "" }
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        gboolean                      good;
        g_autoptr(GError)             error = NULL;
        g_autoptr(render_settings_t)  settings = render_settings_new();

        good = render_settings_parse(settings, cases[i].text,
                                     strlen(cases[i].text), &error);

        if (cases[i].says == NULL) {
            ok(good, "taken: case %u", (guint) i);

        } else {
            ok(!good && strstr(error->message, cases[i].says) != NULL,
               "refused: %s", good ? "no" : error->message);
        }
    }
}


int
main(void)
{
    test_bad();
    test_good();
    test_scripts();
    test_settings();

    return done();
}
