"""Datacards: read as Combine reads them, and written so that reading gives the same log-probability."""

from __future__ import annotations

import copy

import jax
import numpy as np
import pytest

from hepgrad.analysis.statistics.exchange import (
    Histogram,
    configured,
    format_datacard,
    from_datacard,
    parse_datacard,
    prune,
    to_datacard,
)
from hepgrad.analysis.statistics.fitting import fit
from hepgrad.analysis.statistics.histfactory import from_workspace
from hepgrad.analysis.statistics.histfactory.interpolation import combine as factor

pytestmark = pytest.mark.usefixtures("quick_compilation")

CARD = """\
# a comment
imax 2
jmax 2
kmax *
-------------
shapes * * shapes.root $CHANNEL/$PROCESS $CHANNEL/$PROCESS_$SYSTEMATIC
-------------
bin          sr   cr
observation  -1   104
-------------
bin          sr   sr   sr   cr   cr
process      sig  top  wj   top  wj
process      0    1    2    1    2
rate         -1   -1   40.0 -1   -1
-------------
lumi lnN     1.02 1.02 1.02 1.02 1.02
xsec lnN     -    0.92/1.10 - 0.92/1.10 -
jes shape    1    1    -    -    -
both shape?  -    1.1  -    1    -
k_w rateParam * wj 1.2 [0,5]
theory group = xsec lumi
sr autoMCStats {threshold} {signal} 1
"""
SYSTEMATIC = {"jes": ("sr/sig", "sr/top"), "both": ("cr/top",)}


def histogram(values, relative=0.1):
    values = np.asarray(values, float)
    return Histogram(values, (relative * values) ** 2)


def histograms():
    found = {
        "sr/data_obs": histogram([58, 80]),
        "cr/data_obs": histogram([104]),
        "sr/sig": histogram([5, 12], 0.3),
        "sr/top": histogram([30, 40], 0.05),
        "sr/wj": histogram([20, 20], 0.2),
        "cr/top": histogram([60]),
        "cr/wj": histogram([40]),
        "sr/sig_jesUp": histogram([5.5, 13]),
        "sr/sig_jesDown": histogram([4.5, 10]),
        "sr/top_jesUp": histogram([33, 41]),
        "sr/top_jesDown": histogram([28, 39]),
        "cr/top_bothUp": histogram([66]),
        "cr/top_bothDown": histogram([57]),
    }
    return lambda file, path: found.get(path) if file == "shapes.root" else None


def read(threshold=0, signal=1, find=None, **settings):
    card = parse_datacard(CARD.format(threshold=threshold, signal=signal))
    return from_datacard(card, find or histograms(), **settings)


def test_what_a_card_says():
    card = parse_datacard(CARD.format(threshold=10, signal=0))
    assert card.channels == {"sr": None, "cr": 104}
    assert card.processes == {"sig": 0, "top": 1, "wj": 2}
    assert card.rates["sr", "wj"] == 40 and card.rates["sr", "sig"] is None
    assert card.nuisances[1].effects == {("sr", "top"): "0.92/1.10", ("cr", "top"): "0.92/1.10"}
    assert card.rate_parameters[0].bounds == (0, 5)
    assert (card.mc_statistics[0].threshold, card.mc_statistics[0].include_signal) == (10, False)
    assert parse_datacard(format_datacard(card)) == card


def test_the_interpolation_is_the_log_normal_or_smooth(x64):
    alpha = np.linspace(-2, 2, 41)
    np.testing.assert_allclose(factor(alpha, np.array(1.2), np.array(1 / 1.2)), 1.2**alpha, rtol=1e-14)
    np.testing.assert_allclose(factor(np.array([-1.0, 0.5, 2.0]), 1.1, 0.8), [0.8, 1.1**0.5, 1.21], rtol=1e-14)
    slope = jax.grad(lambda a: factor(a, 1.1, 0.8))
    for joint in (-0.5, 0.0, 0.5):
        assert float(slope(joint - 1e-9)) == pytest.approx(float(slope(joint + 1e-9)), abs=1e-7)


