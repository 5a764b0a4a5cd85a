"""Events: selection, cutflow, and their life as a pytree."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Cutflow, Events, Objects, Pass

pytestmark = pytest.mark.usefixtures("quick_compilation")

JETS = ak.zip({"pt": [[90.0, 60.0, 35.0, 20.0], [], [45.0, 30.0]], "eta": [[0.1, 1.0, -2.0, 0.5], [], [2.0, -1.0]]})


def events() -> Events:
    array = rg.RecordArray({"Jet": rg.from_awkward(JETS), "MET": rg.from_awkward(ak.zip({"pt": [10.0, 50.0, 80.0]}))})
    return Events.of(array, jnp.array([1.0, 2.0, 3.0]))


def test_event_selection_and_cutflow():
    e = events().select(events().MET.pt > 40.0, "missing momentum")
    e = e.select(Pass(jnp.array([1.0, 0.5, 0.25])))
    e = e.select(e.Jet.at_least(1), "a jet")
    assert e.probability.tolist() == [0.0, 0.0, 0.25]
    assert list(e.cutflow) == ["missing momentum", "a jet"]
    leaves, structure = jax.tree.flatten(e)
    again = jax.tree.unflatten(structure, leaves)
    assert list(again.cutflow) == ["missing momentum", "a jet"]
    assert again.weight.tolist() == [1.0, 2.0, 3.0]
    assert again.Jet.count().tolist() == [4.0, 0.0, 2.0]


def test_everything_per_event_is_a_flat_array_with_numpy_s_functions():
    """What a stage sees: weights, probabilities, steps, regions, columns, and what methods make of them."""

    def stage(e: Events) -> tuple[Events, list]:
        passed = e.Jet.at_least(1)
        e = e.with_field(x=jnp.arange(3.0)).select(passed, "a jet").categorise(high=e.MET.pt > 40.0)
        e = e.weighted(np.sqrt(e.weight)).weighted(e.weight.clip(1.0, 2.5).round())
        made = [
            np.sqrt(e.weight),
            np.where(e.probability > 0, np.exp(-e.probability), 0.5),
            np.log1p(passed.probability),
        ]
        made += [np.maximum(part["a jet"], 0.25) for part in (e.cutflow, e.passes)]
        made += [np.concatenate([e.regions["high"], e.columns["x"]]), e.x[e.x > 0], np.hypot(e.MET.pt, e.x)]
        return e, made

    expected, made = stage(events())
    (e, compiled), vectorised = jax.jit(stage)(events()), jax.vmap(stage)(jax.tree.map(lambda x: x[None], events()))
    several = [
        *e.columns.values(),
        *e.cutflow.values(),
        *e.regions.values(),
        *e.passes.values(),
        e.weight,
        e.probability,
    ]
    assert all(isinstance(x, rg.FlatArray) for x in [*made, *compiled, *several[2:]])
    for one, same, row in zip(made, compiled, vectorised[1], strict=True):
        np.testing.assert_allclose(one, same, rtol=1e-6)
        if row.length is None:
            np.testing.assert_allclose(one, np.asarray(row)[0], rtol=1e-6)
    np.testing.assert_allclose(e.weight, [1.0, 4 * 2**0.5, 6 * 3**0.5], rtol=1e-6)
    assert expected.probability.tolist() == e.probability.tolist() == [1.0, 0.0, 1.0]
    with pytest.raises(rg.StructureError, match="cannot broadcast 3 rows with 2"):
        events().weighted(jnp.ones(2))


def test_object_pass_is_no_event_pass():
    with pytest.raises(TypeError, match="count the objects"):
        events().select(events().Jet.pt > 30.0)


SHORT = rg.from_lists([[1.0], []])


@pytest.mark.parametrize(
    "values",
    [
        jnp.ones(2),
        np.ones(4),
        rg.from_numpy(np.ones(1)),
        SHORT,
        rg.zip({"pt": SHORT}),
        Objects.of(rg.zip({"pt": SHORT})),
    ],
)
def test_columns_have_a_value_for_each_event(values):
    with pytest.raises(ValueError, match=r"column 'x' has \d values and there are 3 events here: give one for each"):
        events().with_field(x=values)
    assert events().with_field(x=jnp.ones((3, 2))).x.shape == (3, 2)


def test_unknown_columns_are_named():
    with pytest.raises(AttributeError, match=r"no column 'Muon' in these events; the columns are \['Jet', 'MET'\]"):
        _ = events().Muon


def test_what_each_selection_alone_removes():
    """Passes multiply, and the product of all but one is what is left without it; unnamed selections stay."""
    rng = np.random.default_rng(4)
    a, b, c, weight = rng.uniform(0, 1, (4, 50)).astype(np.float32)
    selected = Events.of(rg.RecordArray({"a": jnp.asarray(a)}), jnp.asarray(weight))
    selected = selected.select(Pass(jnp.asarray(a)), "a").select(Pass(jnp.asarray(b))).select(Pass(jnp.asarray(c)), "c")
    process = jnp.asarray(np.arange(50) % 2, jnp.int32)
    flow = Cutflow.of_events(selected, process, 2)
    assert flow.steps == ("all events", "a", "c")
    for tally, passes in ((flow, [1 + 0 * a, a, a * b * c]), (flow.n_minus_1, [a * b * c, b * c, a * b])):
        expected = [[(p * weight)[i::2].sum() for i in range(2)] for p in passes]
        np.testing.assert_allclose(tally.yields, expected, rtol=1e-5)
        np.testing.assert_allclose(tally.raw, [[p[i::2].sum() for i in range(2)] for p in passes], rtol=1e-5)
