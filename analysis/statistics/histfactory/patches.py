"""Patches of workspaces: how one background likelihood becomes that of many signals."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonpatch

from .specification import Check, array, fields, number, text, version

Key = str | Sequence[Any]


@dataclasses.dataclass(frozen=True)
class Patch:
    """One patch of a `PatchSet`.

    Attributes
    ----------
    name
        Unique in its set.
    values
        Its place on the axes that the set labels, for instance the masses of two particles.
    operations
        The JSON patch (RFC 6902).

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import Patch
    >>> Patch("heavy", (2000,), [{"op": "remove", "path": "/channels/1"}]).values
    (2000,)
    """

    name: str
    values: tuple[Any, ...]
    operations: Sequence[Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class PatchSet:
    """Patches for one workspace, as pyhf and HEPData publish them; use `of`.

    Attributes
    ----------
    labels
        Of the axes of the patches' values.
    patches
        In the order of the file.
    digests
        By algorithm, the digest of the workspace that the patches are for.
    description
        For people.
    """

    labels: tuple[str, ...]
    patches: tuple[Patch, ...]
    digests: Mapping[str, str]
    description: str = ""

    @classmethod
    def of(cls, document: Any) -> PatchSet:
        """Return the patch set of a document in pyhf's schema ``patchset.json``.

        Parameters
        ----------
        document
            What ``json.load`` returned.

        Raises
        ------
        ValueError
            When it is something else, with the JSON path of the fault; when two patches have one name or the same
            values.

        Examples
        --------
        >>> from hepgrad.analysis.statistics.histfactory import PatchSet
        >>> PatchSet.of({
        ...     "metadata": {"labels": ["mass"], "digests": {"md5": "0" * 32}, "description": "Z'", "references": {}},
        ...     "patches": [{"metadata": {"name": "heavy", "values": [2000]}, "patch": []}],
        ...     "version": "1.0.0",
        ... })["heavy"].values
        (2000,)
        """
        _DOCUMENT(document, "$")
        version(document.get("version", "1.0.0"), "$.version")
        metadata, labels = document["metadata"], tuple(document["metadata"]["labels"])
        patches = tuple(
            Patch(entry["metadata"]["name"], tuple(entry["metadata"]["values"]), entry["patch"])
            for entry in document["patches"]
        )
        seen: dict[Any, int] = {}
        for i, patch in enumerate(patches):
            if len(patch.values) != len(labels):
                raise ValueError(
                    f"$.patches[{i}].metadata.values has {len(patch.values)} entries, but the set has {len(labels)} "
                    f"labels, {list(labels)}"
                )
            for key in (patch.name, patch.values):
                if (before := seen.setdefault(key, i)) != i:
                    raise ValueError(f"$.patches[{i}] and $.patches[{before}] are both called {key!r}")
        return cls(labels, patches, dict(metadata["digests"]), metadata["description"])

    def __getitem__(self, key: Key) -> Patch:
        """Return the patch with this name or these values.

        Raises
        ------
        KeyError
            When there is none.
        """
        for patch in self.patches:
            if patch.name == key or (not isinstance(key, str) and patch.values == tuple(key)):
                return patch
        names = [patch.name for patch in self.patches]
        shown = ", ".join(names[:5]) + (f", ... ({len(names)} patches)" if len(names) > 5 else "")
        raise KeyError(f"the patch set has no patch {key!r}; it has {shown}")

    def __iter__(self) -> Iterator[Patch]:
        return iter(self.patches)

    def __len__(self) -> int:
        return len(self.patches)

    def verify(self, workspace: Mapping[str, Any]) -> None:
        """Check that the patches are made for a workspace, by its digests.

        Raises
        ------
        ValueError
            When they are not.
        """
        for algorithm, expected in self.digests.items():
            found = digest(workspace, algorithm)
            if found != expected.lower():
                raise ValueError(
                    f"the patch set is made for another workspace: its {algorithm} digest is {expected}, that of this "
                    f"workspace {found}"
                )

    def apply(self, workspace: Mapping[str, Any], key: Key) -> dict[str, Any]:
        """Return the workspace with one patch, having verified that it is the right workspace.

        Parameters
        ----------
        workspace
            The JSON; it is not changed.
        key
            Name or values of the patch.

        Raises
        ------
        KeyError
            When there is no such patch.
        ValueError
            When the workspace is another one than the patches are made for.
        """
        self.verify(workspace)
        return patched(workspace, self[key])


def patched(workspace: Mapping[str, Any], *patches: Any) -> dict[str, Any]:
    """Return a workspace with patches applied, one after the other; nothing else changes.

    Parameters
    ----------
    workspace
        The JSON; it is not changed.
    *patches
        Each a list of operations of a JSON patch (RFC 6902), or a `Patch`.

    Raises
    ------
    ValueError
        When an operation is none, or does not fit the workspace; with its position.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import patched
    >>> patched({"channels": []}, [{"op": "add", "path": "/version", "value": "1.0.0"}])
    {'channels': [], 'version': '1.0.0'}
    """
    result: Any = copy.deepcopy(dict(workspace))
    for patch in patches:
        operations = patch.operations if isinstance(patch, Patch) else patch
        if isinstance(operations, str | Mapping) or not isinstance(operations, Sequence):
            raise ValueError(f"a JSON patch is a list of operations, got {type(operations).__name__}")
        for i, operation in enumerate(operations):
            try:
                # in place, because a copy of a large workspace takes longer than all else
                result = jsonpatch.apply_patch(result, [copy.deepcopy(operation)], in_place=True)
            except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError) as error:
                reason = str(error) or type(error).__name__
                raise ValueError(f"operation {i} of the patch, {_short(operation)}, cannot be done: {reason}") from None
    if not isinstance(result, dict):
        raise ValueError("the patch leaves no workspace: it replaces the whole document")
    return result


def digest(workspace: Any, algorithm: str = "sha256") -> str:
    """Return the digest of a workspace, equal to pyhf's: of its JSON with sorted keys.

    Parameters
    ----------
    workspace
        Anything that JSON can hold.
    algorithm
        Of `hashlib`.

    Raises
    ------
    ValueError
        When there is no such algorithm, or the content is not JSON.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import digest
    >>> digest({"channels": []})[:16]
    'ae143d130ed80f04'
    """
    try:
        content = json.dumps(workspace, sort_keys=True, ensure_ascii=False).encode("utf-8")
    except TypeError as error:
        raise ValueError(f"only what JSON can hold has a digest: {error}") from None
    return hashlib.new(algorithm, content).hexdigest()


def _short(operation: Any) -> str:
    told = {key: operation[key] for key in ("op", "path", "from") if key in operation} if operation else operation
    return f"{told}"[:120]


def _anything(value: Any, path: str) -> None:
    pass


def _number_or_text(value: Any, path: str) -> None:
    if not isinstance(value, str):
        number(value, path)


def _open_object(required: Mapping[str, Check]) -> Check:
    """Return the check of an object that has these keys, and may have others."""

    def check(value: Any, path: str) -> None:
        known = {key: value[key] for key in required if key in value} if isinstance(value, Mapping) else value
        fields(required)(known, path)

    return check


_ALGORITHMS = ("md5", "sha256")


def _digests(value: Any, path: str) -> None:
    _open_object({})(value, path)
    if not value:
        raise ValueError(f"{path} must say which workspace the patches are for, by one of {list(_ALGORITHMS)}")
    for algorithm, expected in value.items():
        text(expected, f"{path}.{algorithm}")
        if algorithm not in _ALGORITHMS:
            raise ValueError(f"{path} has the unknown algorithm {algorithm!r}; known are {list(_ALGORITHMS)}")


_VALUES = array(_number_or_text, least=0)
_DOCUMENT = _open_object(
    {
        "metadata": _open_object({"labels": array(text), "digests": _digests, "description": text}),
        "patches": array(
            _open_object(
                {"metadata": _open_object({"name": text, "values": _VALUES}), "patch": array(_anything, least=0)}
            )
        ),
    }
)
