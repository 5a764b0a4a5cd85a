"""Element links of PHYSLITE: positions in the container that is asked for, and -1 for nothing and for all others."""

from __future__ import annotations

import json

import awkward as ak
import jax
import numpy as np
import pytest

import hepgrad.ragged as rg
from hepgrad.analysis import Dataset, Objects
from hepgrad.workflows import Fileset, InputError, Layout, Process, load, read_events
from hepgrad.workflows.export.runtime import filling
from hepgrad.workflows.export.runtime import objects as exported
from hepgrad.workflows.read.files.links import container_key, positions, with_keys

TRACKS, TRUTH = 1287425431, 1237340765
# what Athena's own tests and coffea's schema expect, both from files of ATLAS
KNOWN = [
    ("AnalysisMuons", 1178459224, 0x3A6B126F),
    ("AnalysisElectrons", 1087532415, 0x3902FEC0),
    ("AnalysisPhotons", 1105575213, 0x35D1472F),
    ("AnalysisJets", 1244316195, 0x1AFD1919),
    ("egammaClusters", 1219821989, 0x15788D1F),
    ("GSFConversionVertices", 1092961325, 0x1F3E85C9),
    ("InDetTrackParticles", TRACKS, 0x1D3890DB),
    ("CombinedMuonTrackParticles", TRACKS, 0x340D9196),
    ("GSFTrackParticles", TRACKS, 0x2E42DB0B),
    ("MuonSpectrometerTrackParticles", TRACKS, 0x3993C8F3),
    ("TruthPhotons", TRUTH, 13267281),
    ("TruthMuons", TRUTH, 342174277),
    ("TruthBottom", TRUTH, 779635413),
]
INNER, FORWARD = 0x1D3890DB, 0x143C6846
# a link to nothing, which files write as 0 or as the largest integer
NONE = 2**32 - 1


@pytest.mark.parametrize(("name", "class_id", "key"), KNOWN)
def test_keys_are_those_of_athena(name, class_id, key):
    assert container_key(name, class_id) == key


LINK = "AnalysisMuonsAuxDyn.inDetTrackParticleLink"
LAYOUT = Layout(
    branches={
        "Muon_trackIdx": f"{LINK} -> InDetTrackParticles",
        "Muon_forwardIdx": f"{LINK} -> {FORWARD}",
        "Muon_*": "AnalysisMuonsAuxDyn.*",
        "Track_*": "InDetTrackParticlesAuxDyn.*",
    }
)
KEYS = [[INNER, FORWARD, 0, INNER], [0], [], [INNER]]
INDICES = [[1, 0, NONE, 0], [0], [], [2]]
PHI = [[0.1, 0.2], [0.3], [], [1.0, 2.0, 3.0]]


def jagged(rows, kind):
    return ak.values_astype(ak.Array(rows), kind)


@pytest.fixture
def physlite(tiny, tmp_path):
    """A file with the branches of PHYSLITE, as far as uproot writes them: keys and positions are not in a group."""
    branches = {
        f"{LINK}.m_persKey": jagged(KEYS, np.uint32),
        f"{LINK}.m_persIndex": jagged(INDICES, np.uint32),
        "AnalysisMuonsAuxDyn.pt": jagged([[4e4, 3e4, 2e4, 1e4], [5e4], [], [6e4]], np.float32),
        "InDetTrackParticlesAuxDyn.phi": jagged(PHI, np.float32),
    }
    tiny.write_tree(tmp_path / "a.root", branches, "CollectionTree")
    return tmp_path / "a.root"


def test_a_link_is_a_position_in_one_container(physlite):
    columns = ["Muon_trackIdx", "Muon_forwardIdx", "Muon_pt", "Track_phi"]
    events = read_events(physlite, columns, tree="CollectionTree", layout=LAYOUT)
    assert events.Muon.trackIdx.tolist() == [[1, -1, -1, 0], [-1], [], [2]]
    assert events.Muon.forwardIdx.tolist() == [[-1, 0, -1, -1], [-1], [], [-1]]
    # as `at` follows them, in both readings of the script
    data = Dataset.from_awkward({"a": events}, {"a": np.ones(4)})
    stored = jax.tree.map(lambda leaf: leaf[0], data.events)
    expected = jagged([[0.2, -9, -9, 0.1], [-9], [], [3.0]], np.float32).tolist()
    assert rg.to_list(stored.Track.at(stored.Muon.trackIdx, fill_value=-9).phi)[:4] == expected
    renamed = {column: with_keys(LAYOUT.branch(column)) for column in columns}
    scripted = filling.read_events(physlite, columns, tree="CollectionTree", renamed=renamed)
    assert ak.array_equal(scripted, events)


