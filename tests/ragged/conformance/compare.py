"""Compare a result of `hepgrad.ragged` with one of Awkward: structure, dtype and values."""

from __future__ import annotations

import awkward as ak
import jax
import numpy as np

from hepgrad import ragged as rg


def canonical(dtype: np.dtype) -> np.dtype:
    """The dtype without its width, except that of floats in double precision, which must not be lost."""
    narrow = {"int64": "int32", "uint64": "uint32"}
    if not jax.config.jax_enable_x64:
        narrow |= {"float64": "float32", "complex128": "complex64"}
    return np.dtype(narrow.get(str(dtype), dtype))


def leaves(result: object) -> list[np.ndarray]:
    """Return the flat buffers of an Awkward array, without the unreachable parts, in the order of its type."""
    if isinstance(result, tuple | list):
        return [leaf for part in result for leaf in leaves(part)]
    if isinstance(result, ak.Record):
        return [leaf for name in result.fields for leaf in leaves(result[name])]
    if not isinstance(result, ak.Array):
        return [np.asarray(result)]

    def walk(layout: object) -> list[np.ndarray]:
        if layout.is_record:
            return [leaf for content in layout.contents for leaf in walk(content[: layout.length])]
        if layout.is_list:
            return walk(layout.content)
        return [np.asarray(layout.data)]

    return walk(ak.to_packed(result).layout)


def to_awkward(result: object) -> object:
    """Convert a result of `rg`, or a tuple of them."""
    if isinstance(result, tuple | list):
        return tuple(to_awkward(part) for part in result)
    return rg.to_awkward(result)


def assert_same(actual: object, expected: object, *, rtol: float, atol: float) -> None:
    """Compare a converted result of `rg` with one of Awkward."""
    if isinstance(expected, tuple | list) and not isinstance(expected, ak.Array):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_same(one, other, rtol=rtol, atol=atol)
        return
    if not isinstance(expected, ak.Array):
        assert np.ndim(actual) == 0, f"expected a scalar, got {actual}"
        _assert_same_leaf(np.asarray(actual), np.asarray(expected), "result", rtol, atol)
        return
    assert isinstance(actual, ak.Array), f"expected {expected.type}, got {actual!r}"
    _assert_same_layout(ak.to_packed(actual).layout, ak.to_packed(expected).layout, "result", rtol, atol)


def _assert_same_layout(actual: object, expected: object, path: str, rtol: float, atol: float) -> None:
    if expected.is_option:
        # an option type without missing values comes from e.g. a fill that Awkward could not prove complete
        expected = ak.to_packed(ak.Array(expected.to_IndexedOptionArray64().project())).layout
    assert actual.length == expected.length, f"{path}: length {actual.length}, expected {expected.length}"
    if expected.is_unknown:
        return
    if expected.is_record:
        assert actual.is_record and list(actual.fields) == list(expected.fields), f"{path}: {actual.form}"
        for field in expected.fields:
            one, other = (array.content(field)[: array.length] for array in (actual, expected))
            _assert_same_layout(one, other, f"{path}.{field}", rtol, atol)
    elif expected.is_list or expected.purelist_depth > 1:
        assert actual.purelist_depth == expected.purelist_depth, f"{path}: {actual.form} instead of {expected.form}"
        one, other = (ak.Array(array) for array in (actual, expected))
        counts = [ak.num(array, axis=1).to_numpy() for array in (one, other)]
        np.testing.assert_array_equal(*counts, err_msg=f"{path}: lengths of the lists")
        flat = [ak.to_packed(ak.flatten(array, axis=1)).layout for array in (one, other)]
        _assert_same_layout(*flat, f"{path}[]", rtol, atol)
    else:
        assert actual.is_numpy, f"{path}: {actual.form} instead of {expected.form}"
        _assert_same_leaf(np.asarray(actual.data), np.asarray(expected.data), path, rtol, atol)


def _assert_same_leaf(actual: np.ndarray, expected: np.ndarray, path: str, rtol: float, atol: float) -> None:
    assert canonical(actual.dtype) == canonical(expected.dtype), f"{path}: {actual.dtype} instead of {expected.dtype}"
    if actual.dtype.kind in "fc":
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol, err_msg=path)
    else:
        np.testing.assert_array_equal(actual, expected, err_msg=path)
