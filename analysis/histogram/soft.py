"""Soft filling: every entry is spread over the few bins that its kernel touches."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad.ragged.tracing import is_known

from .axis import Axis
from .binning import AnyEdges, Binning, most_touched
from .counts import Counts
from .entries import CPU_BLOCK, Entries, sum_blocks, working_dtype
from .everywhere import entries_at_once, fill_everywhere
from .kernel import Biweight, Kernel
from .nearby import fill_nearby, reach

# how many bins are touched in each of the programs to choose from; None for all of them
Programs: TypeAlias = tuple[tuple[int, ...] | None, ...]

DEFAULT_KERNEL = Biweight()
# Time to touch a bin of an entry, relative to that of filling one in a matrix product.
PRICE_OF_TOUCHING = 3
# From one program to the next, if only a running program knows how many bins are touched.
STEP = 8


def fill_soft(
    values: jax.Array | tuple[jax.Array, ...],
    weight: jax.Array | float,
    axis: AnyEdges | tuple[AnyEdges, ...],
    *,
    bandwidth: jax.Array | float | tuple[jax.Array | float, ...],
    kernel: Kernel = DEFAULT_KERNEL,
    probability: jax.Array | float | None = None,
    groups: jax.Array | None = None,
    num_groups: int | None = None,
    block_size: int = CPU_BLOCK,
) -> Counts:
    r"""Fill a histogram with each entry smeared by a kernel.

    An entry :math:`x` with weight :math:`w` that passes the selection with probability :math:`p` adds

    .. math:: w\,p\,K_k, \quad w^2 p\,K_k, \qquad
              K_k = F\left(\frac{e_{k+1} - x}{h}\right) - F\left(\frac{e_k - x}{h}\right)

    to ``sumw`` and ``sumw2`` of bin :math:`k`, with edges :math:`e`, bandwidth :math:`h` and the distribution function
    :math:`F` of the kernel. The outermost edges of under- and overflow are at infinity, so that nothing is lost. For
    :math:`h \to 0` this is `fill_hard`. With two axes the kernel is the product of one for each.

    Only bins within reach of the kernel are touched: time and memory do not depend on the number of bins. If edges
    and bandwidth are known when the program is compiled, it is made for the number of bins that they imply. Otherwise
    (an annealed bandwidth is an argument of the program) it is fast while the bandwidth is at most half of a bin; when
    it finds the bandwidth wider it takes a longer way, which is just as exact.

    Derivatives in forward and reverse mode and of second order are exact with respect to values, weights,
    probabilities, bandwidth and edges.

    Parameters
    ----------
    values : jax.Array or tuple of jax.Array
        Observable, any shape (``(n,)``), in the unit of the axis; a tuple of them for a tuple of axes. ``-inf`` goes
        to the underflow, ``+inf`` and NaN to the overflow, with zero gradient.
    weight : jax.Array or float
        Event weights; a scalar or the shape of `values`. Entries of weight zero change nothing.
    axis : Axis or array, or tuple of them
        The axis, or increasing finite edges of shape ``(bins + 1,)``, which may be traced; a tuple of two for a
        two-dimensional histogram.
    bandwidth : jax.Array or float, or tuple of them
        Standard deviation of the kernel in the unit of the axis, a positive scalar; a tuple if it differs between
        axes. Anneal it, never learn it: an optimiser that may change it exploits the smearing.
    kernel : Kernel
        `Biweight` by default, or `Gaussian`, which takes about twice the time. In float32 a Gaussian is cut off
        where its tails hold less than 4e-7.
    probability : jax.Array or float, optional
        Probability in [0, 1] that the entry passes the selection; a scalar or the shape of `values`; 1 by default.
    groups : jax.Array, optional
        Integer index of each entry's process, to fill one histogram per process in one pass. Entries with an index
        outside ``[0, num_groups)`` are not filled.
    num_groups : int, optional
        Number of processes, required with `groups`.
    block_size : int
        Entries per block. The default suits CPUs; on a GPU take 100,000 or more.

    Returns
    -------
    Counts
        ``sumw`` and ``sumw2``, shape ``(bins + 2,)`` or ``(num_groups, bins + 2)``, underflow first, overflow last,
        and ``(..., bins + 2, bins + 2)`` for two axes. float32, or float64 if an input is. The float32 sums of 1e6
        entries agree with float64 to 1e-6.

    Raises
    ------
    ValueError
        If shapes do not fit, or a bandwidth is not a positive scalar.

    References
    ----------
    N. Simpson, L. Heinrich, neos: End-to-End-Optimised Summary Statistics for High Energy Physics, arXiv:2203.05570.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.histogram import Regular, fill_soft
    >>> counts = fill_soft(jnp.array([0.5, 1.0]), 2.0, Regular(2, 0, 2), bandwidth=0.01)
    >>> print(counts.sumw)
    [0. 3. 1. 0.]
    """
    axes = axis if isinstance(axis, tuple) else (axis,)
    observables = values if isinstance(values, tuple) else (values,)
    bandwidths = bandwidth if isinstance(bandwidth, tuple) else (bandwidth,) * len(axes)
    _check(axes, observables, bandwidths)
    dtype = working_dtype(axes, *observables, weight, probability, *bandwidths)
    sums = _fill(
        Entries.of(observables, weight, probability, groups, num_groups, dtype),
        tuple(Binning.of(each, dtype) for each in axes),
        tuple(jnp.asarray(each, dtype) for each in bandwidths),
        kernel=kernel,
        programs=_programs(axes, bandwidths, kernel, dtype),
        number=num_groups or 1,
        block_size=block_size,
    )
    if groups is None:
        sums = sums[:, 0]
    return Counts(sums[0], sums[1])


def _check(
    axes: tuple[AnyEdges, ...],
    values: tuple[jax.Array, ...],
    bandwidths: tuple[jax.Array | float, ...],
) -> None:
    if not len(axes) == len(values) == len(bandwidths):
        raise ValueError(
            f"expected as many values and bandwidths as axes, got {len(axes)} axes, {len(values)} values and "
            f"{len(bandwidths)} bandwidths; for several axes give tuples"
        )
    for bandwidth in bandwidths:
        if jnp.ndim(bandwidth) != 0:
            raise ValueError(f"bandwidth must be a scalar, got shape {jnp.shape(bandwidth)}")
        if is_known(bandwidth) and not bandwidth > 0:
            raise ValueError(f"bandwidth must be positive, got {bandwidth}; fill_hard is the limit of bandwidth 0")


def _programs(
    axes: tuple[AnyEdges, ...], bandwidths: tuple[jax.Array | float, ...], kernel: Kernel, dtype: np.dtype
) -> Programs:
    """Return how many bins are touched, or None for all of them, in each of the programs to choose from.

    It is one program if edges and bandwidths are known now.
    """
    arrays = [axis.edges if isinstance(axis, Axis) else axis for axis in axes]
    bins = [len(edges) + 1 for edges in arrays]
    if not is_known((arrays, bandwidths)):
        return programs_to_choose_from(bins, kernel, dtype)
    exact = [np.asarray(edges, np.float64) for edges in arrays]
    spans = [2 * reach(kernel, float(h), edges, dtype) for h, edges in zip(bandwidths, exact, strict=True)]
    touched = tuple(map(most_touched, exact, spans))
    return (touched if _pays(touched, bins) else None,)


def programs_to_choose_from(bins: Sequence[int], kernel: Kernel, dtype: np.dtype) -> Programs:
    """Return the programs of which a running one takes that for as many bins as are touched, the fewest first.

    Bins are those of each axis, under- and overflow included.
    """
    half_a_bin = math.ceil(reach(kernel, 1.0, np.zeros(1), dtype)) + 1
    rungs = [tuple(min(half_a_bin * STEP**i, each) for each in bins) for i in range(max(bins).bit_length())]
    return *(rung for rung in rungs if _pays(rung, bins)), None


def _pays(touched: Sequence[int], bins: Sequence[int]) -> bool:
    return PRICE_OF_TOUCHING * math.prod(touched) <= math.prod(bins)


@functools.partial(jax.jit, static_argnames=("kernel", "programs", "number", "block_size"))
def _fill(
    entries: Entries,
    binnings: tuple[Binning, ...],
    bandwidths: tuple[jax.Array, ...],
    *,
    kernel: Kernel,
    programs: Programs,
    number: int,
    block_size: int,
) -> jax.Array:
    """Run one of the programs; compiled on its own, so that filling outside `jit` compiles once and not every time."""

    def run(touched: tuple[int, ...] | None) -> jax.Array:
        return sums_of_soft(entries, binnings, bandwidths, touched, kernel=kernel, number=number, block_size=block_size)

    return choose(run, programs, [(binnings, bandwidths)], kernel)


def sums_of_soft(
    entries: Entries,
    binnings: tuple[Binning, ...],
    bandwidths: tuple[jax.Array, ...],
    touched: tuple[int, ...] | None,
    *,
    kernel: Kernel,
    number: int,
    block_size: int,
) -> jax.Array:
    """Return the sums of smeared entries, shape (2, number, bins + 2, ...).

    ``touched`` is the largest number of bins of each axis within reach of an entry, None for all bins; the rest is as
    for `fill_nearby`.
    """
    common: dict[str, Any] = {"binnings": binnings, "bandwidths": bandwidths, "kernel": kernel, "number": number}
    if touched is None:
        fill = functools.partial(fill_everywhere, **common)
        few = entries_at_once(block_size, binnings, number)
        return sum_blocks(functools.partial(sum_blocks, fill, block_size=few), entries, block_size=block_size)
    return sum_blocks(functools.partial(fill_nearby, touched=touched, **common), entries, block_size=block_size)


def choose(
    run: Callable[[tuple[int, ...] | None], jax.Array],
    programs: Programs,
    cases: Sequence[tuple[Sequence[Binning], Sequence[jax.Array]]],
    kernel: Kernel,
) -> jax.Array:
    """Return what the first program makes that suits all cases.

    ``run`` goes from the number of touched bins to sums; ``cases`` are binnings and bandwidths of the axes of each
    histogram.
    """
    if len(programs) == 1:
        return run(programs[0])
    touches_more = [
        functools.reduce(operator.or_, (each for case in cases for each in _touches_more(*case, kernel, touched)))
        for touched in programs
        if touched is not None
    ]
    branches = [jax.checkpoint(functools.partial(run, touched), prevent_cse=False) for touched in programs]
    return jax.lax.switch(sum(map(jnp.int32, touches_more)), branches)


def _touches_more(
    binnings: Sequence[Binning], bandwidths: Sequence[jax.Array], kernel: Kernel, touched: tuple[int, ...]
) -> Iterable[jax.Array]:
    spans = (2 * reach(kernel, h, b.edges, b.edges.dtype) for h, b in zip(bandwidths, binnings, strict=True))
    return map(Binning.touches_more, binnings, spans, touched)
