"""Filesets: which files make up a simulated sample, its cross-section and its sum of weights, in the AGC's layout."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError

FILE_NAME = "fileset.json"


@dataclasses.dataclass(frozen=True)
class Sample:
    """One simulated sample.

    Attributes
    ----------
    name
        Its name in the fileset.
    files
        Paths or URLs.
    source
        The JSON file that describes it.
    cross_section
        In pb; None when the fileset does not say.
    sum_of_weights
        Sum of ``genWeight`` over *all generated* events, also those that a skim dropped; None when the fileset does
        not say.
    """

    name: str
    files: tuple[str, ...]
    source: Path
    cross_section: float | None = None
    sum_of_weights: float | None = None

    def events_per_weight(self, luminosity: float) -> float:
        """Return the expected number of events per unit of generator weight, ``cross_section * luminosity / sum``.

        Parameters
        ----------
        luminosity
            In 1/pb.

        Raises
        ------
        InputError
            When the cross-section or the sum of weights is missing, not finite, or not positive.

        Examples
        --------
        >>> from pathlib import Path
        >>> from hepgrad.workflows import Sample
        >>> sample = Sample("ttbar", ("ttbar.root",), Path("fileset.json"), cross_section=800.0, sum_of_weights=1e6)
        >>> sample.events_per_weight(luminosity=1000.0)
        0.8
        """
        cross_section = self._positive(self.cross_section, "xsec_pb", "a cross-section in pb")
        total = self._positive(self.sum_of_weights, "sumw_total", "the sum of genWeight over all generated events")
        return cross_section * luminosity / total

    def _positive(self, value: float | None, key: str, meaning: str) -> float:
        if value is None:
            raise InputError(
                f'sample {self.name!r} has no {key} in {self.source}; add {meaning} to its "nominal" entry, '
                f'as in "{key}": 1.0'
            )
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"sample {self.name!r}: {key} must be positive, got {value} in {self.source}")
        return value


@dataclasses.dataclass(frozen=True)
class Fileset:
    """The samples of one JSON file.

    Attributes
    ----------
    source
        The JSON file.
    samples
        By name.
    """

    source: Path
    samples: Mapping[str, Sample]

    @classmethod
    def load(cls, path: str | Path) -> Fileset:
        """Read a fileset in the layout of the Analysis Grand Challenge.

        It is ``{"ttbar": {"nominal": {"files": [{"path": "ttbar.root"}], "xsec_pb": 800.0, "sumw_total": 1e6}}}``.
        Other variations than ``nominal`` are left out. Paths are relative to the JSON file; URLs are left alone.

        Parameters
        ----------
        path
            The JSON file, or a folder that holds a ``fileset.json``.

        Raises
        ------
        InputError
            When the file is missing, is not JSON, or does not have this layout; names the sample.
        """
        source = Path(path)
        if source.is_dir():
            source = source / FILE_NAME
        try:
            content = json.loads(source.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"there is no file {source}; it has to say which ROOT files hold which sample") from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{source} cannot be read: {error}") from error
        except json.JSONDecodeError as error:
            raise InputError(f"{source} is not JSON: {error}") from error
        if not isinstance(content, dict) or not content:
            raise InputError(f"{source}: expected an object with one entry per sample, got {type(content).__name__}")
        return cls(source, {name: _sample(name, entry, source) for name, entry in content.items()})

    def __getitem__(self, name: str) -> Sample:
        if name not in self.samples:
            close = difflib.get_close_matches(name, self.samples, n=len(self.samples), cutoff=0.3)
            others = [other for other in self.samples if other not in close]
            raise InputError(f"there is no sample {name!r} in {self.source}; it has {', '.join([*close, *others])}")
        return self.samples[name]


def _sample(name: str, entry: Any, source: Path) -> Sample:
    nominal: Any = entry.get("nominal") if isinstance(entry, dict) else None
    files = nominal.get("files") if isinstance(nominal, dict) else None
    if not isinstance(files, list) or not files or not all(isinstance(f, dict) and "path" in f for f in files):
        raise InputError(
            f'{source}: sample {name!r} must look like {{"nominal": {{"files": [{{"path": "{name}.root"}}]}}}} '
            "and list at least one file"
        )
    paths = tuple(_resolve(str(file["path"]), source.parent) for file in files)
    numbers = {key: _number(nominal.get(key), key, name, source) for key in ("xsec_pb", "sumw_total")}
    return Sample(name, paths, source, numbers["xsec_pb"], numbers["sumw_total"])


def _number(value: Any, key: str, name: str, source: Path) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{source}: {key} of sample {name!r} must be a number, got {value!r}")
    return float(value)


def _resolve(path: str, folder: Path) -> str:
    return path if "://" in path else str(folder / path)
