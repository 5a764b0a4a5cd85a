"""HistFactory: a differentiable model of channels, samples and modifiers that agrees with pyhf."""

from __future__ import annotations

from .channel import FitChannel as FitChannel
from .channel import Sample as Sample
from .model import Model as Model
from .modifiers import HistoSys as HistoSys
from .modifiers import Lumi as Lumi
from .modifiers import Modifier as Modifier
from .modifiers import NormFactor as NormFactor
from .modifiers import NormSys as NormSys
from .modifiers import ShapeFactor as ShapeFactor
from .modifiers import ShapeSys as ShapeSys
from .modifiers import StatError as StatError
from .parameters import ParameterConfig as ParameterConfig
from .patches import Patch as Patch
from .patches import PatchSet as PatchSet
from .patches import digest as digest
from .patches import patched as patched
from .templates import Templates as Templates
from .workspace import from_workspace as from_workspace
from .workspace import to_workspace as to_workspace
