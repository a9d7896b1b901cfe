
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the list of rules, and GIO's addresses as librs has them.
 */

#include "agent_target.h"

#include <string.h>


agent_targets_t *
agent_targets_parse(const char *text, GError **error)
{
    int               more;
    rs_str_t          rest, one;
    agent_targets_t  *targets;

    targets = g_new0(agent_targets_t, 1);
    targets->text = g_strdup(text);
    rest = rs_str(targets->text);

    do {
        more = rs_str_split(rest, ';', &one, &rest);

        while (one.len != 0 && g_ascii_isspace(one.data[0])) {
            one.data++;
            one.len--;
        }

        while (one.len != 0 && g_ascii_isspace(one.data[one.len - 1])) {
            one.len--;
        }

        if (one.len == 0) {
            continue;
        }

        if (targets->n == AGENT_TARGETS) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                        "more than %d targets", AGENT_TARGETS);
            agent_targets_free(targets);
            return NULL;
        }

        if (rs_target_rule_parse(one, &targets->rules[targets->n]) != RS_OK) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                        "target \"%.*s\" is none: HOST:PORT[-PORT][/udp] is "
                        "wanted, HOST a name, *.suffix, an address or a "
                        "range as 10.0.0.0/8 or [fd00::/8]",
                        (int) one.len, (const char *) one.data);
            agent_targets_free(targets);
            return NULL;
        }

        targets->n++;

    } while (more);

    return targets;
}


void
agent_targets_free(agent_targets_t *targets)
{
    if (targets != NULL) {
        g_free(targets->text);
        g_free(targets);
    }
}


gboolean
agent_targets_hopeful(const agent_targets_t *targets,
    const rs_target_t *target)
{
    return targets != NULL
           && rs_target_hopeful(targets->rules, targets->n, target);
}


rs_target_e
agent_targets_check(const agent_targets_t *targets,
    const rs_target_t *target, GInetAddress *found,
    gboolean (*own)(GInetAddress *address))
{
    rs_ip_t                  ip, inner;
    gboolean                 mine;
    g_autoptr(GInetAddress)  address = NULL;

    memset(&ip, 0, sizeof(ip));
    ip.len = (uint8_t) g_inet_address_get_native_size(found);
    memcpy(ip.b, g_inet_address_to_bytes(found), MIN(ip.len, RS_IP_V6));

    /* a network's NAT64 leads back to this machine's IPv4 address */

    rs_target_unwrap(&ip, &inner);
    address = g_inet_address_new_from_bytes(inner.b, inner.len == RS_IP_V4
                                                     ? G_SOCKET_FAMILY_IPV4
                                                     : G_SOCKET_FAMILY_IPV6);
    mine = own(found) || own(address);

    return (targets != NULL)
           ? rs_target_check(targets->rules, targets->n, target, &ip, mine)
           : rs_target_check(NULL, 0, target, &ip, mine);
}
