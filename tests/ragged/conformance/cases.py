"""The table: what Awkward computes, `hepgrad.ragged` computes too."""

from __future__ import annotations

from .case import Case, table
from .names import NAMES

STEPS = {"differentiable": False}
SPECIAL = {"special": True}

OPERATORS = [
    *table(
        "operators",
        """
        x + y
        x - y
        x * y
        -x
        +x
        abs(x)
        x + 1
        2 - x
        x * 2.5
        x / 4
        x + s
        x * w
        w - x
        x * w + s
        (x + w) * x**2
        x**2
        x**3
        p**1.5
        p**x
        2.0**x
        x / (y**2 + 1)
        1 / p
        d + 1
        d * d
        d * w
        d * x
        d - x * w
        f**2
        w * s
        r.pt * r.eta
        r.pt * e.met
        t.hits * t.pt
        """,
        special=True,
    ),
    *table(
        "operators",
        """
        x // 2
        x % 1.25
        divmod(x, 2)[0]
        i // 2
        i % 3
        i + i
        i * 2
        i - n
        i * n
        abs(i)
        -i
        i**2
        i & 3
        i | 4
        i ^ 1
        i << 2
        i >> 1
        ~i
        i == 2
        i + m
        m & (x > 0)
        m | (x > 0)
        m ^ (x > 0)
        ~m
        m & b
        dm & m
        dm | b
        """,
        **STEPS,
    ),
    *table(
        "operators",
        """
        x > y
        x >= 0.5
        x < w
        x <= s
        x == y
        x != y
        d > w
        d == 1
        (x > 0) & (x < 2)
        """,
        differentiable=False,
        special=True,
    ),
    *table("operators", "i * x\ni / 4\nx * m\nx + i * w\nx / (n * n + 1)\nr.charge * r.pt"),
]

UFUNCS = [
    *table(
        "ufuncs",
        """
        np.sin(x)
        np.cos(x)
        np.tan(x / 8)
        np.arctan(x)
        np.arctan2(x, p)
        np.arcsin(x / 8)
        np.arccos(x / 8)
        np.sinh(x)
        np.cosh(x)
        np.tanh(x)
        np.arcsinh(x)
        np.arccosh(p + 1)
        np.arctanh(x / 8)
        np.exp(x)
        np.exp2(x)
        np.expm1(x)
        np.log(p)
        np.log2(p)
        np.log10(p)
        np.log1p(p)
        np.sqrt(p)
        np.cbrt(p)
        np.square(x)
        np.reciprocal(p)
        np.absolute(x)
        np.fabs(x)
        np.negative(x)
        np.positive(x)
        np.add(x, w)
        np.subtract(x, 1)
        np.multiply(d, x)
        np.true_divide(x, p)
        np.power(p, 3)
        np.hypot(x, p)
        np.logaddexp(x, y)
        np.logaddexp2(x, y)
        np.deg2rad(x)
        np.rad2deg(x)
        np.radians(x)
        np.degrees(x)
        np.maximum(x, y)
        np.minimum(x, y)
        np.maximum(x, 0.25)
        np.minimum(d, w)
        np.fmax(x, y)
        np.fmin(x, y)
        np.copysign(p, x)
        np.sin(d)
        np.exp(-(d**2)) * x
        np.sqrt(r.pt**2 + r.eta**2 + 1)
        np.conjugate(x)
        """,
        special=True,
    ),
    *table(
        "ufuncs",
        """
        np.floor(x)
        np.ceil(x)
        np.trunc(x)
        np.rint(x)
        np.sign(x)
        np.signbit(x)
        np.isnan(x)
        np.isinf(x)
        np.isfinite(x)
        np.equal(x, y)
        np.not_equal(x, y)
        np.less(x, y)
        np.less_equal(x, y)
        np.greater(x, y)
        np.greater_equal(x, y)
        np.logical_and(x, y)
        np.logical_or(x > 0, y > 0)
        np.logical_xor(x > 0, y > 0)
        np.logical_not(x)
        np.heaviside(x, 0.5)
        """,
        differentiable=False,
        special=True,
    ),
    *table(
        "ufuncs",
        """
        np.floor_divide(x, 2)
        np.remainder(x, 1.25)
        np.fmod(x, 1.25)
        np.invert(m)
        np.bitwise_and(i, 3)
        np.bitwise_or(i, 3)
        np.bitwise_xor(i, 3)
        np.left_shift(i, 1)
        np.right_shift(i, 1)
        np.gcd(i, 6)
        np.lcm(i, 6)
        np.sin(i)
        np.sqrt(i * i)
        """,
        **STEPS,
    ),
]

