"""``hepgrad new``: a script to start from."""

from __future__ import annotations

import keyword
import sys
from pathlib import Path

from ..errors import InputError

TEMPLATE = Path(__file__).with_name("template.py")


def new_analysis(path: str | Path) -> Path:
    """Write a commented analysis that runs at once.

    ``path`` is ``my_search.py`` or ``my_search``; its name becomes that of the workflow. Raises `InputError` when the
    name is no module's, the file is there already, or it cannot be written.

    Examples
    --------
    >>> from hepgrad.workflows.cli.scaffold import new_analysis
    >>> new_analysis("my_search").name
    'my_search.py'
    """
    path = Path(path)
    # a suffix of another kind is part of a name, which no module can have
    path = path if path.suffix == ".py" else path.parent / f"{path.name}.py"
    name = path.name.removesuffix(".py")
    if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
        raise InputError(f"{name!r} cannot be the name of a Python module; take letters, digits and underscores")
    if name in sys.stdlib_module_names or name == "hepgrad":
        raise InputError(f"{name!r} is the name of a module that Python or hepgrad needs; choose another one")
    text = (
        TEMPLATE.read_text(encoding="utf-8").replace("THIS_MODULE", name).replace('name="template"', f'name="{name}"')
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"there is a file {path} already; choose another name") from None
    except FileNotFoundError:
        raise InputError(f"{path} cannot be written: there is no folder {path.parent}; make it first") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be written: {error}") from error
    return path
