"""One tree of one file, chunk by chunk: what can be wrong with it has its message, and servers get a second chance."""

from __future__ import annotations

import contextlib
import difflib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import awkward as ak
import uproot
from uproot.source.fsspec import FSSpecSource

from ...errors import InputError
from ..servers.answers import ChangedFile, WrongAnswer
from ..servers.state import state_of
from .branches import located
from .paths import is_remote, is_web, is_xrootd, patience

TREE_CLASSES = ("TTree", "ROOT::RNTuple")
SHOWN = 40
# of the branches' uncompressed bytes that are read at a time
CHUNK = "64 MB"
# a remote read that fails is repeated after these many seconds; the last failure counts
PAUSES = (0.5, 2.0, 8.0)
WEBDAV = "/remote.php/dav/public-files"
# what an XRootD server answers for a file that it does not have
NOT_FOUND = "[3011]"


class XRootDSource(FSSpecSource):  # type: ignore[misc]  # uproot has no types
    """Bytes from an XRootD server, whose client refuses the NumPy integers that uproot asks with for a basket's key."""

    def chunk(self, start: int, stop: int) -> Any:
        """Return the bytes from one position of the file to another; the arguments are those of every source."""
        return super().chunk(int(start), int(stop))


class BadFile(InputError):
    """A file that cannot be read, or not to its end.

    Attributes
    ----------
    share
        The share of its events that was read before that was noticed.
    """

    def __init__(self, message: str, share: float = 0.0) -> None:
        super().__init__(message)
        self.share = share


def iterate_tree(
    path: str,
    branches: Sequence[str],
    *,
    tree: str,
    chunk: int | str = CHUNK,
    beside: Sequence[str] = (),
    about: Callable[[Any], None] | None = None,
) -> Iterator[ak.Array]:
    """Yield the entries of some branches, in order, in chunks.

    What a server does not deliver is asked for again, three times, after 0.5, 2 and 8 seconds; the chunks that came
    through are not read twice. Nothing is repeated for local files, nor when the server says that there is no such
    file. ``chunk`` is entries at a time, or a size such as "64 MB" that the uncompressed branches of a chunk have in
    memory. ``beside`` are branches that are read as well if they are there; ``about`` is given the file once it is
    open. There is a record for each entry, with the branches as fields. Raises `BadFile` when the file is missing,
    truncated or damaged, or not a ROOT file, or a server does not deliver it; when it has no such tree or lacks
    branches (lists those that are there, most similar first).
    """
    done, total, told = 0, 1, about is None
    before = state_of(path)
    pauses = iter(PAUSES if is_remote(path) else ())
    while True:
        try:
            # decompression takes most of the time, and releases the lock of the interpreter
            with ThreadPoolExecutor() as threads, opened(path, branches, tree) as events:
                total = max(events.num_entries, 1)
                if about is not None and not told:
                    about(events.file.root_directory)
                    told = True
                there = list(map(str, events.keys()))
                found = located(events, dict.fromkeys([*branches, *beside]), path)
                # by a predicate, because a name may look like an expression or a pattern
                chunks = events.iterate(
                    filter_name={key for branch in found.values() for key in branch.keys}.__contains__,
                    step_size=chunk,
                    entry_start=done,
                    library="ak",
                    decompression_executor=threads,
                )
                for entries in chunks if events.num_entries > done else ():
                    yield ak.zip({name: each.values(entries, there) for name, each in found.items()}, depth_limit=1)
                    done += len(entries)
            if before is not None and (after := state_of(path)) is not None and after != before:
                raise ChangedFile("it is another file now than when its reading began")
            return
        except InputError:
            raise
        except ChangedFile as error:
            raise InputError(f"{path} changed while it was read: {error}; read it when nobody writes to it") from error
        except WrongAnswer as error:
            raise BadFile(f"{path} cannot be read: {error}", done / total) from error
        except ImportError as error:
            extra = "xrootd" if is_xrootd(path) else "remote"
            raise InputError(f"{path} cannot be read: {error}; install hepgrad with its extra `{extra}`") from error
        except Exception as error:  # damaged bytes surface as almost any exception, depending on where they are
            if isinstance(error, FileNotFoundError) or NOT_FOUND in str(error):
                raise BadFile(f"there is no file {path}", done / total) from None
            pause = None if _final(error) else next(pauses, None)
            if pause is None:
                raise BadFile(_reason(path, error), done / total) from error
            time.sleep(pause)


