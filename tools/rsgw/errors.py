# Copyright (C) rs-gateway contributors
#
# What goes wrong in a way a person can act on.


class ToolError(Exception):
    """Told to the user as it is; CURE is what helps, on a line of its own."""

    def __init__(self, text, cure=None):
        super().__init__(text)
        self.cure = cure


class UsageError(ToolError):
    """Arguments that do not go together: exit status 2."""
