"""Formulas as MathML, which browsers draw themselves: no script, no network, at build time or later."""

from __future__ import annotations

import html
import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)


def understood(tex: str) -> str:
    r"""Return a formula without two habits of LaTeX that docutils does not know: ``\frac12`` and ``\dots``."""
    tex = re.sub(r"(\\[dt]?frac)([0-9A-Za-z])", r"\1{\2}", tex)
    tex = re.sub(r"(\\[dt]?frac\{[0-9A-Za-z]\})([0-9A-Za-z])", r"\1{\2}", tex)
    return tex.replace(r"\dots", r"\ldots")


def converted(node: nodes.Element, *, as_block: bool) -> str:
    """Return a formula as MathML; one that cannot be converted is a warning, and so ends the build."""
    tex = understood(node.astext())
    # several lines with & or \\ are one table, as Sphinx's other renderers have it
    if as_block and ("\\\\" in tex or "&" in tex) and "\\begin" not in tex:
        tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    try:
        return tex2mathml(tex, as_block=as_block)
    except MathError as error:
        logger.warning("no formula: %s in %s", error, tex, location=node)
        return f"<code>{html.escape(tex)}</code>"


def visit_math(translator: Any, node: nodes.Element) -> None:
    """Write a formula in the text."""
    translator.body.append(converted(node, as_block=False))
    raise nodes.SkipNode


def visit_displaymath(translator: Any, node: nodes.Element) -> None:
    """Write a formula of its own."""
    translator.body.append(translator.starttag(node, "div", CLASS="math notranslate"))
    if node["number"]:
        translator.body.append(f'<span class="eqno">({get_node_equation_number(translator, node)})</span>')
    translator.body.append(converted(node, as_block=True) + "</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Announce the renderer to Sphinx."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
