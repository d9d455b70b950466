"""What distinguishes one target of Numba from another in the text of a kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optgen.backends.pytext import Spelling


@dataclass(frozen=True)
class Lanes:
    """The accumulators of one reduction.

    Attributes:
        name: the name of their array.
        initial: the text of the value that they start with.
    """

    name: str
    initial: str


@dataclass(frozen=True)
class Dialect:
    """How kernels of one target are written.

    Attributes:
        spelling: which spelling of the function table they use.
        decorator: what compiles a function that others call.
        element_loop: for the name of an array, the lines that open a loop over its elements; the
            body stands two levels deep.
        block_loop: for the name of an array and the accumulators, the lines that open a loop over
            its blocks and their elements; the body stands four levels deep.
        summed_source: for an entry of the driver's ``stages``, the text of the value that follows
            from a sum over all variables.
    """

    spelling: Spelling
    decorator: str
    element_loop: Callable[[str], list[str]]
    block_loop: Callable[[str, Sequence[Lanes]], list[str]]
    summed_source: Callable[[str], str]

    def function(self, name: str) -> str:
        """The opening of the definition of a function that others call."""
        return f"@{self.decorator}\ndef {name}"

    def called(self, function: str) -> str:
        """How a function of the table is called, without its arguments."""
        return "np." + function if self.spelling == "cpu" else function
