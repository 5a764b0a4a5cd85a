"""Reading as a coffea processor, where a facility prescribes that: its own runner decides where and how."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import InputError
from .events import as_records, warn_unsorted
from .files.tree import iterate_tree, require_branches
from .packing.columns import Columns
from .reader import ReadProgress, Request, StoredSample, alternating, even_and_odd
from .sample import Sample

if TYPE_CHECKING:
    from coffea.processor import Runner, WorkItem

# which file of the sample, and the first entry: what puts chunks in order
Key: TypeAlias = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class CoffeaReader:
    """Reads samples with a runner of coffea, whatever its executor: takes the place of a cache in a `Recipe`.

    The events are the same as without it, in the same order and halves. hepgrad has to be installed where the runner's
    workers are. The schema of the runner does not matter: branches are read as they are in the files.

    Attributes
    ----------
    runner
        With ``skipbadfiles=False`` and ``maxchunks=None``: what a sample counts for is known only when all of it is
        read.

    Raises
    ------
    InputError
        When coffea is not installed, or the runner would leave something out.

    Examples
    --------
    .. code-block:: python

        runner = coffea.processor.Runner(coffea.processor.DaskExecutor(client=client))
        run(workflow, backend=InMemory(reader=CoffeaReader(runner)))
    """

    runner: Runner

    def __post_init__(self) -> None:
        try:
            import coffea.processor  # noqa: F401
        except ImportError as error:
            raise InputError(f"no coffea ({error}); install hepgrad with its extra `coffea`") from error
        for option, wanted in (("skipbadfiles", False), ("maxchunks", None)):
            if (found := getattr(self.runner, option)) != wanted:
                raise InputError(f"the coffea runner has {option}={found}, which leaves events out; use {wanted}")

    def read(self, sample: Sample, request: Request) -> StoredSample:
        """Return a sample, read by the runner.

        Parameters
        ----------
        sample
            What to read.
        request
            What of it; the size of its chunks is that of the runner.

        Raises
        ------
        InputError
            As `hepgrad.workflows.load` does for files; when bad files are to be skipped, or coffea fails.

        Warns
        -----
        InputWarning
            When a collection had to be sorted.
        """
        from coffea.nanoevents import BaseSchema

        if request.skip_bad_files:
            raise InputError(f"sample {sample.name!r}: coffea reads all files or none; do not skip bad files")
        runner = dataclasses.replace(self.runner, schema=BaseSchema, savemetrics=False)
        # every file is a data set of its own, whose name says where it stands
        files = {str(index): [file] for index, file in enumerate(sample.files)}
        processor = _Processor(sample, dataclasses.replace(request, watch=None))
        try:
            items = [item for item in runner.preprocess(files, treename=request.tree) if len(item)]
            found = runner(items, processor_instance=processor, treename=request.tree) if items else {}
        except Exception as error:  # coffea wraps what goes wrong in plain exceptions
            for file in sample.files:
                # the reader of trees has words for what is wrong with a file
                next(iterate_tree(file, processor.branches, tree=request.tree, chunk=1), None)
            raise InputError(f"sample {sample.name!r} cannot be read with coffea: {error}") from error
        if not items:
            raise InputError(f"{', '.join(sample.files)}: tree {request.tree!r} has no events")
        return _assembled(sample, request, items, found)


@dataclasses.dataclass(frozen=True)
class _Processor:
    """What coffea calls for every chunk, perhaps in another process."""

    sample: Sample
    request: Request

    @property
    def branches(self) -> list[str]:
        return list(dict.fromkeys(map(self.request.layout.branch, self.request.of(self.sample))))

    def __call__(self, entries: Any) -> dict[Key, _Chunk | InputError]:
        """Return the columns of a chunk, or what is wrong with it: exceptions lose their type on the way back."""
        about, sample, request = entries.metadata, self.sample, self.request
        index = int(about["dataset"])
        file = sample.files[index]
        result: _Chunk | InputError
        try:
            require_branches(file, self.branches, request.tree, entries.fields)
            events, unsorted = as_records(file, entries, request.of(sample), request.layout)
            result = _Chunk(alternating(events, sample, request, file), unsorted)
        except InputError as error:
            result = error
        return {(index, about["entrystart"]): result}


@dataclasses.dataclass(frozen=True, eq=False)
class _Chunk:
    """Every other event of a chunk and the rest, and by collection how many events had to be sorted."""

    alternate: tuple[Columns, Columns]
    unsorted: Counter[str]


def _assembled(
    sample: Sample, request: Request, items: Sequence[WorkItem], found: dict[Key, _Chunk | InputError]
) -> StoredSample:
    """Put chunks in order, which need not be the one in which they came."""
    lengths = {(int(item.dataset), item.entrystart): len(item) for item in items}
    events, chunks = 0, []
    unsorted: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for key, length in sorted(lengths.items()):
        chunk = found[key]
        if isinstance(chunk, InputError):
            raise chunk
        chunks.append(even_and_odd(chunk.alternate, events))
        unsorted[key[0]] += chunk.unsorted
        events += length
    for index, wrong in unsorted.items():
        within = sum(length for (other, _), length in lengths.items() if other == index)
        warn_unsorted(sample.files[index], wrong, within)
    if request.watch is not None:
        request.watch(ReadProgress(sample.name, len(sample.files), len(sample.files), events))
    return StoredSample.of(chunks, events)
