
/*
 * Copyright (C) rs-gateway contributors
 *
 * Verbs and roles against docs/protocol/roles.json, both ways, and lists of
 * scopes.
 */


#include "tap.h"

#include <jansson.h>

#include "rs_role.h"


static void test_verbs(json_t *file);
static void test_roles(json_t *file);
static void test_cell(const char *role, rs_role_e r, const char *verb,
    const char *cell);
static void test_both(void);
static void test_parse(void);
static void test_write(void);


static const char *
text(const json_t *obj, const char *key)
{
    const char  *s;

    s = json_string_value(json_object_get(obj, key));

    return s ? s : "";
}


static void
test_verbs(json_t *file)
{
    size_t       i;
    json_t      *v;
    rs_verb_e    verb;
    const char  *name;

    ok(json_array_size(json_object_get(file, "verbs")) == RS_VERB_N,
       "as many verbs as in the file");

    json_array_foreach(json_object_get(file, "verbs"), i, v) {
        name = text(v, "name");

        ok(rs_verb_by_name(rs_str(name), &verb) && verb == i,
           "%s: a verb, in the file's order", name);
        ok(rs_verb_name((rs_verb_e) i)
           && strcmp(rs_verb_name((rs_verb_e) i), name) == 0,
           "%s: its name", name);
    }

    ok(rs_verb_name(RS_VERB_N) == NULL, "above the last there is none");
    ok(!rs_verb_by_name(RS_STR("sessions"), &verb), "no prefixes");
    ok(!rs_verb_by_name(RS_STR(""), &verb), "no empty verb");
}


static void
test_roles(json_t *file)
{
    size_t       i;
    json_t      *r, *cell;
    rs_role_e    role;
    const char  *name, *verb;

    ok(json_array_size(json_object_get(file, "roles")) == RS_ROLE_N,
       "as many roles as in the file");

    json_array_foreach(json_object_get(file, "roles"), i, r) {
        name = text(r, "name");

        if (!ok(rs_role_by_name(rs_str(name), &role), "%s: a role", name)) {
            continue;
        }

        ok(strcmp(rs_role_name(role), name) == 0, "%s: its name", name);
        ok(json_object_size(json_object_get(r, "verbs")) == RS_VERB_N,
           "%s: has a cell for each verb", name);

        json_object_foreach(json_object_get(r, "verbs"), verb, cell) {
            test_cell(name, role, verb, json_string_value(cell));
        }
    }

    ok(rs_role_name(RS_ROLE_N) == NULL, "above the last there is none");
    ok(!rs_role_by_name(RS_STR("Admin"), &role), "names are exact");
    ok(!rs_role_by_name(RS_STR(""), &role), "no empty role");
}


static void
test_cell(const char *role, rs_role_e r, const char *verb, const char *cell)
{
    uint32_t     tenant, granted;
    rs_verb_e    v;
    const char  *got;

    rs_role_verbs(RS_ROLE_BIT(r), &tenant, &granted);

    if (!rs_verb_by_name(rs_str(verb), &v)) {
        ok(0, "%s, %s: no verb", role, verb);
        return;
    }

    got = (tenant & RS_VERB_BIT(v)) ? "tenant"
          : (granted & RS_VERB_BIT(v)) ? "granted" : "no";

    ok(cell && strcmp(got, cell) == 0, "%s, %s: %s", role, verb, cell);
}


static void
test_both(void)
{
    uint32_t  tenant, granted, t, g;

    rs_role_verbs(0, &tenant, &granted);
    ok(tenant == 0 && granted == 0, "no role, no verb");

    rs_role_verbs(~(RS_ROLE_BIT(RS_ROLE_N) - 1), &tenant, &granted);
    ok(tenant == 0 && granted == 0, "an unknown role, no verb");

    rs_role_verbs(RS_ROLE_BIT(RS_ROLE_TECHNICIAN)
                  | RS_ROLE_BIT(RS_ROLE_AUDITOR), &tenant, &granted);

    ok((tenant & granted) == 0, "two roles: no verb is in both sets");
    ok(tenant & RS_VERB_BIT(RS_VERB_DEVICES_READ),
       "what one has of the tenant is of the tenant");
    ok(granted & RS_VERB_BIT(RS_VERB_SESSIONS_CONTROL),
       "what only the other one has is where it is granted");

    rs_role_verbs(RS_ROLE_BIT(RS_ROLE_TECHNICIAN), &t, &g);
    ok((t & ~tenant) == 0 && (g & ~(tenant | granted)) == 0,
       "nothing is lost");
}


static void
parses(const char *list, uint32_t want)
{
    uint32_t  verbs;
    rs_err_e  rc;

    verbs = 0xdeadbeef;
    rc = rs_verbs_parse(rs_str(list), &verbs, NULL);

    ok(rc == RS_OK && verbs == want, "\"%s\"", list);
}


