"""One ragged computation under every transformation of JAX, and the promises that hold under all of them."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg

pytestmark = pytest.mark.usefixtures("quick_compilation")

LISTS = [[1.0, 2.0, 3.0], [], [4.0, 5.0]]
HT = [14.0, 0.0, 41.0]


def poisoned(x: rg.RaggedArray) -> rg.RaggedArray:
    """Fill the unused end with NaN."""
    return x.with_content(x.content.at[int(x.size) :].set(jnp.nan))


@pytest.fixture(params=["exact", "slack"])
def x(request) -> rg.RaggedArray:
    return rg.from_lists(LISTS) if request.param == "exact" else poisoned(rg.from_lists(LISTS, capacity=9))


def loss(parameters, x):
    """Soft-cut, sum in the rows, combine: a small analysis with two parameters."""
    weight = rg.apply(jax.nn.sigmoid, (x - parameters[0]) / parameters[1])
    return jnp.sum(jnp.log1p(rg.sum(weight * x**2, axis=1)))


PARAMETERS = jnp.array([2.5, 0.7])


def numerical_gradient(function, point, step=1e-2):
    unit = np.eye(len(point)) * step
    return np.array([(function(point + e) - function(point - e)) / (2 * step) for e in unit])


class TestPlainTransformations:
    """JAX's own transformations with respect to parameters; the ragged array is data."""

    def test_jit(self, x):
        np.testing.assert_allclose(jax.jit(loss)(PARAMETERS, x), loss(PARAMETERS, x), rtol=1e-6)

    def test_grad(self, x):
        expected = numerical_gradient(lambda p: loss(p, x), PARAMETERS)
        for gradient in (jax.grad(loss), jax.jit(jax.grad(loss))):
            np.testing.assert_allclose(gradient(PARAMETERS, x), expected, rtol=1e-2)

    def test_vmap_over_parameters(self, x):
        batch = PARAMETERS + jnp.linspace(0, 1, 4)[:, None]
        expected = [loss(p, x) for p in batch]
        np.testing.assert_allclose(jax.vmap(loss, (0, None))(batch, x), expected, rtol=1e-6)
        gradients = jax.jit(jax.vmap(jax.grad(loss), (0, None)))(batch, x)
        np.testing.assert_allclose(gradients, [jax.grad(loss)(p, x) for p in batch], rtol=1e-5)

    def test_vmap_over_events(self):
        """A stack of blocks of equal capacity is an ordinary batch."""
        blocks = [rg.from_lists(LISTS, capacity=9), rg.from_lists([[6.0], [7.0], [8.0, 9.0]], capacity=9)]
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *blocks)
        sums = jax.vmap(lambda x: rg.sum(x**2, axis=1))(stacked)
        np.testing.assert_allclose(sums, [HT, [36, 49, 145]])

    def test_jvp_and_linearize(self, x):
        direction = jnp.array([1.0, -0.5])
        value, derivative = jax.jvp(lambda p: loss(p, x), (PARAMETERS,), (direction,))
        np.testing.assert_allclose(derivative, jax.grad(loss)(PARAMETERS, x) @ direction, rtol=1e-5)
        linear_value, linear = jax.linearize(lambda p: loss(p, x), PARAMETERS)
        np.testing.assert_allclose([linear_value, linear(direction)], [value, derivative], rtol=1e-6)

    def test_vjp(self, x):
        _, pull_back = jax.vjp(lambda p: loss(p, x), PARAMETERS)
        np.testing.assert_allclose(pull_back(2.0)[0], 2 * jax.grad(loss)(PARAMETERS, x), rtol=1e-6)

    def test_jacobians_and_hessian(self, x, x64):
        x, point = jax.tree.map(lambda leaf: leaf.astype(float) if leaf.dtype.kind == "f" else leaf, (x, PARAMETERS))
        gradient = jax.grad(loss)
        np.testing.assert_allclose(jax.jacfwd(loss)(point, x), gradient(point, x), rtol=1e-10)
        np.testing.assert_allclose(jax.jacrev(loss)(point, x), gradient(point, x), rtol=1e-10)
        expected = numerical_gradient(lambda p: gradient(p, x), point, 1e-5)
        np.testing.assert_allclose(jax.jit(jax.hessian(loss))(point, x), expected, rtol=1e-6)

    def test_checkpoint(self, x):
        checkpointed = jax.checkpoint(loss)
        for transformation in (lambda f: f, jax.jit):
            actual = transformation(jax.grad(checkpointed))(PARAMETERS, x)
            np.testing.assert_allclose(actual, jax.grad(loss)(PARAMETERS, x), rtol=1e-6)

    def test_jax_vjp_of_a_ragged_argument(self, x):
        """JAX's own vjp gives float0 for the structure, and the gradient in the content."""
        (gradient,) = jax.vjp(lambda x: rg.sum(x**2), x)[1](jnp.float32(1))
        np.testing.assert_allclose(gradient.content[:5], [2, 4, 6, 8, 10])
        assert gradient.offsets.dtype == jax.dtypes.float0

    def test_allow_int(self, x):
        gradient = jax.grad(lambda x: rg.sum(x**2), allow_int=True)(x)
        np.testing.assert_allclose(gradient.content[:5], [2, 4, 6, 8, 10])


