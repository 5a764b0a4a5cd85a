"""Statistical models and what to expect from them."""

from __future__ import annotations

from .asimov import BackgroundOnlyFit, asimov_z, background_only_fit, discovery_significance
from .counting_model import CountingModel
from .fitting import FitError, FitResult, fit
from .histfactory import (
    FitChannel,
    FitSample,
    HistoSys,
    Lumi,
    Model,
    NormFactor,
    NormSys,
    ParameterConfig,
    ShapeFactor,
    ShapeSys,
    StatError,
    from_workspace,
    to_workspace,
)
from .statistical_model import FigureOfMerit, StatisticalModel
from .template_model import TemplateModel

__all__ = [
    "BackgroundOnlyFit",
    "CountingModel",
    "FigureOfMerit",
    "FitChannel",
    "FitError",
    "FitResult",
    "FitSample",
    "HistoSys",
    "Lumi",
    "Model",
    "NormFactor",
    "NormSys",
    "ParameterConfig",
    "ShapeFactor",
    "ShapeSys",
    "StatError",
    "StatisticalModel",
    "TemplateModel",
    "asimov_z",
    "background_only_fit",
    "discovery_significance",
    "fit",
    "from_workspace",
    "to_workspace",
]

# what `FitSample` was called before; not to be taken for `hepgrad.workflows.Sample`
Sample = FitSample


def __dir__() -> list[str]:
    return __all__
