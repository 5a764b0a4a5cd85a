"""Awkward's JAX backend, in a process of its own that takes its turns with ours.

It sets 64-bit types and the platform for the whole process, and its kernels write into JAX's buffers, which corrupts
memory now and then: the process dies, or an operation fails that went well before. A new process is started then.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
import warnings
from pathlib import Path

VALUE, WITH_VJP = "value", "value + vjp"


class Worker:
    """Runs what a benchmark's ``awkward_jax(size)`` returns, a function of operation and task."""

    def __init__(self, benchmark: str, size: int) -> None:
        self.benchmark = benchmark
        self.size = size
        self.process: subprocess.Popen[str] | None = None

    def call(self, operation: str, task: str) -> None:
        """Do the task once.

        Raises `RuntimeError` with the message of an error there, or when the process has died.
        """
        answer = self._ask(operation, task)
        if not answer:
            status = self.close()
            # the start of the next process must not count as time of the next call
            self._ask(operation, task)
            raise RuntimeError(f"the process died with status {status}")
        if answer != "done":
            raise RuntimeError(answer)

    def _ask(self, operation: str, task: str) -> str:
        """Return what the process answers, nothing if it died."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.awkward_jax", self.benchmark, str(self.size)],
                cwd=Path(__file__).parent.parent,
                # results that arrive later than Awkward expects make matters worse
                env={**os.environ, "JAX_CPU_ENABLE_ASYNC_DISPATCH": "0"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            print(f"{operation}\t{task}", file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()

    def close(self) -> int | None:
        """End the process and return its exit status."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        with contextlib.suppress(BrokenPipeError):
            process.communicate()
        return process.returncode


def serve(benchmark: str, size: int) -> None:
    """Read a task from each line of the standard input, do it, and write "done" or why not."""
    import awkward as ak
    import jax

    ak.jax.register_and_check()
    call = importlib.import_module(f"benchmarks.{benchmark}").awkward_jax(size)
    for line in sys.stdin:
        try:
            jax.block_until_ready(call(*line.rstrip("\n").split("\t")))
        except Exception as error:
            print((str(error).strip() or repr(error)).splitlines()[0], flush=True)
        else:
            print("done", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve(sys.argv[1], int(sys.argv[2]))
