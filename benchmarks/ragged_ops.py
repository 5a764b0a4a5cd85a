"""Operations on ragged arrays against Awkward (its C++ and its JAX backend) and segment operations written by hand.

The data are rows of Poisson(5) float32 numbers, a million in all ("full"). Everybody gets them in the form they like
best; conversions are not timed. Sizes inside ``jit`` that depend on data have 2 % of slack.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg
from hepgrad.ragged.running import running_total

from .awkward_jax import VALUE, WITH_VJP, Worker
from .runner import Comparison, Size

ITEMS = {"quick": 100_000, "full": 1_000_000}


@dataclasses.dataclass(frozen=True)
class Operation:
    """The same operation in three notations.

    Attributes
    ----------
    name
        What is done.
    ours
        A function of the ragged array, a number for each row, and (where the result can grow) the capacity.
    awkward
        The same for Awkward.
    by_hand
        The same with plain arrays: items, row ids, offsets, a number for each row, and the capacity.
    grows
        Whether ``ours`` takes a capacity inside ``jit``.
    differentiable
        Whether value and vjp are timed as well.
    """

    name: str
    ours: Callable[..., Any]
    awkward: Callable[[Any, Any], Any]
    by_hand: Callable[..., Any] | None = None
    grows: bool = False
    differentiable: bool = True


def by_hand_sum(items, ids, offsets, w, capacity=None):
    return jax.ops.segment_sum(items, ids, len(w), indices_are_sorted=True)


def by_hand_prod(items, ids, offsets, w, capacity=None):
    return jax.ops.segment_prod(items, ids, len(w), indices_are_sorted=True)


def by_hand_max(items, ids, offsets, w, capacity=None):
    return jax.ops.segment_max(items, ids, len(w), indices_are_sorted=True)


def by_hand_mean(items, ids, offsets, w, capacity=None):
    return by_hand_sum(items, ids, offsets, w) / jnp.diff(offsets)


def by_hand_var(items, ids, offsets, w, capacity=None):
    mean = by_hand_mean(items, ids, offsets, w)
    return by_hand_mean((items - mean[ids]) ** 2, ids, offsets, w)


def by_hand_softmax(items, ids, offsets, w, capacity=None):
    shifted = jnp.exp(items - by_hand_max(items, ids, offsets, w)[ids])
    return shifted / by_hand_sum(shifted, ids, offsets, w)[ids]


def by_hand_argmax(items, ids, offsets, w, capacity=None):
    positions = jnp.arange(len(items)) - offsets[ids]
    largest = items == by_hand_max(items, ids, offsets, w)[ids]
    return jax.ops.segment_min(jnp.where(largest, positions, len(items)), ids, len(w), indices_are_sorted=True)


def by_hand_mask(items, ids, offsets, w, capacity=None):
    mask = items > 0
    kept = jnp.nonzero(mask, size=len(items))[0]
    counts = jax.ops.segment_sum(mask.astype(jnp.int32), ids, len(w), indices_are_sorted=True)
    return items[kept], ids[kept], jnp.cumsum(counts)


def by_hand_row_mask(items, ids, offsets, w, capacity=None):
    kept, rows = w > 0, jnp.arange(len(w), dtype=jnp.int32)
    places = jnp.where(kept, running_total(kept) - 1, len(w))
    index = jnp.zeros(len(w), jnp.int32).at[places].set(rows, mode="drop")
    number, starts = jnp.sum(kept), offsets[index]
    counts = jnp.where(rows < number, offsets[index + 1] - starts, 0)
    begins = jnp.concatenate([jnp.zeros(1, jnp.int32), running_total(counts)])
    new = running_total(jnp.zeros(len(items), jnp.int32).at[begins[1:]].add(1, mode="drop", indices_are_sorted=True))
    source = jnp.arange(len(items), dtype=jnp.int32) + (starts - begins[:-1]).at[new].get(mode="clip")
    return items.at[source].get(mode="clip"), new, begins, number


def by_hand_unflatten(items, ids, offsets, w, capacity=None):
    begins = jnp.concatenate([jnp.zeros(1, jnp.int32), running_total(jnp.diff(offsets) + 0)])
    ends = jnp.zeros(len(items), jnp.int32).at[begins[1:]]
    return begins, running_total(ends.add(1, mode="drop", indices_are_sorted=True))


def by_hand_reversed_rows(items, ids, offsets, w, capacity=None):
    row = ids[::-1]
    source = (offsets[:-1] + offsets[1:] - len(items)).at[row].get(mode="clip") + jnp.arange(len(items))
    return items.at[source].get(mode="clip"), len(w) - 1 - row, len(items) - offsets[::-1]


def by_hand_pairs(items, ids, offsets, w, capacity=None):
    index = jnp.arange(len(items), dtype=jnp.int32)
    later = offsets[ids + 1] - index - 1
    begins = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(later, dtype=jnp.int32)])
    first = jnp.cumsum(jnp.zeros(capacity, jnp.int32).at[begins[1:]].add(1, mode="drop"), dtype=jnp.int32)
    second = jnp.arange(capacity, dtype=jnp.int32) - begins[first] + first + 1
    return items[first], items[second], ids[first], begins[offsets]


def by_hand_distances(items, ids, offsets, w, capacity=None):
    first, second, *_ = by_hand_pairs(items, ids, offsets, w, capacity=capacity)
    return (first - second) ** 2


def by_hand_reversed(items, ids, offsets, w, capacity=None):
    return items[offsets[ids] + offsets[ids + 1] - 1 - jnp.arange(len(items))]


def squared_distance(pairs):
    return (pairs["0"] - pairs["1"]) ** 2


def lists(x):
    """Put five rows each into a list of their own, without copying them."""
    if isinstance(x, ak.Array):
        return ak.unflatten(x, 5)
    return rg.unflatten(x, 5)


OPERATIONS = [
    Operation("sum", lambda x, w: rg.sum(x, axis=1), lambda x, w: ak.sum(x, axis=1), by_hand_sum),
    Operation("prod", lambda x, w: rg.prod(x, axis=1), lambda x, w: ak.prod(x, axis=1), by_hand_prod),
    Operation("max", lambda x, w: rg.max(x, axis=1), lambda x, w: ak.max(x, axis=1, mask_identity=False), by_hand_max),
    Operation(
        "min",
        lambda x, w: rg.min(x, axis=1),
        lambda x, w: ak.min(x, axis=1, mask_identity=False),
        lambda items, *rest, capacity=None: -by_hand_max(-items, *rest),
    ),
    Operation("mean", lambda x, w: rg.mean(x, axis=1), lambda x, w: ak.mean(x, axis=1), by_hand_mean),
    Operation("var", lambda x, w: rg.var(x, axis=1), lambda x, w: ak.var(x, axis=1), by_hand_var),
    Operation(
        "sum of all", lambda x, w: rg.sum(x), lambda x, w: ak.sum(x), lambda items, *_, capacity=None: jnp.sum(items)
    ),
    Operation(
        "any",
        lambda x, w: rg.any(x > 1, axis=1),
        lambda x, w: ak.any(x > 1, axis=1),
        lambda items, *rest, capacity=None: by_hand_max((items > 1).astype(jnp.int8), *rest) > 0,
        differentiable=False,
    ),
    Operation(
        "argmax",
        lambda x, w: rg.argmax(x, axis=1),
        lambda x, w: ak.argmax(x, axis=1),
        by_hand_argmax,
        differentiable=False,
    ),
    Operation("softmax", lambda x, w: rg.softmax(x, axis=1), lambda x, w: ak.softmax(x, axis=-1), by_hand_softmax),
    Operation(
        "sin(x) * x**2",
        lambda x, w: np.sin(x) * x**2,
        lambda x, w: np.sin(x) * x**2,
        lambda items, *_, capacity=None: jnp.sin(items) * items**2,
    ),
    Operation(
        "broadcast",
        lambda x, w: x * w,
        lambda x, w: x * w,
        lambda items, ids, offsets, w, capacity=None: items * w[ids],
    ),
    Operation("boolean slice", lambda x, w: x[x > 0], lambda x, w: x[x > 0], by_hand_mask),
    Operation("row mask", lambda x, w: x[w > 0], lambda x, w: x[w > 0], by_hand_row_mask),
    Operation("x[:, ::-1]", lambda x, w: x[:, ::-1], lambda x, w: x[:, ::-1], by_hand_reversed),
    Operation("x[:, :2]", lambda x, w: x[:, :2], lambda x, w: x[:, :2]),
    Operation(
        "where",
        lambda x, w: rg.where(x > 0, x, 0.0),
        lambda x, w: ak.where(x > 0, x, 0.0),
        lambda items, *_, capacity=None: jnp.where(items > 0, items, 0.0),
    ),
    Operation(
        "concatenate, axis 1",
        lambda x, w: rg.concatenate([x, x], axis=1),
        lambda x, w: ak.concatenate([x, x], axis=1),
    ),
    Operation(
        "sort",
        lambda x, w: rg.sort(x),
        lambda x, w: ak.sort(x),
        lambda items, ids, *_, capacity=None: jax.lax.sort((ids, items), num_keys=2)[1],
    ),
    Operation("argsort", lambda x, w: rg.argsort(x), lambda x, w: ak.argsort(x), differentiable=False),
    Operation(
        "combinations",
        lambda x, w, capacity=None: rg.combinations(x, 2, capacity=capacity),
        lambda x, w: ak.combinations(x, 2),
        by_hand_pairs,
        grows=True,
    ),
    Operation(
        "distances of pairs",
        lambda x, w, capacity=None: squared_distance(rg.combinations(x, 2, capacity=capacity)),
        lambda x, w: squared_distance(ak.combinations(x, 2)),
        by_hand_distances,
        grows=True,
    ),
    Operation(
        "cartesian",
        lambda x, w, capacity=None: rg.cartesian([x, x], capacity=capacity),
        lambda x, w: ak.cartesian([x, x]),
        grows=True,
    ),
    Operation("sort, axis 0", lambda x, w: rg.sort(x, axis=0), lambda x, w: ak.sort(x, axis=0), differentiable=False),
    Operation(
        "unflatten",
        # by counts that are not known to be those of x, whose lists it would get as they are
        lambda x, w: rg.unflatten(x.content, rg.num(x) + 0),
        lambda x, w: ak.unflatten(ak.flatten(x), ak.num(x)),
        by_hand_unflatten,
        differentiable=False,
    ),
    Operation(
        "concatenate, axis 0",
        lambda x, w: rg.concatenate([x, x]),
        lambda x, w: ak.concatenate([x, x]),
        differentiable=False,
    ),
    Operation("x[::-1]", lambda x, w: x[::-1], lambda x, w: x[::-1], by_hand_reversed_rows, differentiable=False),
    Operation("depth 3, x[::-1]", lambda x, w: lists(x)[::-1], lambda x, w: lists(x)[::-1], differentiable=False),
    Operation(
        "x[num > 0][:, 0]",
        lambda x, w: x[rg.num(x) > 0][:, 0],
        lambda x, w: x[ak.num(x) > 0][:, 0],
        differentiable=False,
    ),
]


def comparisons(size: Size) -> Iterator[Comparison]:
    """Yield value, and value with vjp, of every operation."""
    return compare(ITEMS[size], OPERATIONS)


def data(items: int) -> tuple[ak.Array, ak.Array]:
    """Return about ``items`` items in rows, and a number for each row."""
    rng = np.random.default_rng(5)
    counts = rng.poisson(5, items // 5)
    array = ak.unflatten(rng.normal(size=counts.sum()).astype(np.float32), counts)
    return array, ak.Array(rng.normal(size=len(counts)).astype(np.float32))


def compare(items: int, operations: list[Operation]) -> Iterator[Comparison]:
    """Yield value, and value with vjp, of some operations on about ``items`` items."""
    array, w = data(items)
    x, w_jax = rg.from_awkward(array), rg.from_awkward(w)
    flat = (x.content, x.row_ids, x.offsets, w_jax)
    worker = Worker("ragged_ops", items)
    for operation in operations:
        options = {"capacity": int(1.02 * operation.ours(x, w_jax).capacity) + 1} if operation.grows else {}
        sized = functools.partial(operation.ours, **options)
        by_hand = functools.partial(operation.by_hand, capacity=options.get("capacity")) if operation.by_hand else None

        rivals = {
            "awkward-cpu": functools.partial(operation.awkward, array, w),
            "awkward-jax": functools.partial(worker.call, operation.name, VALUE),
        }
        if by_hand:
            rivals["by hand (jit)"] = finished(jitted(by_hand), *flat)
        ours = {"eager": finished(operation.ours, x, w_jax), "jit": finished(jitted(sized), x, w_jax)}
        yield Comparison(f"{operation.name}, {VALUE}", ours, rivals)

        if not operation.differentiable:
            continue
        rivals = {"awkward-jax": functools.partial(worker.call, operation.name, WITH_VJP)}
        if by_hand:
            rivals["by hand (jit)"] = finished(jitted(value_and_vjp(jax.vjp, by_hand)), *flat)
        ours = {
            "eager": finished(value_and_vjp(rg.vjp, operation.ours), x, w_jax),
            "jit": finished(jitted(value_and_vjp(rg.vjp, sized)), x, w_jax),
        }
        yield Comparison(f"{operation.name}, {WITH_VJP}", ours, rivals)
    worker.close()


def awkward_jax(items: int) -> Callable[[str, str], Any]:
    """Run an operation on Awkward's JAX backend; in a process of its own."""
    array, w = (ak.to_backend(each, "jax") for each in data(items))
    functions = {operation.name: operation.awkward for operation in OPERATIONS}

    def call(name: str, task: str) -> Any:
        function = functions[name] if task == VALUE else value_and_vjp(jax.vjp, functions[name])
        return function(array, w)

    return call


def value_and_vjp(vjp: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that pulls the value back to the first argument."""

    def called(x: Any, *rest: Any) -> Any:
        value, pull = vjp(lambda x: function(x, *rest), x)
        cotangent = value
        if isinstance(value, tuple):
            # integers that come along have cotangents without content
            cotangent = tuple(
                v if jnp.issubdtype(v.dtype, jnp.inexact) else np.zeros(v.shape, jax.dtypes.float0) for v in value
            )
        return value, pull(cotangent)[0]

    return called


def jitted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a compiled function of which only new arrays come out.

    XLA copies an argument that is also a result, such as the offsets of ``x`` in ``x * 2``. Inside a larger program,
    where an operation belongs, there is no such copy; and what is written by hand does not return its arguments.
    """

    def results(*arguments: Any) -> list[Any]:
        old = {id(leaf) for leaf in jax.tree.leaves(arguments)}
        return [leaf for leaf in jax.tree.leaves(function(*arguments)) if id(leaf) not in old]

    return jax.jit(results)


def finished(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Return a call of a function that waits for its result."""
    return lambda: jax.block_until_ready(function(*arguments))
