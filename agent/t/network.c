
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What counts as another network, and whose an address is.
 */

#include "agent_network.h"
#include "tap.h"


static GPtrArray *
list(const char *words)
{
    g_auto(GStrv)    each = g_strsplit(words, " ", 0);
    guint            i;
    GPtrArray       *all;

    all = g_ptr_array_new_with_free_func(g_free);

    for (i = 0; each[i] != NULL; i++) {
        if (each[i][0] != '\0') {
            g_ptr_array_add(all, g_strdup(each[i]));
        }
    }

    return all;
}


static void
test_compare(void)
{
    gsize  i;

    static const struct {
        const char       *before;
        const char       *after;
        gboolean          other;
        agent_network_e   what;
    } cases[] = {
        { "", "", FALSE, AGENT_NETWORK_GAINED },
        { "10.0.0.1 ::5", "10.0.0.1 ::5", FALSE, AGENT_NETWORK_GAINED },
        { "", "10.0.0.1", TRUE, AGENT_NETWORK_GAINED },
        { "10.0.0.1", "", TRUE, AGENT_NETWORK_LOST },
        { "10.0.0.1", "10.0.0.1 10.0.0.2", TRUE, AGENT_NETWORK_GAINED },
        { "10.0.0.2", "10.0.0.1 10.0.0.2", TRUE, AGENT_NETWORK_GAINED },
        { "10.0.0.1 10.0.0.2", "10.0.0.2", TRUE, AGENT_NETWORK_LOST },
        { "10.0.0.1 10.0.0.2", "10.0.0.1", TRUE, AGENT_NETWORK_LOST },
        { "10.0.0.1", "10.0.0.2", TRUE, AGENT_NETWORK_LOST },
        { "10.0.0.2", "10.0.0.1", TRUE, AGENT_NETWORK_LOST },
        /* the same one at two interfaces, then at one */
        { "10.0.0.1 10.0.0.1", "10.0.0.1", TRUE, AGENT_NETWORK_LOST }
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        gboolean               other;
        agent_network_e        what = AGENT_NETWORK_SLEPT;
        g_autoptr(GPtrArray)   before = list(cases[i].before);
        g_autoptr(GPtrArray)   after = list(cases[i].after);

        other = agent_network_compare(before, after, &what);

        ok(other == cases[i].other && what == cases[i].what,
           "\"%s\" to \"%s\"", cases[i].before, cases[i].after);
    }
}


static void
test_own(void)
{
    gsize  i;

    static const struct {
        const char  *address;
        gboolean     own;
    } cases[] = {
        { "127.0.0.1", TRUE },
        { "127.9.9.9", TRUE },
        { "192.0.2.77", FALSE },
        { "2001:db8::77", FALSE }
    };

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GInetAddress)  address =
            g_inet_address_new_from_string(cases[i].address);

        ok(agent_network_own(address) == cases[i].own, "%s is %s",
           cases[i].address, cases[i].own ? "own" : "somebody else's");
    }
}


int
main(void)
{
    test_compare();
    test_own();

    return done();
}
