"""Official jet energies, event by event beside plain Awkward and correctionlib."""

from __future__ import annotations

import dataclasses
import gzip
import json

import awkward as ak
import correctionlib
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Events
from hepgrad.analysis.corrections import CompoundCorrection, Correction
from hepgrad.analysis.systematics import (
    JES_SOURCES,
    EnergyScale,
    HEMIssue,
    JetResolution,
    TypeOne,
    UnclusteredEnergy,
    jet_energy_sources,
    normal_by_event,
    together,
)

pytestmark = pytest.mark.usefixtures("quick_compilation", "x64")

TAG, RESOLUTION, ALGORITHM = "Summer19UL18_V5_MC", "Summer19UL18_JRV2_MC", "AK4PFchs"
LEVELS = f"{TAG}_L1L2L3Res_{ALGORITHM}"
CHOSEN = ("FlavorQCD", "RelativePtBB")
EVENTS = 30


@pytest.fixture(scope="module")
def both(shared_data):
    """Return the few corrections that are used, ours and correctionlib's."""
    content = json.loads(gzip.decompress((shared_data / "corrections_cms2018ul" / "jet_jerc.json.gz").read_bytes()))
    (stacked,) = (each for each in content["compound_corrections"] if each["name"] == LEVELS)
    names = {*stacked["stack"], *(f"{TAG}_{source}_{ALGORITHM}" for source in CHOSEN)}
    names |= {f"{RESOLUTION}_{kind}_{ALGORITHM}" for kind in ("PtResolution", "ScaleFactor")}
    assert {f"{TAG}_{source}_{ALGORITHM}" for source in JES_SOURCES} <= {
        each["name"] for each in content["corrections"]
    }
    kept = [each for each in content["corrections"] if each["name"] in names]
    text = json.dumps({"schema_version": 2, "corrections": kept, "compound_corrections": [stacked]})
    ours = {each["name"]: Correction.from_dict(each) for each in kept}
    inputs = {each["name"]: each["type"] for each in stacked["inputs"]}
    stack = tuple(ours[name] for name in stacked["stack"])
    ours[LEVELS] = CompoundCorrection(LEVELS, inputs, "", stack, stacked)
    return ours, correctionlib.CorrectionSet.from_string(text)


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(23)
    counts = rng.poisson(4, EVENTS)
    number = counts.sum()
    matches = rng.poisson(1.5, EVENTS)
    rows = {
        "pt": rng.uniform(20, 200, number),
        "eta": rng.uniform(-4.5, 4.5, number),
        "phi": rng.uniform(-np.pi, np.pi, number),
        "mass": rng.uniform(2, 20, number),
        "area": rng.uniform(0.4, 0.6, number),
        "rawFactor": rng.uniform(0, 0.2, number),
    }
    jets = ak.zip({name: ak.unflatten(x, counts) for name, x in rows.items()})
    # generated jets that are near jets in the same place of the row, or not, or not there
    generated = {"pt": rng.uniform(20, 200, matches.sum()), "eta": rng.uniform(-4, 4, matches.sum())}
    generated["phi"] = rng.uniform(-np.pi, np.pi, matches.sum())
    gen = ak.zip({name: ak.unflatten(x, matches) for name, x in generated.items()})
    place = ak.local_index(jets.pt)
    both_there = ak.min([ak.num(jets), ak.num(gen)], axis=0)
    near = {name: jets[name][place < both_there] for name in ("pt", "eta", "phi")}
    gen = ak.zip(
        {
            "pt": ak.concatenate([near["pt"] * 1.07, gen.pt], axis=1),
            "eta": ak.concatenate([near["eta"] + 0.05, gen.eta], axis=1),
            "phi": ak.concatenate([near["phi"], gen.phi], axis=1),
        }
    )
    index = ak.where(place < ak.num(gen), place, -1)
    met = ak.zip(
        {
            "pt": rng.uniform(5, 100, EVENTS),
            "phi": rng.uniform(-np.pi, np.pi, EVENTS),
            "MetUnclustEnUpDeltaX": rng.normal(0, 5, EVENTS),
            "MetUnclustEnUpDeltaY": rng.normal(0, 5, EVENTS),
        }
    )
    columns = {
        "Jet": ak.with_field(jets, ak.values_astype(index, np.int32), "genJetIdx"),
        "GenJet": gen,
        "MET": met,
        "event": np.arange(100, 100 + EVENTS, dtype=np.int32),
        "fixedGridRhoFastjetAll": rng.uniform(10, 40, EVENTS),
    }
    return ak.zip(columns, depth_limit=1)