def combines_yields(point, names, statistics):
    """Return what Combine expects in the signal region, by its formulae, from parameters by name."""
    at = dict(zip(names, point, strict=True))
    find = histograms()
    total, squared = np.zeros(2), np.zeros(2)
    for process in ("sig", "top", "wj"):
        nominal = find("shapes.root", f"sr/{process}")
        shape, norm = nominal.values.copy(), 1.02 ** at["lumi"]
        if process != "wj":
            ends = [find("shapes.root", f"sr/{process}_jes{side}").values for side in ("Up", "Down")]
            factors = [end.sum() / shape.sum() for end in ends]
            up, down = (end / f for end, f in zip(ends, factors, strict=True))
            x = at["jes"]
            h = np.clip(x * (15 - 10 * x**2 + 3 * x**4) / 8, -1, 1) if abs(x) < 1 else np.sign(x)
            shape = shape + 0.5 * x * ((up - down) + h * (up + down - 2 * shape))
            norm *= float(factor(x, *factors))
        norm *= {"sig": at["r"], "wj": at["k_w"], "top": float(factor(at["xsec"], 1.1, 0.92))}[process]
        if process == "top":
            norm *= 1.1 ** at["both"]
        total += norm * shape
        squared += norm**2 * nominal.variances
    return total, (np.sqrt(squared) if statistics else 0)


def test_yields_are_combines(x64):
    workspace, codes = read(threshold=-1)
    model, _ = from_workspace(workspace, **codes)
    rng = np.random.default_rng(0)
    for _ in range(4):
        point = np.asarray(model.initial) + 0.7 * rng.normal(size=len(model.initial))
        expected, _ = combines_yields(point, model.parameter_names, False)
        np.testing.assert_allclose(model.by_channel(model.expected_actualdata(point))["sr"], expected, rtol=1e-12)


@pytest.mark.thorough
def test_statistics_of_the_simulation_have_combines_profile_likelihood(x64):
    """One Gaussian a process and bin is worth what Combine's one a bin is, whose width goes with the rates."""
    workspace, codes = read()
    model, data = from_workspace(workspace, **codes)
    held = {"r": 2.5, "k_w": 0.6, "lumi": 0.5, "xsec": -1.0, "jes": 0.8, "both": 0.3}
    best = fit(model, data, fixed=held)
    observed = np.array([58.0, 80.0])
    total, width = combines_yields([held[name] for name in held], list(held), True)
    # the minimum of rate - n ln rate + x^2 / 2, at rate = total + width x
    x = np.zeros(2)
    for _ in range(50):
        rate = total + width * x
        slope, curvature = width * (1 - observed / rate) + x, width**2 * observed / rate**2 + 1
        x -= slope / curvature
    rate = total + width * x
    expected = 2 * np.sum(rate - observed + observed * np.log(observed / rate)) + np.sum(x**2)
    sums = model.by_channel(model.expected_actualdata(best.parameters))
    np.testing.assert_allclose(sums["sr"], rate, rtol=1e-7)
    control = float(sums["cr"][0])
    rest = 2 * (control - 104 + 104 * np.log(104 / control))
    rest += sum(held[name] ** 2 for name in ("lumi", "xsec", "jes", "both"))
    assert float(best.deviance) == pytest.approx(expected + rest, rel=1e-9)


def test_few_events_have_poisson_constraints_with_whole_numbers():
    workspace, _ = read(threshold=30, signal=0, find=None)
    sr = {s["name"]: {m["name"]: m for m in s["modifiers"]} for s in workspace["channels"][0]["samples"]}
    # backgrounds of bin 0: 50 +- 4.27, 137 effective events, more than 30: Gaussian for each process
    assert sr["sig"]["prop_binsr_bin0_sig"]["type"] == "histosys"
    workspace, _ = read(threshold=200, signal=0)
    sr = {s["name"]: {m["name"]: m for m in s["modifiers"]} for s in workspace["channels"][0]["samples"]}
    # now every process by itself: signal 1 / 0.3^2 = 11, W 1 / 0.2^2 = 25 events; top has 400, which is Gaussian
    np.testing.assert_allclose(sr["sig"]["prop_binsr_sig"]["data"], np.array([5, 12]) / 11**0.5)
    np.testing.assert_allclose(sr["wj"]["prop_binsr_wj"]["data"], np.array([20, 20]) / 25**0.5)
    assert "prop_binsr_top" not in sr["top"] and "prop_binsr_bin1_top" in sr["top"]