class TestControlFlow:
    def test_scan_with_a_ragged_carry(self, x):
        def halve(carry, factor):
            return carry * factor, rg.sum(carry, axis=1)

        factors = jnp.array([0.5, 2.0, 3.0])
        last, sums = jax.jit(lambda x, f: jax.lax.scan(halve, x, f))(x, factors)
        assert rg.to_list(last) == rg.to_list(x * 3)
        np.testing.assert_allclose(sums, np.outer([1, 0.5, 1], [6, 0, 9]))

        def total(factors, x):
            return rg.sum(jax.lax.scan(halve, x, factors)[0])

        np.testing.assert_allclose(jax.grad(total)(factors, x), 15 * jnp.array([6.0, 1.5, 1.0]))

    def test_scan_over_blocks(self):
        blocks = [rg.from_lists(LISTS, capacity=9), rg.from_lists([[6.0], [7.0], [8.0, 9.0]], capacity=9)]
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *blocks)

        def total(parameters):
            return jax.lax.scan(lambda s, block: (s + loss(parameters, block), None), 0.0, stacked)[0]

        expected = sum(jax.grad(loss)(PARAMETERS, block) for block in blocks)
        np.testing.assert_allclose(jax.jit(jax.grad(total))(PARAMETERS), expected, rtol=1e-5)

    @pytest.mark.parametrize("forward", [True, False])
    def test_cond(self, x, forward):
        choose = jax.jit(lambda flag, x: jax.lax.cond(flag, lambda x: x**2, lambda x: -x, x))
        assert rg.to_list(choose(forward, x)) == rg.to_list(x**2 if forward else -x)
        gradient = rg.grad(lambda x: rg.sum(jax.lax.cond(forward, lambda x: x**2, lambda x: -x, x)))(x)
        assert rg.to_list(gradient) == rg.to_list(2 * x if forward else -rg.ones_like(x))

    def test_while_loop(self, x):
        last = jax.lax.while_loop(lambda x: rg.sum(x) > 1, lambda x: x / 2, x)
        np.testing.assert_allclose(rg.sum(last), 15 / 16)


class TestMemory:
    def test_donation(self):
        x = poisoned(rg.from_lists(LISTS, capacity=1024))
        doubled = jax.jit(lambda x: x * 2, donate_argnums=0)(x)
        assert x.content.is_deleted()
        assert rg.to_list(doubled) == [[2, 4, 6], [], [8, 10]]

    def test_donation_spares_memory_that_numpy_owns(self):
        data = aligned(np.arange(4, dtype=np.float32))
        jax.block_until_ready(jax.jit(lambda x: x * 2, donate_argnums=0)(rg.from_offsets([0, 1, 4], data)))
        np.testing.assert_array_equal(data, [0, 1, 2, 3])

    def test_device_put(self, x):
        device = jax.devices()[0]
        there = jax.device_put(x, device)
        assert there.content.devices() == {device}
        assert rg.to_list(there) == LISTS

    def test_from_awkward_does_not_copy(self):
        data = aligned(np.arange(1000, dtype=np.float32))
        x = rg.from_awkward(ak.unflatten(ak.Array(data), [400, 0, 600]))
        assert x.content.unsafe_buffer_pointer() == data.ctypes.data

    def test_to_awkward_does_not_copy(self):
        x = rg.from_lists(LISTS)
        assert rg.to_awkward(x).layout.content.data.ctypes.data == x.content.unsafe_buffer_pointer()

    def test_dlpack(self):
        class Foreign:
            """What another library's array looks like."""

            def __init__(self, data):
                self.data = data

            def __dlpack__(self, **options):
                return self.data.__dlpack__(**options)

            def __dlpack_device__(self):
                return self.data.__dlpack_device__()

        data = aligned(np.arange(5, dtype=np.float32))
        x = rg.from_offsets([0, 3, 3, 5], Foreign(data))
        assert x.content.unsafe_buffer_pointer() == data.ctypes.data
        back = np.from_dlpack(x.content)
        assert back.ctypes.data == data.ctypes.data


