"""More of the table: Awkward's names beyond those that every analysis uses."""

from __future__ import annotations

from .case import Case, table

STEPS = {"differentiable": False}

NAMES: list[Case] = [
    *table(
        "reducers over NaN",
        """
        ak.nansum(x, axis=1)
        ak.nansum(x, axis=None)
        ak.nansum(x, axis=1, keepdims=True)
        ak.nansum(d, axis=2)
        ak.nansum(d, axis=1)
        ak.nanprod(x, axis=1)
        ak.nanmin(x, axis=1)
        ak.nanmin(d, axis=2)
        ak.nanmax(x, axis=1)
        ak.nanmax(x, axis=None)
        """,
        special=True,
    ),
    *table("reducers over NaN", "ak.nansum(x, axis=0)\nak.nanmax(x, axis=0)", special=True, end=True),
    *table(
        "reducers over NaN",
        """
        ak.nanmean(x, axis=1)
        ak.nanmean(d, axis=2)
        ak.nanmean(x, weight=p, axis=1)
        ak.nanvar(x, axis=1)
        ak.nanvar(x, axis=None)
        ak.nanstd(x, axis=1, keepdims=True)
        """,
        full=True,
    ),
    *table(
        "reducers over NaN",
        """
        ak.nanargmin(x, axis=1)
        ak.nanargmax(x, axis=1)
        ak.nanargmax(d, axis=2)
        """,
        special=True,
        **STEPS,
    ),
    *table("reducers over NaN", "ak.nansum(i, axis=1)\nak.nanargmax(x, axis=None)", **STEPS),
    *table(
        "pairs",
        """
        ak.covar(x, y, axis=1)
        ak.covar(x, y, axis=None)
        ak.covar(x, y, weight=p, axis=1)
        ak.covar(d, d, axis=2)
        ak.covar(x, y, axis=1, keepdims=True)
        """,
    ),
    *table(
        "pairs",
        """
        ak.corr(x + w, y, axis=None)
        ak.linear_fit(x, y, axis=None).slope
        ak.linear_fit(x, y, axis=None).intercept_error
        """,
        full=True,
        rows=2,
    ),
    *table(
        "values",
        """
        ak.values_astype(i * x, np.float64)
        ak.values_astype(r, np.float64)
        ak.fill_none(x, 0.5)
        ak.drop_none(d)
        ak.to_packed(x[m])
        ak.to_packed(d[:, ::-1])
        ak.to_packed(r)
        ak.mask_and_fill(x, m, -1.5)
        ak.mask_and_fill(d, dm, 0.0)
        ak.pad_and_fill(x, 3, 0.25)
        ak.firsts(i, fill_value=-0.5) * w
        """,
    ),
    *table(
        "values",
        """
        ak.values_astype(x, np.int32)
        ak.values_astype(i, bool)
        ak.is_none(x)
        ak.is_none(x, axis=1)
        ak.is_none(d, axis=2)
        ak.is_none(e)
        ak.is_none(r, axis=1)
        ak.run_lengths(i)
        ak.run_lengths(i // 4)
        ak.run_lengths(m)
        ak.run_lengths(ak.sum(i, axis=1, keepdims=True))
        ak.run_lengths(d > 0)
        ak.array_equal(x, x)
        ak.array_equal(x, y)
        ak.array_equal(x, z)
        ak.array_equal(x, d)
        ak.array_equal(r, r)
        ak.array_equal(i, x)
        ak.almost_equal(d, d)
        ak.almost_equal(x, y)
        ak.pad_and_fill(i, 2, 0.5)
        ak.pad_and_fill(m, 2, -1)
        """,
        **STEPS,
    ),
    *table("values", "ak.run_lengths(n)", jittable=False, **STEPS),
]
