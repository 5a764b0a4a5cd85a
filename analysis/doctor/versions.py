"""Versions of the compiler that are known to be slow where the analysis is to run."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

import jax.numpy as jnp

from .diagnosis import Finding, Severity
from .patient import Patient

# jaxlib from the first to before the second: a float32 scatter-add compares and swaps in a loop (jax issue 38806)
SLOW_SCATTER = ((0, 10, 2), (0, 11, 1))


def examine_versions(patient: Patient) -> Iterator[Finding]:
    """Look for a compiler with which a GPU takes much too long."""
    (device,) = jnp.zeros(()).devices()
    yield from compiler_findings(device.platform, version("jaxlib"))


def compiler_findings(platform: str, jaxlib: str) -> Iterator[Finding]:
    """Yield what is known of a version of the compiler on a kind of device.

    Examples
    --------
    >>> from hepgrad.analysis.doctor.versions import compiler_findings
    >>> [finding.subject for finding in compiler_findings("gpu", "0.11.0")]
    ['jaxlib 0.11.0']
    >>> list(compiler_findings("gpu", "0.11.1")), list(compiler_findings("cpu", "0.11.0"))
    ([], [])
    """
    numbers = tuple(int(part) for part in jaxlib.split(".")[:3] if part.isdecimal())
    first, fixed = SLOW_SCATTER
    if platform in ("gpu", "cuda") and first <= numbers < fixed:
        yield Finding(
            Severity.WARNING,
            f"jaxlib {jaxlib}",
            "this version adds float32 numbers into few cells up to 2000 times slower than others on an NVIDIA GPU",
            "histograms, row sums and their derivatives are such sums",
            "install another version: `pip install 'jax[cuda13]>=0.11.1'` (Python 3.12 or newer), or 0.10.1",
        )
