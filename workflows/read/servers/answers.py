"""What is wrong with an answer of a server, where asking again would not help."""

from __future__ import annotations


class WrongAnswer(OSError):
    """What a server sent is not what was asked for."""


class ChangedFile(WrongAnswer):
    """A file is another one than when its reading began."""