static void
refuses(const char *list, const char *word)
{
    rs_str_t  bad;
    uint32_t  verbs;
    rs_err_e  rc;

    verbs = 0xdeadbeef;
    bad = RS_STR("?");
    rc = rs_verbs_parse(rs_str(list), &verbs, &bad);

    ok(rc == RS_E_INVALID_VALUE && rs_str_eq(bad, rs_str(word))
       && verbs == 0xdeadbeef, "not \"%s\", for \"%s\"", list, word);
}


static void
test_parse(void)
{
    parses("", 0);
    parses("ice", RS_VERB_BIT(RS_VERB_ICE));
    parses("ice,ice", RS_VERB_BIT(RS_VERB_ICE));
    parses("ice devices:read",
           RS_VERB_BIT(RS_VERB_ICE) | RS_VERB_BIT(RS_VERB_DEVICES_READ));
    parses("*", RS_VERBS_EVERY & ~RS_VERB_BIT(RS_VERB_NODE_DRAIN));
    parses("* node:drain", RS_VERBS_EVERY);

    refuses(" ", "");
    refuses(",", "");
    refuses("ice ", "");
    refuses(" ice", "");
    refuses("ice  devices:read", "");
    refuses("ice\tdevices:read", "ice\tdevices:read");
    refuses("Ice", "Ice");
    refuses("ice sessions", "sessions");
    refuses("sessions:*", "sessions:*");
    refuses("**", "**");
}


static void
test_write(void)
{
    char       text_[RS_VERBS_TEXT_MAX];
    rs_buf_t   b;
    uint32_t   verbs, set;

    rs_buf_init(&b, text_, sizeof(text_));
    rs_verbs_write(&b, RS_VERBS_EVERY, ' ');
    ok(!b.overflow, "all names have room");

    ok(rs_verbs_parse(rs_buf_get(&b), &verbs, NULL) == RS_OK
       && verbs == RS_VERBS_EVERY, "and are read back");

    rs_buf_init(&b, text_, sizeof(text_));
    rs_verbs_write(&b, 0, ' ');
    is_str(rs_buf_get(&b), "", "no verb, no text");

    set = RS_VERB_BIT(RS_VERB_ICE) | RS_VERB_BIT(RS_VERB_SESSIONS_VIEW);
    rs_buf_init(&b, text_, sizeof(text_));
    rs_verbs_write(&b, set | ~RS_VERBS_EVERY, ',');
    is_str(rs_buf_get(&b), "sessions:view,ice", "unknown bits have no name");
}


static void
test_subjects(void)
{
    char    text_[6 + 4 * RS_SUBJECT_GROUP_MAX + 4];
    size_t  i;

    static const char  *good[] = {
        "user:usr_aaaaaaaaaaaaaaaaaaaaaaaaaa", "group:support",
        "key:key_aaaaaaaaaaaaaaaaaaaaaaaaaa", "group:a:b", "group: ",
        "group:user:usr_a", "group:/Realm/Gruppe \xc3\xa4"
    };
    static const char  *bad[] = {
        "", ":", "user:", "key:", "group:", "group", "support",
        "User:usr_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "user:key_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "key:usr_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "user:usr_aaaaaaaaaaaaaaaaaaaaaaaaaaa", "user:*", "*", "group:a\nb",
        "group:\x7f", "group:\xff", "group:\xe2\x80\xaex", "group:a\tb"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ok(rs_subject_check(rs_str(good[i])) == RS_OK, "\"%s\" is one",
           good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_subject_check(rs_str(bad[i])) == RS_E_INVALID_VALUE,
           "no subject: %zu", i);
    }

    memcpy(text_, "group:", 6);

    for (i = 0; i < RS_SUBJECT_GROUP_MAX + 1; i++) {
        memcpy(text_ + 6 + 2 * i, "\xc3\xa4", 2);
    }

    ok(rs_subject_check((rs_str_t) { (uint8_t *) text_,
                                     6 + 2 * RS_SUBJECT_GROUP_MAX })
       == RS_OK, "the longest group");
    ok(rs_subject_check((rs_str_t) { (uint8_t *) text_,
                                     8 + 2 * RS_SUBJECT_GROUP_MAX })
       == RS_E_INVALID_VALUE, "one character more");
}


int
main(void)
{
    json_t        *file;
    json_error_t   e;

    file = json_load_file(tap_path("docs/protocol/roles.json"), 0, &e);

    if (!ok(file != NULL, "roles.json is read")) {
        return tap_done();
    }

    test_verbs(file);
    test_roles(file);
    test_both();
    test_parse();
    test_write();
    test_subjects();

    json_decref(file);

    return tap_done();
}
