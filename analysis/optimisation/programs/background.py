"""Work in another thread while this one goes on: the compiler does not hold Python's lock."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import jax

T = TypeVar("T")

# what the compiler asks for
CONTEXTS: dict[str, Callable[[Any], AbstractContextManager[Any]]] = {
    "jax_enable_x64": jax.enable_x64,
    "jax_default_device": jax.default_device,
    "jax_log_compiles": jax.log_compiles,
}


def in_background(work: Callable[[], T]) -> Future[T]:
    """Begin some work in another thread, in the caller's precision and on its device, and return its result to come.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.optimisation.programs.background import in_background
    >>> print(in_background(lambda: jnp.ones(2).sum()).result())
    2.0
    """
    # JAX keeps contexts for each thread
    here = {name: getattr(jax.config, name) for name in CONTEXTS}

    def run() -> T:
        with contextlib.ExitStack() as stack:
            for name, context in CONTEXTS.items():
                stack.enter_context(context(here[name]))
            return work()

    pool = ThreadPoolExecutor(1, thread_name_prefix="hepgrad")
    future = pool.submit(run)
    pool.shutdown(wait=False)
    return future
