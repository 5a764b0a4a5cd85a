"""An interrupted run goes on to the same result, to the bit, and refuses a checkpoint that is not its own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hepgrad.workflows import InputError, execution, run


class Interrupted(Exception):
    pass


@pytest.fixture
def workflow(tiny, tmp_path):
    return dataclasses.replace(tiny.TINY, data=tiny.write_events(tmp_path / "events"), steps=8)


def interrupt(workflow, output, monkeypatch, after):
    """Run and break off after some steps, as a signal would."""
    original = execution.optimize

    def broken(*args, watchers, **kwargs):
        def stop(record, steps):
            if record.step == after:
                raise Interrupted

        return original(*args, watchers=[*watchers, stop], **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(execution, "optimize", broken)
        with pytest.raises(Interrupted):
            run(workflow, output=output, quiet=True)


def test_interrupted_run_resumes_to_the_bit(workflow, tmp_path, monkeypatch):
    whole = run(workflow, output=tmp_path / "whole", quiet=True)
    interrupt(workflow, tmp_path / "parts", monkeypatch, after=5)
    checkpoint = tmp_path / "parts.checkpoint.npz"
    assert checkpoint.exists()
    resumed = run(workflow, output=tmp_path / "parts", quiet=True, resume=True)
    assert not checkpoint.exists()
    assert [r.values for r in resumed.history] == [r.values for r in whole.history]
    assert [r.objective for r in resumed.history] == [r.objective for r in whole.history]
    np.testing.assert_equal([r.hard for r in resumed.history], [r.hard for r in whole.history])
    assert resumed.optimum.parameters.to_dict() == whole.optimum.parameters.to_dict()


def test_other_settings_are_refused(workflow, tmp_path, monkeypatch):
    output = tmp_path / "run"
    interrupt(workflow, output, monkeypatch, after=5)
    with pytest.raises(InputError, match=r"other settings \(start, steps\)"):
        run(workflow.with_start({"met": 30.0}), output=output, quiet=True, resume=True, steps=9)
    (tmp_path / "run.checkpoint.npz").write_bytes(b"PK\x03\x04 truncated")
    with pytest.raises(InputError, match="cannot be read"):
        run(workflow, output=output, quiet=True, resume=True)


def test_nothing_to_resume(workflow, tmp_path):
    with pytest.raises(InputError, match="there is no interrupted run to go on with"):
        run(workflow, output=tmp_path / "run", quiet=True, resume=True)
