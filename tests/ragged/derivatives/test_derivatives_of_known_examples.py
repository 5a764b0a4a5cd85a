"""The examples that started the project, on ragged arrays, eager and jitted, with the numbers that users expect."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg

pytestmark = [pytest.mark.usefixtures("quick_compilation"), pytest.mark.thorough]

eager_and_jitted = pytest.mark.parametrize("compiled", [lambda f: f, jax.jit], ids=["eager", "jitted"])
Transformation = Callable[[Callable], Callable]


@pytest.fixture
def a() -> rg.RaggedArray:
    return rg.from_lists([[1.0, 2.0, 3.0], [], [4.0, 5.0]])


def close(actual: object, expected: object, tolerance: float = 1e-6) -> bool:
    """Compare nested lists."""
    if isinstance(expected, list):
        return len(actual) == len(expected) and all(map(lambda x, y: close(x, y, tolerance), actual, expected))
    return bool(abs(actual - expected) <= tolerance * max(1, abs(expected)))


def reverse_sum(x):
    return rg.sum(x[::-1], axis=0)


@eager_and_jitted
class TestReverseSum:
    def test_value(self, compiled, a):
        np.testing.assert_array_equal(compiled(reverse_sum)(a), [5, 7, 3])

    def test_jvp(self, compiled, a):
        tangent = rg.from_lists([[0, 0, 0], [], [0, 1]])
        value, derivative = compiled(lambda x, t: rg.jvp(reverse_sum, (x,), (t,)))(a, tangent)
        np.testing.assert_array_equal(value, [5, 7, 3])
        np.testing.assert_array_equal(derivative, [0, 1, 0])

    def test_vjp(self, compiled, a):
        def pulled_back(x):
            value, pull_back = rg.vjp(reverse_sum, x)
            return pull_back(value)

        (gradient,) = compiled(pulled_back)(a)
        assert rg.to_list(gradient) == [[5, 7, 3], [], [5, 7]]

    def test_grad(self, compiled, a):
        gradient = compiled(rg.grad(lambda x: rg.sum(reverse_sum(x) ** 2)))(a)
        assert rg.to_list(gradient) == [[10, 14, 6], [], [10, 14]]


@eager_and_jitted
class TestSlices:
    tangent = ((0, 1, 0), (), (0, 0))

    def test_square_of_all_but_the_last_row(self, compiled, a):
        tangent = rg.from_lists([list(row) for row in self.tangent])
        value, derivative = compiled(lambda x, t: rg.jvp(lambda x: np.square(x[:-1]), (x,), (t,)))(a, tangent)
        assert rg.to_list(value) == [[1, 4, 9], []]
        assert rg.to_list(derivative) == [[0, 4, 0], []]

    def test_power_of_repeated_and_reversed_rows(self, compiled, a):
        def cubes(x):
            return np.power(x[[2, 2, 0], ::-1], 3)

        tangent = rg.from_lists([list(row) for row in self.tangent])
        value, derivative = compiled(lambda x, t: rg.jvp(cubes, (x,), (t,)))(a, tangent)
        assert close(rg.to_list(value), [[125, 64], [125, 64], [27, 8, 1]])
        assert close(rg.to_list(derivative), [[0, 0], [0, 0], [0, 12, 0]])

    def test_sine_of_reversed_squares(self, compiled, a):
        rows = rg.to_list(compiled(lambda x: np.sin(x[::-1] ** 2))(a))
        assert close(rows, [[-0.288, -0.132], [], [0.841, -0.757, 0.412]], 1e-3)


@pytest.fixture
def records() -> rg.RaggedArray:
    return rg.from_lists([[{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 4.0}], [], [{"x": 5.0, "y": 6.0}]])


@eager_and_jitted
class TestRecords:
    def test_two_buffers(self, compiled, records):
        gradient = compiled(rg.grad(lambda r: rg.sum(r.x**2 * r.y)))(records)
        assert rg.to_list(gradient.x) == [[4, 24], [], [60]]
        assert rg.to_list(gradient.y) == [[1, 9], [], [25]]

    def test_slices_that_combine_buffers(self, compiled, records):
        """Row 0 of x meets row 2 of y, reversed: x00 y20 + x20 y01, one item from each."""
        gradient = compiled(rg.grad(lambda r: rg.sum(r[::-1].x[:, :1] * r.y[:, ::-1][:, :1])))(records[::2])
        assert rg.to_list(gradient.x) == [[6, 0], [4]]
        assert rg.to_list(gradient.y) == [[0, 5], [1]]

    def test_direction(self, compiled, records):
        direction = rg.from_lists([[{"x": 1, "y": 0}, {"x": 0, "y": 1}], [], [{"x": 1, "y": 1}]])
        value, derivative = compiled(lambda r, t: rg.jvp(lambda r: r.x * r.y, (r,), (t,)))(records, direction)
        assert rg.to_list(value) == [[2, 12], [], [30]]
        assert rg.to_list(derivative) == [[2, 3], [], [11]]


@eager_and_jitted
class TestScalars:
    def test_one_item(self, compiled, a):
        assert a[2, 1].shape == ()
        gradient = compiled(rg.grad(lambda x: x[2, 1] ** 2))(a)
        assert rg.to_list(gradient) == [[0, 0, 0], [], [0, 10]]

    def test_one_row(self, compiled, a):
        (gradient,) = compiled(lambda x: rg.vjp(lambda x: x[0:1] ** 2, x)[1](x[0:1]))(a)
        assert rg.to_list(gradient) == [[2, 8, 18], [], [0, 0]]

    @pytest.mark.parametrize("function, expected", [(rg.sum, [[1, 1, 1], [], [1, 1]]), (rg.prod, None)])
    def test_reduction_to_a_scalar(self, compiled, a, function, expected):
        value, gradient = compiled(rg.value_and_grad(function))(a)
        assert value.shape == ()
        expected = expected or [[120, 60, 40], [], [30, 24]]
        assert close(rg.to_list(gradient), expected)

    def test_product_with_a_zero(self, compiled):
        x = rg.from_lists([[2.0, 0.0, 3.0]])
        gradient = compiled(rg.grad(lambda x: rg.sum(rg.prod(x, axis=1))))(x)
        assert rg.to_list(gradient) == [[0, 6, 0]]


def simplefun(x, w):
    return (x + w) * x**2


@eager_and_jitted
class TestSimplefun:
    def test_scalar(self, compiled):
        assert compiled(rg.grad(simplefun, argnums=(0, 1)))(3.0, 1.0) == (33, 9)

    @pytest.mark.parametrize("jacobian", [rg.jacfwd, rg.jacrev, rg.jacobian])
    @pytest.mark.parametrize("shape", [(3,), (3, 1), (1, 3, 1)])
    def test_arrays(self, compiled, jacobian, shape):
        x, w = jnp.array([3.0, 1.0, 2.0]).reshape(shape), jnp.array([1.0, -1.0, 2.2]).reshape(shape)
        in_x, in_w = compiled(jacobian(simplefun, argnums=(0, 1)))(x, w)
        assert in_x.shape == in_w.shape == shape + shape
        np.testing.assert_allclose(in_x.reshape(3, 3), np.diag([33, 1, 20.8]), rtol=1e-6)
        np.testing.assert_allclose(in_w.reshape(3, 3), np.diag([9, 1, 4]), rtol=1e-6)

    @pytest.mark.parametrize("jacobian", [rg.jacfwd, rg.jacrev, rg.jacobian])
    def test_broadcast_weight(self, compiled, jacobian):
        x, w = jnp.array([3.0, 1.0, 2.0]), jnp.array([1.0])
        in_x, in_w = compiled(jacobian(simplefun, argnums=(0, 1)))(x, w)
        np.testing.assert_allclose(in_x, np.diag([33, 5, 16]), rtol=1e-6)
        np.testing.assert_allclose(in_w, [[9], [1], [4]], rtol=1e-6)

    @pytest.mark.parametrize("jacobian", [rg.jacfwd, rg.jacrev, rg.jacobian])
    def test_ragged(self, compiled, jacobian):
        x, w = rg.from_lists([[3.0, 1.0], [], [2.0]]), rg.from_lists([[1.0, -1.0], [], [2.2]])
        in_x, in_w = compiled(jacobian(simplefun, argnums=(0, 1)))(x, w)
        np.testing.assert_allclose(in_x, np.diag([33, 1, 20.8]), rtol=1e-6)
        np.testing.assert_allclose(in_w, np.diag([9, 1, 4]), rtol=1e-6)

    @pytest.mark.parametrize("jacobian", [rg.jacfwd, rg.jacrev, rg.jacobian])
    def test_ragged_with_a_weight_for_each_row(self, compiled, jacobian):
        x, w = rg.from_lists([[3.0, 1.0], [], [2.0]]), jnp.array([1.0, 0.0, 2.0])
        in_w = compiled(jacobian(simplefun, argnums=1))(x, w)
        np.testing.assert_allclose(in_w, [[9, 0, 0], [1, 0, 0], [0, 0, 4]], rtol=1e-6)


@eager_and_jitted
class TestTextbook:
    def test_first_and_second_derivative(self, compiled):
        def square(x):
            return x**2

        assert compiled(rg.grad(square))(2.0) == 4
        assert compiled(rg.grad(rg.grad(square)))(2.0) == 2

    def test_first_and_second_derivative_of_ragged(self, compiled, a):
        first = rg.grad(lambda x: rg.sum(x**3))
        assert rg.to_list(compiled(first)(a)) == [[3, 12, 27], [], [48, 75]]
        assert rg.to_list(compiled(rg.grad(lambda x: rg.sum(first(x))))(a)) == [[6, 12, 18], [], [24, 30]]
        hessian = compiled(rg.hessian(lambda x: rg.sum(x**3)))(a)
        np.testing.assert_array_equal(hessian, np.diag([6, 12, 18, 24, 30]))

    def test_argnums(self, compiled):
        def function(x, y):
            return x**2 + 2 * y**2

        assert compiled(rg.grad(function))(2.0, 3.0) == 4
        assert compiled(rg.grad(function, argnums=(0, 1)))(2.0, 3.0) == (4, 12)

    def test_norm(self, compiled):
        gradient = compiled(rg.grad(lambda x: jnp.sum(jnp.sqrt(rg.sum(x**2, axis=1)))))(rg.from_lists([[1.0, 2.0]]))
        assert close(rg.to_list(gradient), [[0.4472136, 0.8944272]])

    def test_jacobian_of_the_identity(self, compiled, a):
        np.testing.assert_array_equal(compiled(rg.jacobian(lambda x: x))(a), np.eye(5))


@eager_and_jitted
class TestHarmonicPotential:
    """sum_ij |x_i - x_j|^2 / 2 over all i and j, hence twice the sum over pairs, inside each row."""

    @staticmethod
    def potential(x):
        pairs = rg.combinations(x, 2, fields=["a", "b"])
        return rg.sum((pairs.a - pairs.b) ** 2, axis=1)

    def test_one_row(self, compiled):
        value, gradient = compiled(rg.value_and_grad(lambda x: rg.sum(self.potential(x))))(rg.from_lists([[1.0, 2.0]]))
        assert value == 1
        assert rg.to_list(gradient) == [[-2, 2]]

    def test_every_row(self, compiled, a):
        value, gradient = compiled(rg.value_and_grad(lambda x: rg.sum(self.potential(x))))(a)
        assert value == 7
        assert rg.to_list(gradient) == [[-6, 0, 6], [], [-2, 2]]

    def test_hessian(self, compiled, a):
        hessian = compiled(rg.hessian(lambda x: rg.sum(self.potential(x))))(a)
        expected = jax.scipy.linalg.block_diag(6 * jnp.eye(3) - 2, 4 * jnp.eye(2) - 2)
        np.testing.assert_allclose(hessian, expected, atol=1e-6)
