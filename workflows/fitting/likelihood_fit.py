"""A likelihood fitted to its data, with whatever else is asked of it."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from hepgrad.analysis import FitError, Model
from hepgrad.analysis.statistics.fitting import fit as best_fit
from hepgrad.analysis.statistics.inference import asimov_data, discovery, hypotest, upper_limit
from hepgrad.analysis.statistics.inference.ranking import impacts_at
from hepgrad.analysis.statistics.measurement import (
    goodness_of_fit,
    postfit_yields,
    prefit_yields,
    scan,
    toy_goodness_of_fit,
)

from ..errors import InputError
from .files import write
from .reading import PatchLike, WorkspaceLike
from .result import FitNumbers, LimitCurve, Significance
from .sources import document
from .tables import as_text

QUANTITIES = ("impacts", "significance", "limit", "scan", "goodness", "yields")
# those that are about the parameter of interest
_OF_INTEREST = ("significance", "limit")
# what is being done, how much of it is done, and how much there is
Watch = Callable[[str, int, int], None]


class LikelihoodFit(FitNumbers):
    """A fit, and what was asked beside it; prints itself, and `write` leaves a folder with tables and plots."""

    def write(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write a folder with everything: ``results.json``, tables as CSV, plots as PNG and PDF.

        Parameters
        ----------
        path
            Where; parents are created.
        overwrite
            Whether the folder of an earlier fit there may be replaced.

        Raises
        ------
        InputError
            When there is something else, or it cannot be written.
        """
        write(self, path, overwrite=overwrite)

    def __str__(self) -> str:
        return as_text(self)


def fit(
    workspace: WorkspaceLike,
    *,
    patch: PatchLike | None = None,
    measurement: str | None = None,
    poi: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    data: Literal["observed", "asimov"] = "observed",
    quantities: Sequence[str] = ("impacts",),
    level: float = 0.05,
    test_stat: Literal["q", "qtilde"] = "qtilde",
    scanned: str | None = None,
    points: int = 21,
    toys: int = 0,
    seed: int = 0,
    watch: Watch | None = None,
) -> LikelihoodFit:
    """Fit a likelihood to its data, and compute what else is asked for.

    Computes in float64, whatever the rest of the program does.

    Parameters
    ----------
    workspace
        Path or URL of a pyhf workspace, an HS3 document or a Combine datacard; a run folder; or a workspace as
        ``json.load`` returns it.
    patch
        What to change first, as in `hepgrad.workflows.from_workspace`.
    measurement
        Its name, where there are several.
    poi
        Another parameter of interest than the measurement's.
    fixed
        Parameters to hold, by name: at a number, or at their start (None).
    data
        ``"asimov"`` fits what is expected at the start of the parameters, and does not look at what was observed.
    quantities
        What to compute beside the fit: ``"impacts"`` (with pulls; left out where the measurement has no parameter of
        interest, or it is held), ``"significance"``, ``"limit"`` (CLs, with the
        bands expected), ``"scan"`` (of the profile likelihood), ``"goodness"`` (of fit, saturated), ``"yields"``
        (before and after the fit, with uncertainties).
    level
        CLs of the limit: 0.05 for 95 % confidence.
    test_stat
        Of the limit: ``"qtilde"`` or, for a parameter of interest that may be negative, ``"q"``.
    scanned
        Parameter of the scan; by default the parameter of interest.
    points
        Of the scan, and of the curve of CLs.
    toys
        Pseudo-experiments for the goodness of fit, beside its asymptotic probability; 0 for none.
    seed
        Of their random numbers.
    watch
        Called with what is being done, how much of it is done, and how much there is.

    Returns
    -------
    LikelihoodFit

    Raises
    ------
    InputError
        When the likelihood cannot be read, or something is asked that it does not have.
    FitError
        When the fit of all parameters does not converge. What else fails is told in `LikelihoodFit.failed`.

    Examples
    --------
    >>> from hepgrad.workflows import fit
    >>> signal = {"name": "signal", "data": [10.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    >>> result = fit({
    ...     "channels": [{"name": "SR", "samples": [signal, {"name": "background", "data": [50.0], "modifiers": []}]}],
    ...     "observations": [{"name": "SR", "data": [65.0]}],
    ...     "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
    ...     "version": "1.0.0",
    ... }, quantities=["significance"])
    >>> print(result)
    mu = 1.5 +- 0.806226, -2 ln L = 6.01...
    significance: 2.027 observed, 1.371 expected, p0 = 0.0213
    ...
    """
    asked = _checked(quantities)
    with jax.enable_x64(True):
        read = document(workspace, patch=patch, measurement=measurement)
        model, observed = read.model(measurement=measurement, parameter_of_interest=poi, fixed=fixed)
        asked = _possible(model, asked, fixed or {}, scanned, read.source)
        sample = observed if data == "observed" else model.expected_data(model.initial)
        tell = watch or (lambda what, done, of: None)
        found: dict[str, Any] = {}
        tell("fit", 0, 1)
        best = best_fit(model, sample)
        tell("fit", 1, 1)
        result = LikelihoodFit.of(read.source, data, model, sample, best, dict(fixed or {}))
        compute: dict[str, Callable[[], Any]] = {
            # which of its fits did not converge is told with them
            "impacts": lambda: impacts_at(model, sample, best),
            "significance": lambda: _significance(model, sample),
            "limit": lambda: _limit(model, sample, level, test_stat, points, tell),
            "scan": lambda: scan(
                model, sample, scanned, best=best, points=points, watch=lambda done, of: tell("scan", done, of)
            ),
            "goodness": lambda: goodness_of_fit(model, best),
            "toy_goodness": lambda: toy_goodness_of_fit(model, best, jax.random.key(seed), number=toys),
            "yields": lambda: (prefit_yields(model), postfit_yields(model, best)),
        }
        failed: dict[str, str] = {}
        by_toys = ["toy_goodness"] if "goodness" in asked and toys > 0 else []
        for quantity in (name for name in [*asked, *by_toys] if name in compute):
            tell(quantity, 0, 1)
            try:
                found[quantity] = compute[quantity]()
            except FitError as error:
                failed[quantity] = str(error)
            except ValueError as error:
                raise InputError(str(error)) from None
            tell(quantity, 1, 1)
        # arrays of NumPy, which keep their precision outside this block
        found = {name: jax.tree.map(_in_numpy, value) for name, value in found.items()}
        return dataclasses.replace(result, **found, failed={**failed, **_partly(result, found)})


