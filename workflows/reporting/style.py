"""How the plots of a report look, and how figures become files."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import matplotlib.style
import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter, MaxNLocator, NullLocator, ScalarFormatter

from ..messages.terminal import visible
from ..results.run_folder import RunFolder
from .legends import clear_legends, leave_room_to_axes
from .subject import Subject

START_COLOR, OPTIMUM_COLOR, SOFT_COLOR = "#717581", "#bd1f01", "#3f90da"
# Petroff's colour cycle, which stays apart for colour-blind readers (arXiv:2107.02270); red is kept for the signal
BACKGROUND_COLORS = ("#3f90da", "#ffa90e", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
SIGNAL_COLORS = ("#bd1f01", "#000000", "#5a0a6b")

_CHANGES = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "font.size": 11,
    "axes.labelsize": 12,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.9,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "xtick.major.size": 6,
    "xtick.minor.size": 3,
    "ytick.major.size": 6,
    "ytick.minor.size": 3,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.hashsalt": "hepgrad",
}


# dots per inch
RESOLUTION = 160
# what would mean something else between dollar signs
MATHTEXT = str.maketrans({character: rf"\{character}" for character in " #$%&_{}"})
# what mplhep has for experiments
EXPERIMENTS = ("ALICE", "ATLAS", "CMS", "DUNE", "LHCb")


@contextlib.contextmanager
def plot_style(experiment: str = "") -> Iterator[None]:
    """Draw in the style of the report within the block; nothing global changes.

    The first word of ``experiment`` chooses the style, if mplhep has one of that name.
    """
    first = experiment.partition(" ")[0]
    style = getattr(mplhep.style, first if first in EXPERIMENTS else "ROOT")
    with matplotlib.style.context([style, _CHANGES]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure that no window will show.

    Sizes are in inches.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def label_axes(axes: Axes, subject: Subject, *, shown: str = "Simulation") -> None:
    """Write above a plot, on the left, experiment and what the plot shows; on the right, luminosity and energy."""
    bold = subject.experiment.translate(MATHTEXT)
    left = rf"$\mathbf{{{bold}}}$ {shown}" if bold else shown
    axes.set_title(left, loc="left", fontstyle="italic", fontsize=11)
    number, unit = luminosity_text(subject.luminosity)
    right = rf"{number} {unit}$^{{-1}}$ ({subject.energy:g} TeV)"
    axes.set_title(right, loc="right", fontsize=11)


def luminosity_text(luminosity: float) -> tuple[str, str]:
    """Return a luminosity as people say it: its number, and the unit whose inverse it is in.

    It is given in 1/pb.

    Examples
    --------
    >>> from hepgrad.workflows.reporting.style import luminosity_text
    >>> luminosity_text(50.0), luminosity_text(36_300.0)
    (('50', 'pb'), ('36.3', 'fb'))
    """
    return (f"{luminosity:.3g}", "pb") if luminosity < 1000 else (f"{luminosity / 1000:.3g}", "fb")


def whole_numbers(axes: Axes, edges: np.ndarray) -> None:
    """Let the ticks of a horizontal axis be whole numbers where each bin holds one: numbers of jets."""
    if np.allclose(np.diff(edges), 1) and np.allclose(edges % 1, 0.5):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.xaxis.set_minor_locator(NullLocator())


@dataclasses.dataclass(frozen=True)
class Plot:
    """A plot of the report.

    Attributes
    ----------
    name
        File name without suffix.
    caption
        What it shows.
    draw
        Returns the figure; called within `plot_style`.
    numbers
        Returns what is drawn as a table, the titles of its columns first; None where another file of the run has it.
    """

    name: str
    caption: str
    draw: Callable[[], Figure]
    numbers: Callable[[], Iterable[Sequence[Any]]] | None = None

    def save(self, folder: RunFolder, experiment: str = "") -> tuple[str, list[str]]:
        """Draw it, write it as PNG and PDF and its numbers as CSV, and return it as SVG text, with what is amiss."""
        with plot_style(experiment), warnings.catch_warnings():
            # a character that the font does not have is drawn as a box
            warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
            # labels that are longer than the plot leave no room for it
            warnings.filterwarnings("ignore", "constrained_layout not applied", UserWarning)
            figure = self.draw()
            notes = [f"{text!r} is no TeX, and stands as it was typed" for text in _made_drawable(figure)]
            leave_room_to_axes(figure)
            # laid out once, and not again for each format
            if figure.axes and (engine := figure.get_layout_engine()) is not None:
                engine.execute(figure)
            figure.set_layout_engine("none")
            clear_legends(figure)
            figure.dpi = RESOLUTION
            # `Figure.savefig` draws each twice, the first time for a layout of its own
            with folder.writing(f"plots/{self.name}.png") as path:
                FigureCanvasAgg(figure).print_png(path)
            with folder.writing(f"plots/{self.name}.pdf") as path:
                FigureCanvasPdf(figure).print_pdf(path, metadata={"CreationDate": None})
            if self.numbers is not None:
                header, *rows = self.numbers()
                folder.write_csv(f"plots/{self.name}.csv", header, rows)
            buffer = io.StringIO()
            FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
            return buffer.getvalue(), notes


def _made_drawable(figure: Figure) -> list[str]:
    """Let texts that are no TeX stand as they were typed, and control characters be seen; return the former."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            # numbers need no look, and are not cheap to make
            if not isinstance(axis.get_major_formatter(), ScalarFormatter | LogFormatter):
                axis.get_majorticklabels()  # which makes them
    parser, wrong = MathTextParser("path"), []
    for artist in figure.findobj(Text):
        assert isinstance(artist, Text)
        text = artist.get_text()
        if (harmless := visible(text)) != text:
            artist.set_text(harmless)
        if "$" in text:
            try:
                # line by line, as it is drawn
                for line in text.splitlines():
                    parser.parse(line)
            except ValueError:
                artist.set_parse_math(False)
                wrong.append(text)
    return list(dict.fromkeys(wrong))
