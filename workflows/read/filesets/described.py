"""What a fileset says of one sample, checked before anything is read."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...errors import InputError
from ..files.paths import check_distinct, expanded, is_remote
from ..sample import WEIGHT, Sample
from .lumi_mask import LumiMask

NOMINAL = "nominal"
# between a sample and its variation
SEPARATOR = ":"

NUMBERS = ("xsec_pb", "sumw_total", "nevts_total", "lumi_pb")
OF_SAMPLE = ("files", *NUMBERS, "weight", "lumi_mask", "friends", "era", "extends")
OF_FILE = ("path", "sumw", "nevts", "friends")
# in a friend of a sample, what stands for the name of each file without its suffix
STEM = "{file}"
# what describes a sample and is not used; keys that begin with an underscore are anybody's own
NOTES = (
    *("comment", "description", "metadata", "seed", "nevts_generated"),
    *("xsec_pb_generator", "pythia_settings"),
)


def described_sample(name: str, entry: Any, source: Any) -> Sample:
    """Return a sample as an entry of a fileset describes it; see `Fileset.load`.

    Raises `InputError` when the entry does not have the layout, has an unknown key or a value of another type, lists a
    file twice, or the parts that its files hold do not add up to the whole.
    """
    base, _, variation = name.partition(SEPARATOR)
    files = entry.get("files") if isinstance(entry, dict) else None
    if not isinstance(files, list) or not files or not all(_is_file(file) for file in files):
        raise InputError(
            f'{source}: sample {name!r} must look like {{"{variation or NOMINAL}": {{"files": '
            f'[{{"path": "{base}.root"}}]}}}} and list at least one file'
        )
    where = f"{source}: sample {name!r}"
    check_keys(entry, OF_SAMPLE, where)
    described = [file if isinstance(file, dict) else {"path": file} for file in files]
    for file in described:
        check_keys(file, OF_FILE, f"{where}, file {file['path']!r}")
    numbers = {key: _number(entry.get(key), key, name, source) for key in NUMBERS}
    for key in ("xsec_pb", "sumw_total"):
        if numbers["lumi_pb"] is not None and numbers[key] is not None:
            raise InputError(f"{where} has lumi_pb and {key}, which would normalise it in two ways; keep one")
    if (generated := numbers["nevts_total"]) is not None and math.isnan(generated):
        raise InputError(f"{where}: nevts_total must be a number, got {generated}")
    every_event_alike = numbers["sumw_total"] is None and (
        numbers["nevts_total"] is not None or numbers["lumi_pb"] is not None
    )
    weight = entry.get("weight", None if every_event_alike else WEIGHT)
    if not isinstance(weight, str | None) or weight == "":
        raise InputError(f"{source}: weight of sample {name!r} must be the name of a column or null, got {weight!r}")
    total, share = ("sumw_total", "sumw") if weight else ("nevts_total", "nevts")
    paths = [expanded(_resolve(file["path"], source.parent), f"{where}: ") for file in described]
    every = tuple(path for each in paths for path in each)
    check_distinct(every, where)
    parts = {key: _parts(described, paths, key, name, source) for key in ("sumw", "nevts")}
    for key, whole in (("sumw", "sumw_total"), ("nevts", "nevts_total")):
        _check_sum(parts[key], key, numbers[whole], whole, where)
    _text(entry, "extends", where)
    friends = _friends(entry, described, paths, where, source)
    mask = _mask(entry.get("lumi_mask"), numbers["lumi_pb"], where, source)
    complete = (known for key in (share, "nevts") if (known := _all(parts[key])) is not None)
    return Sample(
        name,
        every,
        source,
        cross_section=numbers["xsec_pb"],
        sum_of_weights=numbers[total],
        weight=weight or "",
        luminosity=numbers["lumi_pb"],
        shares=next(complete, None),
        generated_events=numbers["nevts_total"],
        file_events=parts["nevts"],
        file_weights=parts["sumw"],
        keep=() if mask is None else (mask,),
        reads=() if mask is None else LumiMask.READS,
        friends=friends,
        era=_text(entry, "era", where),
    )


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key, "")
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise InputError(f"{where}: {key} must be a name, got {value!r}")
    return str(value)


def _friends(
    entry: Mapping[str, Any],
    described: Sequence[Mapping[str, Any]],
    paths: Sequence[Sequence[str]],
    where: str,
    source: Any,
) -> tuple[tuple[str, ...], ...]:
    """Return the friends of each file: those of its own entry, and those of the sample, which say its name."""

    def listed(told: Any, of: str) -> list[str]:
        friends = [told] if isinstance(told, str) else [] if told is None else told
        if not isinstance(friends, list) or not all(isinstance(friend, str) and friend for friend in friends):
            raise InputError(f"{of}: friends are paths of files, got {told!r}")
        return friends

    of_all = listed(entry.get("friends"), where)
    several = sum(map(len, paths)) > 1
    if several and (same := [friend for friend in of_all if STEM not in friend]):
        raise InputError(
            f"{where}: the friend {same[0]!r} cannot be that of all files; write {STEM} for the name of each, as in "
            f'"scores/{STEM}.parquet"'
        )
    found = []
    for file, each in zip(described, paths, strict=True):
        own = listed(file.get("friends"), f"{where}, file {file['path']!r}")
        if own and len(each) > 1:
            raise InputError(f"{where}: {file['path']!r} stands for several files, and friends are those of one")
        for path in each:
            stem = path.rpartition("/")[2].removesuffix(".root")
            friends = (*own, *(friend.replace(STEM, stem) for friend in of_all))
            found.append(tuple(_resolve(friend, source.parent) for friend in friends))
    return tuple(found) if any(found) else ()


def _mask(path: Any, luminosity: float | None, where: str, source: Any) -> LumiMask | None:
    if path is None:
        return None
    if not isinstance(path, str) or luminosity is None:
        raise InputError(f"{where}: lumi_mask is the path of a JSON file, for collision data, which have lumi_pb")
    try:
        return LumiMask.load(source.parent / path)
    except InputError as error:
        raise InputError(f"{where}: its lumi_mask {error}") from error


def check_keys(found: Iterable[str], known: Sequence[str], where: str) -> None:
    """Raise an error when a key is unknown.

    The error names the key, and the one that was probably meant.
    """
    for key in found:
        if key not in known and key not in NOTES and not key.startswith("_"):
            (nearest,) = difflib.get_close_matches(key, known, n=1, cutoff=0)
            raise InputError(
                f"{where} has the key {key!r}, which means nothing; did you mean {nearest!r}? The keys are "
                f"{', '.join(known)}; notes of your own may have keys that begin with an underscore"
            )


def _is_file(file: Any) -> bool:
    path = file.get("path") if isinstance(file, dict) else file
    return isinstance(path, str) and path != ""


def _parts(
    described: Sequence[Mapping[str, Any]], paths: Sequence[Sequence[str]], key: str, name: str, source: Any
) -> tuple[float | None, ...]:
    """Return what each file holds; nothing when no entry says it, or one stands for several files."""
    found = [_number(file.get(key), f"{key} of {file['path']}", name, source) for file in described]
    for file, number in zip(described, found, strict=True):
        if number is not None and not (math.isfinite(number) and (number >= 0 or key == "sumw")):
            raise InputError(f"{source}: {key} of {file['path']} of sample {name!r} cannot be {number}")
    several = any(len(each) > 1 for each in paths)
    return () if several or all(number is None for number in found) else tuple(found)


def _all(parts: tuple[float | None, ...]) -> tuple[float, ...] | None:
    known = tuple(part for part in parts if part is not None)
    return known if known and len(known) == len(parts) else None


def _check_sum(parts: tuple[float | None, ...], key: str, total: float | None, whole: str, where: str) -> None:
    """Compare what all files hold with what is said of the whole sample."""
    known = _all(parts)
    if known is None or total is None or not math.isfinite(total):
        return
    added = math.fsum(known)
    if abs(added - total) > 1e-3 * abs(total):
        raise InputError(
            f"{where}: {key} of its {len(known)} files add up to {added:g}, and {whole} is {total:g}; correct one of "
            "them, or the list of files"
        )


def _number(value: Any, key: str, name: str, source: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{source}: {key} of sample {name!r} must be a number, got {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise InputError(f"{source}: {key} of sample {name!r} is too large a number") from None


def _resolve(path: str, folder: Any) -> str:
    return path if is_remote(path) else str(folder / path)
