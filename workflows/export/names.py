"""The names of a script: what it brings along makes room for what the user's module calls its own things."""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Iterable, Sequence

from hepgrad.analysis import AnyStage, Stage

from .boxed import USER_FUNCTION, boxed_function, function_name, needed_functions
from .definitions import Alias, Definition
from .renaming import renamed, top_level, used
from .runtime import runtime_source
from .text import Piece, unique

# what a script defines beside its runtime and the user's functions
OWN = ("cut", "STAGES", "COLUMNS", "PROCESSES", "FILES", "READING", "CHANNELS", "histograms", "of_nanoevents", "write")


@dataclasses.dataclass(frozen=True)
class Names:
    """What a script calls things.

    Attributes
    ----------
    taken
        The names of the user's functions and constants.
    runtime
        By name, what those names of the runtime are now that had to change.
    own
        By name in `OWN`, what it is now.
    """

    taken: frozenset[str]
    runtime: dict[str, str]
    own: dict[str, str]

    @classmethod
    def beside(cls, defined: Iterable[Definition]) -> Names:
        """Return names that leave those of the user alone."""
        taken = {name for each in defined for name in _defines(each)}
        source = runtime_source()
        every = taken | top_level(source) | set(OWN)
        runtime = {name: unique(f"{name}_", every) for name in top_level(source) & taken}
        # Python's own functions, where the user's module has others of the same name
        python = {name for name in used(source) | {"print", "slice"} if hasattr(builtins, name)}
        runtime |= {name: f"builtins.{name}" for name in python & taken - set(runtime)}
        return cls(frozenset(taken), runtime, {name: unique(name, every - {name} | taken) for name in OWN})

    @property
    def everywhere(self) -> dict[str, str]:
        """By name, all that had to change."""
        return {**self.runtime, **self.own}

    def runtime_piece(self) -> Piece:
        """Return what the stages use, under its names here."""
        imports = any(name.startswith("builtins.") for name in self.runtime.values())
        return Piece(f"{'import builtins' * imports}\n{renamed(runtime_source(), self.runtime)}".lstrip())

    def piece(self, definition: Definition) -> Piece:
        """Return the text of a definition."""
        if isinstance(definition, Piece):
            return definition
        first, dot, rest = definition.stands_for.partition(".")
        stands_for = self.runtime.get(first, first) + dot + rest
        return Piece(f"{definition.name} = {stands_for}", (definition.name,))

    def stages(self, stages: Sequence[AnyStage]) -> list[Piece]:
        """Return the functions of the stages in the box, and the list of all stages."""
        reserved = {*self.taken, *top_level(runtime_source()), *self.own.values(), *dir(builtins)}
        functions, pieces = [], []
        for stage in stages:
            if isinstance(stage, Stage):
                functions.append(stage.function.__name__)
                continue
            name = unique(function_name(stage), {*reserved, *functions})
            called = [function.__name__ for function in needed_functions(stage)]  # one, or none
            names = {**self.runtime, USER_FUNCTION: "".join(called)}
            source = renamed(boxed_function(stage, name), names)
            functions.append(name)
            pieces.append(Piece("\n" + source, (name,)))
        name = self.own["STAGES"]
        return [*pieces, Piece(f"{name} = [{', '.join(functions)}]", (name,))]


def _defines(definition: Definition) -> tuple[str, ...]:
    return (definition.name,) if isinstance(definition, Alias) else definition.defines or ()