def aligned(data: np.ndarray) -> np.ndarray:
    """Copy to memory that begins at a multiple of 64 bytes, which is what JAX can use without copying."""
    room = np.empty(data.nbytes + 64, np.uint8)
    start = -room.ctypes.data % 64
    result = room[start : start + data.nbytes].view(data.dtype)
    result[:] = data
    return result


class TestCompilation:
    def test_batches_of_one_capacity_share_one_program(self):
        traces = []

        @jax.jit
        def step(parameters, x):
            traces.append(x)
            return jax.grad(loss)(parameters, x)

        for lists in (LISTS, [[6.0], [7.0], [8.0, 9.0]], [[], [], []], [[1.0] * 9, [], []]):
            step(PARAMETERS, rg.from_lists(lists, capacity=9))
        assert len(traces) == 1

    def test_records_of_one_capacity_share_one_program(self):
        traces = []

        @jax.jit
        def leading(r):
            traces.append(r)
            return rg.grad(lambda r: rg.sum(r[r.pt > 1].pt ** 2))(r)

        for n in (1, 2, 3):
            events = ak.zip({"pt": ak.Array([[1.0] * n, [2.0] * (4 - n)]), "q": ak.Array([[1] * n, [2] * (4 - n)])})
            leading(rg.from_awkward(events, capacity=6, max_length=4))
        assert len(traces) == 1

    def test_configuration_is_left_alone(self):
        before = dict(jax.config.values)
        x = rg.from_lists(LISTS)
        rg.value_and_grad(lambda x: rg.sum(rg.sort(x)[:, :2]))(x)
        rg.to_awkward(jax.jit(lambda x: rg.combinations(x, 2))(x))
        assert dict(jax.config.values) == before


class TestNothingLeaks:
    """No NaN from values that were masked away, no cotangent where nothing was selected."""

    @pytest.mark.parametrize(
        "function",
        [
            lambda x, p: rg.sum(np.sqrt(x * p), axis=1),
            lambda x, p: rg.sum(p / x, axis=1),
            lambda x, p: rg.prod(np.log(x) * p, axis=1),
            lambda x, p: rg.max(np.arctan2(x * p, x), axis=1),
            lambda x, p: rg.std(x * p, axis=1),
            lambda x, p: rg.sum(rg.sort(x * p)[:, :1], axis=1),
            lambda x, p: rg.sum(x[x > 2] ** p, axis=1),
        ],
        ids=["sqrt", "division", "log", "arctan2", "std", "sort", "mask"],
    )
    def test_unused_end(self, function):
        """A parameter that is broadcast into the buffer sees nothing of what stands behind the data."""
        exact = rg.from_lists(LISTS)

        def total(p, x):
            result = function(x, p)
            return jnp.sum(jnp.where(jnp.isfinite(result), result, 0.0))

        both = rg.grad(total, argnums=(0, 1))
        expected, _ = both(1.5, exact)
        for differentiated, ends in ((both, [jnp.nan]), (jax.jit(both), [jnp.nan, jnp.inf, 0.0, -1.0])):
            for end in ends:
                slack = rg.from_lists(LISTS, capacity=9)
                slack = slack.with_content(slack.content.at[5:].set(end))
                of_parameter, of_items = differentiated(1.5, slack)
                np.testing.assert_allclose(of_parameter, expected, rtol=1e-5)
                np.testing.assert_array_equal(of_items.content[5:], 0)
                assert np.all(np.isfinite(of_items.content))

    @pytest.mark.parametrize(
        "function",
        [
            lambda x: np.sqrt(x),
            lambda x: 1 / x,
            lambda x: np.arctan2(x, x),
            lambda x: np.log(x),
            lambda x: x**0.5,
        ],
        ids=["sqrt(0)", "1/0", "arctan2(0, 0)", "log(0)", "0**0.5"],
    )
    def test_masked_away_by_selection(self, function):
        x = rg.from_lists([[0.0, 4.0], [0.0], [1.0]])
        for transformation in (lambda f: f, jax.jit):
            gradient = transformation(rg.grad(lambda x: rg.sum(function(x[x > 0]))))(x)
            rows = rg.to_list(gradient)
            assert np.all(np.isfinite(gradient.content))
            assert rows[0][0] == 0
            assert rows[1] == [0]

    def test_no_cotangent_in_unselected_rows(self):
        x = rg.from_lists([[1.0, 2.0], [3.0], [4.0], [5.0]])
        for transformation in (lambda f: f, jax.jit):
            (gradient,) = transformation(lambda x: rg.vjp(lambda x: x[::2], x)[1](x[::2]))(x)
            assert rg.to_list(gradient) == [[1, 2], [0], [4], [0]]

    def test_std_of_one_item(self):
        gradient = rg.grad(lambda x: rg.sum(rg.std(x, axis=1)[:1]))(rg.from_lists([[3.0], [1.0, 2.0]]))
        assert rg.to_list(gradient) == [[0], [0, 0]]


