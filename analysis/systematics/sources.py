"""Sources of systematic uncertainty: each is declared once and evaluated in every reading, within the gradient."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar, Self, TypeAlias

import jax
import jax.numpy as jnp

from hepgrad.ragged import FlatArray
from hepgrad.ragged.checks.check import check

from ..selection.events import Events
from .contract import Source, Variation
from .nuisances import Nuisance
from .shape import Treatment
from .weight_sets import WeightSet

# from selected events to the factor on the weight of each
EventFactor: TypeAlias = Callable[[Events], jax.Array | FlatArray]
# where templates of interpolated events are filled, in standard deviations; the usual ones first
KNOTS = (1, -1, 2, -2, 3, -3)


@dataclasses.dataclass(frozen=True)
class Normalisation(Source):
    """An uncertainty of the expected number of events, the same in all bins: luminosity, a cross-section.

    Attributes
    ----------
    name
        Of its nuisance parameter.
    uncertainty
        Relative, at one standard deviation: 0.02 for 2 %, or (down, up), for instance (-0.03, 0.02).
    processes
        Those it acts on; all of them by default.
    channels
        Those it acts in; all of them by default.
    nuisances
        The parameters that it moves with, when that is not one of its own name; see `shared`, `decorrelated` and
        `partially_correlated`.

    Raises
    ------
    ValueError
        When one standard deviation takes away all events.

    Examples
    --------
    >>> from hepgrad.analysis.systematics import Normalisation
    >>> Normalisation("ttbar_xsec", 0.06, processes=["ttbar"]).factors
    (0.94, 1.06)
    """

    modifier: ClassVar[str] = "normsys"

    name: str
    uncertainty: float | tuple[float, float]
    processes: Sequence[str] | None = None
    channels: Sequence[str] | None = None
    nuisances: Sequence[Nuisance] = ()

    def __post_init__(self) -> None:
        _freeze(self)
        if not min(self.factors) > 0:
            raise ValueError(f"{self.name}: one standard deviation leaves no events, got {self.uncertainty}")

    @property
    def factors(self) -> tuple[float, float]:
        """The factors on the yields at minus and plus one standard deviation."""
        if isinstance(self.uncertainty, tuple):
            down, up = self.uncertainty
            return 1 + down, 1 + up
        return 1 - self.uncertainty, 1 + self.uncertainty

    @property
    def factors_of_yields(self) -> tuple[float, float]:
        """Those factors, as every source tells them."""
        return self.factors


@dataclasses.dataclass(frozen=True)
class FreeNormalisation(Source):
    """A normalisation that nothing constrains but the data: of a background with a control region.

    Attributes
    ----------
    name
        Of the factor.
    processes
        Those it scales.
    channels
        Those it acts in; all of them by default.
    by_bin
        Whether each bin has a factor of its own (HistFactory's ``shapefactor``), which channels with equally many bins
        share: a background whose shape is that of the data in a control region.
    bounds
        (lowest, highest) value in a fit; (0, 10) by default.

    Examples
    --------
    >>> from hepgrad.analysis.systematics import FreeNormalisation
    >>> FreeNormalisation("top_norm", ["top"]).modifier
    'normfactor'
    """

    name: str
    processes: Sequence[str]
    channels: Sequence[str] | None = None
    by_bin: bool = False
    bounds: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        _freeze(self)

    @property
    def modifier(self) -> str:
        """What it is in the likelihood."""
        return "shapefactor" if self.by_bin else "normfactor"


@dataclasses.dataclass(frozen=True)
class WeightVariation(Source):
    r"""An uncertainty of event weights: scale factors, PDF sets, renormalisation scales.

    Attributes
    ----------
    name
        Of its nuisance parameter.
    up, down
        Functions of the *selected* events that return the factor on each event's weight, shape (events,). Without
        ``down`` the template is mirrored.
    processes
        Those it acts on; all of them by default.
    reads
        The branches it needs.
    shape
        What is done to the templates, in order; see `Symmetrisation`, `Smoothing`, `Pruning`.
    channels
        Those it acts in; all of them by default.
    nuisances
        The parameters that it moves with, when that is not one of its own name; see `shared`, `decorrelated` and
        `partially_correlated`.
    interpolation
        What happens between the standard deviations: ``"templates"`` are interpolated and extrapolated bin by bin, or
        the weights of ``"events"`` are: each event counts :math:`w f_+^\alpha` above and :math:`w f_-^{-\alpha}` below,
        with its own factors up and down (or :math:`w f_+^\alpha` everywhere, when that is the only one), which is right
        for large shifts, too. Factors must be positive.

    Raises
    ------
    ValueError
        When the interpolation is neither, or the weights of events are to be interpolated of a source whose templates
        are changed (``shape``) or move with other parameters (``nuisances``).
    """

    name: str
    up: EventFactor
    down: EventFactor | None = None
    processes: Sequence[str] | None = None
    reads: Sequence[str] = ()
    shape: Sequence[Treatment] = ()
    channels: Sequence[str] | None = None
    nuisances: Sequence[Nuisance] = ()
    interpolation: str = "templates"

    def __post_init__(self) -> None:
        _freeze(self)
        if self.interpolation not in ("templates", "events"):
            raise ValueError(
                f"{self.name}: the interpolation must be of 'templates' or of 'events', got {self.interpolation!r}"
            )
        if self.interpolation == "events":
            for given, what in ((self.shape, "shape"), (self.nuisances, "nuisances")):
                if given:
                    raise ValueError(
                        f"{self.name}: where events are interpolated, templates are those of the events and move with "
                        f"one parameter; leave out {what}="
                    )

    @property
    def points(self) -> tuple[int, ...]:
        """At how many standard deviations there are templates."""
        if self.interpolation == "events":
            return KNOTS
        return (1,) if self.down is None else (1, -1)

    def factor_at(self, events: Events, alpha: int) -> jax.Array:
        """Return the factor on each event's weight at a whole number of standard deviations, shape (events,).

        Parameters
        ----------
        events
            Selected ones.
        alpha
            Not 0; other numbers than 1 and -1 where events are interpolated.

        Raises
        ------
        ValueError
            When events are interpolated and an event that counts has a factor that is not positive.
        """
        side = self.up if alpha > 0 or self.down is None else self.down
        factor = jnp.broadcast_to(jnp.asarray(side(events)), events.weight.shape)
        if self.interpolation == "templates":
            return factor
        counts = (jnp.asarray(events.weight) != 0) & (jnp.asarray(events.probability) > 0)
        facts = jnp.sum(counts & ~(factor > 0), dtype=jnp.int32), jnp.sum(counts, dtype=jnp.int32)

        def fail(wrong: int, number: int) -> None:
            raise ValueError(
                f"{self.name}: {wrong} of {number} events have factors that are not positive, so that there is nothing "
                "between them and 1; interpolate templates, or name the processes that have factors (processes=...)"
            )

        wrong = check(facts[0], facts[0] > 0, facts, fail)
        exponent = alpha if side is self.up else -alpha
        factor = factor.astype(jnp.result_type(factor, events.weight.dtype))
        return jnp.where(wrong < 0, jnp.nan, jnp.where(factor > 0, factor, 1) ** exponent)

    @property
    def weighted(self) -> tuple[Variation, ...]:
        """Templates at each of the points."""
        return tuple((self.name, point) for point in self.points)

    def factors_of_events(self, events: Events) -> Sequence[jax.Array]:
        """Return the factors at each of the points, shape (events,) each.

        Parameters
        ----------
        events
            Selected ones.
        """
        return [self.factor_at(events, point) for point in self.points]

    def confined(self, mine: jax.Array) -> Self:
        """Return the source with functions that are 1 for all other events.

        Parameters
        ----------
        mine
            Which events are of a process that it acts on, shape (events,), bool.
        """

        def only_mine(factor: EventFactor) -> EventFactor:
            return lambda events: jnp.where(mine, jnp.asarray(factor(events)), 1)

        down = None if self.down is None else only_mine(self.down)
        return dataclasses.replace(self, up=only_mine(self.up), down=down)


@dataclasses.dataclass(frozen=True)
class KinematicVariation(Source):
    """An uncertainty of what was measured: the selection runs again on events with shifted objects.

    Attributes
    ----------
    name
        Of its nuisance parameter.
    shift
        ``(events, alpha) -> events``: the events with their objects shifted by ``alpha`` standard deviations (a number,
        1 and -1 in turn; the float 0.0 for the nominal point, where a source may also correct the simulation).
        `EnergyScale` and `EnergyResolution` are such functions.
    processes
        Those it acts on; all of them by default.
    one_sided
        Evaluate only ``alpha = 1`` and mirror the template.
    reads
        The branches that it needs beyond those of the stages.
    shape
        What is done to the templates, in order; see `Symmetrisation`, `Smoothing`, `Pruning`.
    channels
        Those it acts in; all of them by default.
    nuisances
        The parameters that it moves with, when that is not one of its own name; see `shared`, `decorrelated` and
        `partially_correlated`.
    """

    name: str
    shift: Callable[[Events, jax.Array | float], Events]
    processes: Sequence[str] | None = None
    one_sided: bool = False
    reads: Sequence[str] = ()
    shape: Sequence[Treatment] = ()
    channels: Sequence[str] | None = None
    nuisances: Sequence[Nuisance] = ()

    def __post_init__(self) -> None:
        _freeze(self)

    @property
    def sides(self) -> tuple[int, ...]:
        """Above, and below unless that is mirrored."""
        return (1,) if self.one_sided else (1, -1)

    def shifted(self, events: Events, alpha: jax.Array | float) -> Events:
        """Return what ``shift`` makes of events.

        Parameters
        ----------
        events
            Before any selection.
        alpha
            A number; the float 0.0 for the nominal point.
        """
        return self.shift(events, alpha)


@dataclasses.dataclass(frozen=True)
class AlternativeSample(Source):
    """An uncertainty of the simulation: other samples of a process, read as processes of their own.

    Attributes
    ----------
    name
        Of its nuisance parameter.
    process
        The process that it is about.
    up, down
        Processes that are its templates at plus and minus one standard deviation. They are no backgrounds themselves.
        Without ``down`` the template is mirrored.
    shape
        What is done to the templates, in order; see `Symmetrisation`, `Smoothing`, `Pruning`.
    channels
        Those it acts in; all of them by default.
    nuisances
        The parameters that it moves with, when that is not one of its own name; see `shared`, `decorrelated` and
        `partially_correlated`.
    """

    name: str
    process: str
    up: str
    down: str | None = None
    shape: Sequence[Treatment] = ()
    channels: Sequence[str] | None = None
    nuisances: Sequence[Nuisance] = ()
    # the process, as the other sources name theirs
    processes: Sequence[str] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "processes", (self.process,))
        _freeze(self)

    @property
    def samples(self) -> tuple[str, ...]:
        """The processes that are templates only."""
        return (self.up,) if self.down is None else (self.up, self.down)


ShapeSource: TypeAlias = WeightVariation | WeightSet | KinematicVariation | AlternativeSample


def _freeze(source: object) -> None:
    """Make tuples of the sequences, so that the source is hashable."""
    for field in dataclasses.fields(source):  # type: ignore[arg-type]
        value = getattr(source, field.name)
        if isinstance(value, list):
            object.__setattr__(source, field.name, tuple(value))
