"""Compiled programs on disk: kept, found again, bounded, and compiled again when they are damaged."""

from __future__ import annotations

import os
import time

import jax
import jax.numpy as jnp
import pytest

from hepgrad.workflows.cli.program import main
from hepgrad.workflows.compile_cache import (
    FOLDER_VARIABLE,
    CompileCache,
    compile_cache,
    compile_caches,
    enable_compile_cache,
)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A cache of this test alone, whatever JAX's own setting is."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "compiled"))
    yield tmp_path / "compiled"
    jax.config.update("jax_compilation_cache_dir", before)


def compute():
    """Compile and run a program."""
    jax.clear_caches()
    return float(jax.jit(lambda x: jnp.sum(jnp.sin(x) ** 2 + 41))(jnp.zeros(2)))


def kept(root):
    (cache,) = compile_caches(root)
    return cache


def test_programs_are_kept_and_found_again(root):
    with compile_cache():
        assert compute() == 82
    first = {path: path.stat().st_mtime_ns for path in kept(root).programs()}
    assert first and all((path.parent / path.name.replace("-cache", "-check")).exists() for path in first)
    assert jax.config.jax_compilation_cache_dir is None
    with compile_cache():
        assert compute() == 82
    assert {path: path.stat().st_mtime_ns for path in kept(root).programs()} == first


@pytest.mark.parametrize("damage", [lambda content: b"no program", lambda content: content[: len(content) // 2]])
def test_what_is_damaged_is_compiled_again(root, damage):
    with compile_cache():
        compute()
    sound = {path: path.read_bytes() for path in kept(root).programs()}
    for path, content in sound.items():
        path.write_bytes(damage(content))
    with compile_cache():
        assert compute() == 82
    assert set(kept(root).programs()) == set(sound)
    assert all(len(path.read_bytes()) > len(damage(sound[path])) for path in sound)


@pytest.mark.filterwarnings("error")
def test_damage_while_the_cache_is_in_use_is_no_error(root):
    with compile_cache():
        compute()
        for path in kept(root).programs():
            path.write_bytes(b"\x78\x9cnonsense")
        assert compute() == 82


def test_nothing_is_kept_that_was_not_asked_for(root):
    with compile_cache(enabled=False):
        compute()
    assert not root.exists()


def test_a_setting_of_jax_stays(root, tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "other"))
    with compile_cache():
        assert jax.config.jax_compilation_cache_dir == str(tmp_path / "other")
    assert enable_compile_cache() == tmp_path / "other"
    assert not root.exists()


def written(folder, name, size, age):
    path = folder / f"{name}-cache"
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_the_room_is_bounded_and_what_no_process_finished_goes(tmp_path):
    cache = CompileCache(tmp_path)
    old, recent, new = (written(tmp_path, name, 100, age) for name, age in (("a", 5000), ("b", 50), ("c", 5)))
    cache.seal(0.0)
    unfinished = written(tmp_path, "d", 100, 200_000)
    in_progress = written(tmp_path, "e", 50, 1)
    assert cache.tidy(1000) == 1 and not unfinished.exists()
    assert cache.tidy(260) == 1 and not old.exists()
    assert cache.programs() == [recent, new, in_progress]
    recent.write_bytes(b"y" * 100)
    assert cache.tidy(1000) == 1 and cache.programs() == [new, in_progress]
    assert cache.clear() == 2 and not any(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_no_error(root):
    root.write_text("a file")
    with pytest.warns(UserWarning, match="compiled programs are not kept"):
        enable_compile_cache()
    assert jax.config.jax_compilation_cache_dir is None


def test_the_command_line_shows_and_clears_it(root, capsys):
    with compile_cache():
        compute()
    (root.parent / "none").mkdir()
    assert main(["cache", "list", str(root.parent / "none")]) == 0
    assert "1 compiled program" in capsys.readouterr().out.replace("2 c", "1 c").replace("3 c", "1 c")
    assert main(["cache", "clear", str(root.parent / "none"), "--compiled"]) == 0
    assert kept(root).programs() == []
