"""Folders of the cache that hepgrad wrote: they carry a marker, and nothing without one is ever removed."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import InputError
from ..files.lock import alive
from ..files.stored_files import read_json
from .key import DIGITS, FORMAT, digest

MARKER = "hepgrad.json"
MANIFEST = "manifest.json"
KIND = "hepgrad cache, version "
PART = ".part"

_PART = re.compile(
    rf"\.[0-9a-f]{{{DIGITS}}}\.(?P<process>\d+)(-[0-9a-f]+)?@(?P<host>.*){re.escape(PART)}", flags=re.DOTALL
)


def mark(folder: Path) -> None:
    """Write down that a folder is hepgrad's."""
    (folder / MARKER).write_text(json.dumps({"format": f"{KIND}{FORMAT}"}), encoding="utf-8")


def is_ours(folder: Path) -> bool:
    """Return whether hepgrad wrote a folder: it has the marker, or the whole manifest of a version without markers.

    A link to a folder is never ours.
    """
    if folder.is_symlink() or not folder.is_dir():
        return False
    with contextlib.suppress(OSError, InputError, AttributeError):
        return str(read_json(folder / MARKER).get("format")).startswith(KIND)
    with contextlib.suppress(InputError):
        return bool(read_manifest(folder, "entry of the cache"))
    return False


def remove(folder: Path) -> None:
    """Remove a folder that is ours, so that it is so until the end; links in it are removed, not followed.

    The folder is one for which `is_ours` is true, or an empty one.
    """
    content = list(folder.iterdir())
    if content:
        mark(folder)
    # without a manifest it is known to be incomplete, whenever this is interrupted
    for path in sorted(content, key=lambda path: path.name != MANIFEST):
        if path.name == MARKER:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    (folder / MARKER).unlink(missing_ok=True)
    folder.rmdir()


@contextlib.contextmanager
def part_folder(root: Path, name: str) -> Iterator[Path]:
    """Yield a temporary folder, which is removed unless it is moved away.

    ``name`` is what it is to become.
    """
    if root.is_symlink() and not root.exists():
        raise InputError(f"{root} is a link that leads nowhere; remove it, or choose another folder for --cache")
    # threads of one process may read the same sample
    who = f"{os.getpid()}-{uuid.uuid4().hex[:8]}@{quote(platform.node(), safe='')}"
    folder = root / f".{name}.{who}{PART}"
    folder.mkdir(parents=True)
    mark(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_left_over(folder: Path) -> bool:
    """Return whether a folder is what a process left that was killed while it wrote."""
    found = _PART.fullmatch(folder.name)
    if found is None or folder.is_symlink() or not folder.is_dir():
        return False
    if alive(found["host"] == quote(platform.node(), safe=""), int(found["process"]), folder):
        return False
    # one that was killed before it marked the folder left nothing in it
    return is_ours(folder) or not any(folder.iterdir())


def read_manifest(folder: Path, kind: str) -> dict[str, Any]:
    """Return the manifest of a folder, which says itself whether it is as it was written.

    Raises `InputError` when there is none, it is damaged, or of another version.
    """
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = read_json(path)
        told = manifest.pop("checksum")
        changed = told != digest(manifest)
    except (OSError, InputError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{folder} is no complete {kind}: its {MANIFEST} cannot be read") from error
    if changed:
        raise InputError(f"{path} was changed or damaged: it does not have the checksum it says")
    found = manifest["key"].get("format") if isinstance(manifest.get("key"), dict) else None
    if found != FORMAT:
        raise InputError(f"{folder} has format {found}, this version reads format {FORMAT}")
    return manifest


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of a folder; what is in it is complete then."""
    text = json.dumps({**manifest, "checksum": digest(manifest)}, indent=1)
    (folder / MANIFEST).write_text(text, encoding="utf-8")
