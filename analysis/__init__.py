"""Differentiable analyses: parameters, selection in two readings, histograms, statistics and optimisation."""

from __future__ import annotations

from .analysis import Analysis
from .channel import Channel
from .comparisons import measured_widths
from .data.dataset import Dataset, default_block_size
from .doctor import Diagnosis, Finding, Severity, check
from .histogram import Biweight, Counts, Gaussian, Regular, Variable
from .optimisation import (
    Anneal,
    Attempt,
    Checkpoint,
    CrossFit,
    Folds,
    MaximumChange,
    MinimumYield,
    NonClosure,
    Outcome,
    Penalty,
    Point,
    Result,
    Schedule,
    Split,
    StepRecord,
    Watcher,
    averaged,
    cross_fit,
    draw_starts,
    fold_numbers,
    folds,
    optimize,
    split,
)
from .parameters.bounds import Projection, Smooth
from .parameters.choice import WholeNumber, WorkingPoint
from .parameters.edges import Edges
from .parameters.optimisable import Optimisable
from .parameters.parameter import Parameter
from .parameters.parameters import Parameters
from .parameters.weights import Weights
from .selection.cut import Hard, Pass, Reading, Soft, StraightThrough
from .selection.cutflow import Cutflow
from .selection.events import Events
from .selection.objects import Objects
from .selection.threshold import Cuts, Threshold
from .selection.windows import window
from .stages.contract import AnyStage, Stage, stage
from .stages.plugins import available_stages, load_stage
from .statistics import (
    CountingModel,
    FitChannel,
    FitError,
    FitResult,
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
    TemplateModel,
    fit,
    from_workspace,
    to_workspace,
)
from .systematics import (
    ABCD,
    AlternativeSample,
    FreeNormalisation,
    KinematicVariation,
    Normalisation,
    WeightSet,
    WeightVariation,
)

__all__ = [
    "ABCD",
    "AlternativeSample",
    "Analysis",
    "Anneal",
    "AnyStage",
    "Attempt",
    "Biweight",
    "Channel",
    "Checkpoint",
    "CountingModel",
    "Counts",
    "CrossFit",
    "Cutflow",
    "Cuts",
    "Dataset",
    "Diagnosis",
    "Edges",
    "Events",
    "Finding",
    "FitChannel",
    "FitError",
    "FitResult",
    "FitSample",
    "Folds",
    "FreeNormalisation",
    "Gaussian",
    "Hard",
    "HistoSys",
    "KinematicVariation",
    "Lumi",
    "MaximumChange",
    "MinimumYield",
    "Model",
    "NonClosure",
    "NormFactor",
    "NormSys",
    "Normalisation",
    "Objects",
    "Optimisable",
    "Outcome",
    "Parameter",
    "ParameterConfig",
    "Parameters",
    "Pass",
    "Penalty",
    "Point",
    "Projection",
    "Reading",
    "Regular",
    "Result",
    "Schedule",
    "Severity",
    "ShapeFactor",
    "ShapeSys",
    "Smooth",
    "Soft",
    "Split",
    "Stage",
    "StatError",
    "StepRecord",
    "StraightThrough",
    "TemplateModel",
    "Threshold",
    "Variable",
    "Watcher",
    "WeightSet",
    "WeightVariation",
    "Weights",
    "WholeNumber",
    "WorkingPoint",
    "available_stages",
    "averaged",
    "check",
    "cross_fit",
    "default_block_size",
    "draw_starts",
    "fit",
    "fold_numbers",
    "folds",
    "from_workspace",
    "load_stage",
    "measured_widths",
    "optimize",
    "split",
    "stage",
    "to_workspace",
    "window",
]

# what `FitSample` was called before; not to be taken for `hepgrad.workflows.Sample`
Sample = FitSample
# what `StepRecord` was called before; not to be taken for `hepgrad.ragged.Record`
Record = StepRecord


def __dir__() -> list[str]:
    return __all__
