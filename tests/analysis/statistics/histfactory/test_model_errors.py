"""Bad input is refused with a message that names the place."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis.statistics.histfactory import (
    FitChannel,
    FitSample,
    HistoSys,
    Lumi,
    Model,
    NormFactor,
    NormSys,
    ParameterConfig,
    ShapeFactor,
    ShapeSys,
    StatError,
    from_workspace,
    to_workspace,
)

MU = NormFactor("mu")


def one(*modifiers, yields=(5.0, 10.0), **settings):
    return Model([FitChannel("SR", [FitSample("ttbar", yields, [MU, *modifiers])])], **settings)


def two(*modifiers, bins=(2, 2)):
    return Model(
        [FitChannel(name, [FitSample("ttbar", np.ones(n), modifiers)]) for name, n in zip("AB", bins, strict=True)]
    )


def test_numbers_must_make_sense():
    cases = {
        r"yields of sample 'ttbar' in channel 'SR' must be finite, got inf in bin 1": lambda: one(yields=[1.0, np.inf]),
        r"yields of sample 'ttbar' .* got nan in bin 0": lambda: one(yields=[np.nan, 1.0]),
        r"must be one number for each bin, got an array of shape \(\)": lambda: one(yields=3.0),
        r"hi of the histosys 'jes' of sample 'ttbar' in channel 'SR' must be 2 numbers": lambda: one(
            HistoSys("jes", hi=[1.0], lo=[1.0, 2.0])
        ),
        r"lo of the histosys 'jes' .* must be finite, got nan in bin 1": lambda: one(
            HistoSys("jes", hi=[1.0, 2.0], lo=[1.0, np.nan])
        ),
        r"lo of the normsys 'xsec' .* finite and not negative, got -0.1": lambda: one(NormSys("xsec", hi=1.1, lo=-0.1)),
        r"hi of the normsys 'xsec' .* must be one number": lambda: one(NormSys("xsec", hi=[1.1, 1.2], lo=0.9)),
        r"uncertainties of the shapesys 'stat' .* got -3.0 in bin 0": lambda: one(
            ShapeSys("stat", uncertainties=[-3, 1])
        ),
        r"sumw2 of the staterror 'mc' .* got -1.0 in bin 1": lambda: one(StatError("mc", sumw2=[1.0, -1.0])),
        r"staterror 'mc' .* needs either sumw2 or uncertainties": lambda: one(StatError("mc")),
        r"the parameter of interest 'mu' has no effect: all yields of 'ttbar' are zero": lambda: one(
            yields=[0.0, 0.0], parameter_of_interest="mu"
        ),
    }
    for message, build in cases.items():
        with pytest.raises(ValueError, match=message):
            build()


def test_structure_must_make_sense():
    shifted = ShapeFactor("free")
    cases = {
        "at least one channel": lambda: Model([]),
        "channel 'SR' has no sample": lambda: Model([FitChannel("SR", [])]),
        "no parameter": lambda: Model([FitChannel("SR", [FitSample("ttbar", [1.0])])]),
        "the model has more than one channel 'A'": lambda: Model([FitChannel("A", [FitSample("x", [1.0], [MU])])] * 2),
        "channel 'A' has more than one sample 'x'": lambda: Model([FitChannel("A", [FitSample("x", [1.0], [MU])] * 2)]),
        "sample 'ttbar' of channel 'SR' has more than one modifier 'normfactor mu'": lambda: one(MU),
        "yields of sample 'b' in channel 'A' must be 1 numbers, one for each bin; got an array of shape": lambda: Model(
            [FitChannel("A", [FitSample("a", [1.0], [MU]), FitSample("b", [1.0, 2.0])])]
        ),
        "parameter of interest 'nu' is none of the parameters": lambda: one(parameter_of_interest="nu"),
        "must be one number; 'free' has 2 components": lambda: one(shifted, parameter_of_interest="free"),
        "'mu' names a normsys and a normfactor": lambda: one(NormSys("mu", hi=1.1, lo=0.9)),
        "shapesys 'stat' acts on 2 samples": lambda: two(ShapeSys("stat", uncertainties=[1.0, 1.0])),
        "shapefactor 'free' has one parameter for each bin of 'A'": lambda: two(shifted, bins=(1, 2)),
        "normsys_code must be one of": lambda: one(normsys_code="code4p"),
        "lumi parameter 'lumi' needs auxdata and sigmas": lambda: one(Lumi()),
        "ParameterConfig names 'mue'": lambda: one(parameters=[ParameterConfig("mue", fixed=True)]),
        "normfactor parameter 'mu' has no sigmas": lambda: one(parameters=[ParameterConfig("mu", sigmas=1.0)]),
        "'mu' has 1 components, its configuration gives 2 inits": lambda: one(
            parameters=[ParameterConfig("mu", inits=[1.0, 1.0])]
        ),
        "start 20.0 of the parameter 'mu' lies outside": lambda: one(parameters=[ParameterConfig("mu", inits=20.0)]),
        "sigmas of the parameter 'lumi' must be finite and positive": lambda: ParameterConfig("lumi", sigmas=0.0),
        "bounds of the parameter 'mu' must increase": lambda: ParameterConfig("mu", bounds=(3, 1)),
    }
    for message, build in cases.items():
        with pytest.raises(ValueError, match=message):
            build()


def test_a_staterror_has_the_same_samples_in_all_channels():
    def sample(name, *modifiers):
        return FitSample(name, [1.0], modifiers)

    mc = StatError("mc", sumw2=[1.0])
    channels = [FitChannel("A", [sample("x", mc), sample("y")]), FitChannel("B", [sample("x", mc), sample("y", mc)])]
    with pytest.raises(ValueError, match="staterror 'mc' acts on different samples in the channels"):
        Model(channels)


def test_shapes_of_parameters_and_data_are_checked():
    model = one()
    with pytest.raises(ValueError, match=r"parameters must be a vector of the 1 components .* shape \(2,\)"):
        model.logpdf([1.0, 1.0], [5.0, 10.0])
    with pytest.raises(ValueError, match="data must be a vector of 2 bins and 0 auxiliary"):
        model.logpdf([1.0], [5.0])
    with pytest.raises(ValueError, match=r"channels \['SR'\], got \['CR'\]"):
        model.data({"CR": [1.0, 2.0]})
    with pytest.raises(ValueError, match="observations of channel 'SR' must be finite and not negative"):
        model.data({"SR": [1.0, -2.0]})
    with pytest.raises(ValueError, match=r"auxdata must have shape \(0,\)"):
        model.data({"SR": [1.0, 2.0]}, auxdata=[0.0])
    with pytest.raises(KeyError, match="no parameter 'nu'; it has"):
        model.vector({"nu": 1.0})
    with pytest.raises(ValueError, match=r"'mu' has 1 components, got an array of shape \(2,\)"):
        model.vector({"mu": [1.0, 2.0]})


def test_traced_histograms_have_their_shapes_checked():
    with pytest.raises(ValueError, match=r"hi of the histosys 'jes' .* must be 2 numbers"):
        jax.jit(lambda x: one(HistoSys("jes", hi=x, lo=x), yields=x[:2]).initial)(jnp.ones(3))


def test_workspaces(workspace):
    with pytest.raises(ValueError, match="a workspace needs 'measurements'"):
        from_workspace({"channels": [], "observations": []})
    with pytest.raises(ValueError, match=r"choose a measurement among \['search'\]: there is no 'other'"):
        from_workspace(workspace, measurement="other")
    workspace["measurements"] = [{**workspace["measurements"][0], "name": name} for name in "ab"]
    with pytest.raises(ValueError, match=r"choose a measurement among \['a', 'b'\]: none was chosen"):
        from_workspace(workspace)
    workspace["channels"][0]["samples"][0]["modifiers"][0]["type"] = "normalisation"
    with pytest.raises(ValueError, match="modifier 'mu' of sample 'signal' in 'SR' has the type 'normalisation'"):
        from_workspace(workspace, measurement="a")
    with pytest.raises(ValueError, match="only outside jit"):
        jax.jit(lambda x: to_workspace(one(yields=x), x)["version"])(jnp.ones(2))
