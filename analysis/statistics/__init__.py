"""Statistical models and what to expect from them."""

from __future__ import annotations

from .asimov import BackgroundOnlyFit as BackgroundOnlyFit
from .asimov import asimov_z as asimov_z
from .asimov import background_only_fit as background_only_fit
from .asimov import discovery_significance as discovery_significance
from .counting_model import CountingModel as CountingModel
from .fitting import FitError as FitError
from .fitting import FitResult as FitResult
from .fitting import fit as fit
from .histfactory import FitChannel as FitChannel
from .histfactory import HistoSys as HistoSys
from .histfactory import Lumi as Lumi
from .histfactory import Model as Model
from .histfactory import NormFactor as NormFactor
from .histfactory import NormSys as NormSys
from .histfactory import ParameterConfig as ParameterConfig
from .histfactory import Sample as Sample
from .histfactory import ShapeFactor as ShapeFactor
from .histfactory import ShapeSys as ShapeSys
from .histfactory import StatError as StatError
from .histfactory import from_workspace as from_workspace
from .histfactory import to_workspace as to_workspace
from .statistical_model import FigureOfMerit as FigureOfMerit
from .statistical_model import StatisticalModel as StatisticalModel
from .template_model import TemplateModel as TemplateModel