class TestTangents:
    """Tangents and cotangents belong to the rows of what they are tangents of."""

    @pytest.mark.parametrize("other", [[[1.0, 2.0], [3.0], [4.0, 5.0]], [[1.0, 2.0, 3.0], [4.0, 5.0]]])
    def test_other_rows_are_refused(self, x, other):
        with pytest.raises(rg.StructureError, match="tangent of argument 0"):
            rg.jvp(lambda x: rg.sum(x), (x,), (rg.from_lists(other),))
        with pytest.raises(rg.StructureError, match="cotangent"):
            rg.vjp(lambda x: x**2, x)[1](rg.from_lists(other))

    def test_other_rows_are_refused_inside_jit(self, x, caplog):
        other = rg.from_lists([[1.0, 2.0], [3.0], [4.0, 5.0]])
        with pytest.raises(jax.errors.JaxRuntimeError, match="tangent of argument 0"):
            jax.block_until_ready(jax.jit(lambda x, t: rg.jvp(rg.sum, (x,), (t,)))(x, other))

    def test_another_kind_is_refused(self, x):
        with pytest.raises(rg.StructureError, match="expected a ragged array"):
            rg.jvp(rg.sum, (x,), (jnp.ones(5),))
        with pytest.raises(rg.StructureError, match="expected an array"):
            rg.jvp(lambda w: w * 2, (jnp.ones(3),), (x,))
        with pytest.raises(rg.StructureError, match="expected shape"):
            rg.jvp(lambda w: w * 2, (jnp.ones(3),), (jnp.ones(2),))

    def test_a_longer_buffer_is_the_same_tangent(self, x):
        tangent = poisoned(rg.from_lists(LISTS, capacity=20))
        _, derivative = rg.jvp(lambda x: x**2, (x,), (tangent,))
        assert rg.to_list(derivative) == [[2, 8, 18], [], [32, 50]]

    def test_a_missing_field_is_refused(self):
        r = rg.from_lists([[{"pt": 1.0, "q": 1}], []])
        with pytest.raises(rg.StructureError, match="'pt' is missing"):
            rg.jvp(lambda r: r.pt, (r,), (r[["q"]],))

    def test_integers_need_no_tangent(self, x):
        mask = x > 1
        value, derivative = rg.jvp(lambda x, m: rg.sum(x[m]), (x, mask), (x, None))
        assert (value, derivative) == (14, 14)
        gradient, of_mask = rg.vjp(lambda x, m: rg.sum(x[m]), x, mask)[1](1)
        assert rg.to_list(gradient) == [[0, 1, 1], [], [1, 1]]
        assert rg.to_list(of_mask) == [[False] * 3, [], [False] * 2]


class TestRecords:
    @pytest.fixture
    def muons(self):
        return rg.from_lists([[{"pt": 3.0, "q": 1, "ok": True}], [], [{"pt": 5.0, "q": -1, "ok": False}]])

    def test_integer_fields_have_gradient_zero_of_their_type(self, muons):
        gradient = jax.jit(rg.grad(lambda m: rg.sum(m.q * m.pt**2)))(muons)
        assert rg.to_list(gradient) == [[{"pt": 6, "q": 0, "ok": False}], [], [{"pt": -10, "q": 0, "ok": False}]]
        assert (gradient.q.content.dtype, gradient.ok.content.dtype) == (jnp.int32, bool)

    def test_derivative_of_records(self, muons):
        _, derivative = rg.jvp(lambda m: m, (muons,), (muons,))
        assert rg.to_list(derivative) == [[{"pt": 3, "q": 0, "ok": False}], [], [{"pt": 5, "q": 0, "ok": False}]]

    def test_jacobian_by_field(self, muons):
        jacobian = rg.jacrev(lambda m, w: {"a": m.pt * w}, argnums=(0, 1))(muons, 2.0)
        np.testing.assert_array_equal(jacobian["a"][0]["pt"], 2 * np.eye(2))
        np.testing.assert_array_equal(jacobian["a"][1], [3, 5])


