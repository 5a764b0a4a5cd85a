"""The folder that a run leaves behind: created with care for what is there, files written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from hepgrad.analysis.printing import as_html

from ..defaults import RUNS
from ..errors import InputError
from ..files.lock import beside
from ..files.replacing import leftovers, replacing
from ..files.stored_files import read_json, write_table
from .file_names import RUN_FILE

KIND = "hepgrad run folder, version "
FORMAT = f"{KIND}1"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class RunFolder:
    """A folder whose ``run.json`` lists what the run wrote; use `create`.

    Parameters
    ----------
    path
        An existing folder.

    Attributes
    ----------
    path
        The folder.
    files
        Names of the files written so far, relative to the folder.
    facts
        What ``run.json`` says beside them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: list[str] = []
        self.facts: dict[str, Any] = {"status": "unfinished"}

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r}, {self.facts.get('status', '')}, {len(self.files)} files)"

    def _repr_html_(self) -> str:
        table = Table(title=str(self.path), title_justify="left")
        table.add_column("file")
        for name in sorted(self.files):
            table.add_row(name)
        return as_html(table)

    @classmethod
    def check(cls, path: str | Path, *, overwrite: bool = False) -> None:
        """Raise when `create` would refuse; changes nothing.

        Parameters
        ----------
        path
            Where the folder is to be.
        overwrite
            Whether an earlier run there may be replaced.

        Raises
        ------
        InputError
            When the path is a file or may not be written, when it is a folder with content and ``overwrite`` is not
            set, or when that content is not an earlier run.
        """
        path = Path(path)
        try:
            if path.exists() and not path.is_dir():
                raise InputError(f"the output {path} exists and is not a folder; choose another one")
            beside(path, "")  # there is room for a checkpoint and a lock
            ancestor = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        except OSError as error:
            raise InputError(f"the output folder {path} cannot be written: {error.strerror}") from error
        if not os.access(ancestor, os.W_OK) or not ancestor.is_dir():
            raise InputError(f"the output folder {path} cannot be written: no permission in {ancestor}")
        if not path.exists() or not _has_content(path):
            return
        if not overwrite:
            raise InputError(
                f"the output folder {path} exists and is not empty; replace the earlier run with --overwrite "
                "(overwrite=True), or choose another folder with --output"
            )
        _earlier_files(path)

    @classmethod
    def create(cls, path: str | Path, *, overwrite: bool = False) -> RunFolder:
        """Create the folder, or empty that of an earlier run.

        Only files that the earlier run's ``run.json`` lists are removed; whatever else lies in the folder stays.

        Parameters
        ----------
        path
            Where; parents are created.
        overwrite
            Whether an earlier run there may be replaced.

        Raises
        ------
        InputError
            As from `check`, and when the folder cannot be created or written.

        Examples
        --------
        >>> from hepgrad.workflows import RunFolder
        >>> folder = RunFolder.create("my-run")
        >>> RunFolder.create("my-run")
        Traceback (most recent call last):
        hepgrad.workflows.errors.InputError: the output folder my-run exists and is not empty; replace ...
        >>> RunFolder.create("my-run", overwrite=True).path.name
        'my-run'
        """
        path = Path(path)
        cls.check(path, overwrite=overwrite)
        try:
            path.mkdir(parents=True, exist_ok=True)
            folder = cls(path)
            if _has_content(path):
                folder.files = _earlier_files(path)
                # before anything is removed, so that nobody takes what is left for a run
                folder.finish(folder.facts)
                for file in _removable(path, folder.files):
                    file.unlink(missing_ok=True)
                folder.files = []
            for file in leftovers(path / RUN_FILE):
                file.unlink(missing_ok=True)
            # from the start, so that the folder of a run that breaks off can be recognised
            folder.finish(folder.facts)
        except OSError as error:
            if error.errno in FULL:
                raise  # another folder would not help
            raise InputError(f"the output folder {path} cannot be written: {error}") from error
        return folder

    @staticmethod
    def removed_by_overwriting(path: str | Path) -> list[Path]:
        """Return the files that `create` would remove from a folder to replace the earlier run; removes nothing.

        Parameters
        ----------
        path
            The folder.

        Raises
        ------
        InputError
            As from `check`.
        """
        path = Path(path)
        RunFolder.check(path, overwrite=True)
        return (
            [path / RUN_FILE, *_removable(path, _earlier_files(path))] if path.exists() and _has_content(path) else []
        )

    @staticmethod
    def was_broken_off(path: str | Path) -> bool:
        """Return whether a folder is that of a run that ended while its results were written.

        Parameters
        ----------
        path
            The folder.
        """
        facts = _facts(Path(path))
        return facts is not None and facts.get("status") == "unfinished"

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Return the folder of a finished run.

        Parameters
        ----------
        path
            The folder.

        Raises
        ------
        InputError
            When it is not there, is not the folder of a run, or the run has not finished.
        """
        path = Path(path)
        if not path.is_dir():
            raise InputError(f"there is no run folder {path}; `hepgrad run` writes one, by default in {RUNS}")
        facts = _facts(path)
        if facts is None:
            raise InputError(
                f"{path} is not the folder of a run: it has no {RUN_FILE} of one{_of_another_version(path)}"
            )
        if facts.get("status") != "finished":
            raise InputError(
                f"the run in {path} was broken off while its results were written; go on with --resume --overwrite"
            )
        folder = cls(path)
        folder.files = facts["files"]
        folder.facts = {name: fact for name, fact in facts.items() if name not in ("format", "files")}
        return folder

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Yield a temporary path that becomes the named file when the block ends, and vanishes when it raises.

        Parameters
        ----------
        name
            Relative to the folder, with ``/`` between folders.

        Raises
        ------
        InputError
            When a link leads out of the folder.
        """
        if not _is_inside(self.path, name):
            raise InputError(
                f"{self.path / name} leads out of the run folder, nothing is written there; remove the link"
            )
        if name not in self.files:
            # listed before it is there, so that no file of a run that breaks off is left over by the next one
            self.files.append(name)
            if name != RUN_FILE:
                self.finish(self.facts)
        with replacing(self.path / name) as temporary:
            yield temporary

    def write_text(self, name: str, text: str) -> None:
        """Write a text file.

        Parameters
        ----------
        name
            Relative to the folder.
        text
            Its content.
        """
        with self.writing(name) as path:
            # the name of a file need not be text
            path.write_text(text, encoding="utf-8", errors="backslashreplace")

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file; its numbers must be finite, because JSON has no others.

        Parameters
        ----------
        name
            Relative to the folder.
        content
            Anything that JSON can hold.
        """
        self.write_text(name, json.dumps(content, indent=2, allow_nan=False) + "\n")

    def write_csv(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write a table with commas between columns, in which texts are no formulas (`write_table`).

        Parameters
        ----------
        name
            Relative to the folder.
        header
            Titles of the columns.
        rows
            One sequence per row.
        """
        with self.writing(name) as path, path.open("w", encoding="utf-8", newline="") as file:
            write_table(file, header, rows)

    def finish(self, facts: dict[str, Any]) -> None:
        """Write ``run.json``: what the run was, and which files it wrote.

        Parameters
        ----------
        facts
            Anything that JSON can hold.
        """
        self.facts = facts
        self.write_json(RUN_FILE, {"format": FORMAT, **facts, "files": sorted({*self.files, RUN_FILE})})


