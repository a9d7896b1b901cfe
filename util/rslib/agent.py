# Copyright (C) rs-gateway contributors
#
# The stack's agent: enrolled through the REST interface, as any device is.

import os

from . import files, rest
from .proc import StackError, wait_for