class TestArguments:
    def test_integers_are_refused(self):
        x = rg.from_lists([[1, 2]])
        for transformation in (rg.grad, rg.value_and_grad, rg.jacfwd, rg.jacrev, rg.hessian):
            with pytest.raises(TypeError, match="argument 0 holds int32 only"):
                transformation(rg.sum)(x)
        with pytest.raises(TypeError, match="int32"):
            rg.jvp(rg.sum, (x,), (x,))
        with pytest.raises(TypeError, match="int32"):
            rg.vjp(rg.sum, x)
        with pytest.raises(TypeError, match="returns integers only"):
            rg.jacrev(lambda x: rg.num(x))(x * 1.0)

    def test_argnums_beyond_the_arguments(self, x):
        with pytest.raises(ValueError, match="argnums=1"):
            rg.grad(rg.sum, argnums=1)(x)

    def test_argnums_and_aux(self, x):
        w = jnp.array([1.0, 2.0, 3.0])

        def function(x, w, *, power):
            return rg.sum(x**power * w), {"rows": rg.num(x)}

        (value, aux), (in_w, in_x) = rg.value_and_grad(function, argnums=(1, 0), has_aux=True)(x, w, power=2)
        assert value == 14 + 3 * 41
        np.testing.assert_array_equal(aux["rows"], [3, 0, 2])
        np.testing.assert_array_equal(in_w, HT)
        assert rg.to_list(in_x) == [[2, 4, 6], [], [24, 30]]
        gradient, aux = rg.grad(function, has_aux=True)(x, w, power=2)
        assert rg.to_list(gradient) == rg.to_list(in_x)
        assert rg.vjp(lambda x: function(x, w, power=2), x, has_aux=True)[2].keys() == {"rows"}
        matrices, aux = rg.jacrev(lambda x: (x, aux), has_aux=True)(x)
        assert matrices.shape == (x.capacity, x.capacity)

    def test_pytrees(self, x):
        gradient = rg.grad(lambda a: rg.sum(a["x"] * a["pair"][1]))({"x": x, "pair": (3, jnp.float32(2))})
        assert rg.to_list(gradient["x"]) == [[2, 2, 2], [], [2, 2]]
        assert gradient["pair"] == (0, 15)

    def test_check_grads(self, x, x64):
        x = x * jnp.float64(1)
        rg.check_grads(jax.jit(lambda x: np.sin(x) * rg.sum(x**2, axis=1)), (x,))

        @jax.custom_jvp
        def wrong(x):
            return x**2

        wrong.defjvp(lambda primals, tangents: (wrong(*primals), tangents[0]))
        with pytest.raises(AssertionError):
            rg.check_grads(lambda x: rg.apply(wrong, x), (x,), order=1)

    def test_hessian_with_slack(self, x):
        expected = np.zeros((x.capacity, x.capacity))
        expected[range(5), range(5)] = [6, 12, 18, 24, 30]
        np.testing.assert_allclose(jax.jit(rg.hessian(lambda x: rg.sum(x**3)))(x), expected, rtol=1e-6)


@pytest.mark.thorough
class TestPrecision:
    def test_long_sums_in_single_precision(self):
        """1e7 items agree with double precision to 1e-5."""
        items = 10_000_000
        data = np.random.default_rng(1).random(items, np.float32)
        for offsets in (np.array([0, items]), np.array([0, 10, 10, items // 2, items])):
            x = rg.from_offsets(offsets, data)
            exact = np.add.reduceat(np.append(data.astype(np.float64), 0), offsets[:-1]) * (np.diff(offsets) > 0)
            for total in (rg.sum, jax.jit(rg.sum, static_argnames="axis")):
                np.testing.assert_allclose(total(x, axis=1), exact, rtol=1e-5)
                np.testing.assert_allclose(total(x, axis=None), data.sum(dtype=np.float64), rtol=1e-5)

    def test_integers_and_booleans_stay_exact(self):
        x = rg.from_offsets([0, 3, 4], np.array([2**30, 2**24 + 1, 1, 7], np.int32))
        np.testing.assert_array_equal(rg.sum(x, axis=1), [2**30 + 2**24 + 2, 7])
        assert rg.sum(x, axis=1).dtype == jnp.int32
        assert rg.sum(rg.from_offsets([0, 3_000_000], np.ones(3_000_000, bool)), axis=1)[0] == 3_000_000


def test_awkward_works_on_what_it_gets_back():
    """Some of Awkward's kernels, sorting among them, know only 64-bit offsets."""
    x = rg.from_lists([[3.0, 1.0, 2.0], [], [5.0, 4.0]])
    assert ak.sort(rg.to_awkward(x)).to_list() == [[1.0, 2.0, 3.0], [], [4.0, 5.0]]