REDUCERS = [
    *table(
        "reducers",
        """
        ak.sum(x, axis=1)
        ak.sum(x, axis=-1)
        ak.sum(x)
        ak.sum(x, axis=None)
        ak.sum(x, axis=1, keepdims=True)
        ak.sum(x, axis=0, keepdims=True)
        ak.sum(x, axis=None, keepdims=True)
        ak.sum(w, axis=0)
        ak.sum(d, axis=0)
        ak.sum(d, axis=1)
        ak.sum(d, axis=2)
        ak.sum(d, axis=-1)
        ak.sum(d, axis=-2)
        ak.sum(d, axis=-3)
        ak.sum(d, axis=None)
        ak.sum(d, axis=0, keepdims=True)
        ak.sum(d, axis=1, keepdims=True)
        ak.sum(d, axis=2, keepdims=True)
        ak.sum(x * w, axis=1)
        ak.sum(x[m], axis=1)
        ak.sum(r.pt, axis=1)
        ak.sum(t.hits, axis=-1)
        ak.prod(x, axis=1)
        ak.prod(x, axis=-1)
        ak.prod(x[:2], axis=None)
        ak.prod(x, axis=1, keepdims=True)
        ak.prod(d, axis=1)
        ak.prod(d, axis=2)
        ak.max(x, axis=1)
        ak.max(x, axis=-1)
        ak.max(x, axis=None)
        ak.max(x, axis=1, keepdims=True)
        ak.max(d, axis=0)
        ak.max(d, axis=1)
        ak.max(d, axis=2)
        ak.min(x, axis=1)
        ak.min(x, axis=None)
        ak.min(x, axis=1, keepdims=True)
        ak.min(d, axis=1)
        ak.min(d, axis=2)
        ak.min(d, axis=-3)
        x / ak.sum(p, axis=1)
        x - ak.max(x, axis=1, keepdims=True)
        x / ak.sum(p, axis=1, keepdims=True)
        ak.sum(p, axis=1, keepdims=True) * s
        ak.max(x, axis=1, keepdims=True) - 1.5
        d * ak.sum(d, axis=2)
        d - ak.max(d, axis=-1, keepdims=True)
        """,
        special=True,
    ),
    *table(
        "reducers",
        """
        ak.mean(x, axis=1)
        ak.mean(x, axis=None)
        ak.mean(x, axis=1, keepdims=True)
        ak.mean(d, axis=1)
        ak.mean(d, axis=2)
        ak.mean(x, weight=p, axis=1)
        ak.mean(x, weight=p, axis=None)
        x - ak.mean(x, axis=1)
        ak.var(x, axis=1)
        ak.var(x, axis=None)
        ak.var(x, axis=1, keepdims=True)
        ak.var(x, weight=p, axis=1)
        ak.var(d, axis=2)
        ak.std(d, axis=-2)
        ak.std(x, axis=1)
        ak.std(x, axis=None)
        ak.var(x, axis=1, ddof=1)
        ak.moment(x, 2, axis=1)
        ak.moment(x, 3, axis=1)
        ak.moment(x, 1, axis=None)
        ak.moment(x, 2, weight=p, axis=1)
        """,
    ),
    *table(
        "reducers",
        """
        ak.softmax(x, axis=1)
        ak.softmax(x, axis=-1)
        ak.softmax(d, axis=-1)
        ak.ptp(x, axis=1)
        ak.ptp(x, axis=None)
        ak.ptp(x, axis=1, keepdims=True)
        """,
        full=True,
    ),
    *table(
        "reducers",
        """
        ak.any(x, axis=1)
        ak.any(x, axis=None)
        ak.any(x > 1, axis=1, keepdims=True)
        ak.all(x, axis=1)
        ak.all(x, axis=None)
        ak.all(d, axis=2)
        ak.any(d, axis=1)
        ak.any(m, axis=1)
        ak.all(m, axis=-1)
        ak.all(dm, axis=-1)
        ak.any(m)
        ak.count(x, axis=1)
        ak.count(x, axis=None)
        ak.count(x, axis=1, keepdims=True)
        ak.count(d, axis=1)
        ak.count(d, axis=2)
        ak.count(d, axis=-3)
        ak.count_nonzero(x, axis=1)
        ak.count_nonzero(x, axis=None)
        ak.count_nonzero(d, axis=2)
        ak.count_nonzero(m, axis=1)
        ak.argmax(x, axis=1)
        ak.argmax(x, axis=None)
        ak.argmax(x, axis=1, keepdims=True)
        ak.argmax(d, axis=2)
        ak.argmax(d, axis=1)
        ak.argmin(x, axis=1)
        ak.argmin(x, axis=None)
        ak.argmin(d, axis=-1)
        ak.argmin(x, axis=1, keepdims=True)
        ak.sum(i, axis=1)
        ak.sum(i)
        ak.sum(m, axis=1)
        ak.sum(x > 0, axis=1)
        ak.sum(x > 0)
        ak.prod(i, axis=1)
        ak.prod(m, axis=1)
        ak.mean(i, axis=1)
        """,
        **STEPS,
    ),
    *table(
        "reducers",
        """
        ak.sum(x, axis=0)
        ak.sum(x, axis=-2)
        ak.prod(x, axis=0)
        ak.max(x, axis=0)
        ak.min(x, axis=0)
        ak.min(x, axis=-2)
        """,
        special=True,
        end=True,
    ),
    *table(
        "reducers",
        """
        ak.mean(x, axis=0)
        ak.std(x, axis=0)
        """,
        end=True,
    ),
    *table(
        "reducers",
        """
        ak.any(x, axis=0)
        ak.all(x, axis=0)
        ak.count(x, axis=0)
        ak.count_nonzero(x, axis=0)
        ak.argmax(x, axis=0)
        ak.argmin(x, axis=-2)
        ak.sum(i, axis=0)
        """,
        end=True,
        **STEPS,
    ),
    *table(
        "reducers",
        "ak.max(i, axis=1)\nak.min(i, axis=1)\nak.max(i, axis=None)\nak.argmax(i, axis=1)",
        full=True,
        rows=1,
    ),
]