@contextlib.contextmanager
def opened_file(path: str) -> Iterator[Any]:
    """Yield an open ROOT file.

    Raises `BadFile` when it is a pipe or a folder.
    """
    if not is_remote(path) and Path(path).exists() and not Path(path).is_file():
        # a pipe would be waited for without end
        raise BadFile(f"{path} is a {_kind_of(path)}, not a file")
    with uproot.open(path, handler=_handler(path), **patience(path)) as file:
        yield file


def _handler(path: str) -> type[FSSpecSource] | None:
    if is_xrootd(path):
        return XRootDSource
    # public folders of WebDAV send no parts of files: uproot copies these files
    if is_web(path) and WEBDAV not in path:
        # needs a package that only the extra for servers has
        from ..servers.web import WebSource

        return WebSource
    return None


@contextlib.contextmanager
def opened(path: str, branches: Sequence[str], tree: str) -> Iterator[Any]:
    """Yield a tree that has some branches, from a file that is as long as it says.

    Raises `BadFile` when there is no such tree, or it lacks branches, `EOFError` when the file is truncated.
    """
    with opened_file(path) as file:
        size = file.file.source.num_bytes
        if size is not None and size < file.file.fEND:
            raise EOFError(f"it has {size} bytes and says that it has {file.file.fEND}")
        kinds = file.classnames(cycle=False)
        trees = [name for name, kind in kinds.items() if kind in TREE_CLASSES]
        if tree not in trees:
            named = f"{', '.join(map(repr, trees))}; name the one to read with tree=" if trees else "no tree"
            raise BadFile(f"{path}: expected a tree {tree!r}, the file has {named}")
        events = file[tree]
        require_branches(path, branches, tree, [*map(str, events.keys()), *located(events, branches, path)])
        yield events


def require_branches(path: str, branches: Sequence[str], tree: str, available: Sequence[str]) -> None:
    """Do nothing when a tree has some branches.

    Raises `BadFile` when it lacks some; lists those that are there, most similar first.
    """
    if missing := [name for name in branches if name not in set(available)]:
        raise BadFile(_missing_branches(path, tree, missing, available))


def _kind_of(path: str) -> str:
    kinds = {"folder": Path.is_dir, "pipe": Path.is_fifo, "socket": Path.is_socket}
    return next((name for name, is_one in kinds.items() if is_one(Path(path))), "device")


def _final(error: Exception) -> bool:
    """Return whether an error of a remote read would be the same at the next try.

    Nearly all others may pass: a connection that breaks surfaces as almost any exception, depending on where it is.
    """
    status = getattr(error, "status", None)
    return isinstance(error, EOFError | PermissionError) or (isinstance(status, int) and status < 500)


def _reason(path: str, error: Exception) -> str:
    lines = str(error).strip().splitlines()
    details = f"({type(error).__name__}: {lines[0] if lines else 'no details'})"
    if is_remote(path) and not _final(error):
        return (
            f"{path} cannot be read, {len(PAUSES) + 1} times in a row: the server does not deliver it, or it is "
            f"damaged or not a ROOT file {details}"
        )
    return (
        f"{path} cannot be read; it is truncated, damaged or not a ROOT file {details}; copy it again, or leave it out"
    )


def _missing_branches(path: str, tree: str, missing: Sequence[str], available: Sequence[str]) -> str:
    # the parts of an RNTuple that are no columns have a dot in their name or an underscore in front
    dotted = any("." in name for name in missing)
    columns = [name for name in available if (dotted or "." not in name) and not name.startswith("_")]
    close = [match for name in missing for match in difflib.get_close_matches(name, columns, n=5, cutoff=0.4)]
    ends = "." if dotted else "_"
    collections = tuple(name.split(ends)[0] + ends for name in missing)
    beside = [name for name in columns if name.startswith(collections)]
    shown = list(dict.fromkeys([*close, *beside, *columns]))
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    plural = "branch" if len(missing) == 1 else "branches"
    return (
        f"{path}: tree {tree!r} has no {plural} {', '.join(map(repr, missing))}; "
        f"it has {', '.join(shown[:SHOWN])}{more}"
    )
