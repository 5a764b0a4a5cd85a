"""Unblinding: what was observed with the starting and with the optimised cuts, and what it says about the signal."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any

import hist
import jax
from rich.table import Table

from hepgrad.analysis import (
    ABCD,
    Analysis,
    CountingModel,
    Counts,
    Dataset,
    FitError,
    Hard,
    Model,
    Parameters,
    Result,
    fit,
)
from hepgrad.analysis.data.folds import Folds
from hepgrad.analysis.data.judged import Judged
from hepgrad.analysis.histogram import to_hist
from hepgrad.analysis.optimisation.programs.of_shards import Fill
from hepgrad.analysis.statistics.inference import asimov_data, discovery, upper_limit

from ..errors import InputError, InputWarning
from ..read.estimates import Sidebands
from ..workflow import Workflow
from .likelihood import model_at, observed_data


def check_sidebands(workflow: Workflow, about: Dataset, result: Result) -> None:
    """Raise `InputError` when data that stand for a background lie in the region that is to stay blind."""
    estimates = {process.name: process.estimate for process in workflow.processes}
    for source in workflow.analysis.model.systematics:
        if isinstance(source, ABCD) and isinstance(estimates.get(source.process), Sidebands):
            row, region = about.processes.index(source.process), source.channels[0]
            for point in (result.start, result.optimum):
                if float(point.hard_held_out.histograms[region].sumw2[row].sum()) > 0:
                    raise InputError(
                        f"the sidebands of {source.process!r} reach into the signal region {region!r}: its function "
                        f"`blinded` has to be true for all events that may be in {region!r} with any allowed cuts"
                    )


@dataclasses.dataclass(frozen=True)
class Strength:
    """What a fit says about the signal strength.

    Attributes
    ----------
    estimate, uncertainty
        Best value, and its standard deviation from the curvature of the likelihood.
    significance
        Of the excess over no signal, in standard deviations.
    limit
        Upper limit at 95 % confidence (CLs); on Asimov data with a signal not the median that is expected without one.
    """

    estimate: float
    uncertainty: float
    significance: float
    limit: float


@dataclasses.dataclass(frozen=True)
class Observation:
    """The observed events of the signal selection.

    Attributes
    ----------
    start, optimum
        By channel, with the starting and the optimised cuts: `Counts` of shape (bins + 2,).
    observed
        The fit to them with the optimised cuts; None for a model that is no likelihood, or when the fit fails.
    expected
        The same of the prediction: estimate and significance for a signal of strength 1, the median limit without one.
    """

    start: Mapping[str, Counts]
    optimum: Mapping[str, Counts]
    observed: Strength | None
    expected: Strength | None

    def numbers(self) -> dict[str, Any]:
        """Return the fits, and the observed events in all channels together, as JSON can hold them."""
        points = {"start": self.start, "optimum": self.optimum}
        events = {name: {c: float(counts.sumw.sum()) for c, counts in point.items()} for name, point in points.items()}
        fits = {"observed": self.observed, "expected": self.expected}
        return {"events": events, **{name: each and dataclasses.asdict(each) for name, each in fits.items()}}

    def named_histograms(self, result: Result, analysis: Analysis) -> dict[str, hist.Hist[Any]]:
        """Return the observed histograms by ``channel/data/point/observed``, to go with those of the prediction."""
        points = (("start", result.start, self.start), ("optimum", result.optimum, self.optimum))
        return {
            f"{channel.name}/data/{name}/observed": to_hist(seen[channel.name], channel.axis_at(point.parameters))
            for channel in analysis.channels
            for name, point, seen in points
        }

    def tables(self) -> list[Table]:
        """Return observed against expected, for people; nothing without a fit."""
        if self.observed is None or self.expected is None:
            return []
        table = Table(title="Signal strength, optimised cuts", title_justify="left")
        for column in ("", "observed", "expected"):
            table.add_column(column, justify="right" if column else "left")
        both = (self.observed, self.expected)
        table.add_row("signal strength", *(f"{s.estimate:.2f} +- {s.uncertainty:.2f}" for s in both))
        table.add_row("significance", *(f"{s.significance:.2f}" for s in both))
        table.add_row("upper limit (95 % CL)", *(f"{s.limit:.2f}" for s in both))
        return [table]


def observe(analysis: Analysis, observed: Dataset | Folds, result: Result, prediction: Dataset) -> Observation:
    """Unblind: fill the observed events and fit the signal strength.

    The prediction is that of the held-out events, which chose nothing; of it processes and typical weights are used.
    Observed events are the only process; of a cross-fit they are in folds, each with its cuts. Warns with
    `InputWarning` when a fit does not converge; the events are told nevertheless.
    """
    start, optimum = (count(analysis, observed, *at) for at in ([result.start.parameters], result.judging))
    if analysis.model.likelihood is None:
        return Observation(start, optimum, None, None)
    try:
        # likelihoods need double precision, whatever the rest of the program computes in
        with jax.enable_x64(True):
            model = model_at(result.optimum, analysis, prediction)
            data = observed_data(model, analysis, optimum)
            expected, seen = _strength(model, asimov_data(model, 1.0)), _strength(model, data)
            limit = float(upper_limit(model, asimov_data(model, 0.0)).observed)
    except FitError as error:
        warnings.warn(f"the signal strength could not be determined: {error}", InputWarning, stacklevel=2)
        return Observation(start, optimum, None, None)
    return Observation(start, optimum, seen, dataclasses.replace(expected, limit=limit))


def count(analysis: Analysis, observed: Dataset | Folds, *parameters: Parameters) -> dict[str, Counts]:
    """Fill the channels with observed events, with hard cuts and without systematic shifts.

    Observed events are the only process; cut values are given once, or for each fold.
    """
    # another model, because the systematic variations of this one are those of simulation
    counting = dataclasses.replace(analysis, model=CountingModel(("data",), 0.0), objective="discovery")
    filled = Judged.of(observed, *parameters).total(Fill(counting), Hard())
    return {name: counts[0] for name, counts in filled.items()}


def _strength(model: Model, data: Any) -> Strength:
    best = fit(model, data)
    index = model.index(str(model.parameter_of_interest))
    estimate, uncertainty = best.parameters[index], best.uncertainties[index]
    significance, limit = discovery(model, data).significance, upper_limit(model, data).observed
    return Strength(float(estimate), float(uncertainty), float(significance), float(limit))
