"""HistFactory: a differentiable model of channels, samples and modifiers that agrees with pyhf."""

from __future__ import annotations

from .channel import FitChannel, Sample
from .model import Model
from .modifiers import HistoSys, Lumi, Modifier, NormFactor, NormSys, ShapeFactor, ShapeSys, StatError
from .parameters import ParameterConfig
from .patches import Patch, PatchSet, digest, patched
from .templates import Templates
from .workspace import from_workspace, to_workspace

__all__ = [
    "FitChannel",
    "HistoSys",
    "Lumi",
    "Model",
    "Modifier",
    "NormFactor",
    "NormSys",
    "ParameterConfig",
    "Patch",
    "PatchSet",
    "Sample",
    "ShapeFactor",
    "ShapeSys",
    "StatError",
    "Templates",
    "digest",
    "from_workspace",
    "patched",
    "to_workspace",
]


def __dir__() -> list[str]:
    return __all__
