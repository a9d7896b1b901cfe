# Copyright (C) rs-gateway contributors
#
# What rsctl doctor looks at before it judges: plain data, one entry for each
# part, None for a part that is not on this host or that rsctl.conf does not
# name.  Nothing here changes anything but POST /ice, which makes a credential
# that expires.
#
#   facts   conf, net        what others are configured by; what is reachable
#           host, nginx, store, gateway, turn
#   checks  the same parts   pure functions of these facts

import time

from . import gateway, host, nginx, store, turn


def gather(config, say=lambda text: None):
    f = {"now": time.time()}

    say("this host")
    f["host"] = host.gather()
    say("nginx")
    f["nginx"] = nginx.gather(config)
    say("the TURN plugin")
    f["plugin"] = turn.plugin(config)
    f["coturn"] = turn.coturn(config, f["plugin"])
    f["kernel"] = turn.kernel(f["plugin"])
    say("Redis")
    f["store"] = store.gather(config, f["nginx"], f["plugin"])
    say("the gateway")
    f["gateway"] = gateway.gather(config)
    say("the TURN servers")
    f["servers"] = turn.servers(turn.urls(f["gateway"], f["nginx"]),
                                config.gateway["ca_file"])
    f["path"] = turn.path(config, f["gateway"], f["plugin"])

    return f
