"""Filesets in the layout of the Analysis Grand Challenge, and what is said about wrong ones."""

from __future__ import annotations

import json

import pytest

from hepgrad.workflows import Fileset, InputError

SAMPLE = {"files": [{"path": "ttbar.root", "nevts": 10}], "nevts_total": 10, "sumw_total": 200.0, "xsec_pb": 5.0}


def write(folder, content):
    path = folder / "fileset.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_paths_are_relative_to_the_json_and_urls_stay(tmp_path):
    files = [{"path": "a/b.root"}, {"path": "/data/c.root"}, {"path": "root://server//d.root"}]
    write(tmp_path, {"ttbar": {"nominal": {**SAMPLE, "files": files}}})
    sample = Fileset.load(tmp_path)["ttbar"]
    assert sample.files == (str(tmp_path / "a/b.root"), "/data/c.root", "root://server//d.root")


def test_events_per_weight(tmp_path):
    path = write(tmp_path, {"ttbar": {"nominal": SAMPLE}})
    # 5 pb x 100 / pb = 500 events, which weights of 200 in all stand for
    assert Fileset.load(path)["ttbar"].events_per_weight(100.0) == pytest.approx(2.5)


def test_fileset_that_comes_with_events(shared_data):
    fileset = Fileset.load(shared_data / "pythia13tev")
    assert len(fileset["ttbar"].files) == 5
    assert fileset["single_top_s_chan"].cross_section == pytest.approx(7.0662, abs=1e-4)


def test_fileset_without_cross_sections(shared_data):
    sample = Fileset.load(shared_data / "agc" / "nanoaod_inputs.json")["ttbar"]
    assert sample.files[0].startswith("https://")
    with pytest.raises(
        InputError, match=r"sample 'ttbar' has no xsec_pb in .*nanoaod_inputs.json; add a cross-section"
    ):
        sample.events_per_weight(1000.0)


def test_variations_are_samples_of_their_own(tmp_path):
    """A variation has the cross-section of the nominal events unless it says another one."""
    own = {"files": ["up.root"], "sumw_total": 20.0, "xsec_pb": 4.0}
    other = {"files": [{"path": "down.root"}], "sumw_total": 10.0}
    fileset = Fileset.load(write(tmp_path, {"ttbar": {"nominal": SAMPLE, "scaleup": own, "scaledown": other}}))
    assert list(fileset.samples) == ["ttbar", "ttbar:scaleup", "ttbar:scaledown"]
    assert fileset["ttbar:scaleup"].files == (str(tmp_path / "up.root"),)
    assert fileset["ttbar:scaleup"].events_per_weight(100.0) == pytest.approx(4.0 * 100 / 20)
    assert fileset["ttbar:scaledown"].events_per_weight(100.0) == pytest.approx(5.0 * 100 / 10)


def test_globs_stand_for_the_files_they_match(tmp_path):
    for name in ("b2", "a1", "c3"):
        (tmp_path / f"{name}.root").touch()
    fileset = Fileset.load(write(tmp_path, {"ttbar": {"nominal": {**SAMPLE, "files": ["[ab]*.root", "c3.root"]}}}))
    assert fileset["ttbar"].files == tuple(str(tmp_path / f"{name}.root") for name in ("a1", "b2", "c3"))


def test_numbers_of_events_normalise_where_no_weights_do(tmp_path):
    """The AGC's own convention: every generated event counts the same."""
    alike = {"files": ["a.root"], "nevts_total": 10, "xsec_pb": 5.0}
    sample = Fileset.load(write(tmp_path, {"ttbar": {"nominal": alike}}))["ttbar"]
    assert sample.weight == ""
    assert sample.events_per_weight(100.0) == pytest.approx(5.0 * 100 / 10)
    # weights go before numbers of events, unless they are not to be used
    assert Fileset.load(write(tmp_path, {"ttbar": {"nominal": SAMPLE}}))["ttbar"].weight == "genWeight"
    unweighted = Fileset.load(write(tmp_path, {"ttbar": {"nominal": {**SAMPLE, "weight": None}}}))["ttbar"]
    assert unweighted.events_per_weight(100.0) == pytest.approx(5.0 * 100 / 10)


