"""What a notebook shows for a class and its instances: the equations as formulas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType
from typing import Any

from optgen.backends.docs.latex import block
from optgen.backends.docs.markdown import code, line
from optgen.backends.docs.notation import notation_of
from optgen.ir.program import Mode, Program


@dataclass(frozen=True)
class Representation:
    """The method ``_repr_markdown_`` of a class, which Jupyter calls on classes and instances.

    Jupyter calls a method of a class only if it is bound to the class, hence the descriptor.

    Attributes:
        program: the optimizer.
        summary: what it is, in one line.
    """

    program: Program
    summary: str

    def __get__(self, instance: object, owner: type) -> Callable[[], str]:
        """Return the method, bound to the instance or, without one, to the class."""
        return MethodType(self._markdown, owner if instance is None else instance)

    def _markdown(self, shown: Any) -> str:
        if isinstance(shown, type):
            parts = [f"**{self.program.name}**: {line(self.summary)}"]
            for mode in self.program.modes:
                parts += [f"When {code(mode.condition)}:"] if mode.condition else []
                parts.append(self._formulas(mode))
        else:
            parts = [code(repr(shown)), self._formulas(self.program.mode(shown.select_mode().name))]
        return "\n\n".join(parts)

    def _formulas(self, mode: Mode) -> str:
        return f"$$\n{block(mode.equations, notation_of(self.program))}\n$$"
