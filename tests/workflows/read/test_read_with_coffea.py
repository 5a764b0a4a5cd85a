"""What coffea makes of the same files: positions point at the same objects, and exported scripts fill the same bins."""

from __future__ import annotations

import json
import sys

import awkward as ak
import numpy as np
import pytest
import uproot

from hepgrad.analysis import Analysis, Channel, CountingModel, Parameter, Parameters, Regular, stage
from hepgrad.workflows import Layout, Process, Workflow, read_events
from hepgrad.workflows.execution import located
from hepgrad.workflows.export import selection_script

processor = pytest.importorskip("coffea.processor", reason="needs hepgrad's extra `coffea`, which `test` does not have")
nanoevents = pytest.importorskip("coffea.nanoevents")

pytestmark = [pytest.mark.usefixtures("quick_compilation"), pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize(("name", "number"), [("nano_dy.root", 21), ("nano_tt_v12.root", 11)])
def test_positions_point_at_what_coffea_says(shared_data, name, number):
    path = str(shared_data / "coffea" / name)
    schema = nanoevents.NanoAODSchema
    events = nanoevents.NanoEventsFactory.from_root({path: "Events"}, schemaclass=schema, mode="eager").events()
    with uproot.open(path) as file:
        tree = file["Events"]
        stored = set(tree.keys())
        positions = sorted(key for key in stored if "Idx" in key and tree[key].typename.endswith("[]"))

    def is_known(branch):
        collection, _, field = branch.partition("_")
        return branch in schema.all_cross_references and f"{field}G" in events[collection].fields

    known = list(filter(is_known, positions))
    assert len(known) == number
    for branch in known:
        collection, _, field = branch.partition("_")
        target = schema.all_cross_references[branch]
        pointed = events[target]._apply_global_index(events[collection][f"{field}G"])
        momenta = {f"{each}_pt" for each in (target, collection)} & stored
        mine = read_events(path, [branch, *sorted(momenta)])
        rows = zip(mine[target].pt.tolist(), mine[collection][field].tolist(), strict=True)
        found = [[row[i] if 0 <= i < len(row) else -7.0 for i in these] for row, these in rows]
        assert found == ak.fill_none(pointed.pt, -7.0).tolist(), branch


@stage(reads=("Muon_pt", "Muon_charge", "nMuon", "HLT_IsoMu24"))
def pairs(events, cut):
    muons = events.Muon.select(events.Muon.pt > cut.pt)
    events = events.select(events.HLT.IsoMu24, "trigger").select(events.nMuon >= 1, "muons")
    return events.with_field(sum=muons.sum("pt"))


def test_a_processor_fills_what_the_script_fills(shared_data, tmp_path, monkeypatch):
    """Also where a trigger is missing in one sample, and with a counter."""
    files = {name: str((shared_data / "coffea" / f"{name}.root").resolve()) for name in ("nano_dy", "nano_tt_v12")}
    fileset = {name: {"nominal": {"files": [file], "xsec_pb": 10.0}} for name, file in files.items()}
    fileset["nano_tt_v12"]["nominal"]["nevts_total"] = 200
    (tmp_path / "fileset.json").write_text(json.dumps(fileset))
    workflow = Workflow(
        name="pairs",
        title="pairs",
        analysis=Analysis([pairs], [Channel("sum", "sum", Regular(4, 0, 200))], CountingModel(["nano_dy"], 0.1)),
        parameters=Parameters(pt=Parameter(15.0, bounds=(10, 30), width=3.0)),
        processes=[Process("nano_dy", signal=True), Process("nano_tt_v12")],
        luminosity=1000.0,
        data=tmp_path,
        layout=Layout(defaults={"HLT_IsoMu24": True}),
    )
    found, where = located(workflow)
    (tmp_path / "exported_for_coffea.py").write_text(selection_script(found, found.parameters, where))
    monkeypatch.syspath_prepend(str(tmp_path))
    import exported_for_coffea as selection

    class Selection(processor.ProcessorABC):
        def process(self, events):
            return selection.of_nanoevents(events, events.metadata["dataset"])

        def postprocess(self, accumulator):
            return accumulator

    runner = processor.Runner(processor.IterativeExecutor(status=False), schema=nanoevents.NanoAODSchema)
    filled = runner({name: [file] for name, file in files.items()}, Selection(), treename="Events")
    filled = filled[0] if isinstance(filled, tuple) else filled
    del sys.modules["exported_for_coffea"]
    wanted = selection.histograms(where.source)
    assert len(filled) == len(wanted)
    for (channel, process), histogram in wanted.items():
        assert histogram.sum(flow=True).value > 0
        mine = filled[f"{channel}/{process}"].view(flow=True)
        for what in ("value", "variance"):
            np.testing.assert_allclose(mine[what], histogram.view(flow=True)[what], rtol=1e-6)
