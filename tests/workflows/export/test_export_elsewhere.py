"""The exported selection in other frameworks: what every analysis fills there, bin by bin."""

from __future__ import annotations

import dataclasses
import runpy
import warnings

import hist
import jax
import numpy as np
import pytest
import uproot

from hepgrad.analysis import CountingModel, Hard
from hepgrad.workflows.analyses.htautau import HTAUTAU
from hepgrad.workflows.analyses.ttbar_agc import TTBAR_AGC
from hepgrad.workflows.analyses.zprime import ZPRIME
from hepgrad.workflows.execution import located
from hepgrad.workflows.export import selection_script
from hepgrad.workflows.export.runtime import elsewhere
from hepgrad.workflows.read.collect import Recipe
from hepgrad.workflows.read.packing.packing import PackedShape, pack
from hepgrad.workflows.read.reader import Request

pytestmark = [pytest.mark.usefixtures("quick_compilation"), pytest.mark.slow]

EXAMPLES = ("zz_dimuon", "z_dimuon", "single_top")
NAMES = (*EXAMPLES, "zprime", "ttbar-agc", "htautau")


def without_variations(workflow):
    """The workflow as far as a script goes: cuts and channels, without what varies them."""
    model = CountingModel(list(workflow.analysis.model.signal), 0.1)
    return dataclasses.replace(
        workflow, analysis=dataclasses.replace(workflow.analysis, model=model, objective="discovery")
    )


def built_in(name, data):
    found = {each.name: each for each in (ZPRIME, TTBAR_AGC, HTAUTAU)}[name]
    found = dataclasses.replace(found, data=data / "htautau_cms2012") if name == "htautau" else found
    return without_variations(dataclasses.replace(found, processes=found.predicted))


@pytest.fixture(scope="module", params=NAMES)
def exported(request, shared_data, example_on_foreign_files, tmp_path_factory):
    """A workflow, its fileset, what it fills with all of its events, and its script."""
    folder = tmp_path_factory.mktemp("elsewhere")
    name = request.param
    found = example_on_foreign_files(name, folder) if name in EXAMPLES else built_in(name, shared_data)
    workflow, fileset = located(found)
    asked = Request(tuple(workflow.analysis.reads), tree=workflow.tree, layout=workflow.layout)
    with jax.enable_x64(True):
        read = Recipe(workflow.ingredients(fileset), asked).collect_whole()
        shape = PackedShape.of(read.halves, None)
        events = pack(read.halves[0], shape, read.places, read.processes)
        counts = workflow.analysis.histograms(events, workflow.parameters, Hard())
        (folder / "selection.py").write_text(selection_script(workflow, workflow.parameters, fileset))
    wanted = {
        (channel.name, process): np.stack([np.asarray(counts[channel.name].sumw[row]), counts[channel.name].sumw2[row]])
        for channel in workflow.analysis.channels
        for row, process in enumerate(events.processes)
    }
    assert any(np.count_nonzero(each[0]) > 1 for each in wanted.values())
    return workflow, fileset, wanted, folder / "selection.py"


def assert_equal(filled, wanted):
    assert set(filled) == set(wanted)
    for key, histogram in filled.items():
        view = histogram.view(flow=True)
        for mine, theirs in zip((view["value"], view["variance"]), wanted[key], strict=True):
            np.testing.assert_allclose(
                mine, theirs, rtol=1e-5, atol=1e-5 * max(np.abs(theirs).max(), 1e-30), err_msg=str(key)
            )


def test_the_script(exported):
    _, fileset, wanted, script = exported
    assert_equal(runpy.run_path(str(script))["histograms"](fileset.source), wanted)


def test_the_columns_for_rdataframe(exported):
    """Of every process a tree: what passes all cuts, and is in the region of a channel, fills that channel."""
    _, fileset, wanted, script = exported
    names = runpy.run_path(str(script))
    names["write"](fileset.source, script.parent / "columns.root")
    filled = {}
    with uproot.open(script.parent / "columns.root") as file:
        trees = dict(zip(names["PROCESSES"], file.keys(cycle=False), strict=True))
        for process, tree in trees.items():
            told = file[tree].arrays(library="np")
            for channel, (observable, axis, region) in names["CHANNELS"].items():
                filling = (
                    told["passed"] if region is None else told["passed"] & told[f"in_{elsewhere.plain_name(region)}"]
                )
                filled[channel, process] = hist.Hist(axis, storage=hist.storage.Weight())
                values = told[elsewhere.plain_name(observable)][filling]
                filled[channel, process].fill(values, weight=told["weight"][filling])
    assert_equal(filled, wanted)


def test_the_processor_of_coffea(exported, monkeypatch):
    processor, nanoevents = (pytest.importorskip(f"coffea.{name}") for name in ("processor", "nanoevents"))
    workflow, fileset, wanted, script = exported
    names = runpy.run_path(str(script))

    class Selection(processor.ProcessorABC):
        def process(self, events):
            return names["of_nanoevents"](events, events.metadata["dataset"])

        def postprocess(self, accumulator):
            return accumulator

    samples = {i.sample.name: i.sample.files for each in workflow.ingredients(fileset).values() for i in each}
    is_nanoaod = workflow.layout.separator and workflow.name != "zz"

    class Trimmed(nanoevents.NanoAODSchema):
        error_missing_event_ids = False

    schema = Trimmed if is_nanoaod else nanoevents.BaseSchema
    runner = processor.Runner(processor.IterativeExecutor(status=False), schema=schema)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # coffea's, about indices that these files lack
        filled = runner({name: list(files) for name, files in samples.items()}, Selection(), treename=workflow.tree)
    filled = filled[0] if isinstance(filled, tuple) else filled
    assert_equal({tuple(key.split("/")): histogram for key, histogram in filled.items()}, wanted)
