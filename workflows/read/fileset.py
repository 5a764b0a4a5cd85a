"""Filesets: which files make up a sample, its cross-section and its sum of weights, in the AGC's layout."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from .files.paths import expanded, is_remote
from .sample import WEIGHT, Sample

FILE_NAME = "fileset.json"
NOMINAL = "nominal"
# between a sample and its variation
SEPARATOR = ":"


@dataclasses.dataclass(frozen=True)
class Fileset:
    """The samples of one JSON file.

    Attributes
    ----------
    source
        The JSON file.
    samples
        By name: ``ttbar`` for the nominal events, ``ttbar:scaleup`` for those of another variation.
    """

    source: Path
    samples: Mapping[str, Sample]

    @classmethod
    def load(cls, path: str | Path) -> Fileset:
        """Read a fileset in the layout of the Analysis Grand Challenge.

        For instance

            {"ttbar": {"nominal": {"files": [{"path": "ttbar.root"}], "xsec_pb": 800.0, "sumw_total": 1e6},
                       "scaleup": {"files": ["scaleup/*.root"], "sumw_total": 2e5}}}

        The nominal events are the sample ``ttbar``, the others ``ttbar:scaleup``, which has the cross-section of the
        nominal events unless it says another one. Paths are relative to the JSON file and may be globs; URLs are left
        alone. A file is a path, or an object with the keys

        - ``path``,
        - ``sumw`` or ``nevts``: its part of ``sumw_total`` or ``nevts_total``.

        Besides ``files`` a sample has, each where it applies,

        - ``xsec_pb``: the cross-section in pb;
        - ``sumw_total``: the sum of the weights of all generated events. The weights are the column ``genWeight``;
        - ``nevts_total``: the number of generated events, for samples without ``sumw_total``. Every event counts the
          same then, which is the AGC's own convention;
        - ``lumi_pb``: instead of all these, the luminosity in 1/pb that the weights stand for already. Every event
          counts 1 unless ``weight`` says otherwise: collision data;
        - ``weight``: another column for the weights, or null where every event counts the same.

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
        samples: dict[str, Sample] = {}
        for name, entry in content.items():
            nominal = _sample(name, entry.get(NOMINAL) if isinstance(entry, dict) else None, source)
            samples[name] = nominal
            for variation, described in entry.items():
                if variation != NOMINAL:
                    varied = _sample(f"{name}{SEPARATOR}{variation}", described, source)
                    samples[varied.name] = _with_cross_section(varied, nominal.cross_section)
        return cls(source, samples)

    def with_cross_sections(self, cross_sections: Mapping[str, float]) -> Fileset:
        """Return the fileset with cross-sections for the samples that have none.

        Parameters
        ----------
        cross_sections
            In pb, by sample; that of ``ttbar`` also stands for its variations (``ttbar:scaleup``) that are not named.

        Examples
        --------
        >>> from pathlib import Path
        >>> from hepgrad.workflows import Fileset, Sample
        >>> source = Path("nanoaod_inputs.json")
        >>> names = ["ttbar", "ttbar:scaleup"]
        >>> fileset = Fileset(source, {name: Sample(name, ("a.root",), source) for name in names})
        >>> fileset.with_cross_sections({"ttbar": 729.84})["ttbar:scaleup"].cross_section
        729.84
        """
        known = {
            name: cross_sections.get(name, cross_sections.get(name.partition(SEPARATOR)[0])) for name in self.samples
        }
        samples = {name: _with_cross_section(sample, known[name]) for name, sample in self.samples.items()}
        return dataclasses.replace(self, samples=samples)

    def __getitem__(self, name: str) -> Sample:
        if name not in self.samples:
            close = difflib.get_close_matches(name, self.samples, n=len(self.samples), cutoff=0.3)
            others = [other for other in self.samples if other not in close]
            raise InputError(f"there is no sample {name!r} in {self.source}; it has {', '.join([*close, *others])}")
        return self.samples[name]


def _with_cross_section(sample: Sample, cross_section: float | None) -> Sample:
    if sample.cross_section is not None or sample.luminosity is not None:
        return sample
    return dataclasses.replace(sample, cross_section=cross_section)


def _sample(name: str, entry: Any, source: Path) -> Sample:
    base, _, variation = name.partition(SEPARATOR)
    files = entry.get("files") if isinstance(entry, dict) else None
    if not isinstance(files, list) or not files or not all(_is_file(file) for file in files):
        raise InputError(
            f'{source}: sample {name!r} must look like {{"{variation or NOMINAL}": {{"files": '
            f'[{{"path": "{base}.root"}}]}}}} and list at least one file'
        )
    described = [file if isinstance(file, dict) else {"path": file} for file in files]
    keys = ("xsec_pb", "sumw_total", "nevts_total", "lumi_pb")
    numbers = {key: _number(entry.get(key), key, name, source) for key in keys}
    every_event_alike = numbers["sumw_total"] is None and (
        numbers["nevts_total"] is not None or numbers["lumi_pb"] is not None
    )
    weight = entry.get("weight", None if every_event_alike else WEIGHT)
    if not isinstance(weight, str | None):
        raise InputError(f"{source}: weight of sample {name!r} must be the name of a column or null, got {weight!r}")
    total, share = ("sumw_total", "sumw") if weight else ("nevts_total", "nevts")
    paths = [expanded(_resolve(str(file["path"]), source.parent)) for file in described]
    return Sample(
        name,
        tuple(path for each in paths for path in each),
        source,
        cross_section=numbers["xsec_pb"],
        sum_of_weights=numbers[total],
        weight=weight or "",
        luminosity=numbers["lumi_pb"],
        shares=_shares(described, paths, (share, "nevts"), name, source),
    )


def _shares(
    described: list[dict[str, Any]], paths: list[list[str]], keys: tuple[str, ...], name: str, source: Path
) -> tuple[float, ...] | None:
    """Return the numbers by the first key that every file has, when each entry is one file."""
    if any(len(each) > 1 for each in paths):
        return None
    for key in keys:
        found = [_number(file.get(key), key, name, source) for file in described]
        shares = tuple(number for number in found if number is not None)
        if len(shares) == len(found):
            return shares
    return None


def _is_file(file: Any) -> bool:
    return (isinstance(file, dict) and "path" in file) or isinstance(file, str)


def _number(value: Any, key: str, name: str, source: Path) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{source}: {key} of sample {name!r} must be a number, got {value!r}")
    return float(value)


def _resolve(path: str, folder: Path) -> str:
    return path if is_remote(path) else str(folder / path)
