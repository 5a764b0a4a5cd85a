"""Expected events before and after a fit, with what the parameters' uncertainties do to them."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from ..fitting import FitResult
from ..histfactory import Model
from ..inference.curvature import correlation


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ExpectedYields:
    """Expected events and their uncertainties.

    Attributes
    ----------
    samples, channels
        Names, in the order of the axes (static).
    slices
        Where the bins of each channel lie (static).
    events, uncertainties
        Of each sample and, in the last row, of their sum, shape (samples + 1, bins of all channels). Samples that a
        channel lacks have none.
    total_events, total_uncertainties
        The same of all bins of a channel together, shape (samples + 1, channels).
    """

    samples: tuple[str, ...] = dataclasses.field(metadata={"static": True})
    channels: tuple[str, ...] = dataclasses.field(metadata={"static": True})
    slices: tuple[tuple[int, int], ...] = dataclasses.field(metadata={"static": True})
    events: jax.Array
    uncertainties: jax.Array
    total_events: jax.Array
    total_uncertainties: jax.Array

    def of(self, channel: str) -> tuple[jax.Array, jax.Array]:
        """Return events and uncertainties in one channel, each of shape (samples + 1, bins).

        Raises
        ------
        ValueError
            When there is no such channel.
        """
        if channel not in self.channels:
            raise ValueError(f"there is no channel {channel!r}; there are {list(self.channels)}")
        start, stop = self.slices[self.channels.index(channel)]
        return self.events[:, start:stop], self.uncertainties[:, start:stop]


def prefit_yields(model: Model) -> ExpectedYields:
    """Return what is expected at the start of the parameters, with the uncertainties of the auxiliary measurements.

    Parameters
    ----------
    model
        Its parameters without auxiliary measurement count as known.

    Returns
    -------
    ExpectedYields

    Examples
    --------
    >>> from hepgrad.analysis.statistics import FitChannel, FitSample, Model, NormSys
    >>> from hepgrad.analysis.statistics.measurement import prefit_yields
    >>> background = FitSample("background", [50.0], [NormSys("xsec", hi=1.1, lo=0.9)])
    >>> yields = prefit_yields(Model([FitChannel("SR", [background])]))
    >>> print(yields.events[-1], yields.uncertainties[-1].round(3))
    [50.] [5.]
    """
    return _prefit(model)


def postfit_yields(model: Model, best: FitResult) -> ExpectedYields:
    r"""Return what a fit expects, with the uncertainties of its parameters and their correlations.

    With the change :math:`v_i = \tfrac12 [\nu(\hat\theta + \sigma_i e_i) - \nu(\hat\theta - \sigma_i e_i)]` of a yield
    by each parameter and the correlation :math:`\rho` of the parameters, the variance is

    .. math:: \sum_{ij} v_i \, \rho_{ij} \, v_j .

    Parameters
    ----------
    model
        What was fitted.
    best
        The fit. Parameters that it held, or that are at their bounds, count as known.

    Returns
    -------
    ExpectedYields

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics import FitChannel, FitSample, Model, NormFactor, fit
    >>> from hepgrad.analysis.statistics.measurement import postfit_yields
    >>> with jax.enable_x64(True):
    ...     model = Model([FitChannel("SR", [FitSample("signal", [50.0], [NormFactor("mu")])])])
    ...     yields = postfit_yields(model, fit(model, [64.0]))
    ...     print(yields.events[-1].round(3), yields.uncertainties[-1].round(3))
    [64.] [8.]
    """
    return _postfit(model, best)


@jax.jit
def _prefit(model: Model) -> ExpectedYields:
    start = model.initial
    information = model.constraints.information(start)
    known = model.fixed | (information <= 0)
    deviations = jnp.where(known, 0, jax.lax.rsqrt(jnp.where(known, 1, information)))
    return _yields(model, start, deviations, jnp.eye(start.size, dtype=start.dtype))


@jax.jit
def _postfit(model: Model, best: FitResult) -> ExpectedYields:
    deviations = jnp.where(jnp.isfinite(best.uncertainties), best.uncertainties, 0)
    matrix = jnp.where(jnp.isfinite(best.covariance), best.covariance, 0)
    return _yields(model, best.parameters, deviations, correlation(matrix))


def _yields(model: Model, parameters: jax.Array, deviations: jax.Array, correlations: jax.Array) -> ExpectedYields:
    layout = model.layout
    channels = [channel.name for channel in layout.ordered_channels]
    members = jnp.stack([layout.channel_of_bin == i for i in range(len(channels))]).astype(parameters.dtype)

    def expected(point: jax.Array) -> Any:
        samples = model.expected_samples(point)
        rows = jnp.concatenate([samples, samples.sum(axis=0, keepdims=True)])
        # the sum of a channel's bins is another column
        return jnp.concatenate([rows, rows @ members.T], axis=1)

    shifts = jnp.diag(deviations)
    change = 0.5 * jax.vmap(lambda shift: expected(parameters + shift) - expected(parameters - shift))(shifts)
    flat = change.reshape(len(deviations), -1)
    variance = jnp.sum(flat * (correlations @ flat), axis=0).reshape(change.shape[1:])
    central, uncertainty = expected(parameters), jnp.sqrt(jnp.maximum(variance, 0))
    slices = [layout.channel_slices[name] for name in channels]
    return ExpectedYields(
        samples=layout.sample_names,
        channels=tuple(channels),
        slices=tuple((where.start, where.stop) for where in slices),
        events=central[:, : layout.bins],
        uncertainties=uncertainty[:, : layout.bins],
        total_events=central[:, layout.bins :],
        total_uncertainties=uncertainty[:, layout.bins :],
    )
