"""What sources do to histograms, in numbers written out by hand."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis import Counts, Regular
from hepgrad.analysis.statistics.effects import Effects
from hepgrad.analysis.systematics import (
    ABCD,
    AlternativeSample,
    FreeNormalisation,
    Normalisation,
    Pruning,
    Templates,
    WeightSet,
    WeightVariation,
    partially_correlated,
    shared,
)

pytestmark = pytest.mark.usefixtures("quick_compilation")

PROCESSES = ["signal", "top", "w", "top_other"]
NOMINAL = [[1.0, 2.0], [10.0, 20.0], [5.0, 4.0], [12.0, 20.0]]


def counts(rows):
    sumw = jnp.pad(jnp.array(rows), ((0, 0), (1, 1)))
    return {"sr": Counts(sumw, sumw)}


def times(*factors):
    return counts((np.array(NOMINAL) * np.array(factors)).tolist())


def of_weight(events):
    return events.weight


def effects(*sources, up=None, down=None):
    templates = Templates(counts(NOMINAL), down, up)
    return Effects.of(["signal"], sources, templates, {"sr": Regular(2, 0, 2)}, PROCESSES)


def shift(found, name, process):
    return found.shifts()[name][found.blueprint.layout.sample_names.index(process)].tolist()


def test_each_kind_of_source():
    found = effects(
        Normalisation("lumi", (-0.02, 0.04)),
        FreeNormalisation("free", ["w"]),
        ABCD("w"),
        WeightVariation("btag", of_weight, of_weight, processes=["top"]),
        WeightVariation("mirrored", of_weight),
        WeightSet("pdf", of_weight, [0, 1], "hessian", sums={"top": (1.5, 1.0)}),
        AlternativeSample("generator", "top", up="top_other"),
        up={
            "btag": times(1.2, 1.4),
            "mirrored": times(1.1, 1.1),
            "pdf[0]": times(1.5, 1.8),
            "pdf[1]": times(1.0, 1.4),
        },
        down={"btag": times(0.9, 0.8)},
    )
    assert shift(found, "lumi", "top") == pytest.approx([0.3, 0.6])
    assert shift(found, "btag", "top") == pytest.approx([1.5, 6.0]) and shift(found, "btag", "w") == [0, 0]
    assert shift(found, "mirrored", "w") == pytest.approx([0.5, 0.4])
    # sqrt((10 x 1.5 / 1.5 - 10)^2 + 0), sqrt((20 x 1.8 / 1.5 - 20)^2 + 8^2)
    assert shift(found, "pdf", "top") == pytest.approx([0.0, np.hypot(4, 8)], abs=1e-5)
    assert shift(found, "pdf", "w") == pytest.approx([2.5, np.hypot(3.2, 1.6)])
    assert shift(found, "generator", "top") == pytest.approx([2.0, 0.0], abs=1e-5)
    assert not {"free", "w"} & set(found.shifts())


def test_sources_that_share_a_parameter_add_up_and_correlated_ones_by_their_coefficients():
    weights = WeightVariation("weights", of_weight, processes=["top"])
    both = shared("theory", Normalisation("rate", 0.1, ["w", "top"]), weights)
    years = partially_correlated(WeightVariation("years", of_weight), 0.36, processes=["w", "top"])
    found = effects(*both, years, up={"weights": times(1.2, 1.0), "years": times(1.1, 1.1)})
    assert sorted(found.shifts()) == ["theory", "years", "years_top", "years_w"]
    assert shift(found, "theory", "top") == pytest.approx([3.0, 2.0])
    assert shift(found, "theory", "w") == pytest.approx([0.5, 0.4])
    assert shift(found, "years", "top") == pytest.approx([0.6, 1.2], rel=1e-5)
    assert shift(found, "years_top", "top") == pytest.approx([0.8, 1.6], rel=1e-5)
    assert shift(found, "years_w", "top") == pytest.approx([0, 0], abs=1e-6)


def test_the_largest_effect_in_a_bin_before_and_after_pruning():
    small = WeightVariation("small", of_weight, shape=[Pruning(0.05)])
    found = effects(small, up={"small": times(1.01, 1.04)})
    assert found.largest("small", "top", "sr") == pytest.approx((0.04, 0.0), rel=1e-4)
