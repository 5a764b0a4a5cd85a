"""One writer at a time: a lock beside what is written, which says who holds it."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import platform
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError

FORMAT = "hepgrad lock, version 1"
# a process of another host that wrote nothing for so many seconds is taken for dead
PATIENCE = 86_400.0
# who holds a lock shows it so often, and is taken for dead on another host after so many seconds
HEARTBEAT, LOCK_PATIENCE = 60.0, 600.0


def beside(target: Path, suffix: str) -> Path:
    """Return the path of a file that lies beside another one.

    Raises `InputError` for a target that has no name, which is the root of all folders.

    Examples
    --------
    >>> from pathlib import Path
    >>> from hepgrad.workflows.files.lock import beside
    >>> beside(Path("runs/zprime"), ".lock").as_posix()
    'runs/zprime.lock'
    """
    if target.name in ("", ".."):
        target = Path(os.path.abspath(target))
    if not target.name:
        raise InputError(f"the output {target} cannot be a run folder; choose another one with --output")
    return target.with_name(f"{target.name}{suffix}")


@contextlib.contextmanager
def locked(target: Path) -> Iterator[None]:
    """Be the only writer of something within the block.

    The system releases the lock of a process that dies, so that a stale one is recognised at once on the same machine;
    that of another machine after ten minutes without a sign of life, because not every file system tells. The lock is
    ``TARGET.lock``. Raises `InputError` when somebody else writes there: tells the host, the process, and since when.

    Examples
    --------
    >>> from pathlib import Path
    >>> from hepgrad.workflows.files.lock import locked
    >>> with locked(Path("my-run")), locked(Path("my-run")):
    ...     pass
    Traceback (most recent call last):
    hepgrad.workflows.errors.InputError: another run writes into my-run: process ... on ..., since ...
    """
    path = beside(target, ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _taken(path, target)
    done = threading.Event()
    threading.Thread(target=_show_life, args=(path, done), daemon=True).start()
    try:
        yield
    finally:
        done.set()
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _show_life(path: Path, done: threading.Event) -> None:
    while not done.wait(HEARTBEAT):
        with contextlib.suppress(OSError):
            os.utime(path)


def _taken(path: Path, target: Path) -> int:
    """Return an open and locked file of that path."""
    while True:
        # not through a link, which could lead to a file of somebody else
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        try:
            about, owner = os.fstat(descriptor), _owner(descriptor)
            if not stat.S_ISREG(about.st_mode) or (owner is None and about.st_size):
                raise InputError(f"{path} is no lock of hepgrad; move it away, or choose another folder with --output")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(_occupied(path, target, owner)) from None
            except OSError:
                # no locks on this file system: what the file says has to do
                if owner is not None and _lives(owner, path):
                    raise InputError(_occupied(path, target, owner)) from None
            if owner is not None and owner["host"] != platform.node() and _lives(owner, path):
                raise InputError(_occupied(path, target, owner))
            try:
                is_the_same = os.path.samestat(os.fstat(descriptor), path.stat())
            except FileNotFoundError:
                is_the_same = False
            if not is_the_same:  # its owner finished in this moment, and removed it
                os.close(descriptor)
                continue
            _sign(descriptor)
            return descriptor
        except BaseException:
            with contextlib.suppress(OSError):
                os.close(descriptor)
            raise


def _sign(descriptor: int) -> None:
    since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    owner = {"format": FORMAT, "host": platform.node(), "process": os.getpid(), "since": since}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(owner).encode(), 0)


def _owner(descriptor: int) -> dict[str, Any] | None:
    """Return who wrote a lock; None when nobody did, or it is something else."""
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0))
        if owner["format"] == FORMAT and isinstance(owner["host"], str) and type(owner["process"]) is int:
            return {"since": "", **owner}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    return None


def _occupied(path: Path, target: Path, owner: dict[str, Any] | None) -> str:
    who = "" if owner is None else f": process {owner['process']} on {owner['host']}, since {owner['since']}"
    return (
        f"another run writes into {target}{who}; wait until it ends, or choose another folder with --output (if that "
        f"run is dead, remove {path})"
    )


def _lives(owner: dict[str, Any], path: Path) -> bool:
    return alive(owner["host"] == platform.node(), owner["process"], path, patience=LOCK_PATIENCE)


def alive(is_here: bool, process: int, written: Path, *, patience: float = PATIENCE) -> bool:
    """Return whether a process runs, or, on another machine, may run.

    For ``patience`` seconds after it last wrote the file or folder, a process of another machine may run.
    """
    if not is_here:
        every = (written, *(written.rglob("*") if written.is_dir() else ()))
        return time.time() - max(path.lstat().st_mtime for path in every) < patience
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
