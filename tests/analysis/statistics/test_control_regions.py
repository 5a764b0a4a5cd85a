"""Backgrounds from control regions: the likelihood, what it is elsewhere, and the search for its boundaries."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pyhf
import pytest
from scipy.stats import expon, norm

from hepgrad.analysis import (
    ABCD,
    Analysis,
    Channel,
    Counts,
    Dataset,
    Hard,
    NonClosure,
    Normalisation,
    Parameter,
    Parameters,
    Regular,
    Split,
    TemplateModel,
    from_workspace,
    optimize,
    stage,
    to_workspace,
)
from hepgrad.analysis.statistics.exchange import format_datacard, from_datacard, parse_datacard, to_datacard
from hepgrad.analysis.statistics.objectives import Discovery
from hepgrad.analysis.systematics import AlternativeSample

pytestmark = pytest.mark.usefixtures("quick_compilation")

PROCESSES = ("signal", "top", "multijet")
VALIDATION = ("VA", "VB", "VC", "VD")
# by region, then process: yields of two bins
YIELDS = {
    "A": ([9.0, 5.0], [20.0, 10.0], [999.0, 999.0]),
    "B": ([2.0, 1.0], [15.0, 12.0], [300.0, 150.0]),
    "C": ([1.0, 0.5], [8.0, 3.0], [100.0, 70.0]),
    "D": ([0.2, 0.1], [6.0, 5.0], [1000.0, 600.0]),
    "VA": ([0.0, 0.0], [1.0, 1.0], [30.0, 20.0]),
    "VB": ([0.0, 0.0], [1.0, 1.0], [200.0, 160.0]),
    "VC": ([0.0, 0.0], [1.0, 1.0], [40.0, 30.0]),
    "VD": ([0.0, 0.0], [1.0, 1.0], [300.0, 250.0]),
}
LUMI = Normalisation("lumi", 0.02)


def filled(single=("C", "D"), channels="ABCD"):
    """Return histograms and axes; those of some channels have one bin."""
    axes = {name: Regular(1 if name in single else 2, 0, 2) for name in channels}
    histograms = {}
    for name, axis in axes.items():
        rows = np.array(YIELDS[name])
        rows = rows.sum(axis=1, keepdims=True) if axis.bins == 1 else rows
        sumw = jnp.asarray(np.pad(rows, ((0, 0), (1, 1))))
        histograms[name] = Counts(sumw, 0.1 * sumw)
    return histograms, axes


def built(model, single=("C", "D"), channels="ABCD"):
    return model.build(*filled(single, channels), PROCESSES, jnp.full(3, 0.1))


def multijet(model, point):
    samples = model.expected_samples(model.vector(point))
    return model.by_channel(samples[model.layout.sample_names.index("multijet")])


@pytest.mark.parametrize("single", ["", "CD", "ABCD"], ids=["each bin", "transfer factor", "one bin"])
def test_the_regions_share_their_factors(x64, single):
    model = built(TemplateModel(["signal"], [LUMI, ABCD("multijet", factor=1.1)]), tuple(single))
    bins = {name: 1 if name in single else 2 for name in "ABCD"}
    rng = np.random.default_rng(3)
    k, x, y = (rng.uniform(0.5, 2, n) for n in (bins["D"], bins["B"], bins["C"]))
    b, c, d = (np.array(YIELDS[name][2]) if bins[name] == 2 else np.sum(YIELDS[name][2]) for name in "BCD")
    found = multijet(model, {"multijet": k, "multijet_first": x, "multijet_second": y})
    np.testing.assert_allclose(found["D"], k * d)
    np.testing.assert_allclose(found["B"], k * x * b)
    np.testing.assert_allclose(found["C"], k * y * c)
    # whatever the factors are: A is B C / D, times the factor of closure
    np.testing.assert_allclose(found["A"], 1.1 * found["B"] * found["C"] / found["D"])
    modifiers = {m.name for c in model.channels for s in c.samples if s.name == "multijet" for m in s.modifiers}
    assert modifiers == {"multijet", "multijet_first", "multijet_second"}


@pytest.mark.thorough
def test_the_significance_is_that_of_a_table_of_two_by_two(x64):
    """Without signal, four regions with free factors are a table of independent rows and columns."""
    rng = np.random.default_rng(5)
    for _ in range(3):
        signal, (b, c, d) = rng.uniform(0, 20, 4), rng.uniform(30, 500, 3)
        rows = np.array([signal, [0, b, c, d]])
        histograms = {
            n: Counts(*[jnp.asarray(np.pad(rows[:, [i]], ((0, 0), (1, 1))))] * 2) for i, n in enumerate("ABCD")
        }
        axes = dict.fromkeys("ABCD", Regular(1, 0, 1))
        model = TemplateModel(["signal"], [ABCD("multijet")]).build(
            histograms, axes, ("signal", "multijet"), jnp.ones(2)
        )
        n = signal + np.array([b * c / d, b, c, d])
        table = n.reshape(2, 2)
        expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
        z = np.sqrt(2 * np.sum(table * np.log(table / expected)))
        assert float(Discovery(floor=1e-9)(model)) == pytest.approx(z, rel=1e-6)


@pytest.mark.thorough
def test_closure_is_measured_in_channels_that_are_not_fitted(x64):
    source = ABCD("multijet", closure=[VALIDATION], uncertainty=0.05)
    declared = TemplateModel(["signal"], [LUMI, source])
    model = built(declared, channels=[*"ABCD", *VALIDATION])
    assert set(model.layout.channel_slices) == set("ABCD")
    a, b, c, d = (np.sum(YIELDS[name][2]) for name in VALIDATION)
    factor = a * d / (b * c)
    size = np.sqrt((factor - 1) ** 2 + factor**2 * 0.1 * sum(1 / n for n in (a, b, c, d)) + 0.05**2)
    for alpha, expected in ((1.0, 1 + size), (-1.0, 1 / (1 + size))):
        up, nominal = (multijet(model, {"multijet_closure": at}) for at in (alpha, 0.0))
        np.testing.assert_allclose(up["A"], expected * nominal["A"])
        np.testing.assert_allclose(up["B"], nominal["B"])
    # a smaller non-closure is worth something: the derivative reaches the validation regions
    histograms, axes = filled(channels=[*"ABCD", *VALIDATION])

    def significance(histograms):
        return Discovery()(declared.build(histograms, axes, PROCESSES, jnp.full(3, 0.1)))

    slopes = jax.jit(jax.grad(significance))(histograms)
    for name, row, column in (("A", 0, 1), ("B", 2, 2), ("D", 2, 1), ("VA", 2, 1), ("VC", 2, 1)):
        step = jnp.zeros_like(histograms[name].sumw).at[row, column].set(1e-3)

        def moved(sign, name=name, step=step):
            changed = Counts(histograms[name].sumw + sign * step, histograms[name].sumw2)
            return float(significance({**histograms, name: changed}))

        expected = (moved(1) - moved(-1)) / 2e-3
        assert float(slopes[name].sumw[row, column]) == pytest.approx(expected, rel=1e-4, abs=1e-9)
    # what the simulation has of it in A means nothing
    assert np.all(slopes["A"].sumw[2] == 0)


def test_sources_that_do_not_name_it_leave_it_out(x64):
    everywhere, named = Normalisation("lumi", 0.1), Normalisation("shape", 0.2, processes=["multijet"], channels=["A"])
    model = built(TemplateModel(["signal"], [everywhere, named, ABCD("multijet")]))
    nominal = multijet(model, {})
    np.testing.assert_allclose(multijet(model, {"lumi": 1.0})["B"], nominal["B"])
    np.testing.assert_allclose(multijet(model, {"shape": 1.0})["A"], 1.2 * np.asarray(nominal["A"]))


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
@pytest.mark.parametrize("single", ["", "CD", "ABCD"], ids=["each bin", "transfer factor", "one bin"])
def test_exported_it_means_the_same(x64, single):
    source = ABCD("multijet", uncertainty=0.1)
    model = built(TemplateModel(["signal"], [LUMI, source]), tuple(single))
    data = model.expected_data(model.initial)
    text = to_workspace(model, data)
    workspace = pyhf.Workspace(text)
    theirs = workspace.model()
    card, found = to_datacard(text)
    after, codes = from_datacard(
        parse_datacard(format_datacard(card)), lambda file, path: found.get(path), interpretation="histfactory"
    )
    read, read_data = from_workspace(after, **codes)
    rng = np.random.default_rng(1)
    for _ in range(3):
        point = np.clip(np.asarray(model.initial) + rng.normal(0, 0.3, model.layout.size), 0.05, None)
        point = np.where(model.fixed, model.initial, point)
        expected = float(model.logpdf(point, data))
        assert float(theirs.logpdf(point, workspace.data(theirs))[0]) == pytest.approx(expected, rel=1e-10)
        # by name: bins of their own are channels of their own in a card
        values = dict(zip(model.parameter_names, point, strict=True))
        translated = []
        for name in read.parameter_names:
            plain = {"r": "mu"}.get(name, name.replace("prop_bin", "staterror_"))
            if plain not in values:
                stem, _, index = plain.removesuffix("[0]").rpartition("_bin")
                plain = f"{stem}[{index}]"
            translated.append(values[plain])
        assert float(read.logpdf(np.array(translated), read_data)) == pytest.approx(expected, rel=1e-10)


def test_what_does_not_fit_together():
    with pytest.raises(ValueError, match="the channels of A and B need equally many bins"):
        built(TemplateModel(["signal"], [ABCD("multijet")]), ("B", "C", "D"))
    with pytest.raises(ValueError, match="'signal' is no background"):
        built(TemplateModel(["signal"], [ABCD("signal")]))
    with pytest.raises(ValueError, match=r"the sources name the channels \['VA', 'VB', 'VC', 'VD'\]"):
        built(TemplateModel(["signal"], [ABCD("multijet", closure=[VALIDATION])]))


# a toy of known truth: two variables, independent for the background, of which the signal has larger ones


@stage(reads=("x", "y"))
def regions(events, cut):
    first, second = events.x > cut.x, events.y > cut.y
    events = events.quadrants(first, second)
    # parts of the control region C and D, nearly without signal
    return events.quadrants(events.x > cut.x - 0.7, second, names=VALIDATION, within=~first)


CUTS = Parameters(
    x=Parameter(1.2, bounds=(0.8, 4), width=0.2, scale=0.3), y=Parameter(1.2, bounds=(0.8, 4), width=0.2, scale=0.3)
)
ONE = Regular(1, 0, 10, flow="fold")
CHANNELS = [Channel(name, "x", ONE, bandwidth=0.1, region=name) for name in (*"ABCD", *VALIDATION)]
GRID = np.linspace(0.8, 4, 65)
YIELD = {"signal": 60, "multijet": 5000}


def variables(seed, correlation=0.0, events=20_000):
    rng = np.random.default_rng(seed)
    y = rng.exponential(1, events)
    x = rng.exponential(1 + correlation * y)
    return {"signal": (rng.normal(2.5, 0.8, 5000), rng.normal(3.0, 1.0, 5000)), "multijet": (x, y)}


def toy(*how, **more):
    drawn = variables(*how, **more)
    weights = {name: np.full(len(x), YIELD[name] / len(x)) for name, (x, _) in drawn.items()}
    return Dataset.from_awkward({name: ak.zip({"x": x, "y": y}) for name, (x, y) in drawn.items()}, weights)


def tabulated(a, b, c, d):
    """Return tables of two by two, in the last axes."""
    return np.moveaxis(np.array([[a, b], [c, d]]), (0, 1), (-2, -1))


def significance(signal, background):
    """Return that of tables of signal and background: without signal, rows and columns are independent."""
    n = signal + background
    expected = n.sum(axis=-1, keepdims=True) * n.sum(axis=-2, keepdims=True) / n.sum(axis=(-1, -2), keepdims=True)
    return np.sqrt(2 * np.sum(n * np.log(n / expected), axis=(-1, -2)))


def of_events(x, y, times, total):
    """Return the tables of all pairs of boundaries in the grid, from events that count several times."""
    edges = [-np.inf, *GRID, np.inf]
    filled = np.histogram2d(x, y, bins=[edges, edges], weights=times)[0] * total / len(x)
    above = filled[::-1, ::-1].cumsum(axis=0).cumsum(axis=1)[::-1, ::-1]
    first, second = above[1:, :1], above[:1, 1:]
    both = above[1:, 1:]
    return tabulated(both, first - both, second - both, above[0, 0] - first - second + both)


def scanned(drawn, rng=None):
    """Return the significance with hard cuts at all boundaries in the grid, by brute force."""
    tables = {}
    for name, (x, y) in drawn.items():
        times = np.ones(len(x)) if rng is None else rng.poisson(1, len(x))
        tables[name] = of_events(x, y, times, YIELD[name])
    background = tables["multijet"]
    # foretold from the other three regions
    background[..., 0, 0] = background[..., 0, 1] * background[..., 1, 0] / background[..., 1, 1]
    return significance(tables["signal"], background)


def best_of(values):
    return GRID[np.array(np.unravel_index(values.argmax(), values.shape))]


@pytest.mark.thorough
def test_the_best_boundaries_of_a_toy_are_found_and_close(x64):
    data, drawn = toy(0), variables(0)
    search = Analysis([regions], CHANNELS[:4], TemplateModel(["signal"], [ABCD("multijet")]))
    found = optimize(search, Split(data, data), parameters=CUTS, optimizer=optax.adam(0.2), steps=50, check_every=5)
    at = found.optimum.parameters
    place = np.array([float(at["x"]), float(at["y"])])
    # on the same events nothing in the grid is better
    on_events = scanned(drawn)
    assert found.optimum.hard_train.objective > 0.99 * on_events.max()
    # with unlimited events the best boundaries lie inside, and are found within what replicas of the events spread by
    survival = {"signal": (norm.sf(GRID, 2.5, 0.8), norm.sf(GRID, 3.0, 1.0)), "multijet": (expon.sf(GRID),) * 2}
    tables = {
        name: YIELD[name] * tabulated(p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q))
        for name, (p, q) in ((name, (p[:, None], q)) for name, (p, q) in survival.items())
    }
    truth = significance(tables["signal"], tables["multijet"])
    row, column = np.unravel_index(truth.argmax(), truth.shape)
    assert 5 < row < 60 and 5 < column < 60
    rng = np.random.default_rng(1)
    spread = np.std([best_of(scanned(drawn, rng)) for _ in range(40)], axis=0)
    assert np.all(spread < 0.5) and np.all(np.abs(place - best_of(truth)) < 2 * spread + (GRID[1] - GRID[0]))
    nearest = tuple(np.abs(GRID[:, None] - place).argmin(axis=0))
    assert truth[nearest] > 0.97 * truth.max() > 1.02 * truth[8, 8]
    # and it closes, in simulation and in validation regions
    source = ABCD("multijet", closure=["ABCD", VALIDATION])
    everywhere = Analysis([regions], CHANNELS, TemplateModel(["signal"], [source]))
    histograms = everywhere.histograms(data, at, Hard())
    for closure in source.measured(histograms, dict.fromkeys(histograms, ONE), data.processes):
        assert abs(closure.factor - 1) < 2 * closure.uncertainty < 0.5


@pytest.mark.thorough
def test_correlated_variables_cost(x64):
    """Where the two variables are correlated the method does not close, and the objective and a penalty know."""
    source = ABCD("multijet", closure=[VALIDATION])
    search = Analysis([regions], CHANNELS, TemplateModel(["signal"], [source]))
    data = toy(1, correlation=0.4)
    histograms = search.histograms(data, CUTS, Hard())
    (found,) = source.measured(histograms, dict.fromkeys(VALIDATION, ONE), data.processes)
    assert found.factor - 1 > 3 * found.uncertainty
    penalty = NonClosure(source, share=0.1, strength=2.0)
    expected = 2.0 * (abs(float(found.factor) - 1) / 0.1 - 1) ** 2
    assert float(penalty(search, data.processes, histograms, CUTS)) == pytest.approx(expected)
    values = []
    for model, channels in ((TemplateModel(["signal"], [ABCD("multijet")]), CHANNELS[:4]), (search.model, CHANNELS)):
        counts = {channel.name: histograms[channel.name] for channel in channels}
        likelihood = model.build(counts, dict.fromkeys(counts, ONE), data.processes, data.typical_weight)
        values.append(float(Discovery()(likelihood)))
    assert values[1] < 0.9 * values[0]
    # what simulation has in A is not what is foretold there, and the four regions hold every event once
    assert sum(float(histograms[name].sumw.sum()) for name in "ABCD") == pytest.approx(sum(YIELD.values()), rel=1e-6)


def test_nothing_depends_on_what_is_simulated_in_the_signal_region(x64):
    """The floor of simulated statistics is that of the other backgrounds, and other samples are foretold as well."""
    processes, axes = ("signal", "top", "multijet", "other"), dict.fromkeys("ABCD", Regular(1, 0, 1))
    other = AlternativeSample("generator", "multijet", "other")

    def model(in_a):
        yields = {"A": (20, 0.3, *in_a), "B": (0, 2, 20, 22), "C": (0, 2, 50, 55), "D": (0, 2, 100, 110)}
        rows = {name: jnp.pad(jnp.array(each, float)[:, None], ((0, 0), (1, 1))) for name, each in yields.items()}
        histograms = {name: Counts(row, 0.5 * row) for name, row in rows.items()}
        return TemplateModel(["signal"], [ABCD("multijet"), other]).build(histograms, axes, processes, jnp.ones(4))

    first, second = model((0.0, 0.0)), model((1000.0, 3.0))
    jax.tree.map(np.testing.assert_array_equal, first.templates, second.templates)
    row = first.layout.sample_names.index("multijet")
    np.testing.assert_allclose(first.templates.nominal[row], [10, 20, 50, 100])
    np.testing.assert_allclose(first.templates.histosys_hi[0, row], [11, 22, 55, 110])
    # one event of the average weight 0.5 of top
    np.testing.assert_allclose(first.templates.staterror_sumw2[0], 0.25)


def test_names_of_its_parameters_are_its_own():
    model = TemplateModel(["signal"], [ABCD("multijet", uncertainty=0.1), Normalisation("multijet_closure", 0.3)])
    with pytest.raises(ValueError, match=r"has parameters \['multijet_closure'\] of its own"):
        built(model)
