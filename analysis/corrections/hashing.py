"""Random numbers that are determined by the inputs, as correctionlib draws them: the same event, the same number.

The inputs are hashed (XXH64) to the seed of a generator (PCG-XSH-RR, 32 bits), whose output becomes a flat or a normal
number in the way of GNU's C++ library. The derivative with respect to the inputs is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from .words import Word, of_float, of_integer, word

# Y. Collet, xxHash specification; numbers, because an import must not start JAX's devices
_PRIMES = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
# M. E. O'Neill, PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms, HMC-CS-2014-0905
_MULTIPLIER, _INCREMENT = 6364136223846793005, 1442695040888963407


def hashed(inputs: Sequence[jax.Array], distribution: str) -> jax.Array:
    """Return a random number for each point.

    The distribution is ``"stdflat"`` in [0, 1), or ``"stdnormal"`` or ``"normal"``: two ways to draw from the standard
    normal distribution. Inputs have shape (points,). Raises `ValueError` for any other distribution.
    """
    if distribution not in _DRAWS:
        raise ValueError(f"no distribution {distribution!r} of random numbers; there is {', '.join(_DRAWS)}")
    held = [jax.lax.stop_gradient(x) for x in inputs]
    words = [of_float(x) if jnp.issubdtype(x.dtype, jnp.inexact) else of_integer(x) for x in held]
    # seeding adds the seed to the increment and makes a step
    state = _xxh64(words).plus(word(_INCREMENT))
    return _DRAWS[distribution](state.times(word(_MULTIPLIER)).plus(word(_INCREMENT)))


def _xxh64(words: Sequence[Word]) -> Word:
    """Return the XXH64 hash, with seed 0, of words of 64 bits end to end."""
    one, two, three, four, five = map(word, _PRIMES)
    zero, rest = word(0), list(words)

    def round_(lane: Word, data: Word) -> Word:
        return lane.plus(data.times(two)).left(31).times(one)

    if len(words) >= 4:
        lanes = [one.plus(two), two, zero, _negative(one)]
        while len(rest) >= 4:
            lanes = [round_(lane, data) for lane, data in zip(lanes, rest[:4], strict=True)]
            rest = rest[4:]
        total = zero
        for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True):
            total = total.plus(lane.left(bits))
        for lane in lanes:
            total = (total ^ round_(zero, lane)).times(one).plus(four)
    else:
        total = five
    total = total.plus(word(8 * len(words)))
    for data in rest:
        total = (total ^ round_(zero, data)).left(27).times(one).plus(four)
    for bits, prime in ((33, two), (29, three)):
        total = (total ^ total.shifted(bits)).times(prime)
    return total ^ total.shifted(32)


def _negative(value: Word) -> Word:
    return Word(~value.high, ~value.low).plus(word(1))


def _draw(state: Word) -> tuple[jax.Array, Word]:
    """Return 32 random bits and the state after them."""
    mixed = (state ^ state.shifted(18)).shifted(27).low
    turn = state.shifted(59).low
    bits = (mixed >> turn) | (mixed << ((32 - turn) & 31))
    return bits, state.times(word(_MULTIPLIER)).plus(word(_INCREMENT))


def _flat(state: Word) -> tuple[jax.Array, Word]:
    """Return a number in [0, 1) from 64 bits, of which the first 32 are the lower ones."""
    dtype = jnp.result_type(float)
    low, state = _draw(state)
    high, state = _draw(state)
    value = (low.astype(dtype) + high.astype(dtype) * 2.0**32) * 2.0**-64
    return jnp.minimum(value, 1 - np.finfo(dtype).epsneg), state


def _signed(state: Word) -> tuple[jax.Array, Word]:
    """Return a number in [-1, 1) from 32 bits."""
    bits, state = _draw(state)
    return bits.astype(jnp.result_type(float)) * 2.0**-31 - 1, state


def _twice_flat(state: Word) -> tuple[jax.Array, Word]:
    value, state = _flat(state)
    return 2 * value - 1, state


def _polar(uniform: Callable[[Word], tuple[jax.Array, Word]], *, second: bool) -> Callable[[Word], jax.Array]:
    """Return Marsaglia's polar method, which draws points of a square until one is inside the circle."""

    def draw(state: Word) -> tuple[jax.Array, jax.Array, Word]:
        u, state = uniform(state)
        v, state = uniform(state)
        return u, v, state

    def outside(u: jax.Array, v: jax.Array) -> jax.Array:
        square = u * u + v * v
        return (square >= 1) | (square == 0)

    def again(carry: tuple[jax.Array, jax.Array, Word]) -> tuple[jax.Array, jax.Array, Word]:
        u, v, state = carry
        new_u, new_v, new_state = draw(state)
        wrong = outside(u, v)
        high, low = (jnp.where(wrong, new, old) for new, old in zip(new_state, state, strict=True))
        return jnp.where(wrong, new_u, u), jnp.where(wrong, new_v, v), Word(high, low)

    def normal(state: Word) -> jax.Array:
        u, v, _ = jax.lax.while_loop(lambda carry: jnp.any(outside(carry[0], carry[1])), again, draw(state))
        square = u * u + v * v
        return (v if second else u) * jnp.sqrt(-2 * jnp.log(square) / square)

    return normal


_DRAWS: dict[str, Callable[[Word], jax.Array]] = {
    "stdflat": lambda state: _flat(state)[0],
    "stdnormal": _polar(_twice_flat, second=True),
    "normal": _polar(_signed, second=False),
}
