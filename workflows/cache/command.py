"""``hepgrad cache list|verify|export|clear``: what the cache holds, whether it is as written, and away with it."""

from __future__ import annotations

import argparse
import collections
import re
from collections.abc import Mapping
from typing import Any

from rich.filesize import decimal
from rich.table import Table

from ..compile_cache import compile_cache_root, compile_caches
from ..errors import InputError
from ..messages.terminal import Console
from .cache import Cache
from .entry import Entry
from .parquet import export_parquet
from .store import Store


def carry_out(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code: 1 when `verify` found a fault.

    Arguments are ``action``, ``folder`` (of the cache) and, for clear, ``incomplete`` and ``compiled``, for export,
    ``output``.
    """
    if getattr(arguments, "compiled", False):
        removed = sum(each.clear() for each in compile_caches())
        Console().print(f"removed {removed} compiled programs from {compile_cache_root()}", soft_wrap=True)
        return 0
    cache = Cache(arguments.folder)
    if not cache.folder.is_dir():
        raise InputError(f"there is no cache {cache.folder}; `hepgrad run --cache DIR` makes one")
    if arguments.action == "list":
        return _list(cache)
    if arguments.action == "verify":
        return _verify(cache)
    if arguments.action == "export":
        if arguments.output.exists() and not arguments.output.is_dir():
            raise InputError(f"{arguments.output} is not a folder; --output names the folder for the files")
        written = [
            path for name, entry in _named(cache.entries()) for path in export_parquet(entry, arguments.output, name)
        ]
        Console().print(f"wrote {len(written)} files to {arguments.output}")
        return 0
    return _clear(cache, only_incomplete=arguments.incomplete, dry_run=arguments.dry_run)


def _clear(cache: Cache, *, only_incomplete: bool, dry_run: bool) -> int:
    console = Console()
    if dry_run:
        folders = cache.removable(only_incomplete=only_incomplete)
        for folder in folders:
            console.print(f"would remove {folder}", soft_wrap=True)
        console.print(f"would remove {len(folders)} from {cache.folder}", soft_wrap=True)
    else:
        removed = cache.clear(only_incomplete=only_incomplete)
        console.print(f"removed {removed} from {cache.folder}", soft_wrap=True)
    _show_unknown(cache, console)
    return 0


def _named(entries: list[Entry]) -> list[tuple[str, Entry]]:
    """Return the entries by names of files; those that are alike are told apart by the name of their folder."""
    names = [re.sub(r"[^\w.+-]", "_", entry.sample)[:100].lstrip(".") for entry in entries]
    often = collections.Counter(name.casefold() for name in names)
    return [
        (name if often[name.casefold()] == 1 else f"{name}-{entry.folder.name[:8]}", entry)
        for name, entry in zip(names, entries, strict=True)
    ]


def _list(cache: Cache) -> int:
    table = Table()
    for heading in ("entry", "sample", "files", "events", "columns", "size", "written (UTC)"):
        table.add_column(heading, justify="right" if heading in ("files", "events", "columns", "size") else "left")
    entries = cache.entries()
    for entry in entries:
        manifest = entry.manifest
        table.add_row(
            entry.folder.name[:8],
            entry.sample,
            str(len(manifest["key"]["files"])),
            f"{entry.events:,}",
            str(len(manifest["columns"])),
            decimal(entry.bytes),
            _when(manifest),
        )
    stores = cache.stores()
    for store in stores:
        numbers = (f"{store.events:,}", str(len(store.frame.types)), decimal(store.bytes))
        table.add_row(store.folder.name[:8], store.sample, "-", *numbers, _when(store.manifest))
    console = Console()
    if entries or stores:
        console.print(table)
    else:
        console.print(f"no samples in {cache.folder}")
    _show_incomplete(cache, console)
    for each in compile_caches():
        told = f"{len(each.programs())} compiled programs, {decimal(each.bytes)}, in {each.folder}"
        console.print(told, soft_wrap=True)
    return 0


def _when(manifest: Mapping[str, Any]) -> str:
    return str(manifest["created"])[:19].replace("T", " ")


def _verify(cache: Cache) -> int:
    console = Console()
    faults = 0
    kept: list[Entry | Store] = [*cache.entries(), *cache.stores()]
    for entry in kept:
        found = entry.faults()
        faults += len(found)
        console.print(f"{entry.folder.name[:8]}  {entry.sample}: {'damaged' if found else 'as written'}")
        for fault in found:
            console.print(f"  {fault}", soft_wrap=True)
    incomplete = _show_incomplete(cache, console)
    return int(bool(faults or incomplete))


def _show_incomplete(cache: Cache, console: Console) -> int:
    left = cache.incomplete()
    for folder in left:
        console.print(f"incomplete or damaged: {folder}", soft_wrap=True)
    _show_unknown(cache, console)
    return len(left)


def _show_unknown(cache: Cache, console: Console) -> None:
    for folder in cache.unknown():
        console.print(f"left alone, because it has no marker of hepgrad: {folder}", soft_wrap=True)
