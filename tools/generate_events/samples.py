"""The samples: what Pythia is asked for, and how many events of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """One process: its Pythia settings, how many events to generate, and an optional benchmark cross-section.

    A sample that simulates a process in another way is a variation of that process in ``fileset.json``.
    """

    number: int
    events: int
    settings: str  # separated by blanks
    benchmark_xsec_pb: float | None = None
    process: str = ""  # that of the sample's name by default
    variation: str = "nominal"


def pt_biased(minimum: float, power: float) -> str:
    """Settings for pT-hat > minimum, generated (pT-hat / 400 GeV)^power times as often and weighted by the inverse."""
    bias = f"PhaseSpace:bias2Selection=on PhaseSpace:bias2SelectionPow={power} PhaseSpace:bias2SelectionRef=400."
    return f" PhaseSpace:pTHatMin={minimum} {bias}"


def other_scales(factor: float) -> str:
    """Settings for renormalisation and factorisation scales multiplied by the root of a factor."""
    names = ("SigmaProcess:renorm", "SigmaProcess:factor", "SpaceShower:renorm", "TimeShower:renorm")
    return "".join(f" {name}MultFac={factor}" for name in names)


ZPRIME = "NewGaugeBoson:ffbar2gmZZprime=on Zprime:gmZmode=3 32:m0=2000. 32:mMin=1000. 32:mMax=3000."
TTBAR = "Top:gg2ttbar=on Top:qqbar2ttbar=on SpaceShower:pTmaxMatch=1"  # no shower jets harder than the top quarks
WJETS = "WeakBosonAndParton:qqbar2Wg=on WeakBosonAndParton:qg2Wq=on"
ZJETS = "WeakBosonAndParton:qqbar2gmZg=on WeakBosonAndParton:qg2gmZq=on 23:mMin=50."
SINGLE_TOP = "Top:qq2tq(t:W)=on"
VINCIA = " PartonShowers:model=2"  # another parton shower
ZPRIME_SAMPLES = {
    "zprime_2000": Sample(1, 52_000, ZPRIME + " 32:onMode=off 32:onIfAny=6", benchmark_xsec_pb=0.13),
    "ttbar": Sample(2, 330_000, TTBAR + pt_biased(150.0, 4.5)),
    "wjets": Sample(3, 240_000, WJETS + pt_biased(250.0, 3.5)),
    "single_top_t_chan": Sample(4, 45_000, SINGLE_TOP + pt_biased(200.0, 3.0)),
    "zjets": Sample(5, 100_000, ZJETS + pt_biased(250.0, 3.0)),
}
TTBAR_SAMPLES = {
    "ttbar": Sample(11, 150_400, TTBAR),
    "ttbar_scaleup": Sample(12, 47_000, TTBAR + other_scales(4.0), process="ttbar", variation="scaleup"),
    "ttbar_scaledown": Sample(13, 47_000, TTBAR + other_scales(0.25), process="ttbar", variation="scaledown"),
    "ttbar_PS_var": Sample(14, 28_200, TTBAR + VINCIA, process="ttbar", variation="PS_var"),
    "wjets": Sample(15, 1_320_000, WJETS + pt_biased(80.0, 1.0)),
    "single_top_s_chan": Sample(16, 36_000, "Top:ffbar2tqbar(s:W)=on"),
    "single_top_t_chan": Sample(17, 144_000, SINGLE_TOP),
}