def _partly(result: LikelihoodFit, found: Mapping[str, Any]) -> dict[str, str]:
    """Return what is told of quantities some of whose fits failed."""
    told = {}
    if "impacts" in found:
        bad = [name for name, good in zip(result.names, found["impacts"].converged, strict=True) if not good]
        if bad:
            told["impacts"] = f"the fits for {len(bad)} of {len(result.names)} parameters failed: {', '.join(bad[:5])}"
    points: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    if "scan" in found:
        points["scan"] = found["scan"].values, ~found["scan"].converged
    if "limit" in found:
        points["limit"] = found["limit"].values, np.isnan(found["limit"].cls_observed)
    for name, (values, failures) in points.items():
        if failures.any():
            places = ", ".join(f"{value:.4g}" for value in values[failures][:5])
            told[name] = f"{failures.sum()} of {len(values)} points failed: {places}"
    return told


def _in_numpy(leaf: Any) -> Any:
    return np.asarray(leaf) if isinstance(leaf, jax.Array) else leaf


def _checked(quantities: Sequence[str]) -> list[str]:
    for quantity in quantities:
        if quantity not in QUANTITIES:
            near = difflib.get_close_matches(quantity, QUANTITIES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"quantities are {list(QUANTITIES)}, got {quantity!r}{hint}")
    return [quantity for quantity in QUANTITIES if quantity in quantities]


def _possible(
    model: Model, asked: Sequence[str], fixed: Mapping[str, Any], scanned: str | None, source: str
) -> list[str]:
    """Refuse what is asked of a parameter that is not there, or is held; impacts, a default, are left out."""
    poi = model.parameter_of_interest
    names = [parameters.name for parameters in model.layout.parameter_sets if parameters.is_scalar]
    about = [quantity for quantity in asked if quantity in _OF_INTEREST]
    about += ["scan"] if "scan" in asked and scanned is None else []
    if about and poi is None:
        raise InputError(
            f"the measurement in {source or 'the workspace'} has no parameter of interest, which {about[0]} is about: "
            f"choose one by `poi` (--poi) of {', '.join(names[:10])}"
        )
    if poi in fixed and about:
        raise InputError(f"{about[0]} is about the parameter of interest {poi!r}, which is held: leave one of them out")
    if "scan" in asked and scanned is not None:
        if scanned not in names:
            raise InputError(f"a scan needs a parameter with one component, one of {names}; got {scanned!r}")
        if scanned in fixed:
            raise InputError(f"the scan is about the parameter {scanned!r}, which is held: leave one of them out")
    has_impacts = poi is not None and poi not in fixed
    return [quantity for quantity in asked if quantity != "impacts" or has_impacts]


def _significance(model: Model, data: jax.Array) -> Significance:
    test = discovery(model, data)
    expected = discovery(model, asimov_data(model, 1.0, data))
    return Significance(float(test.significance), float(expected.significance), float(test.p0))


def _limit(
    model: Model, data: jax.Array, level: float, test_stat: Literal["q", "qtilde"], points: int, tell: Watch
) -> LimitCurve:
    found = upper_limit(model, data, level=level, test_stat=test_stat)
    expected = np.asarray(found.expected)
    highest = 1.25 * max(float(found.observed), float(expected[-1]))
    values = np.linspace(0, highest, points + 1)[1:]
    observed, bands = np.full(points, np.nan), np.full((points, 5), np.nan)
    for i, value in enumerate(values):
        try:
            test = hypotest(value, model, data, test_stat=test_stat)
        except FitError:
            continue  # a gap in the curve; the limit itself is another search
        finally:
            tell("limit", i + 1, points)
        observed[i], bands[i] = test.CLs_obs, test.CLs_exp
    return LimitCurve(level, float(found.observed), expected, values, observed, bands)
