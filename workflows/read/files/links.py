"""Element links of ATLAS files: a hash of the container that is pointed into, and a position there."""

from __future__ import annotations

from collections.abc import Iterable

import awkward as ak
import numpy as np

from hepgrad.analysis.printing import meant

from ...errors import InputError

KEY, INDEX = "m_persKey", "m_persIndex"
NOWHERE = -1
# stands between a branch of links and the container that they are followed into
ARROW = "->"

# the identifiers of the classes of containers, from CLASS_DEF in the headers of Athena's xAOD packages
_CLASSES = {
    "BTaggingContainer": 1264356158,
    "CaloClusterContainer": 1219821989,
    "ElectronContainer": 1087532415,
    "FlowElementContainer": 1158384067,
    "JetContainer": 1244316195,
    "MuonContainer": 1178459224,
    "MuonSegmentContainer": 1129401482,
    "PhotonContainer": 1105575213,
    "TauJetContainer": 1177172564,
    "TauTrackContainer": 1306133771,
    "TrackParticleContainer": 1287425431,
    "TruthParticleContainer": 1237340765,
    "TruthVertexContainer": 1239726567,
    "VertexContainer": 1092961325,
}
# what links of PHYSLITE point into and PHYSLITE leaves out
_LEFT_OUT = ("CaloCalTopoClusters", "InDetForwardTrackParticles", "MuonSegments", "TruthParticles", "TruthVertices")
_POLYNOMIAL = 0x95AC9329AC4BC9B5


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = [_remainder(byte) for byte in range(256)]


def container_key(name: str, class_id: int) -> int:
    """Return the key by which links name a container: ``SG::StringPool::stringToKey`` of Athena.

    That is a CRC-64 of the name and of the bytes of the identifier of its class, lowest first, cut to 30 bits.

    Examples
    --------
    >>> container_key("AnalysisMuons", 1178459224)
    980095599
    """
    code = 2**64 - 1
    for byte in (*name.encode(), *class_id.to_bytes(4, "little").rstrip(b"\0")):
        code = _TABLE[(code ^ byte) & 0xFF] ^ (code >> 8)
    return code & (2**30 - 1)


def with_keys(branch: str) -> str:
    """Return a branch with the keys that its container may have in place of the name, if it is one of element links."""
    before, arrow, into = branch.partition(ARROW)
    if not arrow or into.strip().isdigit():
        return branch
    return f"{before.strip()} -> {','.join(str(container_key(into.strip(), each)) for each in _CLASSES.values())}"


def positions(links: ak.Array, what: str, into: str, branches: Iterable[str]) -> ak.Array:
    """Return the positions that links have in one container: -1 for links to nothing and into other containers.

    ``what`` the links are begins messages, ``branches`` are all of the tree. Raises `InputError` when no container is
    named, the tree has none of the name, or links are into unknown ones only.
    """
    keys = ak.to_numpy(ak.flatten(links[KEY], axis=None))
    keys = np.unique(keys[keys != 0]).tolist()
    there = sorted({name.split("Aux")[0] for name in branches if "Aux" in name.split(".")[0]})
    known = {container_key(name, each): name for name in (*_LEFT_OUT, *there) for each in _CLASSES.values()}
    told = ", ".join(str(known.get(key, f"a container with the key {key}")) for key in keys) or "nothing"
    if not into:
        into = str(next((known.get(key, key) for key in keys), "CONTAINER"))
        raise InputError(f"{what} holds element links, into {told}; say which to follow: '... {ARROW} {into}'")
    if into not in there and not into.isdigit():
        raise InputError(
            f"{what} is to be followed into {into!r}, and the tree has no such container; its links are into "
            f"{told}{meant(into, there)}"
        )
    wanted = next((key for key in keys if into in (str(key), known.get(key))), None)
    # one of those may be meant, if it holds objects of a class that is not listed above
    if wanted is None and any(key not in known for key in keys):
        raise InputError(
            f"{what} is to be followed into {into!r}, and its links are into {told}; "
            f"'{ARROW} KEY' follows those with a key"
        )
    # no key is 2**30 or more
    followed = ak.where(links[KEY] == (wanted or 2**30), links[INDEX], NOWHERE)
    return ak.values_astype(followed, np.int32)
