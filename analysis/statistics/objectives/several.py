"""Several signals at once: masses, couplings, models, each with a figure of merit of its own."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

import jax
import jax.numpy as jnp
import numpy as np

from ..histfactory import Model
from ..inference.guards import poi_of
from .contract import Evaluation, Objective
from .discovery import Discovery
from .presentation import Merit

Combination: TypeAlias = Literal["mean", "worst", "geometric"]
_TITLES = {"mean": "Mean", "worst": "Worst", "geometric": "Geometric mean"}
# a figure below counts as this in a geometric mean: a signal without any effect would take everything to nothing
_LEAST = 1e-3


@dataclasses.dataclass(frozen=True)
class Several(Objective):
    r"""A figure of merit of several signals, each searched for by itself with all backgrounds.

    Of the figures :math:`f_i` of the signals, such as significances or upper limits, it is

    - ``"mean"``: :math:`\sum_i f_i / n`,
    - ``"geometric"``: :math:`(\prod_i f_i)^{1 / n}`, which gains as much from ten per cent on a weak signal as on a
      strong one,
    - ``"worst"``: that of the signal for which it is worst. Derivatives are those of a soft minimum,
      :math:`-\tau \ln \sum_i e^{-o_i / \tau}` of the objectives :math:`o_i`; values that are told are exact.

    All signals are one vectorised evaluation, so that compilation does not depend on their number.

    Attributes
    ----------
    objective
        Of each signal: `Discovery`, `Limit`, `Sigma`, ...
    combination
        ``"mean"``, ``"worst"`` or ``"geometric"``.
    signals
        Samples in groups, each of them one signal; every sample that the parameter of interest scales by itself by
        default.
    channels
        By signal, in the order of ``signals``, the channels that it is searched for in, such as those of cuts for its
        mass; all channels for all signals by default.
    factors
        By signal, what its figure is multiplied with: its cross-section makes limits on strengths ones on
        cross-sections, so that their mean means something.
    softness
        :math:`\tau` of the soft minimum, in units of the objective (a limit's is a logarithm), positive.

    Raises
    ------
    ValueError
        When there is no such combination, numbers do not suit each other, or (when it is used) a sample is no signal or
        there is no such channel.

    Notes
    -----
    A figure of less than 0.001 counts as 0.001 in a geometric mean.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.objectives import Discovery, Several
    >>> with jax.enable_x64(True):
    ...     light, heavy = (FitSample(f"m{i}", [n], [NormFactor("mu")]) for i, n in ((1, 30.0), (2, 10.0)))
    ...     samples = [light, heavy, FitSample("background", [100.0])]
    ...     model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    ...     for combination in ("mean", "geometric", "worst"):
    ...         print(f"{combination}: {Several(Discovery(), combination).confirmed(model).value:.3f}")
    mean: 1.925
    geometric: 1.679
    worst: 0.984
    """

    objective: Objective = dataclasses.field(default_factory=Discovery)
    combination: Combination = "mean"
    _: dataclasses.KW_ONLY
    signals: Sequence[Sequence[str]] = ()
    channels: Sequence[Sequence[str]] = ()
    factors: Sequence[float] = ()
    softness: float = 0.1

    def __post_init__(self) -> None:
        for name in ("signals", "channels"):
            groups = [(group,) if isinstance(group, str) else tuple(group) for group in getattr(self, name)]
            object.__setattr__(self, name, tuple(groups))
        object.__setattr__(self, "factors", tuple(self.factors))
        if self.combination not in get_args(Combination):
            raise ValueError(f"combination must be one of {list(_TITLES)}, got {self.combination!r}")
        if not self.softness > 0 or not all(factor > 0 for factor in self.factors):
            raise ValueError(f"softness and factors must be positive, got {self.softness} and {self.factors}")
        if self.channels and not self.signals:
            raise ValueError("name the signals in whose order the channels are")
        for name in ("channels", "factors"):
            if (given := getattr(self, name)) and self.signals and len(given) != len(self.signals):
                raise ValueError(f"{name} are needed for each of the {len(self.signals)} signals, got {len(given)}")

    @property
    def merit(self) -> Merit:
        """How people are told the value."""
        inner, title = self.objective.merit, _TITLES[self.combination]
        words = f"{title} over signals: {inner.title[0].lower()}{inner.title[1:]}"
        return Merit(words, f"{title.lower()} {inner.short}", inner.logarithmic)

    def evaluate(self, model: Model) -> Evaluation:
        """Return the value and whether all fits behind it converged."""
        return self._combined(*self._each(model, confirmed=False), soft=True)

    def confirmed(self, model: Model) -> Evaluation:
        """Return the same of confirmed figures, and the exact one of the worst."""
        return self._combined(*self._each(model, confirmed=True), soft=False)

    def figures(self, model: Model) -> dict[str, Evaluation]:
        """Return what is combined, by signal: the objective of each, with its factor.

        Parameters
        ----------
        model
            As for `evaluate`.
        """
        values, converged = self._each(model, confirmed=True)
        names = ["+".join(group) for group in self._groups(model)]
        return {name: Evaluation(values[i], converged[i]) for i, name in enumerate(names)}

    def _groups(self, model: Model) -> tuple[tuple[str, ...], ...]:
        found = signal_samples(model)
        groups: Any = self.signals or tuple((name,) for name in found)
        if unknown := [name for group in groups for name in group if name not in found]:
            raise ValueError(f"{unknown[0]!r} is no signal; those that {poi_of(model)!r} scales are {list(found)}")
        if len(self.factors) not in (0, len(groups)):
            raise ValueError(f"factors are needed for each of the {len(groups)} signals, got {len(self.factors)}")
        return tuple(groups)

    def _each(self, model: Model, *, confirmed: bool) -> tuple[jax.Array, jax.Array]:
        """Return the objective of each signal, with its factor, and the flags, shape (signals,)."""
        groups, layout = self._groups(model), model.layout
        others = np.array([name in signal_samples(model) for name in layout.sample_names])
        samples = np.array([[name in group for name in layout.sample_names] for group in groups]) | ~others
        bins = np.ones((len(groups), layout.bins), bool)
        for index, names in enumerate(self.channels):
            if unknown := set(names) - set(layout.channel_slices):
                raise ValueError(f"there are no channels {sorted(unknown)}; there are {list(layout.channel_slices)}")
            bins[index] = np.isin(layout.channel_of_bin, [_place(model, name) for name in names])
        judge = self.objective.confirmed if confirmed else self.objective.evaluate

        def alone(kept: tuple[jax.Array, jax.Array]) -> Evaluation:
            return judge(restricted(model, *kept))

        values, converged = jax.vmap(alone)((jnp.asarray(samples), jnp.asarray(bins)))
        factors = np.array(self.factors or [1.0] * len(groups))
        return (values - np.log(factors) if self.objective.merit.logarithmic else values * factors), converged

    def _combined(self, values: jax.Array, converged: jax.Array, *, soft: bool) -> Evaluation:
        """Return one value for all signals."""
        number, logarithmic = len(values), self.objective.merit.logarithmic
        if self.combination == "worst":
            smallest = -self.softness * jax.nn.logsumexp(-values / self.softness) if soft else jnp.min(values)
            return Evaluation(smallest, converged.all())
        if self.combination == "mean" and logarithmic:  # of what the objectives are minus the logarithms of
            return Evaluation(math.log(number) - jax.nn.logsumexp(-values), converged.all())
        if self.combination == "geometric" and not logarithmic:
            return Evaluation(jnp.exp(jnp.mean(jnp.log(jnp.maximum(values, _LEAST)))), converged.all())
        return Evaluation(jnp.mean(values), converged.all())


def signal_samples(model: Model) -> tuple[str, ...]:
    """Return the samples that the parameter of interest scales, in order."""
    cells = model.layout.cells_of["normfactor"].get(poi_of(model), ())
    return tuple(model.layout.sample_names[index] for index in sorted({cell.sample for cell in cells}))


def restricted(model: Model, samples: Any, bins: Any) -> Model:
    """Return the model of some samples in some bins: all others are empty and have no uncertainty.

    ``samples`` and ``bins`` tell which are kept, shapes (samples,) and (bins,), bool.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.objectives.several import restricted
    >>> samples = [FitSample("m1", [1.0, 2.0], [NormFactor("mu")]), FitSample("m2", [3.0, 4.0], [NormFactor("mu")])]
    >>> model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    >>> print(restricted(model, jnp.array([False, True]), jnp.array([True, False])).expected_data(model.initial))
    [3. 0.]
    """
    templates, kept = model.templates, samples[:, None] & bins
    entries: Mapping[str, jax.Array] = {
        field: jnp.where(kept.reshape(-1)[model.layout.bins_of(kind)[0]], getattr(templates, field), 0)
        for kind, field in (("staterror", "staterror_sumw2"), ("shapesys", "shapesys_uncertainties"))
    }
    left = dataclasses.replace(templates.with_yields(lambda yields: jnp.where(kept, yields, 0)), **entries)
    return Model.tree_unflatten(model.layout, (left,))


def _place(model: Model, channel: str) -> int:
    return [each.name for each in model.layout.ordered_channels].index(channel)