def round_trip(workspace, **settings):
    card, found = to_datacard(workspace)
    text = format_datacard(card)
    assert parse_datacard(text).nuisances == card.nuisances
    return from_datacard(parse_datacard(text), lambda file, path: found.get(path), **settings)


def same_log_probability(before, after, renamed, codes_before, codes_after):
    """Assert that both are the same function of parameters with these names."""
    one, data = from_workspace(before, **codes_before)
    other, other_data = from_workspace(after, **codes_after)
    index = [one.parameter_names.index(renamed.get(name, name)) for name in other.parameter_names]
    assert sorted(index) == list(range(len(one.parameter_names)))
    rng = np.random.default_rng(2)
    for _ in range(3):
        point = np.asarray(one.initial) + 0.3 * rng.normal(size=len(index)) * ~np.asarray(one.fixed)
        expected = float(one.logpdf(point, data))
        assert float(other.logpdf(point[np.array(index)], other_data)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize("threshold", [-1, 0, 200, 1000])
def test_writing_and_reading_combines_likelihood(x64, threshold):
    workspace, codes = read(threshold=threshold)
    after, codes_after = round_trip(workspace)
    assert codes == codes_after
    same_log_probability(workspace, after, {}, codes, codes_after)


def test_writing_and_reading_histfactory(x64, search):
    workspace = configured(search, measurement="search")
    workspace["measurements"][0]["config"]["parameters"].append(
        {"name": "lumi_total", "auxdata": [1.0], "sigmas": [0.02], "bounds": [[0.5, 1.5]], "inits": [1.0]}
    )
    for sample in workspace["channels"][0]["samples"]:
        sample["modifiers"].append({"name": "lumi_total", "type": "lumi", "data": None})
    after, codes = round_trip(workspace, interpretation="histfactory")
    renamed = {"r": "mu", "prop_binSR[0]": "mc_SR[0]", "prop_binSR[1]": "mc_SR[1]"}
    same_log_probability(workspace, after, renamed, {}, codes)
    config = {entry["name"]: entry for entry in after["measurements"][0]["config"]["parameters"]}
    assert config["lumi_total"]["sigmas"] == [0.02]


@pytest.mark.thorough
def test_free_factors_of_bins_are_written_bin_by_bin(x64, search):
    workspace = configured(search, measurement="search")
    workspace["channels"][0]["samples"][1]["modifiers"] += [
        {"name": "free", "type": "shapefactor", "data": None},
    ]
    workspace["measurements"][0]["config"]["parameters"].append(
        {"name": "free", "inits": [1.2, 0.9], "bounds": [[0.0, 3.0], [0.1, 4.0]]}
    )
    after, codes = round_trip(workspace, interpretation="histfactory")
    assert [channel["name"] for channel in after["channels"]] == ["CR", "SR_bin0", "SR_bin1"]
    renamed = {"r": "mu", "free_bin0": "free[0]", "free_bin1": "free[1]"}
    renamed |= {f"prop_binSR_bin{i}[0]": f"mc_SR[{i}]" for i in range(2)}
    same_log_probability(workspace, after, renamed, {}, codes)
    config = {entry["name"]: entry for entry in after["measurements"][0]["config"]["parameters"]}
    assert config["free_bin1"] == {"name": "free_bin1", "inits": [0.9], "bounds": [[0.1, 4.0]]}
    assert any("SR is written bin by bin" in note for note in to_datacard(workspace)[0].notes)


def test_names_that_cannot_stand_in_a_card_are_changed_and_told(search):
    workspace = configured(search, measurement="search")
    workspace["channels"][0]["name"] = workspace["observations"][0]["name"] = "signal region [4j]"
    workspace["channels"][0]["samples"][0]["name"] = "Z' -> tt"
    card, found = to_datacard(workspace)
    assert card.processes == {"Z_tt": 0, "background": 1}
    assert "signal_region_4j/Z_tt" in found
    assert any("signal_region_4j stands for the channel 'signal region [4j]'" in note for note in card.notes)
    assert any("under- and overflow" in note for note in card.notes)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("xx lnU 1.1 1.1 1.1 1.1 1.1", "line 23 .*'lnU' is not supported"),
        ("xx lnN 1.1", "there are 5 columns, but 1 effects"),
        ("xx lnN -1.1 - - - -", "effects are positive factors, got '-1.1'"),
        ("jes lnN 1.1 - - - -", "there is another uncertainty 'jes'"),
        ("f rateParam sr wj (@0*2) k_w", "a rateParam needs a number, formulae are not supported"),
        ("nuisance edit freeze xx", "is not supported"),
        ("xx", "there are words missing"),
        ("f rateParam sr wj 1.0 [0;5]", r"the range of a rateParam is \[lowest,highest\], got '\[0;5\]'"),
        ("shapes * * other.root $PROCESS", "there is another line for the process '\\*' and the channel '\\*'"),
    ],
)
def test_what_is_not_supported_is_told(line, message):
    text = CARD.format(threshold=0, signal=0) + line + "\n"
    with pytest.raises(ValueError, match=message):
        parse_datacard(text)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("imax 2", "imax 3", "imax is 3, but the card has 2 channels"),
        ("jmax 2", "jmax 1", "jmax is 1, but the card has 2 processes, less one"),
        ("kmax *", "kmax 5", "kmax is 5, but the card has 4 uncertainties"),
        ("bin          sr   cr", "bin          sr   sr", "these channels are observed twice"),
        ("sr   sr   sr   cr   cr", "sr   sr   sr   sr   cr", r"stand twice: \[\('sr', 'top'\)\]"),
        (
            "0    1    2    1    2",
            "0    1    2    0    2",
            r"signal .* in some columns and background in others: \['top'\]",
        ),
        ("k_w rateParam *", "k_w rateParam SR", "the rateParam 'k_w' acts on the process 'wj' in the channel 'SR'"),
        ("sr autoMCStats", "SR autoMCStats", r"autoMCStats is for the channel 'SR'; the card has \['sr', 'cr'\]"),
    ],
)
def test_contradictions_in_a_card_are_told(old, new, message):
    text = CARD.format(threshold=0, signal=0)
    assert old in text
    with pytest.raises(ValueError, match=message):
        from_datacard(parse_datacard(text.replace(old, new)), histograms())


