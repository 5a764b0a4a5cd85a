"""The eight queries of the analysis description language benchmarks, ``examples/adl``, on generated events.

Ours are the hard histograms ("value"), and the soft ones with the derivative of a number made of them with respect to
all cuts ("value + gradient"; the first two queries have no cut). Rivals fill the same hard histograms: ``awkward`` with
formulas on plain arrays, ``coffea`` with its vectors where a query has systems or distances, both with NumPy's
histograms. Everybody gets the events in memory, in the form that is theirs.

Two more are for a GPU: the position of the smallest number in each of 5,000,000 lists, and the mass of all pairs of
muons, beside the figures that were published for ``cuda.compute`` (on an RTX PRO 6000: another machine, and other
lists, so that they are only told). On a CPU there are fewer lists.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np

import hepgrad.ragged as rg
from examples.adl import events, histograms, queries
from hepgrad.analysis import Hard, Soft
from hepgrad.analysis.kinematics import invariant_mass

from . import adl_rivals
from .gradient_step import finished
from .runner import Comparison, Size

EVENTS = {"quick": 100_000, "full": 1_000_000}
LISTS = {"quick": 100_000, "full": 1_000_000}
# as many as were published
LISTS_ON_GPU = 5_000_000
WITHOUT_CUTS = ("query1", "query2")
# seconds on an RTX PRO 6000
PUBLISHED = {"argmin of lists": 0.39e-3, "masses of all pairs in lists": 10.2e-3}


def comparisons(size: Size) -> Iterator[Comparison]:
    """Yield the queries, and on a GPU what was published for one."""
    number = EVENTS[size]
    arrays = events.generate(number)
    blocks = events.dataset(arrays)
    cut = queries.CUTS.to_dict()
    with_coffea = adl_rivals.with_vectors(arrays) if importlib.util.find_spec("coffea") else None
    for name in queries.QUERIES:
        ours = {"value": finished(histograms.histograms, name, blocks, queries.CUTS, Hard())}
        if name not in WITHOUT_CUTS:
            ours["value + gradient"] = finished(value_and_gradient, name, queries.CUTS, blocks)
        rivals = {"awkward": functools.partial(filled, adl_rivals.QUERIES[name], arrays, cut)}
        if with_coffea is not None:
            rivals["coffea"] = functools.partial(filled, adl_rivals.WITH_COFFEA[name], with_coffea, cut)
        yield Comparison(f"{name}, {number:,} events", ours, rivals)
    yield from arrays_alone(LISTS_ON_GPU if jax.default_backend() == "gpu" else LISTS[size])


@functools.partial(rg.checked, static_argnames="name")
def value_and_gradient(name, cuts, blocks):
    """Return a number made of the soft histograms, later bins counting more, and its derivatives."""

    def number(cuts):
        found = histograms.histograms(name, blocks, cuts, Soft())
        return sum(jnp.dot(sums, jnp.linspace(0.0, 1.0, len(sums))) for sums in found.values())

    return jax.value_and_grad(number)(cuts)


def filled(query, arrays, cut):
    """Return the histograms of what a rival selects."""
    found = query(arrays, cut)
    return [np.histogram(ak.to_numpy(x), bins=queries.AXES[axis].edges) for axis, x in found.items()]


def arrays_alone(lists: int) -> Iterator[Comparison]:
    """Yield the position of the smallest number of each list, and the masses of all pairs of muons."""
    rng = np.random.default_rng(5)
    counts = rng.poisson(3, lists)
    total = int(counts.sum())
    names = ("pt", "eta", "phi", "mass")
    fields = {name: rng.uniform(0.1, 3, total).astype(np.float32) for name in names}
    muons = ak.zip({name: ak.unflatten(values, counts) for name, values in fields.items()})
    smallest = jax.jit(lambda x: rg.argmin(x, axis=1))
    room = int((counts * (counts - 1) // 2).sum())
    masses = rg.checked(lambda muons: masses_of_pairs(muons, capacity=room))
    ragged = rg.from_awkward(muons)
    tasks = {
        "argmin of lists": (smallest, ragged.pt, lambda: ak.argmin(muons.pt, axis=1)),
        "masses of all pairs in lists": (
            masses,
            ragged,
            lambda: adl_rivals.system(*ak.unzip(ak.combinations(muons, 2)))[1],
        ),
    }
    for name, (function, array, awkward) in tasks.items():
        told = f"{name}, {lists:,}; published for cuda.compute with 5,000,000: {1e3 * PUBLISHED[name]:g} ms"
        yield Comparison(told, {"value": finished(function, array)}, {"awkward": awkward})


def masses_of_pairs(muons, *, capacity):
    """Return the invariant mass of every pair of each list."""
    pairs = rg.combinations(muons, 2, fields=["first", "second"], capacity=capacity)
    return invariant_mass(pairs.first, pairs.second)