def _has_content(path: Path) -> bool:
    """Return whether a folder holds more than what a run leaves that was killed at its very beginning."""
    return not set(path.iterdir()) <= set(leftovers(path / RUN_FILE))


def _facts(path: Path) -> dict[str, Any] | None:
    """Return what the ``run.json`` of a folder says; None when it has none."""
    with contextlib.suppress(OSError, InputError):
        facts = read_json(path / RUN_FILE)
        if isinstance(facts, dict) and facts.get("format") == FORMAT:
            files = facts.get("files")
            if isinstance(files, list) and all(isinstance(name, str) for name in files):
                return facts
    return None


def _of_another_version(path: Path) -> str:
    """Return what to do about the folder of a run that another version wrote; nothing when it is something else."""
    with contextlib.suppress(OSError, InputError, AttributeError):
        format_ = read_json(path / RUN_FILE).get("format")
        if isinstance(format_, str) and format_.startswith(KIND) and format_ != FORMAT:
            return f"; it is one of another version of hepgrad ({format_}; this one knows {FORMAT}): use that version"
    return ""


def _earlier_files(path: Path) -> list[str]:
    """Return the files of the earlier run in a folder, or raise when it is something else."""
    facts = _facts(path)
    if facts is None:
        raise InputError(
            f"{path} is not the folder of an earlier run (it has no {RUN_FILE} of one), so nothing in it is removed; "
            f"choose another folder with --output{_of_another_version(path)}"
        )
    return [name for name in facts["files"] if _is_inside(path, name)]


def _is_inside(path: Path, name: str) -> bool:
    """Return whether a file lies in a folder, whatever links there are on the way to it."""
    try:
        return (path / name).parent.resolve().is_relative_to(path.resolve())
    except (OSError, ValueError, RuntimeError):  # too long, a character that no name has, links in a circle
        return False


def _removable(path: Path, names: Iterable[str]) -> list[Path]:
    """Return what is there of some files of a folder, and what killed processes left of them; no folders."""
    found = [
        file
        for name in names
        for file in [*([] if name == RUN_FILE else [path / name]), *leftovers(path / name)]
        if file.is_symlink() or file.is_file()
    ]
    return list(dict.fromkeys(found))
