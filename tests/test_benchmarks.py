"""The benchmark runner: it finds benchmarks, survives rivals that fail, and writes the numbers it prints."""

from __future__ import annotations

import json

import awkward as ak
import jax
import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import ragged_ops, runner
from benchmarks.awkward_jax import VALUE, Worker
from benchmarks.programs import programs
from hepgrad.analysis import Analysis, Channel, CountingModel, Dataset, Parameter, Parameters, Regular, stage

FIELDS = {"benchmark": str, "case": str, "rival": str, "ratio": float, "seconds": float, "rival_seconds": float}


def fail():
    raise NotImplementedError("cannot do that\nand goes on about it")


@pytest.fixture
def tiny(monkeypatch):
    """Make the benchmark of ragged operations small."""
    names = ("sum", "sort", "distances of pairs")
    operations = [operation for operation in ragged_ops.OPERATIONS if operation.name in names]
    monkeypatch.setattr(ragged_ops, "comparisons", lambda size: ragged_ops.compare(100, operations))
    monkeypatch.setitem(runner.ROUNDS, "quick", 1)


@pytest.mark.thorough
def test_command_line_prints_a_table_and_writes_the_numbers(tiny, tmp_path, capsys):
    before = dict(jax.config.values)
    file = tmp_path / "numbers.json"
    command.main(["ragged_ops", "--size", "quick", "--json", str(file)])
    assert dict(jax.config.values) == before, "Awkward's JAX backend changes settings, but not here"
    rows = json.loads(file.read_text(encoding="utf-8"))
    for row in rows:
        assert {name: type(value) for name, value in row.items()} == FIELDS
        assert row["benchmark"] == "ragged_ops"
        assert row["ratio"] == pytest.approx(row["seconds"] / row["rival_seconds"])
    compared = {(row["case"], row["rival"]) for row in rows}
    for way in ("eager", "jit"):
        assert {rival for case, rival in compared if case == f"sum, value ({way})"} == {
            "awkward-cpu",
            "awkward-jax",
            "by hand (jit)",
        }
        assert {rival for case, rival in compared if case == f"sum, value + vjp ({way})"} == {
            "awkward-jax",
            "by hand (jit)",
        }
    printed = capsys.readouterr().out
    assert "distances" in printed
    assert "sort, value + vjp: awkward-jax fails" in printed


def test_a_rival_that_fails_is_left_out_with_its_reason():
    comparison = runner.Comparison("task", {"eager": lambda: None}, {"good": lambda: None, "bad": fail})
    medians, reasons = runner.measure(comparison, rounds=3, patience=1.0)
    assert set(medians) == {("ours", "eager"), ("rival", "good")}
    assert reasons == {"bad": "cannot do that"}


def test_what_takes_minutes_is_called_once_and_before_the_others():
    calls, told = [], []
    ours = {name: lambda name=name: calls.append(name) for name in ("compiled", "cold")}
    comparison = runner.Comparison("task", ours, {"slow": lambda: calls.append("slow")}, once=["cold", "slow"])
    medians, _ = runner.measure(comparison, rounds=2, patience=1.0, tell=told.append)
    assert set(calls[:2]) == {"cold", "slow"} and calls[2:] == ["compiled"] * 3
    assert set(medians) == {("ours", "compiled"), ("ours", "cold"), ("rival", "slow")}
    assert len(told) == 3


def test_our_own_failure_is_not_hidden():
    with pytest.raises(NotImplementedError):
        runner.measure(runner.Comparison("task", {"eager": fail}, {}), rounds=1, patience=1.0)


@pytest.mark.thorough
def test_a_process_that_died_is_replaced():
    worker = Worker("ragged_ops", 100)
    worker.call("sum", VALUE)
    worker.process.kill()
    worker.process.wait()
    with pytest.raises(RuntimeError, match="the process died with status -9"):
        worker.call("sum", VALUE)
    worker.call("sum", VALUE)
    with pytest.raises(RuntimeError, match="JAX arrays are immutable"):
        worker.call("concatenate, axis 1", VALUE)
    assert worker.close() == 0


def test_every_benchmark_is_found():
    assert "ragged_ops" in runner.benchmarks()
    assert not {"runner", "__main__", "__init__"} & set(runner.benchmarks())


@pytest.mark.thorough
def test_operations_give_what_awkward_gives():
    """A ratio of two times means something only when both do the same."""
    import awkward as ak
    import numpy as np

    from hepgrad import ragged as rg

    rng = np.random.default_rng(3)
    array = ak.unflatten(rng.normal(size=40).astype(np.float32), [3, 1, 6, 10, 2, 7, 5, 4, 1, 1])
    w = rng.normal(size=len(array)).astype(np.float32)
    for operation in ragged_ops.OPERATIONS:
        ours = rg.to_list(operation.ours(rg.from_awkward(array), jax.numpy.asarray(w)))
        theirs = operation.awkward(array, ak.Array(w))
        np.testing.assert_allclose(flat(ours), flat(ak.to_list(theirs)), rtol=2e-5, err_msg=operation.name)


def flat(lists):
    """Return all numbers of nested lists, tuples and records, in order."""
    if isinstance(lists, dict):
        return flat(list(lists.values()))
    return [x for value in lists for x in flat(value)] if isinstance(lists, list | tuple) else [lists]


@pytest.mark.thorough
def test_programs_of_an_analysis_are_counted():
    rng = np.random.default_rng(1)
    events = {name: ak.zip({"met": rng.exponential(100.0, 50)}) for name in ("signal", "background")}
    data = Dataset.from_awkward(events, {"signal": np.full(50, 0.1), "background": np.full(50, 1.0)})

    @stage(reads=("met",))
    def select(events, cut):
        return events.select(events.met > cut.met)

    analysis = Analysis([select], [Channel("sr", "met", Regular(1, 0, 1000))], CountingModel(["signal"], 0.1))
    found = list(programs(analysis, Parameters(met=Parameter(50.0, bounds=(0, 200))), data, runs=1))
    assert [program.name for program in found] == ["step", "histograms, hard", "objective"]
    assert all(program.equations > 0 and program.instructions > 0 for program in found)
    assert [program.run is not None for program in found] == [True, True, False]
