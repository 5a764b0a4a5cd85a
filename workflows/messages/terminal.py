"""Where people read: a console to which every text is only text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any, NoReturn

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

# control characters, those that turn the direction of writing, halves of characters, and separators of lines
HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def visible(text: str, encoding: str = "utf-8") -> str:
    r"""Return a text whose control characters, and whatever a terminal cannot show, are written out.

    Line breaks stay.

    Examples
    --------
    >>> from hepgrad.workflows.messages.terminal import visible
    >>> print(visible("\x1b[31mred\x1b[0m"))
    \x1b[31mred\x1b[0m
    >>> print(visible("σ > 5", "ascii"))
    \u03c3 > 5
    """
    # most lines have nothing to hide, and a report has many
    if not text.replace("\n", "").isprintable():
        text = "".join(c if c == "\n" or unicodedata.category(c) not in HIDDEN else _escaped(c) for c in text)
    return text if text.isascii() else text.encode(encoding, "backslashreplace").decode(encoding)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class Console(RichConsole):
    """A console of rich that takes no text for markup, for emoji codes or for commands of the terminal.

    Examples
    --------
    >>> from hepgrad.workflows.messages.terminal import Console
    >>> Console(width=60).print("[bold]jets[/] :smile:", highlight=False)
    [bold]jets[/] :smile:
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return what is printed; as in rich, but with text that `visible` has made harmless."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text, self.encoding))

    def on_broken_pipe(self) -> NoReturn:
        """Raise, so that whoever prints can finish first what matters more (rich would end the program)."""
        raise BrokenPipeError("the output was closed")
