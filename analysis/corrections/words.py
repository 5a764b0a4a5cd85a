"""Arithmetic of 64-bit words as pairs of 32-bit ones, which works whether or not JAX has 64-bit integers enabled."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

_LOW = 0xFFFF


class Word(NamedTuple):
    """64 bits, in two uint32 arrays of one shape."""

    high: jax.Array
    low: jax.Array

    def __xor__(self, other: Word) -> Word:
        return Word(self.high ^ other.high, self.low ^ other.low)

    def plus(self, other: Word) -> Word:
        """Return the sum modulo 2**64."""
        low = self.low + other.low
        return Word(self.high + other.high + (low < self.low).astype(jnp.uint32), low)

    def times(self, other: Word) -> Word:
        """Return the product modulo 2**64."""
        high, low = _product(self.low, other.low)
        return Word(high + self.high * other.low + self.low * other.high, low)

    def left(self, bits: int) -> Word:
        """Return the word rotated to the left by 0 < `bits` < 64."""
        if bits >= 32:
            return Word(self.low, self.high).left(bits - 32) if bits > 32 else Word(self.low, self.high)
        back = 32 - bits
        return Word((self.high << bits) | (self.low >> back), (self.low << bits) | (self.high >> back))

    def shifted(self, bits: int) -> Word:
        """Return the word shifted to the right by 0 < `bits` < 64."""
        if bits >= 32:
            return Word(jnp.zeros_like(self.high), self.high >> (bits - 32))
        return Word(self.high >> bits, (self.low >> bits) | (self.high << (32 - bits)))


def word(value: int) -> Word:
    """Return a constant below 2**64."""
    return Word(jnp.uint32(value >> 32), jnp.uint32(value & 0xFFFFFFFF))


def _product(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the upper and the lower half of the product of two 32-bit numbers."""
    a_high, a_low, b_high, b_low = a >> 16, a & _LOW, b >> 16, b & _LOW
    low = a_low * b_low
    middle = a_high * b_low + (low >> 16)
    other = a_low * b_high + (middle & _LOW)
    return a_high * b_high + (middle >> 16) + (other >> 16), a * b


def of_float(x: jax.Array) -> Word:
    """Return the 64 bits of floating-point numbers as double precision, whatever precision they have."""
    if x.dtype == jnp.float64:
        bits = jax.lax.bitcast_convert_type(x, jnp.uint32)
        return Word(bits[..., 1], bits[..., 0])
    bits = jax.lax.bitcast_convert_type(x.astype(jnp.float32), jnp.uint32)
    sign, exponent, fraction = bits & jnp.uint32(0x80000000), (bits >> 23) & 0xFF, bits & 0x7FFFFF
    # a denormal number of single precision is a normal one of double precision
    shift = jax.lax.clz(jnp.maximum(fraction, 1)) - 8
    denormal = (exponent == 0) & (fraction != 0)
    wide = jnp.where(denormal, 897 - shift, exponent + 896)
    fraction = jnp.where(denormal, (fraction << shift) & 0x7FFFFF, fraction)
    wide = jnp.where((exponent == 0) & ~denormal, 0, jnp.where(exponent == 0xFF, 0x7FF, wide))
    return Word(sign | (wide.astype(jnp.uint32) << 20) | (fraction >> 3), fraction << 29)


def of_integer(x: jax.Array) -> Word:
    """Return the 64 bits of integers, in two's complement."""
    if x.dtype == jnp.int64:
        bits = jax.lax.bitcast_convert_type(x, jnp.uint32)
        return Word(bits[..., 1], bits[..., 0])
    low = x.astype(jnp.int32)
    return Word(jnp.where(low < 0, jnp.uint32(0xFFFFFFFF), jnp.uint32(0)), low.astype(jnp.uint32))
