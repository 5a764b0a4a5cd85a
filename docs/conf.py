"""How the site is built: ``make docs``.

The root of the repository is the source folder, so that a relative link is the same on the forge and in the site. The
pages of the reference are written anew from the public names before each build.
"""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("_site")))

project = "hepgrad"
author = "The hepgrad developers"
copyright = "The hepgrad developers"  # the name that Sphinx looks for
release = version = installed_version("hepgrad")

root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/*.md",
    "docs/howto/*.md",
    "docs/migration/*.md",
    "docs/tutorials/*.md",
    "docs/reference/*.rst",
    "workflows/analyses/*/events/README.md",
]
exclude_patterns = [".*", "build", "hepgrad-runs", "venv"]

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_design",
    "mathml",
    "public_reference",
]

# Markdown
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings = [
    "myst.header",  # a document may begin with headings of another level, as forges allow
]

# notebooks: pages of Markdown with cells, run in a folder of their own in every build
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 1800  # seconds a cell, also where nothing is compiled yet and others use the machine
nb_merge_streams = True
nb_output_stderr = "remove"  # progress

# reference
default_role = "py:obj"
autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
maximum_signature_line_length = 100
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# pages
html_theme = "pydata_sphinx_theme"
html_title = "hepgrad"
html_math_renderer = "mathml"
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_additional_pages = {"index": "to_front_page.html"}
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "collapse_navigation": True,
    "footer_end": [],
    "header_links_before_dropdown": 6,
    "navigation_depth": 2,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 1,
}
