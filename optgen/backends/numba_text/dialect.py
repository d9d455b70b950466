"""What distinguishes one target of Numba from another in the text of a kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optgen.backends.pytext import Spelling
from optgen.ir.rate import Rate


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
class AxisLoop:
    """The lines that open a loop over numbers.

    Attributes:
        lines: the lines.
        depth: how many levels deep the body stands.
    """

    lines: tuple[str, ...]
    depth: int


@dataclass(frozen=True)
class AxisDialect:
    """How one target reads, computes and combines numbers per matrix, row, column and index.

    Attributes:
        spread: for the name of what was spread over a chunk and the rate of the numbers, the text
            of the number at element ``i``.
        scratch: for the position of an array that a loop hands over, the text of the array.
        loop: for the name of an index and that of an array, the loop over its numbers.
        loop_of_matrices: for the names of an index, of the array, of one number per matrix and of
            how many numbers of the array a matrix has, the loop over the numbers of all matrices,
            in which ``matrix`` is the index of theirs.
        between_loops: the lines between two loops of which the second needs what the first wrote.
    """

    spread: Callable[[str, Rate], str]
    scratch: Callable[[int], str]
    loop: Callable[[str, str], AxisLoop]
    loop_of_matrices: Callable[[str, str, str, str], AxisLoop]
    between_loops: tuple[str, ...] = ()


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
        axes: how numbers per matrix, row, column and index are written.
    """

    spelling: Spelling
    decorator: str
    element_loop: Callable[[str], list[str]]
    block_loop: Callable[[str, Sequence[Lanes]], list[str]]
    summed_source: Callable[[str], str]
    axes: AxisDialect

    def function(self, name: str) -> str:
        """The opening of the definition of a function that others call."""
        return f"@{self.decorator}\ndef {name}"

    def called(self, function: str) -> str:
        """How a function of the table is called, without its arguments."""
        return "np." + function if self.spelling == "cpu" else function
