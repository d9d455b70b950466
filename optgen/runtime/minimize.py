"""Optimizing a loss that is given as a callable: gradients by ``tape``, then an update."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from optgen.runtime.arrays import Array
from optgen.runtime.calls import check_operation_name, takes_no_arguments
from optgen.runtime.tape import gradients
from optgen.runtime.values import Tensor
from optgen.runtime.variable import Variable, plain

Loss = Callable[[], Any]
Variables = Iterable[Variable] | Callable[[], Iterable[Variable]]


class Minimizer:
    """``minimize``, ``get_gradients`` and ``get_updates`` for an optimizer of Variables.

    The class that it is mixed into defines ``apply_gradients`` and ``scale_loss``.
    """

    _expects_overflow: ClassVar[bool] = False

    def apply_gradients(
        self, grads_and_vars: Iterable[tuple[Any, Any]], name: str | None = None
    ) -> Tensor:
        """Update variables by their gradients, divided by the loss scale."""
        raise NotImplementedError

    def scale_loss(self, loss: Any) -> Any:
        """Return a loss multiplied by the loss scale."""
        raise NotImplementedError

    def minimize(
        self,
        loss: Loss,
        var_list: Variables,
        grad_loss: Any = None,
        name: str | None = None,
        tape: None = None,
    ) -> Tensor:
        """Update Variables by one step that makes a loss smaller.

        Args:
            loss: takes no arguments and returns the value to minimize, computed from Variables:
                a real floating number, or an array whose sum is minimized. It is called once.
            var_list: the Variables to update; or a callable that returns them, which is called
                after the loss, for Variables that the loss creates.
            grad_loss: factors by which the elements of the loss are weighted; they broadcast to
                its shape.
            name: a name for the call, which changes nothing.
            tape: None; the loss is recorded here, and nothing else can be.

        Returns:
            What ``apply_gradients`` returns. It warns of Variables that the loss does not depend
            on, which are not updated.

        Raises:
            ValueError: if an argument is refused, the loss returns anything else, or depends on
                none of the Variables.
            RuntimeError: if the thread is differentiating another loss.
            NotImplementedError: if a function in the loss cannot be differentiated.
            ImportError: if autograd is missing.
        """
        check_operation_name(name)
        if tape is not None:
            raise ValueError(
                f"tape: expected None, received {type(tape).__name__}. Give the loss as a callable "
                "that computes it from Variables."
            )
        scale = float(self.scale_loss(1.0))
        weight = scale if grad_loss is None else scale * _checked_weight(grad_loss)
        variables, found = gradients(
            _checked_loss(loss),
            _checked_variables("var_list", var_list),
            weight,
            self._expects_overflow,
        )
        if variables and all(gradient is None for gradient in found):
            raise ValueError(
                "loss: expected one that depends on a Variable of var_list, received one that "
                "depends on none. What .numpy() or .array gives in a loss is a constant."
            )
        return self._apply_scaled(found, variables, scale, name)

    def get_gradients(self, loss: Loss, params: Variables) -> list[Tensor]:
        """Return the gradients of a loss, without updating anything.

        Args:
            loss: see ``minimize``.
            params: see ``var_list`` of ``minimize``.

        Returns:
            New Tensors of the shapes and dtypes of the Variables, in their order.

        Raises:
            ValueError: as ``minimize`` does, and if the loss does not depend on one of them.
        """
        return [gradient.view(Tensor) for gradient in _all_gradients(loss, params)[1]]

    def get_updates(self, loss: Loss, params: Variables) -> list[Tensor]:
        """Update Variables by one step, and return what was done as a list.

        Args:
            loss: see ``minimize``.
            params: see ``var_list`` of ``minimize``.

        Returns:
            What ``apply_gradients`` returns, as the only item.

        Raises:
            ValueError: as ``get_gradients`` does.
        """
        scale = float(self.scale_loss(1.0))
        variables, found = _all_gradients(loss, params, scale, self._expects_overflow)
        return [self._apply_scaled(found, variables, scale, None)]

    def _apply_scaled(
        self,
        gradients: Sequence[Any],
        variables: Sequence[Variable],
        scale: float,
        name: str | None,
    ) -> Tensor:
        """Update Variables by gradients of a loss that was multiplied by ``scale``."""
        return self.apply_gradients(zip(gradients, variables, strict=True), name=name)


def _all_gradients(
    loss: Loss, params: Variables, weight: float | None = None, may_overflow: bool = False
) -> tuple[list[Variable], list[Array]]:
    """Return the Variables and their gradients; ValueError if one has none."""
    variables, found = gradients(
        _checked_loss(loss), _checked_variables("params", params), weight, may_overflow
    )
    complete = []
    for index, (variable, gradient) in enumerate(zip(variables, found, strict=True)):
        if gradient is None:
            raise ValueError(
                f"params: expected Variables that the loss depends on, received {variable.name!r} "
                f"as item {index}, on which it does not depend. Leave it out, or use it in the "
                "loss; what .numpy() or .array gives there is a constant."
            )
        complete.append(gradient)
    return variables, complete


def _checked_loss(loss: object) -> Loss:
    """Return a loss; ValueError if it cannot be called without arguments."""
    if not callable(loss):
        raise ValueError(
            "loss: expected a callable without arguments, received a value of type "
            f"{type(loss).__name__}. Put the computation of the loss in a function: "
            "`lambda: ...`."
        )
    if not takes_no_arguments(loss):
        raise ValueError(
            f"loss: expected a callable without arguments, received {loss!r}, which takes "
            "arguments. Use `lambda: loss(x, y)`."
        )
    return loss


def _checked_weight(weight: Any) -> Array:
    """Return grad_loss as an array of float64; ValueError unless it holds real numbers."""
    try:
        array = plain(weight)
    except (TypeError, ValueError):
        array = None
    masked = isinstance(array, np.ma.MaskedArray)
    if array is None or masked or array.dtype.kind not in "fiu":
        raise ValueError(
            "grad_loss: expected real numbers that broadcast to the loss, or None, received "
            f"{'a masked array' if masked else repr(weight)}."
        )
    return array.astype(np.float64)


def _checked_variables(
    what: str, variables: Variables
) -> list[Variable] | Callable[[], list[Variable]]:
    """Return Variables, or a callable that returns them, checked now or when it is called.

    Args:
        what: the argument, for messages.
        variables: what was given.

    Raises:
        ValueError: if they are no Variables, none, or one comes twice.
    """
    if callable(variables):
        function = variables
        return lambda: _checked_list(f"{what}()", function())
    return _checked_list(what, variables)


def _checked_list(what: str, variables: object) -> list[Variable]:
    single = isinstance(variables, Variable | np.ndarray | str)
    if single or not isinstance(variables, Iterable):
        raise ValueError(
            f"{what}: expected a list of Variables, received one {type(variables).__name__}. "
            "Put a Variable in a list."
        )
    listed = list(variables)
    positions: dict[Variable, int] = {}
    for index, item in enumerate(listed):
        if not isinstance(item, Variable):
            raise ValueError(
                f"{what}: expected Variables, received {type(item).__name__} as item {index}. "
                "Make a Variable of an array with `optgen.Variable(array)`, or with "
                "`copy=False` to share its memory, and use it in the loss."
            )
        if item in positions:
            raise ValueError(
                f"{what}: expected each Variable once, received {item.name!r} as items "
                f"{positions[item]} and {index}."
            )
        positions[item] = index
    if not listed:
        raise ValueError(f"{what}: expected at least one Variable, received none.")
    return listed
