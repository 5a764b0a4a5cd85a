"""Blocks: every event is in one of them, all of them are alike, and hardly any room is wasted."""

from __future__ import annotations

import awkward as ak
import jax
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.workflows import InputError
from hepgrad.workflows.read.packing import packing
from hepgrad.workflows.read.packing.columns import Columns
from hepgrad.workflows.read.packing.packing import PackedShape, Strand, pack

PLACES = [("Jet", "pt"), ("Jet", "index"), ("MET", "pt"), ("number", ""), ("lhe", "")]


def draw(events: int, jets: float, seed: int, first: int = 0) -> Columns:
    """Draw events that can be told apart by their number."""
    rng = np.random.default_rng(seed)
    counts = {"Jet": rng.poisson(jets, events), "lhe": rng.poisson(2.0, events)}
    sizes = {name: int(count.sum()) for name, count in counts.items()}
    values = {
        ("Jet", "pt"): rng.exponential(50, sizes["Jet"]).astype(np.float32),
        ("Jet", "index"): np.arange(sizes["Jet"], dtype=np.int16),
        ("MET", "pt"): rng.exponential(30, events).astype(np.float32),
        ("number", ""): np.arange(first, first + events, dtype=np.int64),
        ("lhe", ""): rng.normal(size=sizes["lhe"]).astype(np.float32),
        ("w", ""): rng.uniform(0.5, 1.5, events),
    }
    offsets = {name: np.append(0, np.cumsum(count)) for name, count in counts.items()}
    return Columns(events, values, offsets)


def blocks_of(data):
    """Return the real events of a data set with their weight and process, block by block."""
    found = []
    for block in range(data.blocks):
        columns, weight, process = jax.tree.map(
            lambda leaf, b=block: leaf[b], (data.columns, data.weight, data.process)
        )
        events = ak.zip({k: rg.to_awkward(v) for k, v in columns.columns.items()}, depth_limit=1)
        real = np.asarray(process) < len(data.processes)
        assert not np.asarray(weight)[~real].any()
        found.append((events[real], np.asarray(weight)[real], np.asarray(process)[real]))
    return found


@pytest.mark.thorough
@pytest.mark.parametrize("block_size", [1, 7, 64, 10_000])
def test_no_event_is_lost_or_changed(block_size):
    """Pieces of several files, two samples of one process, and what is asked for only."""
    one = [draw(100, 4.0, 1), draw(1, 4.0, 2, 100), draw(57, 4.0, 3, 101)]
    other = [draw(40, 0.5, 4, 1000)]
    strands = [Strand(0, one, 2.0, ("w", "")), Strand(1, other, 3.0, None), Strand(0, one[:1], 5.0, ("w", ""))]
    data = pack(strands, PackedShape.of([strands], block_size), PLACES, ["a", "b"])
    blocks = blocks_of(data)
    assert sum(len(events) for events, _, _ in blocks) == 158 + 40 + 100
    events = ak.concatenate([events for events, _, _ in blocks])
    weight = np.concatenate([weight for _, weight, _ in blocks])
    process = np.concatenate([process for _, _, process in blocks])
    rows = Columns.joined(one).to_awkward()
    for strand, expected in ((0, rows), (1, other[0].to_awkward()), (2, rows[:100])):
        scale = [2.0, 3.0, 5.0][strand]
        of_process = process == strands[strand].process
        known = weight * (1.0 if strand == 1 else 1 / rows.w[np.minimum(events.number, 157)])
        matching = of_process & np.isclose(known, scale)
        found = events[matching][np.argsort(events.number[matching], kind="stable")]
        for name, field in PLACES:
            ours, theirs = (each[name, field] if field else each[name] for each in (found, expected))
            assert ours.tolist() == theirs.tolist()


