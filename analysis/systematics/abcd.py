"""A background whose events in one region are foretold from three others: the ABCD method."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from ..histogram import Axis, Counts
from .contract import Source

# where a fit may move the factors of the four regions, whose nominal value is 1
BOUNDS = (0.0, 1e4)
# names of channels: both cuts passed, only the first, only the second, none
Four: TypeAlias = tuple[str, str, str, str]


class Closure(NamedTuple):
    """How well the events of a region are foretold from three others.

    Attributes
    ----------
    factor
        :math:`A D / (B C)`, what is there over what is foretold: 1 where the two variables are independent.
    uncertainty
        Of the factor, by the statistics of the four regions.
    """

    factor: jax.Array
    uncertainty: jax.Array

    @property
    def size(self) -> jax.Array:
        """The relative error of the method that this allows for: non-closure and its uncertainty in quadrature."""
        squared = (self.factor - 1) ** 2 + self.uncertainty**2
        return jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1)), 0)


@dataclasses.dataclass(frozen=True)
class ABCD(Source):
    r"""A background that the fit takes from three control regions, with free normalisations.

    Two cuts that are independent for the background make four regions (`Events.quadrants`): A passes both, B only the
    first, C only the second, D none. In the likelihood the background has the yields

    .. math:: D: k D_0 \quad B: k x B_0 \quad C: k y C_0 \quad A: k x y\, f\, \frac{B_0 C_0}{D_0}

    with free factors k, x and y: one for each bin of the observable where the four channels have equally many bins, so
    that :math:`A_i = f B_i C_i / D_i`; where C and D have one bin each, the shape in A is that of B, and
    :math:`C / D` the transfer factor. What the region A has of this background in simulation is not used. As all four
    are fitted together, signal and other backgrounds in the control regions are accounted for; their number of
    observed events is what the uncertainty of A comes from, so that boundaries that leave too few are not worth it.

    Attributes
    ----------
    process
        The background.
    channels
        The channels of A, B, C and D.
    factor
        f: what is in A over what is foretold, where that is known.
    uncertainty
        Relative, of f.
    closure
        Channels in fours, A to D each, in which the closure of the background is measured: parts of the control
        regions, or A to D themselves for a background that is simulated there. The largest :math:`|A D / (B C) - 1|`,
        in quadrature with its statistics and with ``uncertainty``, is the size of the parameter ``<name>_closure``.
        Channels that are named only here are filled, not fitted.
    name
        Of the factors and of that parameter; the process's by default.

    Raises
    ------
    ValueError
        When there are not four channels, a factor is not positive or an uncertainty is negative.

    Notes
    -----
    The simulated statistics of the background do not count in the four channels, which are free. Sources of uncertainty
    that act on all processes leave it out: name it in their ``processes`` where they are about it.

    Examples
    --------
    >>> from hepgrad.analysis.systematics import ABCD
    >>> multijet = ABCD("multijet", ("A", "B", "C", "D"), closure=[("VA", "VB", "VC", "VD")])
    >>> multijet.validation
    ('VA', 'VB', 'VC', 'VD')
    """

    modifier: ClassVar[str] = "normfactor"

    process: str
    channels: Four = ("A", "B", "C", "D")
    _: dataclasses.KW_ONLY
    factor: float = 1.0
    uncertainty: float = 0.0
    closure: Sequence[Four] = ()
    name: str = ""
    # the process, as the other sources name theirs
    processes: Sequence[str] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "processes", (self.process,))
        object.__setattr__(self, "name", self.name or self.process)
        object.__setattr__(self, "channels", _four(self.name, self.channels))
        object.__setattr__(self, "closure", tuple(_four(self.name, each) for each in self.closure))
        if not self.factor > 0:
            raise ValueError(f"{self.name}: the factor must be positive, got {self.factor}")
        if not self.uncertainty >= 0:
            raise ValueError(f"{self.name}: the uncertainty is relative and not negative, got {self.uncertainty}")

    @property
    def validation(self) -> tuple[str, ...]:
        """The channels in which closure is measured and that are not fitted."""
        named = dict.fromkeys(channel for four in self.closure for channel in four)
        return tuple(channel for channel in named if channel not in self.channels)

    @property
    def has_closure(self) -> bool:
        """Whether there is a parameter of the closure."""
        return bool(self.closure) or self.uncertainty > 0

    def measured(
        self, histograms: Mapping[str, Counts], axes: Mapping[str, Axis], processes: Sequence[str]
    ) -> tuple[Closure, ...]:
        """Return the closure of each four of channels, all bins together; differentiable.

        A region where the sum of weights is less than its uncertainty counts as having that.

        Parameters
        ----------
        histograms
            By channel, `Counts` of shape (processes, bins + 2).
        axes
            By channel.
        processes
            The names of the rows.

        Examples
        --------
        >>> import jax.numpy as jnp
        >>> from hepgrad.analysis import Counts, Regular
        >>> from hepgrad.analysis.systematics import ABCD
        >>> regions = dict(A=12.0, B=20.0, C=50.0, D=100.0)
        >>> histograms = {name: Counts(*[jnp.array([[0, n, 0]])] * 2) for name, n in regions.items()}
        >>> multijet = ABCD("multijet", closure=["ABCD"])
        >>> (found,) = multijet.measured(histograms, dict.fromkeys("ABCD", Regular(1, 0, 1)), ["multijet"])
        >>> print(f"{found.factor:.2f} +- {found.uncertainty:.2f}, so allow for {found.size:.2f}")
        1.20 +- 0.48, so allow for 0.52
        """
        row = list(processes).index(self.process)

        def total(channel: str) -> tuple[jax.Array, jax.Array]:
            bins = axes[channel].select(histograms[channel])
            return jnp.sum(bins.sumw[row]), jnp.sum(bins.sumw2[row])

        return tuple(closure_of(*map(jnp.stack, zip(*map(total, four), strict=True))) for four in self.closure)

    def error(
        self, histograms: Mapping[str, Counts], axes: Mapping[str, Axis], processes: Sequence[str]
    ) -> jax.Array | float:
        """Return the relative uncertainty of what is foretold, at one standard deviation; arguments as of `measured`.

        Parameters
        ----------
        histograms, axes, processes
            As for `measured`.
        """
        if not self.closure:
            return self.uncertainty
        largest = jnp.max(jnp.stack([each.size for each in self.measured(histograms, axes, processes)]))
        return jnp.hypot(largest, self.uncertainty)


def closure_of(sumw: jax.Array, sumw2: jax.Array) -> Closure:
    """Return the closure of four regions, of which the sums of weights and of their squares have shape (4,).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.systematics.abcd import closure_of
    >>> n = jnp.array([10.0, 20.0, 50.0, 100.0])
    >>> print(closure_of(n, n).factor)
    1.0
    """
    tiny = float(np.finfo(sumw.dtype).tiny) ** 0.25
    deviation = jnp.sqrt(jnp.where(sumw2 > 0, sumw2, 1))
    # a region without events tells nothing: as one event would be, one with an uncertainty of itself
    n = jnp.where(sumw2 > 0, jnp.maximum(sumw, jnp.maximum(deviation, tiny)), 1)
    relative = jnp.where(sumw2 > 0, deviation / n, 1)
    factor = n[0] * n[3] / (n[1] * n[2])
    return Closure(factor, factor * jnp.sqrt(jnp.sum(relative**2)))


def foretold(region: jax.Array, other: jax.Array, opposite: jax.Array) -> jax.Array:
    """Return the yields in A from those in B, C and D, which are positive.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.systematics.abcd import foretold
    >>> print(foretold(jnp.array([20.0, 10.0]), jnp.array([50.0]), jnp.array([100.0])))
    [10.  5.]
    """
    return region * other / opposite


def _four(name: str, channels: Sequence[str]) -> Four:
    """Return four names of channels, checked."""
    named = tuple(channels)
    if len(named) != 4 or len(set(named)) != 4:
        raise ValueError(f"{name}: the regions A, B, C and D are four channels, got {list(named)}")
    a, b, c, d = named
    return a, b, c, d
