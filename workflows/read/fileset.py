"""Filesets: which files make up a sample, its cross-section and its sum of weights, in the AGC's layout."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from .era import Era
from .filesets.described import NOMINAL, SEPARATOR, described_sample
from .filesets.extended import together
from .filesets.foreign import as_described, as_entries
from .filesets.unique_keys import without_repetitions
from .layout import Layout
from .sample import Sample

FILE_NAME = "fileset.json"


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

        For instance::

            {"ttbar": {"nominal": {"files": [{"path": "ttbar.root"}], "xsec_pb": 800.0, "sumw_total": 1e6},
                       "scaleup": {"files": ["scaleup/*.root"], "sumw_total": 2e5}}}

        The nominal events are the sample ``ttbar``, the others ``ttbar:scaleup``, which has the cross-section of the
        nominal events unless it says another one. Paths are relative to the JSON file and may be globs; URLs are left
        alone. A file is a path, or an object with the keys

        - ``path``,
        - ``sumw`` or ``nevts``: its part of ``sumw_total`` or ``nevts_total``.

        Besides ``files`` a sample has, each where it applies,

        - ``xsec_pb``: the cross-section in pb;
        - ``sumw_total``: the sum of the weights of all generated events. The weights are the column ``genWeight``. It
          may be left out where the files say it themselves, as those of NanoAOD do (in the tree ``Runs``);
        - ``nevts_total``: the number of generated events, for samples without ``sumw_total``. Every event counts the
          same then, which is the AGC's own convention;
        - ``lumi_pb``: instead of all these, the luminosity in 1/pb that the weights stand for already. Every event
          counts 1 unless ``weight`` says otherwise: collision data;
        - ``lumi_mask``: for collision data, the path of a JSON file with the certified luminosity blocks as CMS
          publishes them, ``{"273158": [[1, 12], [20, 30]]}``: only events in them are taken. Needs the columns ``run``
          and ``luminosityBlock``;
        - ``weight``: another column for the weights, an item of a column of lists (``"LHEReweightingWeight[3]"``), or
          null where every event counts the same;
        - ``era``: the period of data taking that it is of, whose luminosity and layout `Workflow.eras` says;
        - ``extends``: the name of another sample of the same simulation, that of which this is an extension: files and
          sums of weights are added to it;
        - ``friends``: files with further columns of the same events, row by row, such as scores that were computed
          before: ROOT, Parquet, ``.npz``, or ``.npy`` with fields. ``{file}`` stands for the name of each file without
          its suffix: ``"scores/{file}.parquet"``. An entry of ``files`` may have friends of its own.

        Those of other frameworks are read as well: of coffea, where an entry is a list of files, or an object whose
        ``files`` are the keys of an object; of PocketCoffea, and of RDataFrame, where the entries are ``samples``. Of
        their ``metadata`` the keys above are taken, and ``xsec`` and ``sum_genweights`` for two of them.

        Other keys are refused, but for notes: ``comment``, ``description``, ``metadata`` and such, and keys that begin
        with an underscore.

        Parameters
        ----------
        path
            The JSON file, or a folder that holds a ``fileset.json``.

        Raises
        ------
        InputError
            When the file is missing, is not JSON, or does not have this layout; names the sample. When a key is
            unknown or there twice, a sample has a file twice, or what its files hold does not add up to the whole.
        """
        source = Path(path)
        if source.is_dir():
            source = source / FILE_NAME
        try:
            # what is no regular file might be waited for without end
            if source.exists() and not source.is_file():
                raise InputError(
                    f"{source} is not a regular file; it has to be JSON that says which files hold which sample"
                )
            content = json.loads(source.read_text(encoding="utf-8"), object_pairs_hook=without_repetitions)
        except FileNotFoundError:
            raise InputError(f"there is no file {source}; it has to say which ROOT files hold which sample") from None
        except InputError as error:
            raise error if str(source) in str(error) else InputError(f"{source}: {error}") from None
        except UnicodeDecodeError as error:
            raise InputError(
                f"{source} is no text in UTF-8 ({error}); expected is JSON that says which ROOT files hold which "
                "sample, or the folder with such a fileset.json"
            ) from error
        except (OSError, RecursionError) as error:
            raise InputError(f"{source} cannot be read: {error}") from error
        except ValueError as error:  # also for a number of thousands of digits
            raise InputError(
                f"{source} is not JSON: {error}; it has to say which ROOT files hold which sample, as fileset.json does"
            ) from error
        if not isinstance(content, dict) or not content:
            told = "an empty one" if content == {} else type(content).__name__
            raise InputError(f"{source}: expected an object with one entry per sample, got {told}")
        samples: dict[str, Sample] = {}
        extensions = []
        for name, written in as_entries(content).items():
            entry = as_described(written)
            nominal = described_sample(name, entry.get(NOMINAL) if isinstance(entry, dict) else None, source)
            if name in samples:
                raise InputError(f"{source}: sample {name!r} is described twice, also as a variation; rename one")
            if isinstance(entry, dict) and (extended := entry.get(NOMINAL, {}).get("extends")) is not None:
                if len(entry) > 1:
                    raise InputError(f"{source}: sample {name!r} extends another one, and can have no variations")
                extensions.append((extended, nominal))
                continue
            samples[name] = nominal
            for variation, described in entry.items():
                if variation != NOMINAL:
                    varied = described_sample(f"{name}{SEPARATOR}{variation}", described, source)
                    samples[varied.name] = _with_cross_section(varied, nominal.cross_section)
        for extended, extension in extensions:
            if extended not in samples:
                raise InputError(f"{source}: sample {extension.name!r} extends {extended!r}, which is not there")
            samples[extended] = together(samples[extended], extension)
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

    def with_layouts(self, layouts: Mapping[str, Layout]) -> Fileset:
        """Return the fileset with layouts for the samples whose files call columns otherwise than those of the others.

        Parameters
        ----------
        layouts
            By sample; that of ``ttbar`` also stands for its variations (``ttbar:scaleup``) that are not named.

        Raises
        ------
        InputError
            When there is no such sample.
        """
        for name in layouts:
            self[name]
        known = {name: layouts.get(name, layouts.get(name.partition(SEPARATOR)[0])) for name in self.samples}
        samples = {name: dataclasses.replace(sample, layout=known[name]) for name, sample in self.samples.items()}
        return dataclasses.replace(self, samples=samples)

    def with_eras(self, eras: Mapping[str, Era]) -> Fileset:
        """Return the fileset with luminosity and layout of the eras that its samples are of.

        Parameters
        ----------
        eras
            By the name that samples have under ``era``. A layout that a sample has already stays.

        Raises
        ------
        InputError
            When a sample is of an era that is not among them.
        """
        samples = {}
        for name, sample in self.samples.items():
            if not (sample.era and eras):
                samples[name] = sample
                continue
            if sample.era not in eras:
                raise InputError(
                    f"{self.source}: sample {name!r} is of the era {sample.era!r}, and the workflow has the eras "
                    f"{', '.join(map(repr, eras))}"
                )
            era = eras[sample.era]
            layout = sample.layout or era.layout
            samples[name] = dataclasses.replace(sample, era_luminosity=era.luminosity, layout=layout)
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
