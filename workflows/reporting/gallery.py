"""The plots of one report: each is drawn into a file of its own, or costs no more than itself."""

from __future__ import annotations

import base64
import dataclasses
import html
import re
from collections.abc import Iterable

from ..results.run_folder import RunFolder
from .style import Plot


@dataclasses.dataclass
class Gallery:
    """Draws the plots of a report.

    ``problems``, which grows, is what could not be drawn, or not as it was meant.
    """

    folder: RunFolder
    experiment: str
    problems: list[str] = dataclasses.field(default_factory=list)
    _taken: set[str] = dataclasses.field(default_factory=set)

    def drawn(self, plots: Iterable[Plot]) -> str:
        """Draw plots, and return them as HTML."""
        return "\n".join(map(self._drawn, plots))

    def _drawn(self, plot: Plot) -> str:
        name, number = plot.name, 1
        while name.casefold() in self._taken:  # a channel may have the name of another plot
            number += 1
            name = f"{plot.name}-{number}"
        self._taken.add(name.casefold())
        try:
            svg, notes = dataclasses.replace(plot, name=name).save(self.folder, self.experiment)
        except Exception as error:  # matplotlib raises what it likes
            notes = [f"it cannot be drawn ({type(error).__name__}: {error})"]
            svg = ""
        problems = [f"plot {name}: {note}" for note in notes]
        self.problems += problems
        told = "".join(f"<p>{html.escape(problem)}</p>" for problem in problems)
        return f"{_figure(svg, plot.caption) if svg else ''}{told}"


def _figure(svg: str, caption: str) -> str:
    # as an image and not inline: the identifiers within two inline drawings could clash
    encoded = base64.b64encode(svg.encode()).decode()
    text = html.escape(caption)
    # one panel fits the screen of a telephone; several are so wide that their text can be read
    inches = float(re.findall(r'<svg[^>]* width="([\d.]+)pt"', svg)[0]) / 72
    wide = 22 if inches <= 8 else 3.5 * inches
    image = f'<img alt="{text}" style="--readable: {wide:.0f}rem" src="data:image/svg+xml;base64,{encoded}">'
    return f"<figure><div class='wide'>{image}</div><figcaption>{text}</figcaption></figure>"
