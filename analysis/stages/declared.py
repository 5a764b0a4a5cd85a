"""What the stages in the box have in common: they derive what they need from what they are told to do."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any

from ..selection.events import Events
from ..selection.threshold import Cuts


@dataclasses.dataclass(frozen=True)
class DeclaredStage(abc.ABC):
    """A stage that knows what it needs; see `AnyStage` for the attributes that are not listed here.

    Attributes
    ----------
    name
        Name of the stage; a default says what the stage does.
    """

    name: str = dataclasses.field(default="", kw_only=True)
    reads: tuple[str, ...] = dataclasses.field(init=False, repr=False)
    parameters: tuple[str, ...] = dataclasses.field(init=False, repr=False)
    makes: tuple[tuple[str, str], ...] = dataclasses.field(init=False, repr=False)

    def settle(
        self,
        *,
        name: str,
        reads: tuple[str, ...] = (),
        parameters: tuple[str, ...] = (),
        makes: tuple[tuple[str, str], ...] = (),
        **attributes: Any,
    ) -> None:
        """Fill in what the arguments imply; for ``__post_init__``.

        Parameters
        ----------
        name
            Used when none was given.
        reads, parameters, makes
            As for `AnyStage`.
        **attributes
            Arguments in their final form, such as tuples for lists.
        """
        declared = {"name": self.name or name, "reads": reads, "parameters": parameters, "makes": makes}
        for attribute, value in {**declared, **attributes}.items():
            object.__setattr__(self, attribute, value)

    @abc.abstractmethod
    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Return the events after this stage.

        Parameters
        ----------
        events
            A block of events.
        cut
            The parameters as thresholds.
        """
