"""What a fit leaves in a folder: all numbers as JSON, tables as CSV, plots."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..files.plain_json import json_numbers
from ..results.run_folder import RunFolder
from . import tables
from .plots import plots
from .result import FitNumbers


def write(result: FitNumbers, path: str | Path, *, overwrite: bool = False) -> None:
    """Write everything about a fit.

    ``overwrite`` is whether the folder of an earlier fit there may be replaced. Raises `InputError` when there is
    something else, or it cannot be written.
    """
    folder = RunFolder.create(path, overwrite=overwrite)
    folder.write_json("results.json", as_json(result))
    folder.write_csv("parameters.csv", tables.PARAMETER_COLUMNS, tables.parameter_rows(result))
    matrix = result.correlation.tolist()
    names = result.names
    folder.write_csv("correlation.csv", ("", *names), ((n, *row) for n, row in zip(names, matrix, strict=True)))
    if result.impacts is not None:
        folder.write_csv("impacts.csv", tables.IMPACT_COLUMNS, tables.impact_rows(result))
    if result.scan is not None:
        header = (result.scan.parameter, "twice_delta_nll", *names)
        points = (result.scan.values, result.scan.twice_delta_nll, result.scan.parameters)
        folder.write_csv("scan.csv", header, ((x, y, *rest) for x, y, rest in zip(*map(_listed, points), strict=True)))
    if result.limit is not None:
        header = (str(result.parameter_of_interest), "observed", *(f"expected {band} sigma" for band in tables.BANDS))
        curves = (result.limit.values, result.limit.cls_observed, result.limit.cls_expected)
        folder.write_csv("cls.csv", header, ((x, y, *rest) for x, y, rest in zip(*map(_listed, curves), strict=True)))
    if result.toy_goodness is not None:
        folder.write_csv("toys.csv", ("chi2",), ((chi2,) for chi2 in _listed(result.toy_goodness.toys)))
    if result.yields is not None:
        folder.write_csv("yields.csv", tables.YIELD_COLUMNS, tables.yield_rows(result))
    for plot in plots(result):
        plot.save(folder)
    facts = {"status": "finished", "command": "fit", "version": importlib.metadata.version("hepgrad")}
    folder.finish({**facts, "workspace": result.source, "data": result.fitted, "headline": tables.headline(result)})


def as_json(result: FitNumbers) -> dict[str, Any]:
    """Return the numbers of a fit as JSON can hold them; null stands for what is not finite."""
    told: dict[str, Any] = {
        "workspace": result.source,
        "data": result.fitted,
        "parameter_of_interest": result.parameter_of_interest,
        "fixed": {name: None if value is None else _listed(value) for name, value in result.fixed.items()},
        "twice_nll": result.twice_nll,
        "deviance": result.deviance,
        "parameters": [dict(zip(tables.PARAMETER_COLUMNS, row, strict=True)) for row in tables.parameter_rows(result)],
    }
    for name in ("significance", "limit", "scan"):
        if (part := getattr(result, name)) is not None:
            told[name] = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
    if result.scan is not None:
        del told["scan"]["parameters"]  # they are in scan.csv
    if result.goodness is not None:
        g = result.goodness
        told["goodness"] = {"chi2": float(g.chi2), "ndof": g.ndof, "p_value": float(g.p_value)}
    if result.toy_goodness is not None:
        t = result.toy_goodness
        numbers = {"p_value": float(t.p_value), "p_error": float(t.p_error), "failed": int(t.failed)}
        told["toy_goodness"] = {**numbers, "number": t.toys.size}
    if result.impacts is not None:
        rows = tables.impact_rows(result)
        told["impacts"] = [dict(zip(tables.IMPACT_COLUMNS, row, strict=True)) for row in rows]
    if result.yields is not None:
        rows = tables.yield_rows(result)
        told["yields"] = [dict(zip(tables.YIELD_COLUMNS, row, strict=True)) for row in rows]
    return {**json_numbers(told), "failed": dict(result.failed)}


def _listed(values: Any) -> Any:
    return np.asarray(values).tolist()
