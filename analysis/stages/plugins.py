"""Stages from other packages, which register them as entry points.

A distribution says in its ``pyproject.toml`` what it offers, a stage or a class of stages::

    [project.entry-points."hepgrad.stages"]
    tau_identification = "my_package.stages:TauIdentification"
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

GROUP = "hepgrad.stages"


def available_stages() -> dict[str, str]:
    """Return the names of the stages that installed packages offer, each with the distribution it comes from.

    Nothing is imported. The stages of `hepgrad.analysis.stages` are not listed.

    Examples
    --------
    >>> from hepgrad.analysis import available_stages
    >>> for name, distribution in available_stages().items():
    ...     print(f"{name} from {distribution}")
    """
    return {entry.name: _distribution(entry) for entry in entry_points(group=GROUP)}


def load_stage(name: str) -> Callable[..., Any]:
    """Return a stage, or a class of stages, that an installed package offers.

    Parameters
    ----------
    name
        One of `available_stages`.

    Raises
    ------
    KeyError
        When no distribution offers it.
    ValueError
        When several do.
    ImportError
        When it cannot be imported; names the distribution.
    TypeError
        When it is no function or class.
    """
    entries = list(entry_points(group=GROUP, name=name))
    if not entries:
        raise KeyError(f"no installed package offers the stage {name!r}; there is {list(available_stages()) or 'none'}")
    if len(entries) > 1:
        raise ValueError(
            f"the stage {name!r} is offered by {' and '.join(map(_distribution, entries))}; uninstall all but one, or "
            "import the one you mean"
        )
    entry = entries[0]
    try:
        stage = entry.load()
    except Exception as error:  # importing runs code of others, which may fail in any way
        raise ImportError(
            f"the stage {name!r} of {_distribution(entry)} cannot be imported from {entry.value}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not callable(stage):
        raise TypeError(
            f"the stage {name!r} of {_distribution(entry)} must be a stage or a class of stages; {entry.value} is a "
            f"{type(stage).__name__}"
        )
    return stage


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"
