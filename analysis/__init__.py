"""Differentiable analyses: parameters, selection in two readings, histograms, statistics and optimisation."""

from __future__ import annotations

from .analysis import Analysis as Analysis
from .analysis import Channel as Channel
from .cut import Cuts as Cuts
from .cut import Hard as Hard
from .cut import Pass as Pass
from .cut import Reading as Reading
from .cut import Soft as Soft
from .cut import StraightThrough as StraightThrough
from .cut import Threshold as Threshold
from .cutflow import Cutflow as Cutflow
from .dataset import Dataset as Dataset
from .events import Events as Events
from .events import Objects as Objects
from .histogram import Counts as Counts
from .histogram import Regular as Regular
from .histogram import Variable as Variable
from .optimize import Anneal as Anneal
from .optimize import Checkpoint as Checkpoint
from .optimize import Evaluation as Evaluation
from .optimize import Point as Point
from .optimize import Record as Record
from .optimize import Result as Result
from .optimize import Split as Split
from .optimize import optimize as optimize
from .parameters import Parameter as Parameter
from .parameters import Parameters as Parameters
from .stage import Stage as Stage
from .stage import stage as stage
from .statistics import CountingModel as CountingModel
