"""Map the folder ``package`` onto ``hepgrad``, and the three folders beside it onto the sub-packages of it.

Everything else is declared in ``pyproject.toml``; the list of packages is computed here because a hand-written list
silently drops a sub-package that somebody adds later.
"""

from setuptools import find_packages, setup
from setuptools.command import editable_wheel

# An editable installation finds its packages last, after any folder of the same name beside the script, such as a clone
# of the repository; it is to find them first. Where setuptools words this otherwise, nothing changes.
if text := getattr(editable_wheel, "_FINDER_TEMPLATE", ""):
    editable_wheel._FINDER_TEMPLATE = text.replace(
        "meta_path.append(_EditableFinder)", "meta_path.insert(0, _EditableFinder)"
    )

FOLDERS = ("ragged", "analysis", "workflows")

packages = [
    "hepgrad",
    *(
        f"hepgrad.{name}"
        for folder in FOLDERS
        for name in (folder, *(f"{folder}.{sub}" for sub in find_packages(folder)))
    ),
]

setup(
    packages=packages,
    package_dir={"hepgrad": "package", **{f"hepgrad.{folder}": folder for folder in FOLDERS}},
    # Off, because setuptools would take a folder of data files for a package that was forgotten, and warn at length.
    include_package_data=False,
    package_data={
        "hepgrad": ["py.typed"],
        **{f"hepgrad.{folder}": ["py.typed", "*.pyi"] for folder in FOLDERS},
        "hepgrad.workflows.analyses.ttbar_agc": ["events/*"],
        "hepgrad.workflows.analyses.zprime": ["events/*"],
    },
)
