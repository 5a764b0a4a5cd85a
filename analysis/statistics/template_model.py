"""From the templates of an analysis to a HistFactory likelihood."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ..histogram import Axis, Counts
from ..systematics import AlternativeSample, FreeNormalisation, Normalisation, ShapeSource, Source, Templates, mirrored
from .counting_model import one_event
from .histfactory import FitChannel, HistoSys, Model, NormFactor, NormSys, ParameterConfig, Sample, StatError
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
        object.__setattr__(self, "signal", tuple(self.signal))
        object.__setattr__(self, "systematics", tuple(self.systematics))
        object.__setattr__(self, "signal_statistics", tuple(self.signal_statistics))
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

    def merit(self, objective: Choice) -> FigureOfMerit:
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
        chosen = as_objective(objective)
        return FigureOfMerit(
            chosen.merit,
            lambda *data: chosen.evaluate(self.build(*data)),
            lambda *data: chosen.confirmed(self.build(*data)),
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
        alternatives = {
            s for source in self.systematics if isinstance(source, AlternativeSample) for s in source.samples
        }
        rows = {name: i for i, name in enumerate(processes)}
        named = {*self.signal, *alternatives}
        named |= {p for source in self.systematics for p in source.processes or ()}
        if named - set(processes):
            raise ValueError(
                f"the model names the processes {sorted(named - set(processes))}; there are {list(processes)}"
            )
        backgrounds = [name for name in processes if name not in {*self.signal, *alternatives}]
        if not backgrounds:
            raise ValueError(f"the model needs a background besides its signal {list(self.signal)}")
        # statistics in the highest precision that is enabled
        templates = histograms if isinstance(histograms, Templates) else Templates(dict(histograms))
        templates = jax.tree.map(lambda x: x.astype(float), templates)
        heaviest = heaviest_event(typical_weight[jnp.array([rows[name] for name in backgrounds])])
        channels = [self._channel(name, axis, templates, rows, backgrounds, heaviest) for name, axis in axes.items()]
        # a nearly empty bin has a large relative uncertainty, which pyhf's bounds of (0, 10) would cut off
        wide = [ParameterConfig(_staterror(c.name), bounds=[(1e-10, 1e6)] * len(c.samples[0].yields)) for c in channels]
        strength = ParameterConfig(self.parameter_of_interest, bounds=self.bounds)
        return Model(channels, parameter_of_interest=self.parameter_of_interest, parameters=[strength, *wide])

    def _channel(
        self,
        name: str,
        axis: Axis,
        templates: Templates,
        rows: Mapping[str, int],
        backgrounds: Sequence[str],
        heaviest: jax.Array,
    ) -> FitChannel:
        def yields(counts: Counts, process: str) -> jax.Array:
            return jnp.maximum(axis.select(counts.sumw[rows[process]]), 0)

        nominal = templates.nominal[name]
        chosen = jnp.array([rows[process] for process in backgrounds])
        background = jax.tree.map(lambda x: jnp.sum(x[chosen], axis=0), nominal)
        event2 = one_event(background, heaviest)
        # what is missing to the floors goes to the largest background
        total = sum((yields(nominal, process) for process in backgrounds), jnp.zeros(()))
        missing = jnp.maximum(EMPTY_BIN * jnp.sqrt(event2) - total, 0)
        missing2 = jnp.maximum(event2 - axis.select(background.sumw2), 0)
        largest = jnp.argmax(jnp.sum(nominal.sumw[chosen], axis=1))

        samples = []
        for process in [*self.signal, *backgrounds]:
            here = yields(nominal, process)
            modifiers: list[Any] = [NormFactor(self.parameter_of_interest)] if process in self.signal else []
            extra, sumw2 = jnp.zeros_like(here), axis.select(nominal.sumw2[rows[process]])
            if process in backgrounds:
                is_largest = largest == backgrounds.index(process)
                extra, sumw2 = jnp.where(is_largest, missing, 0), sumw2 + jnp.where(is_largest, missing2, 0)
            if process in backgrounds or process in self.signal_statistics:
                modifiers.append(StatError(_staterror(name), sumw2=sumw2))
            for source in self.systematics:
                if source.processes is not None and process not in source.processes:
                    continue
                if isinstance(source, FreeNormalisation):
                    modifiers.append(NormFactor(source.name))
                elif isinstance(source, Normalisation):
                    lo, hi = source.factors
                    modifiers.append(NormSys(source.name, lo=lo, hi=hi))
                else:
                    down, up = _varied(source, process, here, name, templates, yields)
                    modifiers.append(HistoSys(source.name, lo=down + extra, hi=up + extra))
            samples.append(Sample(process, here + extra, modifiers))
        return FitChannel(name, samples)


def _staterror(channel: str) -> str:
    return f"staterror_{channel}"


def _varied(
    source: ShapeSource,
    process: str,
    nominal: jax.Array,
    channel: str,
    templates: Templates,
    yields: Callable[[Counts, str], jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """Return the yields of a process at minus and plus one standard deviation of a source."""
    if isinstance(source, AlternativeSample):
        up = yields(templates.nominal[channel], source.up)
        down = mirrored(nominal, up) if source.down is None else yields(templates.nominal[channel], source.down)
    else:
        up = yields(templates.up[source.name][channel], process)
        one_sided = source.name not in templates.down
        down = mirrored(nominal, up) if one_sided else yields(templates.down[source.name][channel], process)
    for treatment in source.shape:
        down, up = treatment(nominal, down, up)
    return down, up
