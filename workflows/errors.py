"""What goes wrong because of what the user gave: files, settings, folders; and how a program ends then."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

# how the command line ends; the list is that of `hepgrad --help`
DONE, FOUND, REFUSED, MACHINE, UNFORESEEN, INTERRUPTED, CLOSED = 0, 1, 2, 3, 70, 130, 141
EXIT_CODES = {
    DONE: "all went well",
    FOUND: "`check` or `cache verify` found an error",
    REFUSED: "what was given cannot be used, or has no finite result",
    MACHINE: "the machine refused: no room, no permission, no memory",
    UNFORESEEN: "an error that nobody foresaw, in the workflow's own code or in hepgrad",
    INTERRUPTED: "interrupted by Ctrl-C",
    CLOSED: "whoever read the output closed it",
}


class InputError(ValueError):
    """An input that cannot be used: its message says what was expected, what came, where, and what to do.

    The command line prints the message without a traceback.
    """


class InputWarning(UserWarning):
    """Something odd about an input that can be used nevertheless."""


@contextlib.contextmanager
def blaming(what: str) -> Iterator[None]:
    """Turn whatever goes wrong while something of a stranger's is understood into an `InputError`.

    ``what`` begins the message: what was read, and what is wrong with it.

    Examples
    --------
    >>> from hepgrad.workflows.errors import blaming
    >>> with blaming("notes.json is damaged"):
    ...     {}["title"]
    Traceback (most recent call last):
    hepgrad.workflows.errors.InputError: notes.json is damaged: KeyError: 'title'
    """
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{what}: {error.strerror or error}") from error
    except Exception as error:
        # a damaged file can make a parser or a constructor raise anything
        raise InputError(f"{what}: {type(error).__name__}: {error}") from error
