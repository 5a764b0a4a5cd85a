"""Limits on the signals of a patch set: those of one signal at a time, kept on disk, resumed."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from hepgrad.workflows import InputError, fit, limits
from hepgrad.workflows.cli.program import main

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture(scope="module")
def generate():
    specification = importlib.util.spec_from_file_location("signals", Path(__file__).with_name("signals.py"))
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def grid(generate, tmp_path_factory):
    return generate.write(tmp_path_factory.mktemp("grid"), regions=2, bins=2, sources=2, signals=6)


class Interrupted(Exception):
    pass


@pytest.mark.thorough
def test_limits_are_those_of_one_signal_at_a_time_and_go_on_after_an_interruption(grid, tmp_path, capsys):
    background, patches = grid
    output = tmp_path / "limits"

    def interrupt(what, done, of):
        assert (what, of) == ("limits", 6)
        if done == 4:
            raise Interrupted

    with pytest.raises(Interrupted):
        limits(background, patches, at_once=2, output=output, watch=interrupt)
    partial = (output / "limits.jsonl").read_text().splitlines()
    assert len(partial) == 1 + 4
    # as if the process had been killed in the middle of a line, and a finished one could not be computed again
    told = json.loads(partial[1])
    told["limits"] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    lines = [partial[0], json.dumps(told), *partial[2:4], partial[4][:20]]
    (output / "limits.jsonl").write_text("\n".join(lines))
    assert main(["fit", str(background), "--patchset", str(patches), "--at-once", "2", "--output", str(output)]) == 0
    assert "C1N2_200_0" in capsys.readouterr().out
    with (output / "limits.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["signal"] for row in rows][:2] == ["C1N2_200_0", "C1N2_200_10"]
    assert float(rows[0]["observed"]) == 1.0
    run = json.loads((output / "run.json").read_text())
    assert (run["status"], run["signals"], run["failed"]) == ("finished", 6, [])
    assert (output / "plots" / "limits.png").exists()
    for row in (rows[3], rows[5]):
        alone = fit(background, patch=f"{patches}#{row['signal']}", quantities=["limit"], points=2).limit
        assert float(row["observed"]) == pytest.approx(alone.observed, rel=1e-6)
        bands = [float(row[f"expected {band} sigma"]) for band in ("-2", "-1", "0", "+1", "+2")]
        np.testing.assert_allclose(bands, alone.expected, rtol=1e-6)


def test_another_search_is_not_overwritten(grid, tmp_path):
    background, patches = grid
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "limits.jsonl").write_text(json.dumps({"workspace": "another"}) + "\n")
    with pytest.raises(InputError, match="exists and is not empty"):
        limits(background, patches, output=tmp_path / "out")


def test_faulty_patch_sets_are_refused(grid, tmp_path, capsys):
    background, patches = grid
    document = json.loads(patches.read_text())
    document["metadata"]["digests"]["sha256"] = "0" * 64
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(document))
    assert main(["fit", str(background), "--patchset", str(wrong)]) == 2
    assert "is made for another workspace" in capsys.readouterr().err
    assert main(["fit", str(background), "--patchset", str(background)]) == 2
    assert "neither a JSON patch, which is a list, nor a patch set: $ needs 'metadata'" in capsys.readouterr().err
    assert main(["fit", str(background), "--patch", str(patches)]) == 2
    assert "is a set of 6 patches: choose one by" in capsys.readouterr().err
    assert main(["fit", str(background), "--patch", f"{patches}#C1N2_1_1"]) == 2
    assert "the patch set has no patch 'C1N2_1_1'; it has C1N2_200_0" in capsys.readouterr().err
    document = json.loads(patches.read_text())
    document["patches"][2]["patch"][0]["path"] = "/channels/9/samples/0"
    wrong.write_text(json.dumps(document))
    assert main(["fit", str(background), "--patchset", str(wrong)]) == 2
    assert "the patch 'C1N2_200_20': operation 0 of the patch" in capsys.readouterr().err


@pytest.mark.slow
def test_a_hundred_signals_of_a_search_like_1lbb(generate, tmp_path):
    # what is compiled quickly runs slowly, which here counts for more
    jax.config.update("jax_disable_most_optimizations", False)
    background, patches = generate.write(tmp_path, regions=8, bins=3, sources=60, signals=100)
    found = limits(background, patches, output=tmp_path / "out")
    assert len(found.names) == 100 and not found.failed
    assert np.all(np.diff(found.expected, axis=1) > 0)
    # heavier signals have fewer events
    heavy = np.array([place[0] for place in found.values])
    assert found.expected[heavy == heavy.max(), 2].min() > 5 * found.expected[heavy == heavy.min(), 2].max()
    alone = fit(background, patch=f"{patches}#{found.names[42]}", quantities=["limit"], points=2).limit
    assert found.observed[42] == pytest.approx(alone.observed, rel=1e-6)
