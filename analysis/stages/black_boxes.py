"""What is wrong when a stage hands its columns to code that is no part of the compiled program."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from hepgrad.ragged.errors import TracedError
from hepgrad.ragged.functions.foreign import TRACED

LIBRARY = str(Path(__file__).resolve().parents[2])
# the note that Awkward adds to what goes wrong in one of its functions
_AWKWARD = re.compile(r"while calling\s+ak\.(\w+)")
# what Python's `math` and `float` make of a column
_SCALAR = "Only scalar arrays can be converted to Python scalars"
OPAQUE = (*TRACED, TracedError)


@contextlib.contextmanager
def no_black_boxes(stage: str) -> Iterator[None]:
    """Say in one sentence what to do about code that asks for numbers while there are only symbols for them.

    Raises `TypeError` in place of JAX's own errors.

    Examples
    --------
    >>> import jax, numpy as np
    >>> from hepgrad.analysis.stages.black_boxes import no_black_boxes
    >>> def score(x):
    ...     with no_black_boxes("tagger"):
    ...         return np.asarray(x) > 0
    >>> jax.jit(score)(1.0)
    Traceback (most recent call last):
    TypeError: stage 'tagger' (... line 3) asks for the numbers of a column while the program is compiled, when ...
    """
    try:
        yield
    except (*OPAQUE, TypeError, dataclasses.FrozenInstanceError) as error:
        about = f"stage {stage!r}{_place(error)}"
        if called := _AWKWARD.search("\n".join(getattr(error, "__notes__", ()))):
            raise TypeError(
                f"{about} calls ak.{called[1]}, and the columns of events in a stage are no arrays of Awkward: write "
                f"rg.{called[1]}, with `from hepgrad import ragged as rg`"
            ) from None
        if isinstance(error, dataclasses.FrozenInstanceError):
            raise TypeError(
                f"{about} changes what it was given ({error}); a stage returns new events: "
                "`events = events.with_field(name=...)`, and the same for objects"
            ) from None
        if not isinstance(error, OPAQUE) and _SCALAR not in str(error):
            raise
        raise TypeError(
            f"{about} asks for the numbers of a column while the program is compiled, when there are none yet: "
            "Python's `if`, `math` and `float`, plain NumPy on arrays of JAX and on numbers such as rg.sum(x), "
            "correctionlib and boosted trees do. Write it with jax.numpy and hepgrad.ragged (rg.where for `if`, rg.sqrt"
            " for np.sqrt), take a correction from its file (hepgrad.analysis.corrections) and a tagger from its own "
            "(from_onnx, BoostedTrees), or compute it before (scored_once) and read it as a column"
        ) from None


def _place(error: Exception) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_library(frame.filename)]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


def _is_library(file: str) -> bool:
    """Return whether a line is of hepgrad, or of an installed package."""
    # also of the methods that `dataclasses` writes, whose file is "<string>"
    return (
        file == "<string>"
        or (file.startswith(LIBRARY) and "/tests/" not in file and "/examples/" not in file)
        or "site-packages" in file
    )
