"""What stages need is known before anything runs, and a message says what is missing and where."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepgrad.analysis import Analysis, Channel, CountingModel, Dataset, Hard, Parameter, Parameters, Regular, stage
from hepgrad.analysis.stages import EventSelection, ObjectSelection, Observable
from hepgrad.analysis.stages.needs import branch_names, check_needs, needed_branches, needed_parameters


@stage(reads=["Jet_pt", "MET_pt"], parameters=["met"], makes=["ht"])
def scalar_sum(events, cut):
    return events.with_field(ht=events.Jet.sum("pt"))


BJETS = ObjectSelection("Jet", ["pt > cut.jet_pt", "btagDeepB > cut.btag"], into="BJet")


def test_columns_that_a_stage_makes_are_not_read():
    assert needed_branches([scalar_sum, EventSelection(["ht > cut.ht"])]) == {
        "Jet_pt": "scalar_sum",
        "MET_pt": "scalar_sum",
    }
    # but in the other order they are
    assert "ht" in needed_branches([EventSelection(["ht > cut.ht"]), scalar_sum])


def test_fields_of_a_copied_collection_are_those_of_the_original():
    later = [
        ObjectSelection("BJet", ["abs(eta) < 2"], into="CentralBJet"),
        Observable("lead", "leading(CentralBJet.mass)"),
    ]
    assert list(needed_branches([BJETS, *later])) == ["Jet_pt", "Jet_btagDeepB", "Jet_eta", "Jet_mass"]


def test_fields_that_a_stage_adds_are_not_read():
    chain = [Observable("log_pt", "log(pt)", collection="Jet"), BJETS, Observable("x", "sum(BJet.log_pt)")]
    assert list(needed_branches(chain)) == ["Jet_pt", "Jet_btagDeepB"]


def test_collections_that_replace_each_other():
    chain = [
        ObjectSelection("Jet", ["pt > 30"], into="Good"),
        ObjectSelection("Good", ["abs(eta) < 2"], into="Jet"),
        Observable("ht", "sum(Jet.energy)"),
    ]
    assert list(needed_branches(chain)) == ["Jet_pt", "Jet_eta", "Jet_energy"]


def test_parameters():
    assert needed_parameters([scalar_sum, BJETS]) == {
        "met": "scalar_sum",
        "jet_pt": "BJet selection",
        "btag": "BJet selection",
    }


def test_everything_that_is_missing_is_named():
    with pytest.raises(ValueError) as error:
        check_needs(
            [scalar_sum, BJETS],
            branches=["Jet_pt", "Jet_eta", "Jet_btagDeepFlavB", "PuppiMET_pt"],
            parameters=["met", "jet_pT", "btag"],
        )
    assert str(error.value).splitlines() == [
        "stage 'scalar_sum' needs the branch 'MET_pt'; did you mean 'PuppiMET_pt'? "
        "The branches are PuppiMET_pt, Jet_pt, Jet_eta, Jet_btagDeepFlavB",
        "stage 'BJet selection' needs the branch 'Jet_btagDeepB'; did you mean 'Jet_btagDeepFlavB'? "
        "The branches are Jet_btagDeepFlavB, Jet_eta, Jet_pt, PuppiMET_pt",
        "stage 'BJet selection' needs the parameter 'jet_pt'; did you mean 'jet_pT'? "
        "The parameters are jet_pT, met, btag",
    ]


def test_a_long_list_is_cut_short():
    with pytest.raises(ValueError, match=r"needs the branch 'MET_pt'\. The branches are .* and 480 more$"):
        check_needs([scalar_sum], branches=["Jet_pt", *(f"x{i}" for i in range(499))], parameters=["met"])


def test_nothing_is_missing():
    check_needs([scalar_sum], branches=["Jet_pt", "MET_pt"], parameters=["met", "other"])


def test_names_of_the_columns_of_a_data_set():
    events = ak.zip(
        {
            "Jet": ak.zip({"pt": [[50.0], []], "eta": [[0.5], []]}),
            "MET": ak.zip({"pt": [1.0, 2.0]}),
            "genWeight": np.ones(2),
        },
        depth_limit=1,
    )
    data = Dataset.from_awkward({"all": events}, {"all": np.ones(2)})
    assert branch_names(data.events.columns) == ["Jet_pt", "Jet_eta", "MET_pt", "genWeight"]


def test_an_analysis_that_lacks_something_does_not_start():
    events = ak.zip({"Jet": ak.zip({"pt": [[50.0], []]}), "MET": ak.zip({"phi": [1.0, 2.0]})}, depth_limit=1)
    data = Dataset.from_awkward({"all": events}, {"all": np.ones(2)})
    analysis = Analysis([scalar_sum], [Channel("all", "ht", Regular(2, 0, 100))], CountingModel(["all"], 0.1))
    with pytest.raises(ValueError, match="stage 'scalar_sum' needs the branch 'MET_pt'; did you mean 'MET_phi'"):
        analysis.histograms(data, Parameters(met=Parameter(30.0, bounds=(10, 60))), Hard())
    assert analysis.reads == ("Jet_pt", "MET_pt")
