"""Backgrounds that collision data estimate: which events they are made of, and what each of these counts for."""

from __future__ import annotations

from .contract import Estimate
from .fake_rate import FakeRate
from .same_sign import SameSign
from .sidebands import Sidebands

__all__ = ["Estimate", "FakeRate", "SameSign", "Sidebands"]


def __dir__() -> list[str]:
    return __all__