SLICES = [
    *table(
        "slices",
        """
        x[:]
        x[1:]
        x[:-1]
        x[::2]
        x[::-1]
        x[-2:]
        x[1:4:2]
        x[4:1:-1]
        x[:0]
        x[...]
        x[:, ::-1]
        x[:, 1:]
        x[:, :2]
        x[:, :-1]
        x[:, ::2]
        x[:, -2:]
        x[:, 1:3]
        x[:, ::-2]
        x[::-1, ::-1]
        x[1:, :1]
        x[..., ::-1]
        x[..., :2]
        x[np.newaxis]
        x[:, np.newaxis]
        d[::-1]
        d[:, ::-1]
        d[:, :, ::-1]
        d[..., ::-1]
        d[..., 1:]
        d[:, :1]
        d[:, :2, :1]
        d[1:, ::-1, ::2]
        np.square(x[:-1])
        np.sin(x[::-1] ** 2)
        x[::2] * y[::2]
        w[::-1]
        """,
    ),
    *table(
        "slices",
        """
        x[2, 1]
        x[0:1]
        x[0, 0] * x[5, 3]
        x[[2, 2, 0]]
        x[[2, 2, 0], ::-1]
        x[[0, -1]]
        x[[5, 0, 3], :2]
        x[[2, 0, 5], [1, 2, 0]]
        np.power(x[[2, 2, 0], ::-1], 3)
        x[np.array([3, 1])]
        d[2]
        d[[2, 0]]
        d[[0, 0, 5], 1:]
        """,
        rows=6,
    ),
    *table(
        "slices",
        """
        x[:, 0]
        x[:, 1]
        x[:, -1]
        x[..., 0]
        x[:, [1, 0]]
        x[:, [0, 0, 1]]
        x[:, 0] * x[:, 1]
        d[:, 0]
        d[:, -1]
        """,
        full=True,
    ),
    *table(
        "slices",
        """
        x[b]
        x[~b]
        x[w > 0]
        x[ak.num(x) > 1]
        x[m]
        x[~m]
        x[x > 0]
        x[(x > -1) & m]
        x[x > 100]
        x[m] ** 2
        x[m] * y[m]
        x[m] * w
        x[k]
        x[k][k]
        x[m][:, :1]
        x[m][::-1]
        x[b][::-1]
        d[b]
        d[m]
        d[dm]
        d[d > 0]
        d[k]
        d[dm][m]
        ak.sum(d[m], axis=-1)
        r[m].pt
        r[r.pt > 0].eta
        """,
    ),
    *table("slices", "x[2]\nx[-1]\nx[5]\nd[0, 1]\nw[2]", rows=6, jittable=False),
    *table("slices", "w[b]\nw[w > 0] * 2", jittable=False),  # inside jit these are JAX's own, which refuses
    *table("slices", "ak.sum(x[b] ** 2, axis=1)\nak.sum(x[::-1], axis=0)\nx[b][:, ::-1]", end=True),
]

