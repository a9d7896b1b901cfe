# Copyright (C) rs-gateway contributors
#
# The pieces of util/rs-stack, one file for each kind of process.
