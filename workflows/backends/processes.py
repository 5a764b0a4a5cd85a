"""Several processes as one: they join at the start, and when one of them fails all of them end."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator

import jax

from ..errors import InputError

# a process that says nothing for so many seconds is taken for dead; collective operations notice at once
SILENCE = 20
LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def joined(coordinator: str | None, processes: int, number: int) -> Iterator[None]:
    """Join the processes of one run; on leaving with an error, end this process at once, and thereby all others.

    There is no going on with fewer: what a run has reached is in its checkpoint, from which a restart continues
    (``--resume``). ``coordinator`` is ``host:port`` of process 0, and that address is the only one it listens on; by
    default a port of this machine alone. ``number`` counts from 0. Raises `InputError` when the number is not one of
    them.
    """
    if not 0 <= number < processes:
        raise InputError(f"--process {number}: with {processes} processes the numbers are 0 to {processes - 1}")
    if ":" not in (address := coordinator or f"{LOOPBACK}:47631"):
        raise InputError(f"--coordinator {address}: expected HOST:PORT")
    # what CPUs exchange messages with; GPUs have NCCL
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        address,
        num_processes=processes,
        process_id=number,
        coordinator_bind_address=address,
        heartbeat_timeout_seconds=SILENCE,
    )
    try:
        yield
        jax.distributed.shutdown()
    except BaseException as error:
        if isinstance(error, InputError):
            print(f"hepgrad: {error}", file=sys.stderr)
        else:
            traceback.print_exception(error)
        print(f"hepgrad: process {number} of {processes} ends, and the run with it", file=sys.stderr, flush=True)
        # an orderly exit would wait for the others, who wait for this one
        os._exit(2 if isinstance(error, InputError) else 1)
