# Copyright (C) rs-gateway contributors
#
# What the scenarios of faults/ are written with.

import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

sys.path.insert(0, os.path.join(TOP, "util"))