def test_weights_that_stand_for_a_luminosity(tmp_path):
    """Collision data count 1 each; simulation may come with weights that are normalised already."""
    content = {
        "data": {"nominal": {"files": ["data.root"], "lumi_pb": 4000.0}},
        "dy": {"nominal": {"files": ["dy.root"], "lumi_pb": 10000.0, "weight": "weight"}},
    }
    fileset = Fileset.load(write(tmp_path, content))
    assert [fileset[name].weight for name in ("data", "dy")] == ["", "weight"]
    assert [fileset[name].events_per_weight(4000.0) for name in ("data", "dy")] == pytest.approx([1.0, 0.4])


def test_the_agc_own_fileset(shared_data):
    """It says numbers of events and variations, and no cross-section: they come from a table."""
    fileset = Fileset.load(shared_data / "agc" / "nanoaod_inputs.json").with_cross_sections({"ttbar": 729.84})
    assert len(fileset.samples) == 9
    assert fileset["ttbar"].events_per_weight(3378.0) == pytest.approx(729.84 * 3378 / 276079127)
    assert fileset["ttbar:PS_var"].events_per_weight(3378.0) == pytest.approx(729.84 * 3378 / 19337064)
    assert sum(fileset["ttbar"].shares) == pytest.approx(276079127)
    with pytest.raises(InputError, match=r"sample 'wjets' has no xsec_pb .*cross-section in pb \(or to the workflow's"):
        fileset["wjets"].events_per_weight(3378.0)


def test_a_table_of_cross_sections_does_not_replace_those_of_the_fileset(tmp_path):
    fileset = Fileset.load(write(tmp_path, {"ttbar": {"nominal": SAMPLE}})).with_cross_sections({"ttbar": 7.0})
    assert fileset["ttbar"].cross_section == 5.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"xsec_pb": None}, "sample 'ttbar' has no xsec_pb in .*fileset.json; add a cross-section in pb"),
        (
            {"sumw_total": None, "nevts_total": None},
            "sample 'ttbar' has no sumw_total in .*fileset.json; add the sum of genWeight over all",
        ),
        ({"xsec_pb": -1.0}, "sample 'ttbar': xsec_pb must be positive, got -1.0 in .*fileset.json"),
        ({"sumw_total": 0}, "sample 'ttbar': sumw_total must be positive, got 0.0"),
        ({"xsec_pb": float("nan")}, "sample 'ttbar': xsec_pb must be positive, got nan"),
    ],
)
def test_numbers_that_a_normalisation_needs(tmp_path, change, message):
    sample = {key: value for key, value in {**SAMPLE, **change}.items() if value is not None}
    fileset = Fileset.load(write(tmp_path, {"ttbar": {"nominal": sample}}))
    with pytest.raises(InputError, match=message):
        fileset["ttbar"].events_per_weight(1.0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{not json", "fileset.json is not JSON: .*line 1"),
        ("[]", "expected an object with one entry per sample, got list"),
        ({"ttbar": SAMPLE}, "sample 'ttbar' must look like {\"nominal\""),
        ({"ttbar": {"nominal": {**SAMPLE, "files": []}}}, "sample 'ttbar' must .* list at least one file"),
        ({"ttbar": {"nominal": {**SAMPLE, "files": [5]}}}, "sample 'ttbar' must look like"),
        ({"ttbar": {"nominal": {**SAMPLE, "files": ["none_*.root"]}}}, r"no file matches .*none_\*\.root"),
        ({"ttbar": {"nominal": {**SAMPLE, "weight": 1}}}, "weight of sample 'ttbar' must be the name of a column or"),
        ({"ttbar": {"nominal": SAMPLE, "up": {"files": []}}}, "sample 'ttbar:up' must look like {\"up\": .*ttbar.root"),
        ({"ttbar": {"nominal": {**SAMPLE, "xsec_pb": "5"}}}, "xsec_pb of sample 'ttbar' must be a number, got '5'"),
    ],
)
def test_wrong_layout(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        Fileset.load(write(tmp_path, content))


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*fileset\.json; it has to say which ROOT files"):
        Fileset.load(tmp_path)


def test_missing_sample_names_similar_ones_first(tmp_path):
    fileset = Fileset.load(write(tmp_path, {name: {"nominal": SAMPLE} for name in ("wjets", "zjets", "zprime_2000")}))
    with pytest.raises(InputError, match=r"no sample 'zprime' in .*fileset\.json; it has zprime_2000, "):
        fileset["zprime"]


def test_a_root_file_in_place_of_the_fileset_is_refused_in_words(tmp_path):
    (tmp_path / "top.root").write_bytes(b"root\x00\xf3\xff")
    with pytest.raises(InputError, match=r"top\.root is no text in UTF-8 .*; expected is JSON that says"):
        Fileset.load(tmp_path / "top.root")
