# Copyright (C) rs-gateway contributors
#
# rs-eventd: calls the webhooks of tenants.  Nothing but Python's own library
# and python3-redis.
#
#   config    what rs-eventd.conf says
#   signing   secrets, ids, signatures (Standard Webhooks)
#   target    which addresses may be called
#   post      one HTTP POST, bounded in time and bytes
#   store     the functions of the library rs in Redis
#   hook      one webhook: events in order, tried again
#   daemon    who delivers, what there is to deliver, the end
#   status    /metrics and /health
