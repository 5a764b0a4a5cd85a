"""What a failure is called on the command line: one line, and an exit code."""

from __future__ import annotations

import dataclasses
import errno
import inspect
import re
import sys
import traceback
from pathlib import Path

from ..errors import MACHINE, REFUSED, UNFORESEEN, InputError
from .redaction import redacted
from .terminal import visible

ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room, or choose another folder"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "change the permissions, or choose another place"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "allow more open files with `ulimit -n`"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "look whether the folder is there, or choose another place"),
    errno.ENAMETOOLONG: "choose a shorter name",
}
# a note of exceptions that interrupt a run; on the command line, the command itself stands in its place
GO_ON = "go on with resume=True (--resume)"
FOREIGN_NOTES = ("-----", "This error occurred while calling")
# what Python says of a call with a name that no argument has
UNEXPECTED = re.compile(r"(?P<name>\w+)(\.__init__)?\(\) got an unexpected keyword argument '(?P<given>\w+)'")
NO_MEMORY = "there is not enough memory; try --backend out-of-core, or a smaller block_size"


@dataclasses.dataclass(frozen=True)
class Failure:
    """How the command line ends.

    The code is one of `hepgrad.workflows.errors.EXIT_CODES`; the notes are what whoever let the exception pass knows
    beside it, such as how to go on.
    """

    code: int
    message: str
    notes: tuple[str, ...] = ()

    def told(self, again: str) -> str:
        """Return the line to print.

        ``again`` is the command that goes on with an interrupted run.
        """
        text = "; ".join([self.message, *(note.replace(GO_ON, f"go on with: {again}") for note in self.notes)])
        return f"hepgrad: {one_line(text)}"


def one_line(text: str) -> str:
    """Return a text as one harmless line without secrets."""
    return visible(redacted(re.sub(r"\s*\n\s*", " ", text.strip())))


def failure(error: Exception) -> Failure:
    """Return what an exception is called.

    Examples
    --------
    >>> from hepgrad.workflows.messages.failure import failure
    >>> failure(OSError(28, "No space left on device", "run/result.json")).told("")
    'hepgrad: run/result.json: No space left on device; make room, or choose another folder'
    """
    # JAX notes that it has shortened a traceback, which is not shown anyway, and Awkward which of its functions it was
    notes = tuple(note for note in getattr(error, "__notes__", ()) if not note.lstrip().startswith(FOREIGN_NOTES))
    if isinstance(error, InputError | FloatingPointError) or type(error).__name__ == "FitError":
        return Failure(REFUSED, str(error), notes)
    if isinstance(error, UnicodeEncodeError) or "embedded null" in str(error):
        return Failure(REFUSED, f"a name holds a character that no file can have in its name: {error}", notes)
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return Failure(MACHINE, NO_MEMORY, notes)
    if isinstance(error, OSError):
        return Failure(MACHINE, _of_the_system(error), notes)
    return Failure(UNFORESEEN, f"{described(error)}{place_of(error)}; --debug shows the traceback", notes)


def described(error: Exception) -> str:
    """Return the kind and the text of an error; a `KeyError` shows a sentence in quotes, like a key."""
    (text, *_) = (*error.args, "")
    is_sentence = isinstance(error, KeyError) and isinstance(text, str) and " " in text
    return f"{type(error).__name__}: {text if is_sentence else error}{_arguments(str(error))}"


def _arguments(text: str) -> str:
    """Return which argument of hepgrad was meant by one that there is not; nothing for other texts."""
    if not (found := UNEXPECTED.match(text)):
        return ""
    # these import JAX, which the command line must not do before it says how much JAX may print
    from hepgrad import analysis, workflows
    from hepgrad.analysis.printing import meant

    called = next(
        (getattr(room, found["name"]) for room in (analysis, workflows) if hasattr(room, found["name"])), None
    )
    try:
        names = list(inspect.signature(called).parameters) if callable(called) else []
    except (TypeError, ValueError):
        return ""
    return meant(found["given"], names) or (f"; it takes {', '.join(names)}" if names else "")


def _of_the_system(error: OSError) -> str:
    what = error.strerror or str(error) or type(error).__name__
    where = "" if error.filename is None else f"{error.filename}: "
    advice = ADVICE.get(error.errno or 0)
    return f"{where}{what}{f'; {advice}' if advice else ''}"


def place_of(error: Exception) -> str:
    """Return the last line of the user's own code on the way to an error, unless the error says it.

    Errors that have no words of their own, such as a `KeyError`, have the line that raised them.
    """
    if re.search(r", line \d+\)", str(error)):
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    root = Path(__file__).resolve().parents[2]
    library = [*(str(root / package) for package in ("ragged", "analysis", "workflows")), sys.prefix, sys.base_prefix]
    own = [
        frame
        for frame in frames
        if not frame.filename.startswith((*library, "<")) and "site-packages" not in frame.filename
    ]
    is_told = isinstance(error, AttributeError | TypeError | ValueError) or " " in str(error)
    if not own and is_told:
        return ""
    frame = (own or frames)[-1] if frames else None
    return "" if frame is None else f" ({Path(frame.filename).name}, line {frame.lineno})"
