"""The same analysis on the challenge's own simulation: CMS Open Data of 2015, by the challenge's list of files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hepgrad.analysis.systematics import AlternativeSample

from ...workflow import Process
from .analysis import MODEL, TTBAR_AGC
from .systematics import SYSTEMATICS

# in pb, as the challenge quotes them; W + jets with the share of its decays to a lepton that the sample has
CROSS_SECTIONS = {
    "ttbar": 396.87 + 332.97,
    "single_top_s_chan": 2.0268 + 1.2676,
    "single_top_t_chan": (36.993 + 22.175) / 0.252,
    "single_top_tW": 37.936 + 37.906,
    "wjets": 61457 * 0.252,
}

# what the embedded events lack: production with a W boson, and another matrix element
SINGLE_TOP_W = Process("single_top_tW", label="tW")
OTHER_MATRIX_ELEMENT = Process("ttbar_ME_var", datasets=("ttbar:ME_var",), cross_section_of="ttbar")

MODEL_OPEN_DATA = dataclasses.replace(
    MODEL, systematics=[*SYSTEMATICS, AlternativeSample("ttbar_ME_var", "ttbar", up="ttbar_ME_var")]
)

TTBAR_AGC_OPEN_DATA = dataclasses.replace(
    TTBAR_AGC,
    name="ttbar-agc-open-data",
    title="Top-pair cross-section of the Analysis Grand Challenge, lepton + jets, simulation of CMS Open Data 2015",
    analysis=dataclasses.replace(TTBAR_AGC.analysis, model=MODEL_OPEN_DATA),
    processes=(*TTBAR_AGC.processes, SINGLE_TOP_W, OTHER_MATRIX_ELEMENT),
    cross_sections=CROSS_SECTIONS,
    data=Path("nanoaod_inputs.json"),
)
