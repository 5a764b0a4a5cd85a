"""A fit as tables: rows for files, tables and lines for people."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.table import Column, Table

from hepgrad.analysis.statistics.inference import Impacts

from ..messages.terminal import Console
from .result import FitNumbers

# of `Impacts`, by parameter
IMPACTS = ("pull", "constraint", "prefit_down", "prefit_up", "postfit_down", "postfit_up", "converged")
PARAMETER_COLUMNS = ("parameter", "value", "uncertainty", "state")
IMPACT_COLUMNS = ("parameter", "value", "uncertainty", *IMPACTS)
BANDS = ("-2", "-1", "0", "+1", "+2")
YIELD_COLUMNS = (
    "channel",
    "sample",
    "bin",
    "prefit",
    "prefit_uncertainty",
    "postfit",
    "postfit_uncertainty",
    "observed",
)
TOTAL = "total"
# so many lines of a table are printed; all of them are in the files
SHOWN = 30


def headline(result: FitNumbers) -> str:
    """Return the result in one line."""
    poi = result.parameter_of_interest
    likelihood = f"-2 ln L = {result.twice_nll:.6f}"
    if poi is None or poi not in result.names:
        return likelihood
    index = result.names.index(poi)
    estimate, uncertainty = result.estimates[index], result.uncertainties[index]
    state = result.states[index]
    told = {
        "free": f"+- {uncertainty:.6g}",
        "fixed": "(fixed)",
        "at its bound": f"(at its bound, one-sided uncertainty {uncertainty:.6g})",
    }[state]
    return f"{poi} = {estimate:.6g} {told}, {likelihood}"


def lines(result: FitNumbers) -> Iterator[str]:
    """Yield one line for each number that is not in a table."""
    if result.significance is not None:
        s = result.significance
        yield f"significance: {s.observed:.3f} observed, {s.expected:.3f} expected, p0 = {s.p0:.3g}"
    if result.limit is not None:
        low2, low1, median, high1, high2 = result.limit.expected
        confidence = f"{100 * (1 - result.limit.level):g} % CLs limit on {result.parameter_of_interest}"
        yield (
            f"{confidence}: {result.limit.observed:.4g} observed, {median:.4g} expected "
            f"(68 %: {low1:.4g} to {high1:.4g}, 95 %: {low2:.4g} to {high2:.4g})"
        )
    if result.goodness is not None:
        g = result.goodness
        p = f"p = {float(g.p_value):.3g}" if g.ndof > 0 else "no p-value without degrees of freedom"
        yield f"goodness of fit (saturated): chi2 / ndof = {float(g.chi2):.3f} / {g.ndof}, {p}"
    if result.toy_goodness is not None:
        t = result.toy_goodness
        failed = f", {int(t.failed)} of them failed" if t.failed else ""
        told = f"p = {float(t.p_value):.3g} +- {float(t.p_error):.1g}"
        yield f"goodness of fit, {t.toys.size} pseudo-experiments: {told}{failed}"
    for quantity, reason in result.failed.items():
        yield f"failed: {quantity}: {reason}"


def tables(result: FitNumbers) -> Iterator[Table]:
    """Yield what was found as tables of rich."""
    if result.impacts is not None:
        yield _impact_table(result.impacts, str(result.parameter_of_interest))
    else:
        yield _parameter_table(result)
    if result.scan is not None:
        table = Table(title="Likelihood scan", title_justify="left")
        for column in (result.scan.parameter, "-2 delta ln L"):
            table.add_column(column, justify="right")
        for value, height in zip(result.scan.values, result.scan.twice_delta_nll, strict=True):
            table.add_row(f"{value:.6g}", "failed" if math.isnan(height) else f"{height:.6f}")
        yield table
    if result.yields is not None:
        yield _yield_table(result)


def as_text(result: FitNumbers) -> str:
    """Return the headline, the lines and the tables as text."""
    written = io.StringIO()
    console = Console(file=written, width=100, color_system=None)
    for line in (headline(result), *lines(result)):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    for table in tables(result):
        console.print(table)
    return written.getvalue().rstrip("\n")


def parameter_rows(result: FitNumbers) -> Iterator[tuple[Any, ...]]:
    """Yield name, value, uncertainty and state (free, fixed, at a bound) of all parameters."""
    yield from zip(result.names, result.estimates.tolist(), result.uncertainties.tolist(), result.states, strict=True)


def impact_rows(result: FitNumbers) -> Iterator[tuple[Any, ...]]:
    """Yield pulls and impacts of all parameters, those that matter most first."""
    if (found := result.impacts) is None:
        return
    columns = [result.estimates, result.uncertainties, *(np.asarray(getattr(found, name)) for name in IMPACTS)]
    for name in dict.fromkeys([*found.ranking(), *found.names]):
        yield name, *(column[found.names.index(name)].item() for column in columns)


def yield_rows(result: FitNumbers) -> Iterator[tuple[Any, ...]]:
    """Yield expected events of each channel, sample and bin before and after the fit; ``all`` stands for all bins."""
    if result.yields is None:
        return
    before, after = result.yields
    rows = [*before.samples, TOTAL]
    for c, channel in enumerate(before.channels):
        start, stop = before.slices[c]
        present = {sample.name for entry in result.model.channels if entry.name == channel for sample in entry.samples}
        for s, sample in enumerate(rows):
            if sample not in present and s < len(rows) - 1:
                continue
            is_total = s == len(rows) - 1
            for b in range(start, stop):
                numbers = (before.events, before.uncertainties, after.events, after.uncertainties)
                yield (
                    channel,
                    sample,
                    b - start,
                    *(float(number[s, b]) for number in numbers),
                    result.counts[b].item() if is_total else "",
                )
            totals = (
                before.total_events,
                before.total_uncertainties,
                after.total_events,
                after.total_uncertainties,
            )
            observed = result.counts[start:stop].sum().item() if is_total else ""
            yield channel, sample, "all", *(float(number[s, c]) for number in totals), observed


def _parameter_table(result: FitNumbers) -> Table:
    table = Table(Column("parameter", overflow="fold"))
    for column in ("estimate", "uncertainty", "state"):
        table.add_column(column, justify="right")
    for name, estimate, uncertainty, state in itertools.islice(parameter_rows(result), SHOWN):
        table.add_row(name, f"{estimate:.6g}", "" if state == "fixed" else f"{uncertainty:.6g}", state)
    if len(result.names) > SHOWN:
        table.caption = f"the first {SHOWN} of {len(result.names)} parameters; parameters.csv (--output) has all"
    return table


def _impact_table(found: Impacts, poi: str) -> Table:
    table = Table(Column("parameter", overflow="fold"))
    for column in ("pull", "constraint", f"{poi} at -1", f"{poi} at +1"):
        table.add_column(column, justify="right")
    ranking = found.ranking()
    for name in ranking[:SHOWN]:
        at = found.names.index(name)
        # free parameters have neither a pull nor a constraint
        pulled = (found.pull, found.constraint) if found.constraint[at] > 0 else ()
        told = [f"{number[at]:.3f}" for number in (*pulled, found.postfit_down, found.postfit_up)]
        mark = "" if found.converged[at] else " (failed)"
        table.add_row(f"{name}{mark}", *([""] * (4 - len(told))), *told)
    if len(ranking) > SHOWN:
        table.caption = f"the first {SHOWN} of {len(ranking)} parameters"
    return table


def _yield_table(result: FitNumbers) -> Table:
    table = Table(Column("channel", overflow="fold"), Column("sample", overflow="fold"), title="Yields, all bins")
    table.title_justify = "left"
    for column in ("before the fit", "after the fit", result.fitted):
        table.add_column(column, justify="right")
    for channel, sample, b, *numbers, observed in yield_rows(result):
        if b == "all":
            prefit, dprefit, postfit, dpostfit = numbers
            told = (f"{prefit:.5g} +- {dprefit:.2g}", f"{postfit:.5g} +- {dpostfit:.2g}")
            table.add_row(channel, sample, *told, "" if observed == "" else f"{observed:.5g}")
            if sample == TOTAL:
                table.add_section()
    return table
