"""Compiled programs on disk: what one process has compiled, the next one reads.

JAX writes and reads the programs. Here is where they are kept, how much room they may take, and that damaged ones go.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import hashlib
import os
import platform
import time
import warnings
import zlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

# names of JAX's files, and of those in which their checksums are
PROGRAM, CHECK, USED = "-cache", "-check", "-atime"
MOST_BYTES = 1 << 30
# a file without a checksum may still be written by another process, but not for so many seconds
UNFINISHED = 86_400.0
FOLDER_VARIABLE = "HEPGRAD_COMPILE_CACHE"


@dataclasses.dataclass(frozen=True)
class CompileCache:
    """A folder with compiled programs.

    There is one for each version of the compiler and each kind of processor: a program runs on no other.
    """

    folder: Path

    def programs(self) -> list[Path]:
        """Return the files, the least recently used first."""
        found = []
        for path in self.folder.glob(f"*{PROGRAM}"):
            # another process may be clearing the same folder
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                found.append((max(stat.st_atime, stat.st_mtime), path))
        return [path for _, path in sorted(found)]

    @property
    def bytes(self) -> int:
        """How much room the programs take."""
        return sum(path.stat().st_size for path in self.programs())

    def tidy(self, most_bytes: int) -> int:
        """Remove what is damaged, and the longest unused beyond so many bytes; return how many files."""
        kept, removed = [], 0
        for path in self.programs():
            if self._is_sound(path):
                kept.append((path, path.stat().st_size))
            else:
                removed += self._remove(path)
        total = sum(size for _, size in kept)
        for path, size in kept:
            if total <= most_bytes:
                break
            removed += self._remove(path)
            total -= size
        return removed

    def seal(self, since: float) -> None:
        """Write the checksums of programs that this process may have made.

        ``since`` is when it began, in seconds of `time.time`.
        """
        for path in self.programs():
            check = self._check_of(path)
            if not check.exists() and path.stat().st_mtime >= since:
                check.write_text(_checksum(path), encoding="ascii")

    def clear(self) -> int:
        """Remove all programs, and return how many there were."""
        return sum(self._remove(path) for path in self.programs())

    def _is_sound(self, path: Path) -> bool:
        try:
            return self._check_of(path).read_text(encoding="ascii") == _checksum(path)
        except (FileNotFoundError, UnicodeDecodeError):
            # JAX itself finds out whether it can be read
            return time.time() - path.stat().st_mtime < UNFINISHED

    def _check_of(self, path: Path) -> Path:
        return path.with_name(path.name.removesuffix(PROGRAM) + CHECK)

    def _remove(self, path: Path) -> int:
        for each in (path, self._check_of(path), path.with_name(path.name.removesuffix(PROGRAM) + USED)):
            each.unlink(missing_ok=True)
        return 1


def compile_cache_root() -> Path:
    """Return the folder of all compiled programs: ``$HEPGRAD_COMPILE_CACHE``, or one in the user's cache folder."""
    if given := os.environ.get(FOLDER_VARIABLE):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hepgrad" / "compiled"


def compile_caches(root: Path | None = None) -> list[CompileCache]:
    """Return what is kept, one for each version of the compiler and kind of processor.

    The root is `compile_cache_root` by default.
    """
    root = root or compile_cache_root()
    return [CompileCache(folder) for folder in sorted(root.glob("*")) if folder.is_dir()]


def enable_compile_cache(folder: str | Path | None = None, *, most_bytes: int = MOST_BYTES) -> Path:
    """Let JAX keep compiled programs for the next process, from now on and for all of this process.

    The command line does it by itself (not with ``--no-compile-cache``). A setting of JAX's own, such as
    ``JAX_COMPILATION_CACHE_DIR``, is left as it is. What is damaged is removed and compiled again.

    Parameters
    ----------
    folder
        Where to; by default ``$HEPGRAD_COMPILE_CACHE``, or ``hepgrad/compiled`` in the user's cache folder. Below it
        is one folder for each version of the compiler and kind of processor.
    most_bytes
        What was not used for the longest time goes when the programs take more room than this.

    Returns
    -------
    Path
        The folder that JAX uses.

    Warns
    -----
    UserWarning
        When the folder cannot be written: nothing is kept then.

    Examples
    --------
    >>> from hepgrad.workflows import enable_compile_cache
    >>> enable_compile_cache("/tmp/my-programs")  # doctest: +SKIP
    """
    import jax

    if present := getattr(jax.config, "jax_compilation_cache_dir", None):
        return Path(present)
    cache = CompileCache((compile_cache_root() if folder is None else Path(folder)) / _key())
    try:
        cache.folder.mkdir(parents=True, exist_ok=True)
        cache.tidy(most_bytes)
    except OSError as error:
        warnings.warn(f"compiled programs are not kept: {error}", stacklevel=2)
        return cache.folder
    _settings(str(cache.folder), 0.0, -1)
    # a file that another process has not finished is compiled again, which is no news
    warnings.filterwarnings("ignore", message="Error reading persistent compilation cache entry")
    atexit.register(_seal, cache, time.time())
    return cache.folder


@contextlib.contextmanager
def compile_cache(*, enabled: bool = True) -> Iterator[None]:
    """Keep compiled programs while a context lasts, as `enable_compile_cache` does."""
    import jax

    if not enabled or getattr(jax.config, "jax_compilation_cache_dir", None):
        yield
        return
    names = ("dir", "min_compile_time_secs", "min_entry_size_bytes")
    before = [getattr(jax.config, _name(name)) for name in names]
    began = time.time()
    with warnings.catch_warnings():
        folder = enable_compile_cache()
        try:
            yield
        finally:
            _seal(CompileCache(folder), began)
            _settings(*before)


def _name(setting: str) -> str:
    return "jax_compilation_cache_dir" if setting == "dir" else f"jax_persistent_cache_{setting}"


def _settings(folder: Any, seconds: Any, size: Any) -> None:
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    for name, value in (("dir", folder), ("min_compile_time_secs", seconds), ("min_entry_size_bytes", size)):
        jax.config.update(_name(name), value)
    # JAX looks only once whether it has a cache
    compilation_cache.reset_cache()


def _seal(cache: CompileCache, since: float) -> None:
    # the folder may be gone when the process ends, or be full
    with contextlib.suppress(OSError):
        cache.seal(since)


def _checksum(path: Path) -> str:
    times = path.stat()
    content = path.read_bytes()
    # to look at a program is not to use it
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return f"{len(content)} {zlib.crc32(content):08x}"


def _key() -> str:
    """Return what programs depend on besides what JAX asks for itself: nodes of a farm may have other processors."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        features = platform.processor()
    kind = hashlib.sha256(features.encode()).hexdigest()[:8]
    return f"jaxlib-{version('jaxlib')}-{platform.machine()}-{kind}"