def events_of(sample):
    columns = {name: rg.from_awkward(sample[name]) for name in sample.fields}
    return Events.of(rg.RecordArray(columns), jnp.ones(len(sample)))


def evaluated(correction, *arrays):
    counts = ak.num(next(each for each in arrays if not isinstance(each, str)))
    return ak.unflatten(
        correction.evaluate(*(x if isinstance(x, str) else ak.to_numpy(ak.flatten(x)) for x in arrays)), counts
    )


def same(events, jets, pt, met_x, met_y):
    found = rg.to_awkward(events.Jet.array)
    np.testing.assert_allclose(ak.flatten(found.pt), ak.flatten(pt), rtol=1e-6)
    np.testing.assert_allclose(ak.flatten(found.mass), ak.flatten(jets.mass * pt / jets.pt), rtol=1e-6)
    np.testing.assert_allclose(events.MET.pt * np.cos(events.MET.phi), met_x, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(events.MET.pt * np.sin(events.MET.phi), met_y, rtol=1e-5, atol=1e-4)


def propagated(sample, pt):
    """Return the missing momentum that takes up the change of jets."""
    change = pt - sample.Jet.pt
    x = sample.MET.pt * np.cos(sample.MET.phi) - ak.sum(change * np.cos(sample.Jet.phi), axis=1)
    y = sample.MET.pt * np.sin(sample.MET.phi) - ak.sum(change * np.sin(sample.Jet.phi), axis=1)
    return x, y


@pytest.mark.thorough
@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0])
def test_levels_and_hybrid_smearing(both, sample, alpha):
    ours, theirs = both
    names = [f"{RESOLUTION}_{kind}_{ALGORITHM}" for kind in ("PtResolution", "ScaleFactor")]
    smear = JetResolution(*(ours[name] for name in names), levels=ours[LEVELS], seed=7)
    events = jax.jit(smear)(events_of(sample), alpha)

    jets, gen = sample.Jet, sample.GenJet
    rho = ak.broadcast_arrays(sample.fixedGridRhoFastjetAll, jets.pt)[0]
    raw = jets.pt * (1 - jets.rawFactor)
    pt = raw * evaluated(theirs.compound[LEVELS], jets.area, jets.eta, raw, rho)
    width = evaluated(theirs[names[0]], jets.eta, pt, rho)
    word = {0.0: "nom", 1.0: "up", -1.0: "down"}[alpha]
    scale = evaluated(theirs[names[1]], jets.eta, word)
    random = normal_by_event(jnp.asarray(sample.event), rg.from_awkward(jets.pt), seed=7)
    stochastic = 1 + rg.to_awkward(random) * width * np.sqrt(np.maximum(scale**2 - 1, 0))
    nothing = ak.zip({name: np.zeros((EVENTS, 1)) for name in gen.fields})
    padded = ak.concatenate([gen, ak.from_regular(nothing)], axis=1)
    match = padded[ak.where(jets.genJetIdx >= 0, jets.genJetIdx, ak.num(gen))]
    turn = (jets.phi - match.phi + np.pi) % (2 * np.pi) - np.pi
    near = (jets.genJetIdx >= 0) & (np.hypot(jets.eta - match.eta, turn) < 0.2) & (abs(pt - match.pt) < 3 * width * pt)
    assert 5 < ak.sum(near) < ak.sum(ak.num(jets)) - 5
    smeared = pt * np.maximum(ak.where(near, 1 + (scale - 1) * (pt - match.pt) / pt, stochastic), 0.01)
    same(events, jets, smeared, *propagated(sample, smeared))


