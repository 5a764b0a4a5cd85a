"""Checks inside compiled programs: numbers that the caller raises, wherever in the program they are made."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

from hepgrad import ragged as rg


@pytest.fixture(scope="module")
def x():
    return rg.from_lists([[1.0, 2.0, 3.0], [], [4.0, 5.0]])


def looped(x, n):
    return jax.lax.fori_loop(0, n, lambda i, total: total + rg.sum(x[:, i]), 0.0)


def scanned(x, n):
    return jax.lax.scan(lambda total, i: (total + x[0, i] * (i < n), None), 0.0, jnp.arange(n + 0))[0]


# functions of rows and a number, the numbers for which they work and fail, and the message
EVERYWHERE = {
    "plain": (lambda x, n: rg.sum(x[::2][:, n]), 1, 2, "index 2 is out of range for row 1, which has 2 items"),
    "jit": (jax.jit(lambda x, n: rg.sum(x[::2][:, n])), 1, 2, "index 2 is out of range for row 1"),
    "vmap": (lambda x, n: jax.vmap(lambda i: x[0, i])(jnp.arange(3) + n), 0, 1, "index 3 is out of range for row 0"),
    "scan": (
        lambda x, n: jax.lax.scan(lambda c, i: (c + x[0, i + n], None), 0.0, jnp.arange(2))[0],
        1,
        2,
        "index 3 is out of range for row 0, which has 3 items",
    ),
    "fori_loop": (lambda x, n: looped(x[::2], n), 2, 3, "index 2 is out of range for row 1"),
    "cond": (
        lambda x, n: jax.lax.cond(n > 0, lambda: rg.sum(x[::2][:, n + 1]), lambda: 0.0),
        0,
        1,
        "index 2 is out of range for row 1",
    ),
    "switch": (
        lambda x, n: jax.lax.switch(n, [lambda: 0.0, lambda: rg.sum(rg.with_capacity(x, 4))]),
        0,
        1,
        "needs room for 5 items but its capacity is 4; pass capacity=5",
    ),
    "checkpoint": (jax.checkpoint(lambda x, n: rg.sum(x[::2][:, n])), 1, 2, "index 2 is out of range for row 1"),
    "grad": (
        lambda x, n: jax.grad(lambda w: jax.checkpoint(lambda w: rg.sum((w * x[::2])[:, n]))(w))(2.0),
        1,
        2,
        "index 2 is out of range for row 1",
    ),
    "vmap of scan": (
        lambda x, n: jax.vmap(lambda i: jax.lax.scan(lambda c, j: (c + x[0, i + j], None), 0.0, jnp.arange(2))[0])(
            jnp.arange(2) + n
        ),
        0,
        1,
        "index 3 is out of range for row 0",
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", EVERYWHERE)
def test_errors_are_those_of_eager_code_wherever_they_are_made(x, name):
    function, works, fails, message = EVERYWHERE[name]
    program = rg.checked(function)
    np.testing.assert_array_equal(program(x, works), function(x, works))
    with pytest.raises((rg.CapacityError, IndexError), match=message):
        program(x, fails)
    # the program holds no host callback
    assert "callback" not in str(jax.make_jaxpr(rg.with_checks(function))(x, jnp.int32(works)))


def test_without_collection_the_running_program_raises(x):
    with pytest.raises(Exception, match="index 0 is out of range for row 1, which has 0 items"):
        jax.block_until_ready(jax.jit(lambda x: x[:, 0].content)(x))
    with pytest.raises(IndexError, match="index 4 is out of range for row 0"):
        jax.vmap(lambda i: x[0, i])(jnp.array([0, 4]))


def test_the_first_of_several_checks_is_raised_and_a_program_without_any_stays_what_it_is(x):
    with pytest.raises(rg.CapacityError, match="capacity is 2"):
        rg.checked(lambda x: (rg.with_capacity(x, 2), rg.with_capacity(x, 3)))(x)

    def plain(x):
        return rg.sum(x**2, axis=1)

    result, checks = rg.with_checks(plain)(x)
    assert checks.found == ()
    np.testing.assert_array_equal(result, plain(x))
    assert str(jax.make_jaxpr(lambda x: rg.with_checks(plain)(x)[0])(x)) == str(jax.make_jaxpr(plain)(x))


def test_checked_inside_a_program_that_is_checked(x):
    inner = rg.checked(lambda x, n: rg.sum(x[::2][:, n]))
    outer = rg.checked(lambda x, n: 2 * inner(x, n))
    assert float(outer(x, 1)) == 14.0
    with pytest.raises(IndexError, match="index 2 is out of range for row 1"):
        outer(x, 2)


@pytest.mark.parametrize("check_vma", [False, True])
def test_shard_map(check_vma):
    x = rg.from_awkward(ak.Array([[1.0, 2.0], [3.0]]), capacity=4)
    stacked = jax.tree.map(lambda leaf: leaf[None], x)
    mesh = Mesh(np.array(jax.devices()[:1]), ("d",))

    def total(stacked, n):
        local = jax.tree.map(lambda leaf: leaf[0], stacked)
        return jax.lax.psum(rg.sum(local[:, n]), "d")

    specs = {"in_specs": (PartitionSpec("d"), PartitionSpec()), "out_specs": PartitionSpec()}
    sharded = jax.shard_map(total, mesh=mesh, check_vma=check_vma, **specs)
    assert float(jax.jit(sharded)(stacked, 0)) == float(rg.checked(sharded)(stacked, 0)) == 4.0
    with pytest.raises(IndexError, match="index 1 is out of range for row 1, which has 1 items"):
        rg.checked(sharded)(stacked, 1)


def test_a_program_with_checks_can_be_exported(x):
    leaves, structure = jax.tree.flatten(x)

    @jax.jit
    def program(*leaves):
        result, checks = rg.with_checks(lambda x: rg.sum(x[::2][:, 2]))(jax.tree.unflatten(structure, leaves))
        return result, [each.failed for each in checks.found]

    exported = jax.export.deserialize(jax.export.export(program)(*leaves).serialize())
    assert [bool(failed) for failed in exported.call(*leaves)[1]] == [True]


def test_gradients_of_checked_functions(x):
    assert float(jax.grad(rg.checked(lambda w, x: rg.sum((w * x[::2])[:, 1])))(2.0, x)) == 7.0
