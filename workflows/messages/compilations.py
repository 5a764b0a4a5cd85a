"""Which programs are being compiled: what JAX does while nothing seems to happen."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.text import Text

# what JAX calls the ends of its work on a program: it is ready for the compiler, and it is compiled
LOWERED = "/jax/core/compile/jaxpr_to_mlir_module_duration"
COMPILED = "/jax/core/compile/backend_compile_duration"
# programs that are compiled in less are not worth a word
SECONDS = 1.0


class Compilations:
    """Counts the programs whose compilation takes longer than a second.

    Examples
    --------
    >>> from hepgrad.workflows.messages.compilations import COMPILED, LOWERED, Compilations
    >>> clock = iter([0.0, 12.0, 30.0, 30.0]).__next__
    >>> programs = Compilations(clock)
    >>> programs(LOWERED, 0.1, fun_name="jit(step)")
    >>> programs.told()
    'compiling 1 of 1, 12 s'
    >>> programs(COMPILED, 30.0, fun_name="jit(step)")
    >>> programs.told()
    ''
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, finished: Callable[[str], None] | None = None
    ) -> None:
        self._clock, self._finished = clock, finished
        self._lock, self._begun, self._done = threading.Lock(), dict[str, list[float]](), 0

    def __call__(self, event: str, duration_secs: float, **about: str | int) -> None:
        """Listen to JAX; the arguments are those of a listener of `jax.monitoring`."""
        program = str(about.get("fun_name", ""))
        if event == LOWERED:
            with self._lock:
                self._begun.setdefault(program, []).append(self._clock())
        elif event == COMPILED:
            with self._lock:
                began = self._begun.get(program) or [self._clock()]
                began.pop(0)
                is_long = duration_secs > SECONDS
                self._done += is_long
                total = self._done + len(self._running())
            if is_long and self._finished is not None:
                self._finished(f"compiled program {self._done} of {total} in {duration_secs:.0f} s")

    def _running(self) -> list[float]:
        now = self._clock()
        return [now - began for every in self._begun.values() for began in every if now - began > SECONDS]

    def told(self) -> str:
        """Return what is being compiled in words; nothing while nothing is."""
        with self._lock:
            running = self._running()
        if not running:
            return ""
        return f"compiling {self._done + 1} of {self._done + len(running)}, {max(running):.0f} s"


@contextlib.contextmanager
def compilations(finished: Callable[[str], None] | None = None) -> Iterator[Compilations]:
    """Yield what counts the programs that are compiled while the context lasts.

    ``finished`` is told of each of them, in one line.
    """
    from jax import monitoring

    found = Compilations(finished=finished)
    monitoring.register_event_duration_secs_listener(found)
    try:
        yield found
    finally:
        monitoring.unregister_event_duration_listener(found)


class _Doing:
    """What is being done, or compiled for it, as it is at the time of drawing."""

    def __init__(self, what: str, programs: Compilations) -> None:
        self._what, self._programs = what, programs

    def __rich__(self) -> Text:
        return Text(": ".join(filter(None, (self._what, self._programs.told()))))


@contextlib.contextmanager
def doing(console: Console, what: str) -> Iterator[None]:
    """Keep one line of a terminal that tells what is done, and what is compiled for it, while the context lasts."""
    if console.quiet or not console.is_terminal:
        yield
        return
    with compilations() as programs, console.status(_Doing(what, programs)):
        yield
