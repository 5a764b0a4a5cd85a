"""Systems of several jets, in plain Awkward Array."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import types

import awkward as ak
import numpy as np

from .formulas import Momentum, invariant_mass, kinematics, window
from .objects import Objects

MEMBERS = ("first", "second", "third", "fourth")


def leading_momentum(objects, *, fill_value=None):
    ranked = objects.leading_first()
    first = ranked.array[ranked.passed][:, :1]
    return Momentum(*(ak.fill_none(ak.firsts(part), fill_value or 0.0) for part in Momentum.of(first).components))


def total_momentum(objects):
    return Momentum(*(ak.sum(part, axis=1) for part in Momentum.of(objects.array[objects.passed]).components))


def _with_kinematics(objects, names):
    members = [objects[name] for name in names]
    total = functools.reduce(Momentum.__add__, map(Momentum.of, members))
    return objects.with_field(pt=total.pt, eta=total.eta, phi=total.phi, mass=invariant_mass(*members))


def systems(objects, n, **_):
    return _with_kinematics(objects.combinations(n, fields=MEMBERS[:n]), MEMBERS[:n])


def joint_systems(first, second, **_):
    first, second = first.leading_first(), second.leading_first()
    members = ak.unzip(ak.cartesian([first.array, second.array]))
    passed = ak.unzip(ak.cartesian([first.passed, second.passed]))
    array = ak.zip(dict(zip(MEMBERS[:2], members, strict=True)), depth_limit=2)
    return _with_kinematics(Objects(array, passed[0] & passed[1]), MEMBERS[:2])


def nearest_in_mass(objects, mass):
    return objects.with_field(mass_distance=abs(objects.mass - mass)).ordered_by("mass_distance", ascending=True)


def smooth_choice(objects, field, *, by, temperature, fill_value=None):
    values, x = objects[field][objects.passed], objects[by][objects.passed]
    weights = np.exp((ak.min(x, axis=1) - x) / temperature)
    return ak.fill_none(ak.sum(weights * values, axis=1) / ak.sum(weights, axis=1), 0) + ak.where(
        objects.none(), fill_value or 0.0, 0
    )


def trijets(jets, tagged, **_):
    jets = jets.with_field(tagged=tagged).leading_first()
    trios = ak.combinations(jets.array[jets.passed], 3, fields=["first", "second", "third"])
    members = dict(zip(trios.fields, ak.unzip(trios), strict=True))
    first, second, third = members.values()
    total = Momentum.of(first) + Momentum.of(second) + Momentum.of(third)
    parts = {"pt": total.pt, "eta": total.eta, "phi": total.phi, "mass": invariant_mass(first, second, third)}
    made = Objects(ak.zip({**members, **parts}, depth_limit=2))
    return made.select(first.tagged | second.tagged | third.tagged).ordered_by("pt")


@dataclasses.dataclass(frozen=True)
class TopMasses:
    """Expected masses and their resolutions, in GeV."""

    w_resolution: float
    hadronic_resolution: float
    leptonic_resolution: float
    w: float = 80.4
    top: float = 172.5


def top_pairs(jets, lepton, neutrino, masses, *, btagged=None, **_):
    tagged = jets.passed if btagged is None else btagged
    jets = jets.with_field(tagged=tagged, position=ak.local_index(jets.array, axis=1)).leading_first()
    four = ak.unzip(ak.combinations(jets.array[jets.passed], 4))
    momenta = [Momentum.of(jet) for jet in four]
    leptonic_w = lepton + neutrino

    def assignment(b1, b2):
        i, j = (k for k in range(4) if k not in (b1, b2))
        w = momenta[i] + momenta[j]
        leptonic, hadronic = leptonic_w + momenta[b1], w + momenta[b2]
        return {
            "chi_square": ((w.mass - masses.w) / masses.w_resolution) ** 2
            + ((hadronic.mass - masses.top) / masses.hadronic_resolution) ** 2
            + ((leptonic.mass - masses.top) / masses.leptonic_resolution) ** 2,
            "w_mass": w.mass,
            "hadronic_mass": hadronic.mass,
            "hadronic_pt": hadronic.pt,
            "leptonic_mass": leptonic.mass,
            "leptonic_pt": leptonic.pt,
            "mass": (leptonic + hadronic).mass,
            "b_leptonic": four[b1].position,
            "b_hadronic": four[b2].position,
            "light1": four[i].position,
            "light2": four[j].position,
            "tagged": four[b1].tagged & four[b2].tagged,
        }

    def better(a, b):
        first = a["chi_square"] <= b["chi_square"]
        return {name: ak.where(first, a[name], b[name]) for name in a}

    # of two assignments that differ only in which b is which, the better one
    best = [better(assignment(a, b), assignment(b, a)) for a, b in itertools.combinations(range(4), 2)]
    if btagged is None:
        best = [functools.reduce(better, best)]
    array = ak.concatenate([ak.zip(each) for each in best], axis=1)
    return Objects(array, array.tagged)


reconstruction = types.SimpleNamespace(
    TopMasses=TopMasses,
    joint_systems=joint_systems,
    leading_momentum=leading_momentum,
    nearest_in_mass=nearest_in_mass,
    smooth_choice=smooth_choice,
    systems=systems,
    top_pairs=top_pairs,
    total_momentum=total_momentum,
    trijets=trijets,
)
analysis = types.SimpleNamespace(Objects=Objects, kinematics=kinematics, reconstruction=reconstruction, window=window)
