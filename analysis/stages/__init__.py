"""Stages in the box: each says in a line what it does, and derives from it the branches and parameters it needs.

They compose with one's own functions (`hepgrad.analysis.stage`) in any order. Quantities and conditions are text, in
the syntax of Python; `parse` says what is understood.
"""

from __future__ import annotations

from .cleaning import Cleaning as Cleaning
from .event_selection import EventSelection as EventSelection
from .event_weight import EventWeight as EventWeight
from .expression import Expression as Expression
from .expression import parse as parse
from .networks.equinox_network import EquinoxNetwork as EquinoxNetwork
from .networks.equinox_network import from_equinox as from_equinox
from .networks.perceptron import Perceptron as Perceptron
from .networks.score import Score as Score
from .object_selection import ObjectSelection as ObjectSelection
from .observable import Observable as Observable
from .reconstruct.hadronic_top import HadronicTop as HadronicTop
from .reconstruct.leptonic_w import LeptonicW as LeptonicW
from .reconstruct.top_pair import TopPair as TopPair
from .reconstruct.transverse_mass import TransverseMass as TransverseMass
from .scale_factors import ScaleFactors as ScaleFactors
from .table import Table as Table
