"""`ak` with the arguments that give results without missing values, once for each library."""

from __future__ import annotations

import awkward
import numpy as np

from hepgrad import ragged


class Awkward:
    """Awkward, with the places of missing values filled where `hepgrad.ragged` fills them."""

    def __getattr__(self, name: str) -> object:
        return getattr(awkward, name)

    def min(self, x, axis=None, **options):
        return awkward.min(x, axis=axis, mask_identity=False, **options)

    def max(self, x, axis=None, **options):
        return awkward.max(x, axis=axis, mask_identity=False, **options)

    def argmin(self, x, axis=None, **options):
        return awkward.argmin(x, axis=axis, mask_identity=False, **options)

    def argmax(self, x, axis=None, **options):
        return awkward.argmax(x, axis=axis, mask_identity=False, **options)

    def ptp(self, x, axis=None, **options):
        return awkward.ptp(x, axis=axis, mask_identity=False, **options)

    def nanmin(self, x, axis=None, **options):
        return awkward.nanmin(x, axis=axis, mask_identity=False, **options)

    def nanmax(self, x, axis=None, **options):
        return awkward.nanmax(x, axis=axis, mask_identity=False, **options)

    def nanargmin(self, x, axis=None, **options):
        return awkward.nanargmin(x, axis=axis, mask_identity=False, **options)

    def nanargmax(self, x, axis=None, **options):
        return awkward.nanargmax(x, axis=axis, mask_identity=False, **options)

    def nanmean(self, x, weight=None, axis=None, **options):
        return awkward.nanmean(x, weight=weight, axis=axis, mask_identity=False, **options)

    def nanvar(self, x, axis=None, **options):
        return awkward.nanvar(x, axis=axis, mask_identity=False, **options)

    def nanstd(self, x, axis=None, **options):
        return awkward.nanstd(x, axis=axis, mask_identity=False, **options)

    def mask_and_fill(self, x, mask, fill_value):
        return awkward.fill_none(awkward.mask(x, mask), np.float32(fill_value), axis=-1)

    def pad_and_fill(self, x, target, fill_value):
        value = np.float32(fill_value) if isinstance(fill_value, float) else fill_value
        return awkward.fill_none(awkward.pad_none(x, target, axis=1), value, axis=1)

    def firsts(self, x, *, fill_value, axis=1):
        return awkward.fill_none(awkward.firsts(x, axis=axis), np.float32(fill_value), axis=-1)

    def pad(self, x, length, fill_value, *, axis=1, clip=False):
        return awkward.fill_none(awkward.pad_none(x, length, axis=axis, clip=clip), np.float32(fill_value), axis=axis)

    def to_padded(self, x, fill_value, length):
        padded = awkward.fill_none(awkward.pad_none(x, length, axis=1, clip=True), np.float32(fill_value), axis=1)
        return awkward.to_regular(padded, axis=1)


class Ragged:
    """`hepgrad.ragged`, with the conversions that Awkward needs and it does not."""

    def __getattr__(self, name: str) -> object:
        return getattr(ragged, name)

    def mask_and_fill(self, x, mask, fill_value):
        return ragged.mask(x, mask, fill_value=fill_value)

    def pad_and_fill(self, x, target, fill_value):
        return ragged.pad_none(x, target, fill_value=fill_value)
