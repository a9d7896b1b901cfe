# Copyright (C) rs-gateway contributors
#
# The pieces of util/rs-stack, one file for each kind of process.  They use
# the operators' tools' own (tools/rsgw); never the other way round.

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.dirname(os.path.realpath(__file__)))), "tools"))
