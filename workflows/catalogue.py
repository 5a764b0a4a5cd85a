"""The workflows that the command line knows by name."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError
from .messages.failure import described, place_of

if TYPE_CHECKING:
    from .studies.study import Study
    from .workflow import Workflow

# what a script calls its workflow
DEFAULT = "WORKFLOW"


@dataclasses.dataclass(frozen=True)
class CatalogueEntry:
    """Where a workflow is defined, so that listing it imports nothing.

    A location is ``module:object``.
    """

    location: str
    summary: str


CATALOGUE = {
    "zprime": CatalogueEntry(
        "hepgrad.workflows.analyses.zprime:ZPRIME",
        "search for Z' to top antitop in the muon + jets channel; comes with simulated events",
    ),
    "ttbar-agc": CatalogueEntry(
        "hepgrad.workflows.analyses.ttbar_agc:TTBAR_AGC",
        "top-pair cross-section of the Analysis Grand Challenge, with its systematics; comes with simulated events",
    ),
    "ttbar-agc-open-data": CatalogueEntry(
        "hepgrad.workflows.analyses.ttbar_agc:TTBAR_AGC_OPEN_DATA",
        "the same on the challenge's simulation: --data nanoaod_inputs.json, the challenge's list of files",
    ),
    "htautau": CatalogueEntry(
        "hepgrad.workflows.analyses.htautau:HTAUTAU",
        "search for H to tau tau in CMS open data of 2012, blinded; needs files of the CERN Open Data portal",
    ),
    "inferno": CatalogueEntry(
        "hepgrad.workflows.studies.inferno:INFERNO",
        "INFERNO's synthetic problem, beside its published uncertainties (a minute)",
    ),
    "neos": CatalogueEntry(
        "hepgrad.workflows.studies.neos:NEOS", "neos' blobs, beside its published exclusion (half a minute)"
    ),
}


def find_workflow(name: str) -> Workflow | Study:
    """Return a workflow by its name in the catalogue, or by its script or ``module:object`` for one's own.

    Modules are also looked for in the present folder. Where a script has several workflows, the one called ``WORKFLOW``
    is meant. A name is for instance ``zprime``, ``my_search``, ``searches/my_search.py`` or ``my_search:WORKFLOW``.
    Raises `InputError` when there is no such workflow.
    """
    # these take a second to import, which `hepgrad list` should not pay
    from hepgrad.analysis.printing import meant

    from .studies.study import Study
    from .workflow import Workflow

    location = CATALOGUE[name].location if name in CATALOGUE else name
    module_name, colon, attribute = location.partition(":")
    script = Path(module_name if module_name.endswith(".py") else f"{module_name}.py")
    if not attribute and (colon or not script.is_file()):
        raise InputError(
            f"there is no workflow {name!r}; there is {', '.join(CATALOGUE)}, and your own as a script here "
            f"({script.with_suffix('.py').name}), or as module:object, for instance my_search:WORKFLOW"
            f"{meant(name, [*CATALOGUE, *(each.stem for each in Path.cwd().glob('*.py'))])}"
        )
    if module_name.endswith(".py") or not attribute:
        module_name = script.stem
    if not module_name or module_name.startswith("."):
        raise InputError(f"{location!r} names no module; write module:object, for instance my_search:WORKFLOW")
    here = str(script.parent.resolve() if script.is_file() else Path.cwd())
    sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except (InputError, KeyboardInterrupt):
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise InputError(f"there is no module {module_name!r}, here or where Python looks for modules") from error
        raise InputError(f"{module_name} cannot be imported: {error}; install what it needs") from error
    except Exception as error:
        raise InputError(f"{module_name} cannot be imported: {_reason(error)}; --debug shows where") from error
    finally:
        sys.path.remove(here)
    attribute = attribute or _only_workflow(vars(module), script)
    if not hasattr(module, attribute):
        names = [each for each, value in vars(module).items() if isinstance(value, Workflow | Study)]
        raise InputError(f"{module_name} has no {attribute!r}; its workflows are {', '.join(names) or 'none'}")
    workflow = getattr(module, attribute)
    if not isinstance(workflow, Workflow | Study):
        raise InputError(f"{location} should be a hepgrad.workflows.Workflow or Study, it is {type(workflow).__name__}")
    return workflow


def _only_workflow(content: dict[str, Any], script: Path) -> str:
    """Return the name of the workflow of a script: the only one there is, or ``WORKFLOW``."""
    from .studies.study import Study
    from .workflow import Workflow

    names = [name for name, value in content.items() if isinstance(value, Workflow | Study)]
    if DEFAULT in names:
        return DEFAULT
    if len({id(content[name]) for name in names}) == 1:
        return names[0]
    told = f"{len(names)} of them ({', '.join(names)}); say which: {script.stem}:{names[0]}" if names else "none"
    raise InputError(f"{script} should define one workflow, for instance {DEFAULT} = Workflow(...); it has {told}")


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, SyntaxError) else f"{described(error)}{place_of(error)}"
