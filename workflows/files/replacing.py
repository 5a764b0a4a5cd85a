"""Writing a file whole or not at all."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes the file when the block ends, and vanishes when it raises.

    The folder of the file is created.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        # what ends the block matters more than what is left of it, which the next start removes
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def leftovers(target: Path) -> list[Path]:
    """Return what processes that were killed left of writing a file."""
    return list(target.parent.glob(f".{glob.escape(target.name)}.*.part"))
