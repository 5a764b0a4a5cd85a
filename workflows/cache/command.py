"""``hepgrad cache list|verify|export|clear``: what the cache holds, whether it is as written, and away with it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from ..compile_cache import compile_cache_root, compile_caches
from .cache import Cache
from .entry import Entry
from .parquet import export_parquet
from .store import Store


def carry_out(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code: 1 when `verify` found a fault.

    Parameters
    ----------
    arguments
        ``action``, ``folder`` (of the cache) and, for clear, ``incomplete`` and ``compiled``, for export, ``output``.
    """
    cache = Cache(arguments.folder)
    if arguments.action == "list":
        return _list(cache)
    if arguments.action == "verify":
        return _verify(cache)
    if arguments.action == "export":
        written = [path for entry in cache.entries() for path in export_parquet(entry, arguments.output)]
        Console().print(f"wrote {len(written)} files to {arguments.output}", highlight=False, markup=False)
        return 0
    if arguments.compiled:
        removed = sum(each.clear() for each in compile_caches())
        Console().print(
            f"removed {removed} compiled programs from {compile_cache_root()}", highlight=False, markup=False
        )
        return 0
    removed = cache.clear(only_incomplete=arguments.incomplete)
    Console().print(f"removed {removed} from {cache.folder}", highlight=False, markup=False)
    return 0


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
        console.print(f"no samples in {cache.folder}", highlight=False)
    _show_incomplete(cache, console)
    for each in compile_caches():
        told = f"{len(each.programs())} compiled programs, {decimal(each.bytes)}, in {each.folder}"
        console.print(told, highlight=False, markup=False, soft_wrap=True)
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
        console.print(f"{entry.folder.name[:8]}  {entry.sample}: {'damaged' if found else 'as written'}", markup=False)
        for fault in found:
            console.print(f"  {fault}", markup=False, soft_wrap=True)
    incomplete = _show_incomplete(cache, console)
    return int(bool(faults or incomplete))


def _show_incomplete(cache: Cache, console: Console) -> int:
    left = cache.incomplete()
    for folder in left:
        console.print(f"incomplete or damaged: {folder}", markup=False, highlight=False, soft_wrap=True)
    return len(left)
