"""Reading as a coffea processor, where a facility prescribes that: its own runner decides where and how."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..errors import InputError
from .events import as_records, branches_of
from .files.links import ARROW
from .files.tree import iterate_tree, require_branches
from .packing.columns import Columns
from .reader import HALVES, ReadProgress, Request, StoredSample, chunk_totals, kept_columns
from .sample import Sample
from .trust.identity import Halves, Identities
from .trust.kinds import Kinds
from .trust.totals import FileTotals, Totals

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
        """
        from coffea.nanoevents import BaseSchema

        if request.skip_bad_files:
            raise InputError(f"sample {sample.name!r}: coffea reads all files or none; do not skip bad files")
        runner = dataclasses.replace(self.runner, schema=BaseSchema, savemetrics=False)
        if sample.friends:
            raise InputError(f"sample {sample.name!r} has friends, which coffea does not read; read it without coffea")
        needed, _ = branches_of(request.of(sample), request.layout_of(sample))
        if links := [branch for branch in needed if ARROW in branch]:
            raise InputError(f"sample {sample.name!r}: coffea does not follow {links[0]!r}; read it without coffea")
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
            raise InputError(f"{', '.join(sample.files)}: tree {request.tree!r} has no events; leave out what is empty")
        return _assembled(sample, request, items, found)


@dataclasses.dataclass(frozen=True)
class _Processor:
    """What coffea calls for every chunk, perhaps in another process."""

    sample: Sample
    request: Request

    @property
    def branches(self) -> list[str]:
        return branches_of(self.request.of(self.sample), self.request.layout_of(self.sample))[0]

    def __call__(self, entries: Any) -> dict[Key, _Chunk | InputError]:
        """Return the columns of a chunk, or what is wrong with it: exceptions lose their type on the way back."""
        about, sample, request = entries.metadata, self.sample, self.request
        index = int(about["dataset"])
        file = sample.files[index]
        result: _Chunk | InputError
        try:
            require_branches(file, self.branches, request.tree, entries.fields)
            layout = request.layout_of(sample)
            events = as_records(file, entries, request.of(sample), layout)
            halves = kept_columns(events[::HALVES], sample, request), kept_columns(events[1::HALVES], sample, request)
            totals = chunk_totals(events, sample, request, file) + FileTotals(uuid=str(about.get("fileuuid", "")))
            kinds = Kinds()
            kinds.check(file, events)
            result = _Chunk(halves, totals, kinds, Identities.of(entries, self.branches, layout))
        except InputError as error:
            result = error
        return {(index, about["entrystart"]): result}


@dataclasses.dataclass(frozen=True, eq=False)
class _Chunk:
    """Every other event of a chunk and the rest, and what there is to know of all of them."""

    alternate: tuple[Columns, Columns]
    totals: FileTotals
    kinds: Kinds
    identities: Identities | None


def _assembled(
    sample: Sample, request: Request, items: Sequence[WorkItem], found: dict[Key, _Chunk | InputError]
) -> StoredSample:
    """Put chunks in order, which need not be the one in which they came."""
    halves, kinds = Halves(sample), Kinds()
    files = [FileTotals() for _ in sample.files]
    lengths = {(int(item.dataset), item.entrystart): len(item) for item in items}
    events, chunks = 0, []
    for key, length in sorted(lengths.items()):
        chunk = found[key]
        if isinstance(chunk, InputError):
            raise chunk
        file = sample.files[key[0]]
        kinds.agree(chunk.kinds)
        odd = halves.odd(length, chunk.identities, file)
        if (odd != ((events + np.arange(length)) % HALVES == 1)).any():
            raise InputError(
                f"sample {sample.name!r}: event numbers of {file} were there before, and coffea's chunks cannot be "
                "divided so that they stay together; read it without coffea"
            )
        one, other = chunk.alternate
        chunks.append((other, one) if events % HALVES else (one, other))
        files[key[0]] += chunk.totals
        events += length
    if request.watch is not None:
        request.watch(ReadProgress(sample.name, len(sample.files), len(sample.files), events))
    return StoredSample.of(chunks, Totals((events - events // HALVES, events // HALVES), files))