STRUCTURE = [
    *table("structure", "ak.unflatten(f, ak.num(x))\nak.concatenate([w, w])"),
    *table(
        "structure",
        """
        ak.flatten(x)
        ak.flatten(x, axis=1)
        ak.flatten(x, axis=None)
        ak.flatten(d)
        ak.flatten(d, axis=2)
        ak.flatten(d, axis=None)
        ak.ravel(x)
        ak.ravel(d)
        """,
        end=True,
    ),
    *table(
        "structure",
        """
        ak.unflatten(ak.flatten(x), ak.num(x))
        ak.concatenate([x, y])
        ak.concatenate([x, z])
        ak.concatenate([x, y, z], axis=0)
        ak.concatenate([x, z], axis=1)
        ak.concatenate([x, y, x], axis=1)
        ak.concatenate([x, z], axis=-1)
        ak.concatenate([d, d], axis=1)
        ak.concatenate([d, d], axis=2)
        ak.broadcast_arrays(x, w)
        ak.broadcast_arrays(x, y)
        ak.broadcast_arrays(d, x)
        ak.broadcast_arrays(ak.sum(x, axis=1, keepdims=True), s)
        ak.singletons(ak.firsts(x, fill_value=0.0))
        ak.where(x > 0, x, y)
        ak.where(x > 0, x, 0.0)
        ak.where(x > 0, x, w)
        ak.where(m, x**2, -y)
        ak.where(b, w, -w)
        ak.where(d > 0, d, -1.0)
        ak.zeros_like(x)
        ak.ones_like(x)
        ak.full_like(x, 3.5)
        ak.zeros_like(d)
        ak.nan_to_num(x)
        ak.nan_to_num(x, nan=1.5, posinf=9.0, neginf=-9.0)
        ak.pad(x, 3, 0.0)
        ak.pad(x, 2, -1.0, clip=True)
        ak.to_padded(x[:, :3], 0.0, 3)
        ak.firsts(x, fill_value=-1.0)
        ak.firsts(x[:, ::-1], fill_value=0.0)
        ak.zip({"a": x, "b": y}).a
        ak.zip({"a": x, "b": y})
        ak.zip({"a": x, "b": w})
        ak.zip({"a": ak.sum(x, axis=1, keepdims=True), "b": w})
        ak.zip({"a": ak.sum(x, axis=1, keepdims=True), "b": y})
        ak.unzip(r)
        ak.with_field(r, x, "extra")
        ak.with_field(r, r.pt * 2, "pt")
        ak.without_field(r, "pt")
        """,
    ),
    *table(
        "structure",
        """
        ak.num(x)
        ak.num(x, axis=1)
        ak.num(d, axis=1)
        ak.num(d, axis=2)
        ak.num(d, axis=-1)
        ak.num(x, axis=-1)
        ak.local_index(x)
        ak.local_index(x, axis=1)
        ak.local_index(d)
        ak.local_index(d, axis=1)
        ak.local_index(x, axis=0)
        ak.isclose(x, y)
        ak.isclose(x, x + 1e-7)
        ak.ones_like(i)
        ak.zeros_like(m)
        ak.where(m, i, -i)
        ak.num(x, axis=0)
        """,
        **STEPS,
    ),
]

ORDER = [
    *table(
        "order",
        """
        ak.sort(x)
        ak.sort(x, axis=1)
        ak.sort(x, axis=-1, ascending=False)
        ak.sort(x, axis=0)
        ak.sort(d)
        ak.sort(d, axis=1)
        ak.sort(x[m])
        ak.sort(x, ascending=False)[:, :2]
        ak.sort(w, axis=0)
        x[ak.argsort(x)]
        x[ak.argsort(y, ascending=False)]
        x[ak.argsort(x, ascending=False)][:, :1]
        r[ak.argsort(r.pt, ascending=False)].eta
        d[ak.argsort(d)]
        """,
    ),
    *table(
        "order",
        """
        ak.argsort(x)
        ak.argsort(x, axis=1, ascending=False)
        ak.argsort(x, axis=0)
        ak.argsort(d)
        ak.argsort(d, axis=1)
        ak.sort(i)
        ak.sort(i, ascending=False)
        ak.argsort(i)
        ak.argsort(ak.argsort(x))
        """,
        **STEPS,
    ),
]

