"""Upper limits on all signals of a patch set, kept on disk while they come."""

from __future__ import annotations

import dataclasses
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
from rich.table import Column, Table

from hepgrad.analysis import Model
from hepgrad.analysis.statistics.exchange import alike
from hepgrad.analysis.statistics.histfactory import Patch, digest, patched
from hepgrad.analysis.statistics.measurement import limits as limits_on

from ..errors import InputError
from ..results.file_names import RUN_FILE
from ..results.run_folder import RunFolder
from .likelihood_fit import Watch
from .reading import Document, WorkspaceLike, read_patch_set
from .signal_plots import plots
from .sources import document

# one line for each signal that is done, after a first line that says what is computed
PARTIAL = "limits.jsonl"
BANDS = ("-2", "-1", "0", "+1", "+2")


@dataclasses.dataclass(frozen=True)
class SignalLimits:
    """Upper limits on many signals.

    Attributes
    ----------
    labels
        Of the axes on which the signals lie, for instance two masses.
    names
        Of the signals.
    values
        Their places, each of one value for each label.
    observed
        Limits, shape (signals,); NaN where it failed.
    expected
        For a background that fluctuates by (-2, -1, 0, 1, 2) standard deviations, shape (signals, 5).
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]
    observed: np.ndarray
    expected: np.ndarray

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the signals whose fits failed."""
        return tuple(name for name, bad in zip(self.names, np.isnan(self.observed), strict=True) if bad)

    def table(self) -> Table:
        """Return the limits as a table of rich."""
        table = Table(Column("signal", no_wrap=True))
        bands = ("-2 sigma", "-1 sigma", "expected", "+1 sigma", "+2 sigma")
        for column in (*self.labels, "observed", *bands):
            table.add_column(column, justify="right")
        for name, *row in self.rows():
            places, numbers = row[: len(self.labels)], row[len(self.labels) :]
            told = ["failed" if np.isnan(number) else f"{number:.3g}" for number in numbers]
            table.add_row(name, *map(str, places), *told)
        return table

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield name, place, observed and expected limits of each signal."""
        for name, place, observed, expected in zip(
            self.names, self.values, self.observed.tolist(), self.expected.tolist(), strict=True
        ):
            yield name, *place, observed, *expected


def limits(
    workspace: WorkspaceLike,
    patchset: str | Path,
    *,
    measurement: str | None = None,
    poi: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    data: Literal["observed", "asimov"] = "observed",
    level: float = 0.05,
    at_once: int = 8,
    output: str | Path | None = None,
    overwrite: bool = False,
    watch: Watch | None = None,
) -> SignalLimits:
    """Set upper limits on all signals of a patch set.

    Signals of one structure share one compiled program, whatever their samples are called.

    Parameters
    ----------
    workspace
        Path or URL of the background's workspace, or the JSON.
    patchset
        Path or URL of the patch set, whose digest has to be that of the workspace.
    measurement, poi, fixed, data, level, watch
        As in `fit`.
    at_once
        How many signals are fitted in one go, before they are kept.
    output
        Folder for ``limits.csv`` and plots. Every batch is kept there as soon as it is done: called again after an
        interruption, with the same settings, it computes only what is missing.
    overwrite
        Whether what another search left in the folder may be replaced.

    Returns
    -------
    SignalLimits
        Signals whose fits fail are marked, and counted in ``run.json``.

    Raises
    ------
    InputError
        When something cannot be read, a patch does not fit, or the folder holds something else.

    Examples
    --------
    >>> import json, pathlib
    >>> from hepgrad.analysis.statistics.histfactory import digest
    >>> from hepgrad.workflows import limits
    >>> background = {"name": "background", "data": [50.0], "modifiers": []}
    >>> workspace = {
    ...     "channels": [{"name": "SR", "samples": [background]}],
    ...     "observations": [{"name": "SR", "data": [45.0]}],
    ...     "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
    ...     "version": "1.0.0",
    ... }
    >>> modifiers = [{"name": "mu", "type": "normfactor", "data": None}]
    >>> def patch(mass):
    ...     signal = {"name": f"Z{mass}", "data": [10000 / mass], "modifiers": modifiers}
    ...     operation = {"op": "add", "path": "/channels/0/samples/0", "value": signal}
    ...     return {"metadata": {"name": f"Z{mass}", "values": [mass]}, "patch": [operation]}
    >>> metadata = {"labels": ["mass"], "description": "", "digests": {"sha256": digest(workspace)}, "references": {}}
    >>> patchset = {"metadata": metadata, "patches": [patch(500), patch(1000)], "version": "1.0.0"}
    >>> written = pathlib.Path("patchset.json").write_text(json.dumps(patchset))
    >>> print(limits(workspace, "patchset.json").observed.round(3))
    [0.594 1.188]
    """
    read = document(workspace, measurement=measurement)
    patches = read_patch_set(patchset, read.workspace)
    tell = watch or (lambda what, done, of: None)
    settings = {
        "workspace": digest(read.workspace),
        "patches": digest([[patch.name, list(patch.values), list(patch.operations)] for patch in patches]),
        "measurement": measurement,
        "poi": poi,
        "fixed": {
            name: value if value is None else np.asarray(value).tolist() for name, value in (fixed or {}).items()
        },
        "data": data,
        "level": level,
    }
    kept = None if output is None else _Kept.begin(Path(output), settings, overwrite=overwrite)
    done: dict[str, list[float]] = {} if kept is None else dict(kept.done)
    missing = [patch for patch in patches if patch.name not in done]
    tell("limits", len(done), len(patches))
    with jax.enable_x64(True):
        for first in range(0, len(missing), at_once):
            batch = missing[first : first + at_once]
            models, samples = zip(*(_model(read, patch, measurement, poi, fixed, data) for patch in batch), strict=True)
            # filled up to one size, for which the program is compiled
            fill = at_once - len(batch) if len(missing) > at_once else 0
            found = limits_on(
                [*models, *models[-1:] * fill], [*samples, *samples[-1:] * fill], level=level, at_once=at_once
            )
            for i, patch in enumerate(batch):
                numbers = [float(found.observed[i]), *np.asarray(found.expected[i]).tolist()]
                done[patch.name] = numbers if bool(found.converged[i]) else [np.nan] * 6
                if kept is not None:
                    kept.append(patch.name, done[patch.name])
            tell("limits", len(done), len(patches))
    rows = np.array([done[patch.name] for patch in patches])
    result = SignalLimits(
        labels=patches.labels,
        names=tuple(patch.name for patch in patches),
        values=tuple(patch.values for patch in patches),
        observed=rows[:, 0],
        expected=rows[:, 1:],
    )
    if kept is not None:
        _finish(kept.folder, result, read.source, settings)
    return result


def _model(
    read: Document,
    patch: Patch,
    measurement: str | None,
    poi: str | None,
    fixed: Mapping[str, Any] | None,
    data: str,
) -> tuple[Model, jax.Array]:
    """Return the likelihood of one signal, and the data."""
    try:
        workspace = alike(patched(read.workspace, patch), read.workspace)
        signal = dataclasses.replace(read, workspace=workspace)
        model, observed = signal.model(measurement=measurement, parameter_of_interest=poi, fixed=fixed)
    except ValueError as error:
        raise InputError(f"the patch {patch.name!r}: {error}") from None
    if model.parameter_of_interest is None:
        raise InputError(
            f"with the patch {patch.name!r} there is no parameter of interest: choose one by `poi` (--poi)"
        )
    return model, observed if data == "observed" else model.expected_data(
        model.vector({model.parameter_of_interest: 0.0})
    )


class _Kept:
    """The limits that are on disk."""

    def __init__(self, folder: RunFolder, done: Mapping[str, list[float]]) -> None:
        self.folder, self.done = folder, done

    @classmethod
    def begin(cls, path: Path, settings: Mapping[str, Any], *, overwrite: bool) -> _Kept:
        """Go on where an interrupted search with these settings stopped, or begin."""
        lines = _lines(path / PARTIAL)
        if lines and lines[0] == settings:
            folder = RunFolder(path)
            folder.files = [PARTIAL]
            if (path / RUN_FILE).exists():
                folder.files = json.loads((path / RUN_FILE).read_text(encoding="utf-8"))["files"]
            done = {line["signal"]: [np.nan if x is None else x for x in line["limits"]] for line in lines[1:]}
        else:
            folder, done = RunFolder.create(path, overwrite=overwrite), {}
        kept = cls(folder, done)
        # whole lines only: the last one may have been cut off
        text = io.StringIO()
        for line in [settings, *(_line(name, numbers) for name, numbers in done.items())]:
            text.write(json.dumps(line) + "\n")
        folder.write_text(PARTIAL, text.getvalue())
        return kept

    def append(self, name: str, numbers: Sequence[float]) -> None:
        """Keep the limits on one signal, and wait until they are on the disk."""
        with (self.folder.path / PARTIAL).open("a", encoding="utf-8") as file:
            file.write(json.dumps(_line(name, numbers)) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _line(name: str, numbers: Sequence[float]) -> dict[str, Any]:
    return {"signal": name, "limits": [None if np.isnan(x) else x for x in numbers]}


def _lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of the file that are whole; none where there is none."""
    found = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            found.append(json.loads(line))
    except (OSError, ValueError):
        pass
    return found


def _finish(folder: RunFolder, result: SignalLimits, source: str, settings: Mapping[str, Any]) -> None:
    header = ("signal", *result.labels, "observed", *(f"expected {band} sigma" for band in BANDS))
    folder.write_csv("limits.csv", header, result.rows())
    for plot in plots(result.labels, result.values, result.observed, result.expected):
        plot.save(folder)
    counts = {"signals": len(result.names), "failed": list(result.failed)}
    folder.finish({"status": "finished", "command": "fit", "source": source, **settings, **counts})