def test_columns_that_were_not_asked_for_are_left_out():
    strand = Strand(0, [draw(10, 2.0, 0)], 1.0, None)
    data = pack([strand], PackedShape.of([[strand]], None), [("MET", "pt"), ("Jet", "pt")], ["a"])
    assert data.columns.fields == ["MET", "Jet"]
    assert data.columns.Jet.fields == ["pt"]


def test_both_halves_share_one_compiled_program():
    halves = [[Strand(0, [draw(n, 5.0, n)], 1.0, None)] for n in (1001, 1000)]
    shape = PackedShape.of(halves, 300)
    one, other = (pack(half, shape, PLACES, ["a"]) for half in halves)
    assert jax.tree.structure(one) == jax.tree.structure(other)
    assert [leaf.shape for leaf in jax.tree.leaves(one)] == [leaf.shape for leaf in jax.tree.leaves(other)]


def test_blocks_are_full():
    """At least 0.97 of the room is used, also by samples of different multiplicity and size, in any order."""
    samples = [(40_000, 0.5), (130_000, 5.0), (3_000, 9.0)]
    strands = [Strand(i, [draw(n, jets, i)], 1.0, None) for i, (n, jets) in enumerate(samples)]
    shape = PackedShape.of([strands], 16_384)
    total = sum(n for n, _ in samples)
    objects = sum(int(strand.pieces[0].offsets["Jet"][-1]) for strand in strands)
    assert shape.blocks == -(-total // 16_384)
    assert total / (shape.blocks * shape.events) > 0.999
    assert objects / (shape.blocks * shape.objects["Jet"]) > 0.97


def test_every_block_has_the_same_mixture():
    strands = [Strand(i, [draw(n, 1.0, i)], 1.0, None) for i, n in enumerate((50, 1000, 333))]
    data = pack(strands, PackedShape.of([strands], 100), PLACES, ["a", "b", "c"])
    for _, _, process in blocks_of(data):
        counts = np.bincount(process, minlength=3)
        np.testing.assert_allclose(counts, np.array([50, 1000, 333]) / data.blocks, atol=1)


def test_jax_uses_the_buffers_as_they_are(monkeypatch):
    """On a CPU what was put together is not copied once more."""
    aligned, made = packing.aligned, []

    def remembered(shape, dtype):
        made.append(aligned(shape, dtype))
        return made[-1]

    monkeypatch.setattr(packing, "aligned", remembered)
    strand = Strand(0, [draw(2000, 5.0, 0)], 1.0, None)
    data = pack([strand], PackedShape.of([[strand]], None), PLACES, ["a"])
    leaves = jax.tree.leaves((data.columns, data.weight, data.process))
    assert {leaf.unsafe_buffer_pointer() for leaf in leaves} == {buffer.ctypes.data for buffer in made}


def test_integers_that_do_not_fit():
    big = Columns(2, {("event", ""): np.array([1, 2**40])}, {})
    strand = Strand(0, [big], 1.0, None)
    with pytest.raises(InputError, match=r"event: integers from 0 to 1099511627776 do not fit into int32; enable"):
        pack([strand], PackedShape.of([[strand]], None), [("event", "")], ["a"])


def test_typical_weight(x64):
    strands = [Strand(0, [draw(500, 1.0, 1)], 2.0, ("w", "")), Strand(1, [draw(10, 1.0, 2)], 3.0, None)]
    data = pack(strands, PackedShape.of([strands], 64), PLACES, ["a", "b"])
    weight = 2 * strands[0].pieces[0].values["w", ""]
    np.testing.assert_allclose(data.typical_weight, [np.sum(weight**2) / np.sum(weight), 3.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([[[1.0], []], [[2.0]]], "x holds lists in lists"),
        (["a", "b"], "x "),
        ([1.0, None], "x does not hold one number for each event or object"),
    ],
)
def test_what_has_no_place_among_columns(column, message):
    with pytest.raises(InputError, match=message):
        Columns.of(ak.zip({"x": ak.Array(column)}, depth_limit=1))