COMBINATIONS = [
    *table(
        "combinations",
        """
        ak.combinations(x, 2)
        ak.combinations(x, 3)
        ak.combinations(x, 2, replacement=True)
        ak.combinations(x, 2, fields=["a", "b"])
        ak.combinations(x, 2, axis=1, fields=["a", "b"]).a
        ak.sum(ak.combinations(x, 2, fields=["a", "b"]).a * ak.combinations(x, 2, fields=["a", "b"]).b, axis=1)
        ak.combinations(r, 2, fields=["a", "b"]).a.pt
        ak.combinations(r, 2, fields=["a", "b"])
        ak.combinations(d, 2, axis=2, fields=["a", "b"])
        ak.combinations(d, 2, axis=1, fields=["a", "b"]).b
        ak.cartesian([x, z])
        ak.cartesian({"a": x, "b": z})
        ak.cartesian({"a": x, "b": z}).a * ak.cartesian({"a": x, "b": z}).b
        ak.cartesian({"a": x, "b": y, "c": z})
        ak.cartesian({"a": r, "b": z}).a.pt
        ak.cartesian({"a": ak.sum(x, axis=1, keepdims=True), "b": z})
        ak.cartesian({"a": x, "b": z}, nested=True)
        ak.cartesian({"a": x, "b": z}, nested=True).b
        (lambda c: ak.min(abs(c.a - c.b), axis=-1))(ak.cartesian({"a": x, "b": z}, nested=True))
        """,
    ),
    *table(
        "combinations",
        """
        ak.argcombinations(x, 2)
        ak.argcombinations(x, 2, fields=["a", "b"]).b
        ak.argcombinations(x, 3, replacement=True)
        ak.argcartesian([x, z])
        ak.argcartesian({"a": x, "b": z}).a
        ak.num(ak.combinations(x, 2))
        """,
        **STEPS,
    ),
    *table("combinations", 'x[ak.argcombinations(x, 2, fields=["a", "b"]).a]'),
]

RECORDS = [
    *table(
        "records",
        """
        r
        r.pt
        r["pt"]
        r[["pt", "eta"]]
        r[::-1]
        r[::-1].pt
        r[:, ::-1]
        r[:, :1]
        r[m]
        r[b]
        r[r.good]
        r[k]
        r[r.pt > 0]
        r[r.good].pt * 2
        r["pt", ::-1]
        r[::-1].pt * r.eta[::-1]
        t
        t.hits
        t[m]
        t.hits[t.pt > 0]
        ak.sum(t.hits, axis=-1) * t.pt
        e
        e.met
        e[::-1]
        ak.concatenate([r, r], axis=1)
        ak.concatenate([r, r])
        np.sqrt(r.pt**2 + e.met**2 + 1)
        ak.zip({"a": r.pt, "b": r.eta, "c": r.charge})
        """,
    ),
    *table("records", "r[2, 1].pt\nr[[2, 0]]\nr[[2, 0]].pt\ne[1].met", rows=6),
    *table("records", "r[2]\nt[2].hits\nt[2]", rows=6, jittable=False),
    *table("records", "e[b]\ne[e.met > 0].phi", jittable=False),
    *table("records", "r[:, 0]\nr[:, 0].pt", full=True),
]

NUMPY_FUNCTIONS = [
    *table(
        "numpy functions",
        """
        np.sum(x, axis=1)
        np.prod(x, axis=1)
        np.mean(x, axis=1)
        np.var(x, axis=1)
        np.sort(x)
        np.concatenate([x, y])
        np.where(x > 0, x, y)
        np.zeros_like(x)
        np.ones_like(x)
        np.full_like(x, 2.0)
        np.nan_to_num(x)
        np.nansum(x, axis=1)
        """,
    ),
    # Awkward's result of nothing is a missing value here
    *table("numpy functions", "np.nanmax(x, axis=None)", rows=1, full=True),
    *table("numpy functions", "np.ravel(x)", end=True),
    *table(
        "numpy functions",
        "np.any(m, axis=1)\nnp.all(m, axis=1)\nnp.argsort(x[:, :8])\nnp.count_nonzero(x, axis=1)",
        **STEPS,
    ),
]

CASES: list[Case] = [
    *OPERATORS,
    *UFUNCS,
    *REDUCERS,
    *SLICES,
    *STRUCTURE,
    *ORDER,
    *COMBINATIONS,
    *RECORDS,
    *NUMPY_FUNCTIONS,
    *NAMES,
]
