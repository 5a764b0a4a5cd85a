"""Stages in the box: each says in a line what it does, and derives from it the branches and parameters it needs.

They compose with one's own functions (`hepgrad.analysis.stage`) in any order. Quantities and conditions are text, in
the syntax of Python; `parse` says what is understood.
"""

from __future__ import annotations

from .cleaning import Cleaning
from .correction_weight import CorrectionWeight, WordVariation, btag_shape, by_bins
from .event_selection import EventSelection
from .event_weight import EventWeight
from .expression import Expression, parse
from .networks.equinox_network import EquinoxNetwork, from_equinox
from .networks.layers import feed_forward
from .networks.perceptron import Perceptron
from .networks.score import Score
from .object_selection import ObjectSelection
from .observable import Observable
from .reconstruct.hadronic_top import HadronicTop
from .reconstruct.leptonic_w import LeptonicW
from .reconstruct.top_pair import TopPair
from .reconstruct.transverse_mass import TransverseMass
from .scale_factors import ScaleFactors
from .table import Table
from .taggers.boosted_trees import BoostedTrees
from .taggers.once import scored_once
from .taggers.onnx_network import OnnxNetwork, from_onnx, from_torch
from .working_point import TagEfficiency, WorkingPointWeight

__all__ = [
    "BoostedTrees",
    "Cleaning",
    "CorrectionWeight",
    "EquinoxNetwork",
    "EventSelection",
    "EventWeight",
    "Expression",
    "HadronicTop",
    "LeptonicW",
    "ObjectSelection",
    "Observable",
    "OnnxNetwork",
    "Perceptron",
    "ScaleFactors",
    "Score",
    "Table",
    "TagEfficiency",
    "TopPair",
    "TransverseMass",
    "WordVariation",
    "WorkingPointWeight",
    "btag_shape",
    "by_bins",
    "feed_forward",
    "from_equinox",
    "from_onnx",
    "from_torch",
    "parse",
    "scored_once",
]


def __dir__() -> list[str]:
    return __all__
