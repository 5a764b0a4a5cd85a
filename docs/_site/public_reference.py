"""One page of the reference for each public package, from the ``__all__`` of the package.

A name that several packages show is described where its path is shortest, and the others link to it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx

PACKAGES = ("hepgrad.ragged", "hepgrad.analysis", "hepgrad.workflows")
FOLDER = Path(__file__).resolve().parent.parent / "reference"


def faces() -> Iterator[str]:
    """Yield the packages that declare what they show."""
    for name in PACKAGES:
        yield name
        for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            if module.ispkg and hasattr(importlib.import_module(module.name), "__all__"):
                yield module.name


def homes(packages: list[str]) -> dict[tuple[str, str], str]:
    """Return, for each package and each name that it shows, the package on whose page that is described."""
    first: dict[tuple[int, str], str] = {}
    home = {}
    for package in sorted(packages, key=lambda package: package.count(".")):
        module = importlib.import_module(package)
        for name in module.__all__:
            # the same constant in two places is two things, unless it is the same object by the same name
            home[package, name] = first.setdefault((id(getattr(module, name)), name), package)
    return home


def directive(package: str, name: str) -> str:
    """Return what tells Sphinx to describe a name."""
    thing = getattr(importlib.import_module(package), name)
    path = f"{package}.{name}"
    if inspect.isclass(thing):
        kind = "exception" if issubclass(thing, BaseException) else "class"
        return f".. auto{kind}:: {path}\n   :members:\n"
    if isinstance(thing, types.GenericAlias):
        return f".. py:type:: {name}\n   :canonical: {thing}\n"
    if callable(thing) and hasattr(thing, "__name__"):
        return f".. autofunction:: {path}\n"
    return f".. autodata:: {path}\n   :no-value:\n"


def page(package: str, home: dict[tuple[str, str], str]) -> str:
    """Return the page of a package: what it says of itself, its names, and what each of them is."""
    names = importlib.import_module(package).__all__
    parts = [package, "=" * len(package), "", f".. automodule:: {package}"]
    if package in (f"{parent}.{name}" for parent, name in home):
        parts += ["   :no-index:"]  # a function of the package above has the same path, and is what links mean
    parts += ["", ".. hlist::", "   :columns: 3", ""]
    parts += [f"   * `{name} <{home[package, name]}.{name}>`" for name in sorted(names, key=str.lower)]
    parts += ["", f".. py:currentmodule:: {package}", ""]
    parts += [directive(package, name) for name in names if home[package, name] == package]
    return "\n".join(parts)


def write(app: Sphinx) -> None:
    """Write the pages, but leave those alone that are the same as before: only changed ones are built again."""
    FOLDER.mkdir(exist_ok=True)
    packages = list(faces())
    home = homes(packages)
    pages = {FOLDER / f"{package}.rst": page(package, home) for package in packages}
    title = "Reference"
    entries = "\n".join(f"   {package}" for package in packages)
    pages[FOLDER / "index.rst"] = (
        f"{title}\n{'=' * len(title)}\n\n"
        "Every public name, by the package that shows it, from its docstring. "
        "The examples in the docstrings run as tests.\n\n"
        f".. toctree::\n   :maxdepth: 1\n\n{entries}\n"
    )
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in FOLDER.glob("*.rst"):
        if path not in pages:
            path.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx looks for its sources."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
