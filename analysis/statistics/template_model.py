"""From the templates of an analysis to a HistFactory likelihood."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ..histogram import Axis, Counts
from ..printing import as_names
from ..systematics import Source, Templates
from .blueprint import Blueprint
from .control_regions import taken_from_regions, with_closures
from .counting_model import average_weight
from .histfactory import Model, ModelTemplates
from .objectives import Choice
from .objectives import objective as as_objective
from .statistical_model import FigureOfMerit, Likelihood, heaviest_event

# A bin that the simulation leaves empty is taken to hold this part of an event of average weight.
EMPTY_BIN = 0.1


@dataclasses.dataclass(frozen=True)
class TemplateModel:
    """What the processes of an analysis mean in the fit, and what is uncertain about them.

    Attributes
    ----------
    signal
        The processes that the parameter of interest scales; all others are background.
    systematics
        The sources of uncertainty.
    parameter_of_interest
        Name of the signal strength.
    bounds
        (lowest, highest) value of the signal strength in a fit; those of a ``normfactor``, (0, 10), by default.
    signal_statistics
        The signal processes whose simulated statistics are uncertain as the background's are: those that dominate
        their bins, as in the measurement of a cross-section.

    Raises
    ------
    ValueError
        When two sources share a name, there is no signal, or the statistics of another process are named.

    Notes
    -----
    A process that counts for less than nothing in a bin, as one with negative weights may, counts for nothing there.

    Each bin of the background has the uncertainty of its simulated statistics (Barlow-Beeston lite, HistFactory's
    ``staterror``), but at least that of one simulated event of the channel's average weight, and holds at least a tenth
    of such an event: a bin that the simulation leaves empty is not known to be free of background. Without this floor
    an optimiser wins by emptying bins. The statistics of signal processes, where they are asked for, add to that in
    quadrature, in the same one parameter for each bin.

    Examples
    --------
    >>> from hepgrad.analysis.statistics import TemplateModel
    >>> from hepgrad.analysis.systematics import Normalisation
    >>> TemplateModel(signal=["zprime"], systematics=[Normalisation("lumi", 0.02)]).signal
    ('zprime',)
    """

    signal: Sequence[str]
    systematics: Sequence[Source] = ()
    parameter_of_interest: str = "mu"
    bounds: tuple[float, float] | None = None
    signal_statistics: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "signal", as_names(self.signal))
        object.__setattr__(self, "systematics", tuple(self.systematics))
        object.__setattr__(self, "signal_statistics", as_names(self.signal_statistics))
        names = [source.name for source in self.systematics]
        if len(set(names)) < len(names):
            raise ValueError(f"every source of uncertainty needs a name of its own, got {names}")
        if not self.signal:
            raise ValueError("a model needs at least one signal process")
        if not set(self.signal_statistics) <= set(self.signal):
            raise ValueError(
                f"signal_statistics names {list(self.signal_statistics)}, which are not all signal "
                f"{list(self.signal)}; the background has the uncertainty of its statistics in any case"
            )

    def with_sources(self, sources: Sequence[Source]) -> TemplateModel:
        """Return the model with sources of uncertainty more.

        Parameters
        ----------
        sources
            With names of their own.

        Raises
        ------
        ValueError
            When the model has one of that name.
        """
        return dataclasses.replace(self, systematics=(*self.systematics, *sources))

    def figure_of(self, objective: Choice) -> FigureOfMerit:
        """Return a figure of merit as a function of templates, their axes, the processes and their typical weights.

        Parameters
        ----------
        objective
            A name in `OBJECTIVES`, an objective with settings of its own, or a function of the likelihood.

        Raises
        ------
        ValueError
            When there is none of this name.
        """
        wanted = as_objective(objective)
        return FigureOfMerit(
            wanted.merit,
            lambda *data: wanted.evaluate(self.build(*data)),
            lambda *data: wanted.confirmed(self.build(*data)),
        )

    @property
    def likelihood(self) -> Likelihood:
        """What makes the likelihood of histograms: `build`."""
        return self.build

    def build(
        self,
        histograms: Mapping[str, Counts],
        axes: Mapping[str, Axis],
        processes: Sequence[str],
        typical_weight: jax.Array,
    ) -> Model:
        """Return the likelihood for given templates.

        Parameters
        ----------
        histograms
            By channel, `Counts` of shape (processes, bins + 2); `Templates` where a source varies them.
        axes
            By channel; they say what happens to under- and overflow.
        processes
            The names of the rows.
        typical_weight
            Shape (processes,): what one simulated event counts for.

        Raises
        ------
        ValueError
            When a process that the model names is missing, or no background is there.
        """
        # statistics in the highest precision that is enabled
        templates = histograms if isinstance(histograms, Templates) else Templates(histograms)
        templates = jax.tree.map(lambda x: x.astype(float), templates)
        channels = tuple((name, axes[name]) for name, _ in templates.channels)
        declared = (self.signal, self.signal_statistics, self.systematics, self.parameter_of_interest, self.bounds)
        blueprint = _blueprint(*declared, tuple(processes), channels, templates.names)
        closures = [source.error(templates, axes, processes) for source in blueprint.foretold]
        return Model.packed(blueprint.layout, _packed(blueprint, templates.counts, typical_weight, closures))


_blueprint = functools.lru_cache(maxsize=64)(Blueprint)


def _packed(
    blueprint: Blueprint, counts: Counts, typical_weight: jax.Array, closures: Sequence[jax.Array | float]
) -> ModelTemplates:
    """Return the numbers of the likelihood; everything at once for all samples, sources, channels and bins."""
    sumw, sumw2 = counts.sumw, counts.sumw2[0]
    layout, order, dtype = blueprint.layout, blueprint.order, sumw.dtype
    yields, variances = jnp.maximum(blueprint.bins(sumw), 0), blueprint.bins(sumw2)

    # what is missing to the floors goes to the largest background of a channel
    is_background = blueprint.is_background[:, None]
    heaviest = heaviest_event(jnp.where(blueprint.is_background, typical_weight, jnp.inf))
    sums, sums2 = (_dot(x, blueprint.channel_of_cells.astype(dtype)) for x in (sumw[0], sumw2))
    counts_there = blueprint.is_simulated_background
    background, background2 = (jnp.sum(x, axis=0, where=counts_there) for x in (sums, sums2))
    event2 = (average_weight(background, background2, heaviest) ** 2)[layout.channel_of_bin]
    least = EMPTY_BIN * jnp.sqrt(event2)
    yields = taken_from_regions(blueprint.foretold, layout, blueprint.rows_of_foretold, yields, least)
    missing = jnp.maximum(least - jnp.sum(yields[0], axis=0, where=is_background), 0)
    in_bins = counts_there[:, layout.channel_of_bin]
    missing2 = jnp.maximum(event2 - jnp.sum(variances, axis=0, where=in_bins), 0)
    if blueprint.foretold:
        sums = jnp.where(counts_there, sums, -1)
    largest = jnp.argmax(sums[blueprint.is_background], axis=0)[layout.channel_of_bin]
    is_largest = blueprint.background_of_samples[:, None] == largest
    extra, extra2 = jnp.where(is_largest, missing, 0), jnp.where(is_largest, missing2, 0)

    nominal, down, up = blueprint.sides(yields)
    down, up = blueprint.mixed(nominal, *blueprint.treated(nominal, down, up))
    normalisations = jnp.asarray(blueprint.normalisations, dtype)
    down_factors, up_factors = with_closures(blueprint.foretold, layout, normalisations, closures)
    return ModelTemplates(
        nominal=nominal + extra,
        histosys_hi=up + extra,
        histosys_lo=down + extra,
        normsys_hi=up_factors,
        normsys_lo=down_factors,
        staterror_sumw2=(variances[order] + extra2).reshape(-1)[layout.bins_of("staterror")[0]],
        shapesys_uncertainties=jnp.zeros(0, dtype),
        further=yields[blueprint.further][:, :, order] + extra if blueprint.eventwise else None,
    )


def _dot(left: jax.Array, right: np.ndarray) -> jax.Array:
    """Multiply with a matrix of 0 and 1: sums in full precision, also where accelerators round by default."""
    return jnp.dot(left, right, precision=jax.lax.Precision.HIGHEST)
