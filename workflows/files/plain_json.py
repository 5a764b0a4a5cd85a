"""Numbers as JSON can hold them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def json_numbers(value: Any) -> Any:
    """Return a value with lists for arrays and tuples, and None for numbers that JSON does not have.

    Examples
    --------
    >>> import numpy as np
    >>> from hepgrad.workflows.files.plain_json import json_numbers
    >>> json_numbers({"loss": np.array([0.5, np.nan]), "bounds": (0, float("inf"))})
    {'loss': [0.5, None], 'bounds': [0, None]}
    """
    if isinstance(value, dict):
        return {key: json_numbers(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [json_numbers(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