def test_sources_by_name(both, sample):
    ours, theirs = both
    sources = jet_energy_sources(ours, TAG, ALGORITHM, CHOSEN)
    assert [source.name for source in sources] == ["jes_FlavorQCD", "jes_RelativePtBB"]
    events = events_of(sample)
    for source, name in zip(sources, CHOSEN, strict=True):
        uncertainty = evaluated(theirs[f"{TAG}_{name}_{ALGORITHM}"], sample.Jet.pt, sample.Jet.eta)
        for alpha in (1.0, -1.0):
            pt = sample.Jet.pt * (1 + alpha * uncertainty)
            same(jax.jit(source.shift)(events, alpha), sample.Jet, pt, *propagated(sample, pt))
    assert len(JES_SOURCES) == len(set(JES_SOURCES)) == 27
    with pytest.raises(KeyError, match="there is no correction 'Summer19UL18_V5_MC_Regrouped_HF_AK4PFchs'"):
        jet_energy_sources(ours, TAG, ALGORITHM, ["Regrouped_HF"])


REDUCED = [f"{kind}{year}" for kind in ("Absolute", "BBEC1", "EC2", "HF") for year in ("", "_2018")]
REDUCED += ["FlavorQCD", "RelativeBal", "RelativeSample_2018"]


def test_the_reduced_set_where_a_file_has_it(both):
    ours, _ = both
    one = ours[f"{TAG}_FlavorQCD_{ALGORITHM}"]
    with_it = {**ours, **{f"{TAG}_Regrouped_{name}_{ALGORITHM}": one for name in (*REDUCED, "Total")}}
    with_it |= {f"{TAG}_Regrouped_HF_AK8PFPuppi": one}
    sources = jet_energy_sources(with_it, TAG, ALGORITHM, "reduced")
    assert [source.name for source in sources] == [f"jes_Regrouped_{name}" for name in REDUCED]
    assert len(sources) == 11
    told = r"there is no reduced set, Summer19UL18_V5_MC_Regrouped_..._AK4PFchs, among .* FlavorQCD"
    with pytest.raises(KeyError, match=told):
        jet_energy_sources(ours, TAG, ALGORITHM, "reduced")
    with pytest.raises(ValueError, match="'full' or 'reduced', got 'FlavorQCD'"):
        jet_energy_sources(ours, TAG, ALGORITHM, "FlavorQCD")


def test_jets_of_two_radii_correlated_or_not(both, sample, shared_data):
    """Correlated in the selection itself: events with both shifted, each by the correction of its own file."""
    ours, theirs = both
    name = f"{TAG}_{CHOSEN[0]}_AK8PFPuppi"
    path = shared_data / "corrections_cms2018ul" / "fatJet_jerc.json.gz"
    content = json.loads(gzip.decompress(path.read_bytes()))
    (described,) = (each for each in content["corrections"] if each["name"] == name)
    of_large = correctionlib.CorrectionSet.from_string(json.dumps({"schema_version": 2, "corrections": [described]}))
    small = jet_energy_sources(ours, TAG, ALGORITHM, CHOSEN)
    large = jet_energy_sources(
        {name: Correction.from_dict(described)}, TAG, "AK8PFPuppi", CHOSEN[:1], collection="FatJet", met=None
    )
    jets = ak.with_field(sample.Jet, 300 + sample.Jet.pt, "pt")
    events = events_of(ak.with_field(sample, jets, "FatJet"))
    correlated = together(small, large)
    assert [source.name for source in correlated] == ["jes_FlavorQCD", "jes_RelativePtBB"]
    assert {"Jet_pt", "FatJet_pt", "MET_pt"} <= set(correlated[0].reads)
    changes = [
        evaluated(each, of.pt, of.eta)
        for each, of in ((theirs[f"{TAG}_{CHOSEN[0]}_{ALGORITHM}"], sample.Jet), (of_large[name], jets))
    ]
    for alpha in (1.0, -1.0):
        pt = [of.pt * (1 + alpha * change) for of, change in zip((sample.Jet, jets), changes, strict=True)]
        shifted = correlated[0].shift(events, alpha)
        same(shifted, sample.Jet, pt[0], *propagated(sample, pt[0]))
        np.testing.assert_allclose(ak.flatten(rg.to_awkward(shifted.FatJet.pt)), ak.flatten(pt[1]), rtol=1e-6)
        alone = large[0].shift(events, alpha)
        np.testing.assert_array_equal(ak.flatten(rg.to_awkward(alone.Jet.pt)), ak.flatten(sample.Jet.pt))
        np.testing.assert_allclose(ak.flatten(rg.to_awkward(alone.FatJet.pt)), ak.flatten(pt[1]), rtol=1e-6)
    with pytest.raises(ValueError, match="jes_FlavorQCD: sources that move together act on the same"):
        together(small, [dataclasses.replace(large[0], processes=["ttbar"])])


