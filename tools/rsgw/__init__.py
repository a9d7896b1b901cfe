# Copyright (C) rs-gateway contributors
#
# What the operators' tools are made of: rsctl, rs-key, rs-audit, rs-ban,
# redis-schema/load.  Nothing but Python's own library and python3-redis.