def test_contradictions_with_histograms_are_told():
    find = histograms()

    def without(path):
        return lambda file, wanted: None if wanted == path else find(file, wanted)

    with pytest.raises(ValueError, match=r"there is no histogram sr/top in shapes.root, for the process 'top'"):
        read(find=without("sr/top"))
    with pytest.raises(ValueError, match="the shape 'jes' of 'top' in 'sr' has no histograms of its variations"):
        read(find=without("sr/top_jesUp"))
    with pytest.raises(ValueError, match="the shape 'both' of 'top' in 'cr' has no histograms of its variations"):
        read(find=without("cr/top_bothDown"))
    with pytest.raises(ValueError, match=r"the rate of 'wj' in 'sr' is 40.0, but its histogram has 41 events"):
        read(find=lambda f, p: histogram([21, 20]) if p == "sr/wj" else find(f, p))
    with pytest.raises(ValueError, match="histograms of the channel 'sr' have different numbers of bins"):
        read(find=lambda f, p: histogram([40]) if p == "sr/wj" else find(f, p))
    with pytest.raises(ValueError, match=r"the observation of 'cr' is 104.0, but its histogram has 90 events"):
        read(find=lambda f, p: histogram([90]) if p == "cr/data_obs" else find(f, p))


def test_what_a_card_cannot_express_is_told(search):
    workspace = configured(search, measurement="search")
    with pytest.raises(ValueError, match="a datacard has one measurement"):
        to_datacard(search)
    with pytest.raises(ValueError, match="no process is scaled by the parameter of interest"):
        to_datacard(prune(workspace, samples=["signal"]))
    mixed = copy.deepcopy(workspace)
    mixed["channels"][0]["samples"][1]["modifiers"].append({"name": "mu", "type": "normfactor", "data": None})
    with pytest.raises(ValueError, match="'mu' scales 'background' in some channels only"):
        to_datacard(mixed)
