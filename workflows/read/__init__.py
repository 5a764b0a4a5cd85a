"""Reading events from ROOT files."""

from __future__ import annotations

from .coffea_reader import CoffeaReader as CoffeaReader
from .events import iterate_events as iterate_events
from .events import read_events as read_events
from .fileset import Fileset as Fileset
from .filesets.lumi_mask import LumiMask as LumiMask
from .ingredient import Ingredient as Ingredient
from .ingredient import Ingredients as Ingredients
from .ingredient import simulated as simulated
from .layout import FLAT as FLAT
from .layout import NANOAOD as NANOAOD
from .layout import Layout as Layout
from .loading import load as load
from .sample import Keep as Keep
from .sample import Sample as Sample
