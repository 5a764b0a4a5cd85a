"""What goes wrong because of what the user gave: files, settings, folders."""

from __future__ import annotations


class InputError(ValueError):
    """An input that cannot be used: its message says what was expected, what came, where, and what to do.

    The command line prints the message without a traceback.
    """


class InputWarning(UserWarning):
    """Something odd about an input that can be used nevertheless."""