def test_links_that_are_followed_on_stay_nowhere(physlite):
    """The track of the muon of a jet: what has no muon has none, and not the first one of the event."""
    columns = ["Muon_trackIdx", "Muon_pt", "Track_phi"]
    events = read_events(physlite, columns, tree="CollectionTree", layout=LAYOUT)
    jets = rg.from_lists([[0, -1, 1], [0], [], [-1, 0]])
    wanted = [[pytest.approx(0.2), -9, -9], [-9], [], [-9, 3.0]]
    muons, tracks = Objects.of(rg.from_awkward(events.Muon)), Objects.of(rg.from_awkward(events.Track))
    found = tracks.at(muons.at(jets).trackIdx, fill_value=-9)
    assert rg.to_list(found.phi) == wanted
    assert rg.to_list(found.probability) == [[1, 0, 0], [0], [], [0, 1]]
    muons, tracks = exported.Objects(events.Muon), exported.Objects(events.Track)
    assert tracks.at(muons.at(rg.to_awkward(jets)).trackIdx, fill_value=-9).phi.tolist() == wanted


def test_links_are_columns_of_a_data_set(physlite):
    described = {"a": {"nominal": {"files": ["a.root"], "nevts_total": 4, "xsec_pb": 1.0}}}
    (physlite.parent / "fileset.json").write_text(json.dumps(described))
    request = {"luminosity": 1.0, "tree": "CollectionTree", "layout": LAYOUT}
    split = load(Fileset.load(physlite.parent), [Process("a")], ["Muon_trackIdx", "Track_phi"], **request)
    blocks = [jax.tree.map(lambda leaf: leaf[0], half.events) for half in (split.train, split.held_out)]
    found = [rg.to_list(block.Muon.trackIdx) for block in blocks]
    assert [rows[:2] for rows in found] == [[[1, -1, -1, 0], []], [[-1], [2]]]


def test_one_of_several_links_of_each_object():
    keys = ak.Array([[[INNER, INNER], []], [[0, FORWARD]]])
    links = ak.zip({"m_persKey": keys, "m_persIndex": ak.Array([[[3, 4], []], [[NONE, 1]]])})
    assert positions(links, "x", "InDetTrackParticles", ["InDetTrackParticlesAuxDyn.phi"]).tolist() == [
        [[3, 4], []],
        [[-1, -1]],
    ]


@pytest.mark.parametrize(
    ("branch", "message"),
    [
        (
            LINK,
            rf"a\.root: branch '{LINK}' holds element links, into InDetForwardTrackParticles, InDetTrackParticles; say",
        ),
        (
            f"{LINK}.m_persIndex",
            r"holds element links, into .* say which to follow: '... -> InDetForwardTrackParticles'",
        ),
        (
            f"{LINK} -> InDetTrackParticle",
            r"no such container; .* InDetTrackParticles; did you mean 'InDetTrackParticles'\?",
        ),
        (f"{LINK} -> GSFTrackParticles", "followed into 'GSFTrackParticles', and the tree has no such container"),
        (f"{LINK}s -> InDetTrackParticles", rf"has no branch '{LINK}s -> InDetTrackParticles'; it has {LINK}.m_pers"),
        (
            "AnalysisMuonsAuxDyn.pt -> InDetTrackParticles",
            "'AnalysisMuonsAuxDyn.pt' holds no element links; leave out '->",
        ),
    ],
)
def test_links_that_cannot_be_followed(physlite, branch, message):
    with pytest.raises(InputError, match=message):
        read_events(physlite, ["Muon_xIdx"], tree="CollectionTree", layout=Layout(branches={"Muon_xIdx": branch}))


def test_a_file_of_atlas(shared_data):
    """What coffea calls ``Muons.trackParticle`` and ``Electrons.trackParticle``: split and unsplit links."""
    path = shared_data / "coffea" / "PHYSLITE_example.root"
    if not path.exists():
        pytest.skip("needs PHYSLITE_example.root of coffea's tests")
    combined = "CombinedMuonTrackParticles"
    layout = Layout(
        branches={
            "Muon_trackIdx": f"AnalysisMuonsAuxDyn.combinedTrackParticleLink -> {combined}",
            "MuonTrack_*": f"{combined}AuxDyn.*",
            "Electron_trackIdx": "AnalysisElectronsAuxDyn.trackParticleLinks[0] -> GSFTrackParticles",
            "ElectronTrack_*": "GSFTrackParticlesAuxDyn.*",
            "Muon_*": "AnalysisMuonsAuxDyn.*",
            "Electron_*": "AnalysisElectronsAuxDyn.*",
        }
    )
    columns = ["Muon_trackIdx", "Muon_phi", "MuonTrack_phi", "Electron_trackIdx", "Electron_phi", "ElectronTrack_phi"]
    events = read_events(path, columns, tree="CollectionTree", layout=layout)
    for name in ("Muon", "Electron"):
        objects = events[name]
        found = events[f"{name}Track"].phi[objects.trackIdx[objects.trackIdx >= 0]]
        # a track goes where its lepton goes
        away = np.abs(ak.to_numpy(ak.flatten(found - objects.phi[objects.trackIdx >= 0])))
        assert len(away) >= 5
        assert np.minimum(away, 2 * np.pi - away).max() < 0.1
