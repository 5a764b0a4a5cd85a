"""What a background that is taken from control regions is in the likelihood: free factors that regions share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from ..systematics import ABCD, FreeNormalisation, Normalisation, Source
from ..systematics.abcd import BOUNDS, foretold
from .histfactory.layout import ModelLayout


def closure_name(source: ABCD) -> str:
    """Return the name of the parameter of a closure."""
    return f"{source.name}_closure"


def parts_of(source: ABCD, bins: Mapping[str, int]) -> tuple[Source, ...]:
    """Return the free factors of a background from control regions, and the normalisation that is its closure.

    ``bins`` are their numbers by channel. Raises `ValueError` when these do not suit each other.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.control_regions import parts_of
    >>> from hepgrad.analysis.systematics import ABCD
    >>> for part in parts_of(ABCD("multijet"), dict(A=5, B=5, C=1, D=1)):
    ...     print(part.modifier, part.name, part.channels)
    normfactor multijet ('A', 'B', 'C', 'D')
    shapefactor multijet_first ('A', 'B')
    normfactor multijet_second ('A', 'C')
    """
    a, b, c, d = source.channels
    if bins[a] != bins[b] or bins[c] != bins[d] or bins[c] not in (1, bins[a]):
        raise ValueError(
            f"{source.name}: the channels of A and B need equally many bins, and those of C and D as many or one each; "
            f"got {[(name, bins[name]) for name in source.channels]}"
        )

    def free(name: str, *channels: str) -> FreeNormalisation:
        by_bin = min(bins[channel] for channel in channels) > 1
        return FreeNormalisation(name, source.processes, channels, by_bin=by_bin, bounds=BOUNDS)

    factors = (
        free(source.name, a, b, c, d),
        free(f"{source.name}_first", a, b),
        free(f"{source.name}_second", a, c),
    )
    if not source.has_closure:
        return factors
    # its size is measured in the histograms: `with_closures`
    return (*factors, Normalisation(closure_name(source), 0.0, source.processes, [a]))


def taken_from_regions(
    sources: Sequence[ABCD],
    layout: ModelLayout,
    rows: Mapping[str, Sequence[int]],
    yields: jax.Array,
    smallest: jax.Array,
) -> jax.Array:
    """Return yields, shape (..., processes, bins), in which backgrounds from control regions are foretold.

    ``rows`` are the processes that each is, by its name. There they have at least ``smallest``, shape (bins,): without
    events of theirs nothing could be foretold.
    """
    for source in sources:
        here, *others = (layout.channel_slices[name] for name in source.channels)
        for row in rows[source.name]:
            regions = [jnp.maximum(yields[..., row, each], smallest[each]) for each in others]
            for each, positive in zip((here, *others), (source.factor * foretold(*regions), *regions), strict=True):
                yields = yields.at[..., row, each].set(positive)
    return yields


def with_closures(
    sources: Sequence[ABCD], layout: ModelLayout, factors: jax.Array, errors: Sequence[jax.Array | float]
) -> jax.Array:
    """Return factors of normalisations, shape (2, sources, samples, channels), with those of closures.

    ``errors`` are relative, one for each background from control regions.
    """
    order, channels = list(layout.cells_of["normsys"]), [channel.name for channel in layout.ordered_channels]
    for source, error in zip(sources, errors, strict=True):
        if source.has_closure:
            sample, channel = layout.sample_names.index(source.process), channels.index(source.channels[0])
            # positive, however large
            ends = jnp.stack([1 / (1 + jnp.asarray(error)), 1 + jnp.asarray(error)]).astype(factors.dtype)
            factors = factors.at[:, order.index(closure_name(source)), sample, channel].set(ends)
    return factors
