"""Likelihoods in files and at URLs: pyhf workspaces, their patches, HS3 documents and Combine's datacards."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fsspec
import jax

from hepgrad.analysis import Model
from hepgrad.analysis import from_workspace as model_of
from hepgrad.analysis.statistics.exchange import configured
from hepgrad.analysis.statistics.histfactory import Patch, PatchSet, patched

from ..errors import InputError
from ..read.files.paths import is_remote, is_web, patience

# a path or URL, with `#NAME` for one of a patch set; a list of operations; a patch
PatchLike = str | Path | Sequence[Mapping[str, Any]] | Patch
WorkspaceLike = str | Path | Mapping[str, Any]
WORKSPACE = "workspace that can be fitted"
PATCH = "JSON patch or patch set"


@dataclasses.dataclass(frozen=True)
class Document:
    """A likelihood as it was read.

    Attributes
    ----------
    source
        Path or URL; empty for what was not read.
    workspace
        In the format of pyhf.
    codes
        Interpolation, which that format does not say: arguments of `from_workspace`.
    """

    source: str
    workspace: Mapping[str, Any]
    codes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def model(
        self,
        *,
        measurement: str | None = None,
        parameter_of_interest: str | None = None,
        fixed: Mapping[str, Any] | None = None,
    ) -> tuple[Model, jax.Array]:
        """Return model and observed data.

        Arguments are as in `hepgrad.analysis.statistics.exchange.configured`. Raises `InputError` when they are not
        possible, or the document is no likelihood.
        """
        try:
            ready = configured(
                self.workspace, measurement=measurement, parameter_of_interest=parameter_of_interest, fixed=fixed
            )
            return model_of(ready, **self.codes)
        except ValueError as error:
            where = f"{self.source} is" if self.source else "this is"
            raise InputError(f"{where} no workspace that can be fitted: {error}") from None


def from_workspace(
    workspace: WorkspaceLike,
    *,
    patch: PatchLike | None = None,
    measurement: str | None = None,
    normsys_code: str = "code4",
    histosys_code: str = "code4p",
) -> tuple[Model, jax.Array]:
    """Return the model and the observed data of a pyhf workspace in a file, at a URL, or as what ``json.load`` returns.

    Parameters
    ----------
    workspace
        Path, URL or JSON.
    patch
        What to change first: path or URL of a JSON patch, ``"patchset.json#NAME"`` for one of a patch set, a list of
        operations, or a `Patch`.
    measurement, normsys_code, histosys_code
        As in `hepgrad.analysis.from_workspace`.

    Returns
    -------
    model : Model
    data : jax.Array
        Observed events and auxiliary data, in the layout of `Model.data`.

    Raises
    ------
    InputError
        When a file cannot be read, or is not what it should be; with the JSON path of the fault.

    Examples
    --------
    >>> import json, pathlib
    >>> from hepgrad.workflows import from_workspace
    >>> signal = {"name": "signal", "data": [5.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    >>> written = pathlib.Path("workspace.json").write_text(json.dumps({
    ...     "channels": [{"name": "SR", "samples": [signal]}],
    ...     "observations": [{"name": "SR", "data": [7.0]}],
    ...     "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
    ...     "version": "1.0.0",
    ... }))
    >>> heavier = [{"op": "replace", "path": "/channels/0/samples/0/data", "value": [2.0]}]
    >>> model, data = from_workspace("workspace.json", patch=heavier)
    >>> print(model.expected_data(model.initial), data)
    [2.] [7.]
    """
    content = read_workspace(workspace, patch=patch)
    codes = {"normsys_code": normsys_code, "histosys_code": histosys_code}
    return Document(_told(workspace), content, codes).model(measurement=measurement)


def read_workspace(workspace: WorkspaceLike, *, patch: PatchLike | None = None) -> dict[str, Any]:
    """Return the JSON of a workspace, with a patch applied.

    Parameters
    ----------
    workspace, patch
        As in `from_workspace`.

    Raises
    ------
    InputError
        When a file cannot be read, is not JSON, or the patch does not fit.
    """
    content = read_json(workspace, WORKSPACE) if isinstance(workspace, str | Path) else workspace
    if not isinstance(content, Mapping):
        raise InputError(f"{_told(workspace) or 'this'} is no workspace: expected an object with 'channels'")
    if patch is None:
        return dict(content)
    operations = read_patch(patch, content) if isinstance(patch, str | Path) else patch
    try:
        return patched(content, operations)
    except ValueError as error:
        raise InputError(
            f"{_told(patch) or 'the patch'} does not fit {_told(workspace) or 'the workspace'}: {error}"
        ) from None


def read_patch(path: str | Path, workspace: Mapping[str, Any]) -> Any:
    """Return the operations of a patch file, or one patch of a patch set, having verified its workspace.

    Paths may be URLs; ``"patchset.json#NAME"`` is a patch of a patch set. Raises `InputError` when it cannot be read,
    is something else, has no such patch, or is made for another workspace.
    """
    file, _, name = str(path).rpartition("#") if "#" in str(path) and not Path(path).exists() else (str(path), "", "")
    content = read_json(file, PATCH)
    if isinstance(content, list):
        return content
    patches = _patch_set(content, file)
    if not name:
        names = ", ".join(patch.name for patch in list(patches)[:5])
        raise InputError(f"{file} is a set of {len(patches)} patches: choose one by {file}#NAME, of {names}, ...")
    try:
        patches.verify(workspace)
        return patches[name]
    except (KeyError, ValueError) as error:
        raise InputError(f"{file}: {error.args[0]}") from None


def read_patch_set(path: str | Path, workspace: Mapping[str, Any]) -> PatchSet:
    """Return a patch set, having verified that it is made for a workspace.

    Raises `InputError` when it cannot be read, is something else, or is made for another workspace.
    """
    patches = _patch_set(read_json(path, PATCH), str(path))
    try:
        patches.verify(workspace)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    return patches


def read_json(path: str | Path, what: str) -> Any:
    """Return the content of a JSON file at a path or URL.

    Raises `InputError` when it cannot be read, or is not JSON.
    """
    try:
        return json.loads(read_bytes(path, what))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:  # also for a number of thousands of digits
        raise InputError(f"{path} is no {what}: it is not JSON ({error})") from None


def read_bytes(path: str | Path, what: str) -> bytes:
    """Return the content of a file at a path or URL, decompressed by its suffix.

    Raises `InputError` when it cannot be read.
    """
    if not is_remote(str(path)) and Path(path).exists() and not Path(path).is_file():
        # a pipe would be waited for without end
        raise InputError(f"{path} is no {what}: it is not a file")
    try:
        with fsspec.open(str(path), compression="infer", **_patience(str(path))) as file:
            content: bytes = file.read()
        return content
    except FileNotFoundError as error:
        if isinstance(error.__cause__, TimeoutError):  # which fsspec tells as a missing file
            raise InputError(f"{path} cannot be read: the server does not answer (timeout)") from None
        where = "no such file on the server, or no such server" if is_remote(str(path)) else "no such file"
        raise InputError(f"{path} is no {what}: there is {where}") from None
    except ImportError as error:
        extra = "; install hepgrad with its extra `remote`" if is_remote(str(path)) else ""
        raise InputError(f"{path} cannot be read: {error}{extra}") from None
    except Exception as error:  # servers and file systems have errors of their own
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path} cannot be read: {reason}") from None


def _patience(path: str) -> dict[str, Any]:
    """Return options of fsspec with which a server that says nothing is not waited for without end."""
    if not is_web(path):
        return patience(path)
    # needs a package that only the extra for servers has
    from ..read.servers import web

    return {"client_kwargs": {"timeout": web.patience()}}


def _patch_set(content: Any, source: str) -> PatchSet:
    try:
        return PatchSet.of(content)
    except ValueError as error:
        raise InputError(f"{source} is neither a JSON patch, which is a list, nor a patch set: {error}") from None


def _told(source: Any) -> str:
    return str(source) if isinstance(source, str | Path) else ""
