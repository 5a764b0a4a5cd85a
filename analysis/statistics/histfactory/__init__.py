"""HistFactory: a differentiable model of channels, samples and modifiers that agrees with pyhf."""

from __future__ import annotations

from .channel import FitChannel, FitSample
from .model import Model
from .modifiers import HistoSys, Lumi, Modifier, NormFactor, NormSys, ShapeFactor, ShapeSys, StatError
from .parameters import ParameterConfig
from .patches import Patch, PatchSet, digest, patched
from .templates import ModelTemplates
from .workspace import from_workspace, to_workspace

__all__ = [
    "FitChannel",
    "FitSample",
    "HistoSys",
    "Lumi",
    "Model",
    "ModelTemplates",
    "Modifier",
    "NormFactor",
    "NormSys",
    "ParameterConfig",
    "Patch",
    "PatchSet",
    "ShapeFactor",
    "ShapeSys",
    "StatError",
    "digest",
    "from_workspace",
    "patched",
    "to_workspace",
]

# what `FitSample` was called before; not to be taken for `hepgrad.workflows.Sample`
Sample = FitSample


def __dir__() -> list[str]:
    return __all__
