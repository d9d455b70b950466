"""Where the arrays of an optimizer live: what its state asks of host memory and of a device."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from optgen.runtime.arrays import Array
from optgen.runtime.description import Mode
from optgen.runtime.device_arrays import are_on_device
from optgen.runtime.gradients import Gradients
from optgen.runtime.host import HOST
from optgen.runtime.phases import PreparedPhase, Scalars
from optgen.runtime.plan import Participants

if TYPE_CHECKING:
    from optgen.runtime.state import State


class Reader(Protocol):
    """Checks the gradients of a call, and brings their addresses into the tables."""

    def read(self, gradients: Sequence[Any]) -> Gradients:
        """Check the gradients of one call; changes no array that anyone can see."""

    def read_pairs(self, pairs: Sequence[Any]) -> Gradients | None:
        """Check pairs of gradient and variable; None if they have to be taken apart first."""

    def point_at(self, gradients: Gradients) -> None:
        """Put the addresses of checked gradients into the tables."""

    def look_again(self) -> None:
        """Check gradients again before they are used, because a user's code has run since."""

    def find_variables(self) -> None:
        """Check the variables, and bring their addresses into the tables, without gradients."""


class Tables(Protocol):
    """What kernels see of all variables, and launches over them."""

    @property
    def all_present(self) -> Participants:
        """The participants of a call in which every variable has a gradient."""

    def reader(self, state: State) -> Reader:
        """Return what checks gradients of the variables, which are those of a state."""

    def number(self, position: int, column: int) -> Any:
        """Return a number of a variable as a live array of rank 0."""

    def axis_numbers(self, position: int, name: str) -> Any:
        """Return a variable's numbers per row, column or index as a live array."""

    def fill_column(self, column: int, values: Sequence[float]) -> None:
        """Give every variable its number in a column; ``values`` are in the order of build."""

    def select(self, pattern: Sequence[bool]) -> Participants:
        """Return who takes part in a call; earlier results may not be used any more."""

    def run(
        self,
        phases: Sequence[PreparedPhase],
        selections: Any,
        scalars: Scalars,
        average: int | None,
        accumulator: int | None,
        rehearsal: bool = False,
    ) -> list[tuple[str, float]]:
        """Launch prepared phases over a part of the variables; see ``HostTables.run``."""

    def summed(self, scalars: Scalars, name: str) -> float:
        """Return a sum over all variables that ``run`` added to the scalars."""

    def finish(self) -> None:
        """Bring what a call's launches computed to where the variables are."""


class Memory(Protocol):
    """Host memory, or that of one device.

    A *layout* is a NumPy array that lies as an array does: the array itself on the host. On a
    device its elements cannot be read; it stands for address, shape, strides and dtype.
    """

    def check_variable(self, position: int, variable: object) -> Array:
        """Return the layout of a variable that can be updated in place, or raise ValueError."""

    def check_writable(self, position: int, variable: Any) -> None:
        """Raise ValueError if a variable has become read-only."""

    def layout(self, array: object) -> Array | None:
        """Return the layout of an array that lives here; None for anything else."""

    def filled(self, layout: Array, value: float) -> Any:
        """Return an array like a variable that holds one value."""

    def copied(self, variable: Any) -> Any:
        """Return a copy of a variable, in C order."""

    def placed(self, array: Array) -> Any:
        """Return a host array, or a copy of it that lives here, as a part of the state."""

    def copy_all(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Copy the second array of each pair into the first."""

    def check_copyable(self, variables: Sequence[Any]) -> None:
        """Raise TypeError if variables cannot be copied or pickled together with the state."""

    def tables(
        self, mode: Mode, layouts: Sequence[Array], streams: Sequence[Sequence[Any]]
    ) -> Tables:
        """Return tables.

        Args:
            mode: which columns they have.
            layouts: those of the variables.
            streams: for each variable its average, its accumulator and its element slots; None
                for what is off.
        """


def memory_of(variables: Sequence[object]) -> Memory:
    """Return the memory that variables live in.

    Raises:
        ValueError: if they do not live in one.
        ImportError: if they are device arrays and numba-cuda is missing.
        RuntimeError: if they are, and there is no toolkit, driver or device.
    """
    if not are_on_device(variables):
        return HOST
    # Imported for device arrays alone: an optimizer of host arrays needs nothing of CUDA.
    memory: Memory = importlib.import_module(f"{__package__}.cuda").memory_of(variables)
    return memory
