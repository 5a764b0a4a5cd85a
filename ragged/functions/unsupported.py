"""Awkward's names that have no place here, and what to use instead."""

from __future__ import annotations

_READ = "read with Awkward and convert once: rg.from_awkward(ak.{name}(...))"
_WRITE = "convert and write with Awkward: ak.{name}(rg.to_awkward(x), ...)"
_TEXT = "arrays hold numbers and booleans; turn text and categories into integers before rg.from_awkward"
_NAMES = "records have fields but no names, parameters or behaviours; compute with the fields, x.pt * np.cos(x.phi)"
_AXES = "axes have no names; give their number, axis=1"
_UNIONS = "all items of an array have one type; split it by type before rg.from_awkward"

INSTEAD: dict[str, str] = {
    **dict.fromkeys(
        (
            "from_arrow",
            "from_arrow_schema",
            "from_avro_file",
            "from_cudf",
            "from_feather",
            "from_json",
            "from_parquet",
            "from_raggedtensor",
            "from_rdataframe",
            "from_safetensors",
            "from_tensorflow",
            "from_torch",
            "metadata_from_parquet",
        ),
        _READ,
    ),
    **dict.fromkeys(
        (
            "to_arrow",
            "to_arrow_table",
            "to_cudf",
            "to_cupy",
            "to_dataframe",
            "to_feather",
            "to_json",
            "to_parquet",
            "to_parquet_dataset",
            "to_parquet_row_groups",
            "to_raggedtensor",
            "to_rdataframe",
            "to_safetensors",
            "to_tensorflow",
            "to_torch",
        ),
        _WRITE,
    ),
    **dict.fromkeys(("categories", "from_categorical", "is_categorical", "str", "strings_astype"), _TEXT),
    **dict.fromkeys(
        (
            "behavior",
            "behaviors",
            "mixin_class",
            "mixin_class_method",
            "parameters",
            "with_name",
            "with_parameter",
            "without_parameters",
        ),
        _NAMES,
    ),
    **dict.fromkeys(("with_named_axis", "without_named_axis"), _AXES),
    **dict.fromkeys(("merge_option_of_records", "merge_union_of_records"), _UNIONS),
    "Array": "make arrays with rg.from_awkward, rg.from_lists or rg.from_offsets",
    "ArrayBuilder": "collect rows in a list and use rg.from_lists, or rg.from_iter for a generator",
    "Record": "an array of records is a rg.RecordArray, or a rg.RaggedArray of them",
    "backend": "arrays live where JAX puts them: x.content.devices()",
    "broadcast_fields": "give records the same fields with rg.zip, or pick them with x[['pt', 'eta']]",
    "copy": "arrays never change, so there is nothing to copy",
    "enforce_type": "use rg.values_astype(x, dtype)",
    "from_buffers": "use rg.from_offsets(offsets, content)",
    "from_cupy": "use rg.from_offsets(offsets, content), which takes anything that speaks DLPack",
    "from_dlpack": "use rg.from_offsets(offsets, content), which takes anything that speaks DLPack",
    "from_jax": "a jax.Array is taken as it is; put lists around it with rg.unflatten(x, counts)",
    "from_regular": "rg.from_numpy and rg.from_awkward make lists of regular dimensions",
    "is_tuple": "records have named fields, rg.fields(x); those of combinations are '0', '1', ...",
    "is_valid": "an array is checked when it is made",
    "materialize": "arrays hold their numbers already",
    "nan_to_none": "use the reducers that pass over NaN (rg.nansum, rg.nanmean, ...), rg.nan_to_num(x, nan=...), or "
    "drop the items with x[~np.isnan(x)]",
    "to_backend": "use jax.device_put(x, device)",
    "to_buffers": "they are the attributes offsets and content of an array",
    "to_jax": "use x.content (with its unused end), rg.ravel(x), or rg.to_padded(x, fill_value, length)",
    "to_layout": "use rg.to_awkward(x).layout",
    "to_regular": "use rg.to_padded(x, fill_value, length), or x.content.reshape(rows, -1) for rows of equal length",
    "transform": "use rg.apply(function, x, ...) for the numbers, and x.with_content for anything else",
    "validity_error": "an array is checked when it is made",
    "zip_no_broadcast": "use rg.zip",
}


def explain(name: str) -> str:
    """Return why there is no such name, for the error.

    Examples
    --------
    >>> from hepgrad.ragged.functions.unsupported import explain
    >>> explain("to_json")
    'hepgrad.ragged has no to_json: convert and write with Awkward: ak.to_json(rg.to_awkward(x), ...)'
    """
    if name in INSTEAD:
        return f"hepgrad.ragged has no {name}: {INSTEAD[name].format(name=name)}"
    return f"module 'hepgrad.ragged' has no attribute {name!r}"
