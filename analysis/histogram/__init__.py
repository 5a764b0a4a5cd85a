"""Histograms with gradients: one axis definition, a soft and a hard way to fill it."""

from __future__ import annotations

from .axis import Axis as Axis
from .axis import Regular as Regular
from .axis import Variable as Variable
from .convert import from_hist as from_hist
from .convert import to_hist as to_hist
from .counts import Counts as Counts
from .hard import fill_hard as fill_hard
from .kernel import Biweight as Biweight
from .kernel import Gaussian as Gaussian
from .kernel import Kernel as Kernel
from .movable_edges import free_of_edges as free_of_edges
from .movable_edges import ordered_edges as ordered_edges
from .soft import DEFAULT_KERNEL as DEFAULT_KERNEL
from .soft import fill_soft as fill_soft