def test_what_is_in_no_jet(sample):
    events = UnclusteredEnergy()(events_of(sample), -1.0)
    x = sample.MET.pt * np.cos(sample.MET.phi) - sample.MET.MetUnclustEnUpDeltaX
    y = sample.MET.pt * np.sin(sample.MET.phi) - sample.MET.MetUnclustEnUpDeltaY
    same(events, sample.Jet, sample.Jet.pt, x, y)


def test_the_order_of_events_does_not_matter(both, sample):
    ours, _ = both
    names = [f"{RESOLUTION}_{kind}_{ALGORITHM}" for kind in ("PtResolution", "ScaleFactor")]
    smear = jax.jit(JetResolution(*(ours[name] for name in names)))
    there, back = (rg.to_list(smear(events_of(each), 0.0).Jet.pt) for each in (sample, sample[::-1]))
    assert there == back[::-1]


def test_missing_momentum_takes_up_what_the_type_one_correction_counts(sample):
    rng = np.random.default_rng(2)
    jets, counts = sample.Jet, ak.num(sample.Jet)
    for name in TypeOne().fields:
        part = rng.uniform(0, 0.6, ak.sum(counts))
        jets = ak.with_field(jets, ak.unflatten(part, counts), name)
    jets = ak.with_field(jets, jets.pt - 15, "pt")
    changed = ak.with_field(sample, jets, "Jet")
    events = jax.jit(EnergyScale("Jet", 0.1, met=TypeOne()))(events_of(changed), 1.0)
    without = 1 - jets.muonSubtrFactor
    counted = (jets.pt * without > 15) & (jets.neEmEF + jets.chEmEF < 0.9)
    assert 5 < ak.sum(counted) < ak.sum(counts) - 5
    effective = jets.pt + ak.where(counted, 0.1 * jets.pt * without, 0)
    same(events, jets, 1.1 * jets.pt, *propagated(changed, effective))
    with pytest.raises(ValueError, match=r"needs the fields \['muonSubtrFactor', 'neEmEF', 'chEmEF'\] of jets"):
        EnergyScale("Jet", 0.1, met=TypeOne())(events_of(sample), 1.0)
    assert "Jet_chEmEF" in JetResolution(None, None, met=TypeOne()).reads


def test_modules_of_the_endcap_that_were_off(sample):
    jets = sample.Jet
    tight = ak.unflatten(np.arange(ak.sum(ak.num(jets))) % 8, ak.num(jets))
    # half of them where the modules were
    there = ak.with_field(ak.with_field(jets, -1.2 + 0.1 * jets.phi, "phi"), -abs(jets.eta), "eta")
    there = ak.with_field(there, ak.values_astype(tight, np.int32), "jetId")
    changed = ak.with_field(sample, there, "Jet")
    assert jax.tree.all(
        jax.tree.map(
            lambda a, b: bool(jnp.all(a == b)), HEMIssue()(events_of(changed), 0.0).Jet.pt, events_of(changed).Jet.pt
        )
    )
    here = (there.pt > 15) & (there.phi > -1.57) & (there.phi < -0.87) & (there.jetId & 2 > 0)
    lost = ak.where((there.eta > -2.5) & (there.eta < -1.3), 0.2, 0)
    lost = ak.where(here, ak.where((there.eta > -3) & (there.eta <= -2.5), 0.35, lost), 0)
    assert ak.sum(lost > 0) > 3
    for part in (1.0, 0.65):
        pt = there.pt * (1 - part * lost)
        same(jax.jit(HEMIssue(part=part))(events_of(changed), 1.0), there, pt, *propagated(changed, pt))
