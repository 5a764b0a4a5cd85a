"""Several signals at once: each figure is that of a model of its own, and they combine as by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis.statistics.histfactory import (
    FitChannel,
    FitSample,
    HistoSys,
    Model,
    NormFactor,
    NormSys,
    ShapeSys,
    StatError,
)
from hepgrad.analysis.statistics.objectives import CLs, Discovery, Limit, Luminosity, Several, Sigma

pytestmark = [pytest.mark.usefixtures("x64", "quick_compilation"), pytest.mark.thorough]

NAMES = ("m1", "m2", "m3")
SIGNAL = {"m1": [20.0, 4.0], "m2": [6.0, 9.0], "m3": [2.0, 7.0]}


def signal(name, scale, called):
    yields = scale * np.array(SIGNAL[name])
    shift = HistoSys("jes", hi=1.1 * yields, lo=0.93 * yields)
    return FitSample(called, yields, [NormFactor("mu"), NormSys("theory", hi=1.1, lo=0.9), shift])


def background(channel, scale=1.0, free=False):
    yields = scale * np.array([80.0, 25.0])
    modifiers = [
        NormSys("xsec", hi=1.1, lo=0.92),
        StatError(f"mc_{channel}", sumw2=0.2 * yields),
        HistoSys("jes", hi=yields * [1.05, 0.97], lo=yields * [0.96, 1.02]),
        ShapeSys(f"model_{channel}", uncertainties=0.05 * yields),
        *([NormFactor(f"free_{channel}")] if free else []),
    ]
    return FitSample("background", yields, modifiers)


def model(names=NAMES, channels=("one", "two"), *, free=False):
    scales = {"one": 1.0, "two": 0.3}
    # alone all are called the same, so that they share a program
    called = dict(zip(names, names if len(names) > 1 else ["signal"], strict=True))
    made = [
        FitChannel(
            c, [*(signal(name, scales[c], called[name]) for name in names), background(c, 0.5 * scales[c], free)]
        )
        for c in channels
    ]
    return Model(made, parameter_of_interest="mu")


OBJECTIVES = [Discovery(), CLs(), Sigma(), Limit(), Luminosity(3.0)]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: type(objective).__name__)
def test_figures_are_those_of_models_of_one_signal(objective):
    together = model()
    found = Several(objective).figures(together)
    expected = {name: objective.confirmed(model((name,))) for name in NAMES}
    for name in NAMES:
        assert found[name].converged and expected[name].converged
        assert float(found[name].value) == pytest.approx(float(expected[name].value), rel=1e-7)


@pytest.mark.parametrize("free", [False, True], ids=["", "with free factors of each channel"])
def test_signals_in_channels_of_their_own(free):
    places = {"m1": ("one",), "m2": ("one", "two"), "m3": ("two",)}
    found = Several(signals=NAMES, channels=list(places.values())).figures(model(free=free))
    for name, channels in places.items():
        expected = Discovery().confirmed(model((name,), channels, free=free))
        assert found[name].converged and expected.converged
        assert float(found[name].value) == pytest.approx(float(expected.value), rel=1e-7)


def test_they_combine_as_by_hand():
    together, factors = model(), (2.0, 1.0, 0.5)
    z = np.array([float(each.value) for each in Several().figures(together).values()])
    sigma = np.array([np.exp(-float(each.value)) for each in Several(Sigma()).figures(together).values()])
    for combination, of in (("mean", np.mean), ("worst", np.min), ("geometric", lambda x: np.exp(np.mean(np.log(x))))):
        several = Several(Discovery(), combination, factors=factors)
        assert float(several.confirmed(together).value) == pytest.approx(of(z * factors), rel=1e-9)
        # the objective of an uncertainty is a logarithm: the worst is the largest one
        of = np.max if combination == "worst" else of
        several = Several(Sigma(), combination, factors=factors)
        value = several.merit.of(float(several.confirmed(together).value))
        assert value == pytest.approx(of(sigma * factors), rel=1e-9)
    soft = Several(combination="worst", softness=0.05).evaluate(together).value
    assert float(soft) == pytest.approx(-0.05 * np.log(np.sum(np.exp(-z / 0.05))), rel=1e-9)
    assert Several(Limit(), "worst").merit.title.startswith("Worst over signals: expected upper limit")


@pytest.mark.parametrize("combination", ["mean", "worst", "geometric"])
def test_derivatives(combination):
    together, several = model(), Several(Discovery(), combination, softness=0.3)

    def value(nominal):
        templates = jax.tree.map(lambda x: x, together.templates)
        object.__setattr__(templates, "nominal", nominal)
        return several.evaluate(Model.tree_unflatten(together.layout, (templates,))).value

    nominal = together.templates.nominal
    slope = jax.jit(jax.grad(value))(nominal)
    fast = jax.jit(value)
    for sample, column in ((0, 0), (1, 1), (2, 2), (3, 3)):
        step = jnp.zeros_like(nominal).at[sample, column].set(1e-4)
        numeric = float(fast(nominal + step) - fast(nominal - step)) / 2e-4
        assert float(slope[sample, column]) == pytest.approx(numeric, rel=1e-5)


def test_the_program_does_not_grow_with_the_signals():
    def equations(number):
        signals = [FitSample(f"n{i}", [1.0, 2.0], [NormFactor("mu")]) for i in range(number)]
        of_all = Model([FitChannel("one", [*signals, background("one")])], parameter_of_interest="mu")
        traced = jax.make_jaxpr(lambda m: Several().evaluate(m).value)(of_all)
        return str(traced).count("\n")

    assert equations(12) < 1.1 * equations(3)


def test_what_cannot_be_combined():
    with pytest.raises(ValueError, match="combination must be one of"):
        Several(Discovery(), "median")
    with pytest.raises(ValueError, match="'background' is no signal"):
        Several(signals=["background"]).evaluate(model())
    with pytest.raises(ValueError, match=r"there are no channels \['three'\]"):
        Several(signals=["m1"], channels=[["three"]]).evaluate(model())
    with pytest.raises(ValueError, match="factors are needed for each of the 3 signals, got 1"):
        Several(factors=[1.0]).evaluate(model())
    with pytest.raises(ValueError, match="channels are needed for each of the 2 signals, got 1"):
        Several(signals=["m1", "m2"], channels=["one"])
    with pytest.raises(ValueError, match="name the signals"):
        Several(channels=["one"])


def test_a_limit_on_a_cross_section():
    one = model(("m1",))
    strength, section = Limit(), Limit(cross_section=0.2, unit="fb")
    assert float(section(one)) == pytest.approx(float(strength(one)) - np.log(0.2), rel=1e-12)
    assert section.merit.title == "Expected upper limit on the cross-section (95% CL) [fb]"
    with pytest.raises(ValueError, match="cross-section must be positive"):
        Limit(cross_section=0)
