"""What a run with a likelihood leaves: the pyhf workspace, what each systematic source does, pulls and impacts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from hepgrad.analysis import Analysis, Dataset, FitError, HistoSys, Model, NormSys, Result, fit, to_workspace
from hepgrad.analysis.statistics.inference import Impacts, asimov_data, breakdown
from hepgrad.analysis.statistics.inference.ranking import impacts_at

from ..errors import InputWarning
from . import file_names
from .likelihood import model_at, observed_data
from .observation import Observation
from .run_folder import RunFolder

SOURCE_COLUMNS = ("point", "channel", "process", "source", "type", "yield", "down", "up")
FITTED = ("value", "uncertainty")
PULL_COLUMNS = ("fit", "parameter", *FITTED, "pull", "constraint", "state")
# of `Impacts`, by parameter
MOVED = ("prefit_down", "prefit_up", "postfit_down", "postfit_up")
IMPACTS = ("pull", "constraint", *MOVED, "converged")
CUT_OFF = "cut_off"
TITLES = {"asimov": "Asimov", "observed": "observed"}


def write_inference(
    folder: RunFolder, result: Result, analysis: Analysis, about: Dataset, observation: Observation | None
) -> None:
    """Write what the likelihood says, from hard histograms of held-out events.

    ``workspace.json`` is the likelihood with the optimised cuts in the format of pyhf, ``systematics.csv`` tells what
    one standard deviation of each source does to each yield, ``impacts.csv`` has pulls and impacts,
    ``uncertainty.json`` what the uncertainty of the parameter of interest is made of, and ``pulls.csv`` the fit to
    Asimov data of strength 1, where the pulls are 0 and the constraints are those to expect, and that to observed data.
    While nothing is observed, all of it is for Asimov data. The model is a likelihood. ``about`` are held-out events,
    for their processes and typical weights, and there is no observation while the analysis is blinded. When a fit does
    not converge, or the selection leaves no likelihood, an `InputWarning` says so, and which files are missing.
    """
    # likelihoods need double precision, whatever the rest of the program computes in
    with jax.enable_x64(True):
        try:
            start, optimum = (model_at(point, analysis, about) for point in (result.start, result.optimum))
        except ValueError as error:  # such as a signal of which no simulated event is left
            missing = f"{file_names.WORKSPACE}, nor systematic uncertainties and impacts"
            warnings.warn(
                f"there is no {missing}: {error}; loosen the bounds of the cuts, or read more simulated events",
                InputWarning,
                stacklevel=2,
            )
            return
        samples: dict[str, Any] = {"asimov": asimov_data(optimum, 1.0)}
        if observation is not None:
            samples["observed"] = observed_data(optimum, analysis, observation.optimum)
        data = list(samples.values())[-1]
        folder.write_json(file_names.WORKSPACE, to_workspace(optimum, data, measurement="optimum"))
        models = {"start": start, "optimum": optimum}
        folder.write_csv(
            file_names.SYSTEMATICS, SOURCE_COLUMNS, (row for name, m in models.items() for row in source_rows(name, m))
        )
        try:
            fits = {name: _impacts(optimum, sample, TITLES[name]) for name, sample in samples.items()}
            bounds = np.asarray(optimum.bounds)[optimum.index(str(optimum.parameter_of_interest))]
            moved = impact_rows(list(fits.values())[-1], str(optimum.parameter_of_interest), bounds)
            folder.write_csv(file_names.IMPACTS, ("parameter", *FITTED, CUT_OFF, *IMPACTS), moved)
            rows = (row for name, fitted in fits.items() for row in pull_rows(name, fitted))
            folder.write_csv(file_names.PULLS, PULL_COLUMNS, rows)
            folder.write_json(file_names.UNCERTAINTY, uncertainty_parts(optimum, data))
        except FitError as error:
            missing = f"{file_names.IMPACTS}, {file_names.PULLS} and {file_names.UNCERTAINTY}"
            warnings.warn(f"there are no {missing}: {error}", InputWarning, stacklevel=2)


def _impacts(model: Model, data: Any, title: str) -> Impacts:
    """Return pulls and impacts, with the flags of the fits behind them; a fit of all parameters that fails raises."""
    try:
        best = fit(model, data)
    except FitError as error:
        raise FitError(f"{title} data: {error}") from None
    return impacts_at(model, data, best)


def source_rows(point: str, model: Model) -> Iterator[tuple[str, str, str, str, str, float, float, float]]:
    """Yield what one standard deviation does to each yield: its expectation, and the relative changes down and up."""
    for channel in model.channels:
        for sample in channel.samples:
            total = float(np.sum(sample.yields))
            for modifier in sample.modifiers:
                match modifier:
                    case NormSys():
                        down, up = float(modifier.lo) - 1, float(modifier.hi) - 1
                    case HistoSys():
                        changes = (float(np.sum(varied)) - total for varied in (modifier.lo, modifier.hi))
                        down, up = (change / total if total > 0 else 0.0 for change in changes)
                    case _:
                        continue
                yield point, channel.name, sample.name, modifier.name, modifier.type, total, down, up


def impact_rows(result: Impacts, poi: str = "", bounds: Any = (-np.inf, np.inf)) -> Iterator[tuple[Any, ...]]:
    """Yield one row for each parameter, those that matter most first and those without an impact last.

    The impacts of a parameter whose fits did not converge are empty. One column names those that would be larger if the
    bounds of the parameter of interest did not cut them off. ``bounds`` are the lowest and highest value of the
    parameter of interest.
    """
    estimate = float(np.asarray(result.best.parameters)[result.names.index(poi)]) if poi else 0.0
    low, high = (float(bound) - estimate for bound in bounds)
    margin = 1e-6 * max(1.0, abs(estimate))
    order = list(dict.fromkeys([*result.ranking(), *result.names]))
    columns = [result.best.parameters, result.best.uncertainties, *(getattr(result, name) for name in IMPACTS)]
    for name in order:
        told = [np.asarray(column)[result.names.index(name)].item() for column in columns]
        if not told[-1]:
            fitted = len(told) - 1 - len(MOVED)
            told[fitted:-1] = [""] * len(MOVED)
        changes = dict(zip(MOVED, told[-1 - len(MOVED) : -1], strict=True))
        cut = [side for side, x in changes.items() if x not in ("", 0.0) and not low + margin < x < high - margin]
        yield name, *told[: len(FITTED)], " ".join(cut), *told[len(FITTED) :]


def pull_rows(fit: str, result: Impacts) -> Iterator[tuple[Any, ...]]:
    """Yield one row for each parameter in the order of the model; free ones have neither a pull nor a constraint.

    The uncertainty of one at its bound, as its state tells, is one-sided.
    """
    best, uncertainties, pull, constraint = map(
        np.asarray, (result.best.parameters, result.best.uncertainties, result.pull, result.constraint)
    )
    for i, (name, state) in enumerate(zip(result.names, result.best.states, strict=True)):
        pulled = (pull[i].item(), constraint[i].item()) if constraint[i] > 0 else ("", "")
        yield fit, name, best[i].item(), uncertainties[i].item(), *pulled, state


def uncertainty_parts(model: Model, data: Any) -> dict[str, Any]:
    """Return the uncertainty of the parameter of interest, and the part of it that each source accounts for.

    Data are as `Model.data` makes them.
    """
    poi = str(model.parameter_of_interest)
    slices = model.layout.parameter_slices
    constrained = set(np.asarray(model.layout.constrained).tolist())
    sources = [name for name, where in slices.items() if constrained.intersection(range(where.start, where.stop))]
    parts = breakdown(model, data, {name: [name] for name in sources})
    return {
        "parameter": poi,
        "estimate": float(parts.estimate),
        "total": float(parts.total),
        "statistical": float(parts.statistical),
        "sources": {name: float(part) for name, part in parts.groups.items()},
    }
