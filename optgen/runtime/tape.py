"""Gradients of losses that read Variables: all that touches autograd, which is imported on demand.

While a loss runs, each Variable that it reads is the root of a graph that autograd records. A
backward pass over that graph, written out here because autograd's own has one root only, also
tells which Variables the loss does not depend on.

Source of the rules of the backward pass: ``autograd.core.backward_pass``.
"""

from __future__ import annotations

import functools
import operator
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optgen.runtime.arrays import Array
from optgen.runtime.traced import Functions, TracedMethods
from optgen.runtime.values import Tensor
from optgen.runtime.variable import Variable, active, current

REQUIREMENT = "autograd>=1.8,<1.10"

PRIVATE_NAMES = (
    "core.VJPNode.new_root",
    "core.VSpace.mappings",
    "core.add_outgrads",
    "core.toposort",
    "numpy.numpy_boxes.ArrayBox",
    "numpy.sum.fun",
    "tracer.Box._node",
    "tracer.Box._trace",
    "tracer.Box._value",
    "tracer.Box.type_mappings",
    "tracer.Box.types",
    "tracer.notrace_primitives",
)
"""What is used of autograd beyond its documented interface."""

# Autograd numbers its traces 0, 1, ... by a counter that all threads share, and compares the
# numbers of the values in one call: the highest is recorded, -1 means that there is none. This
# one lies below all of autograd's, so that autograd.grad can be used inside of a loss, and needs
# no counter, so that threads do not meet. It can be one number because traces are not nested.
_TRACE = -0.5
_NO_TRACE = -2

_LOADING = threading.Lock()


@dataclass(frozen=True)
class _Autograd:
    """What is used of autograd, and the classes derived from its own.

    Attributes:
        box: the base class of its traced values.
        tensor: the class of values traced by this module.
        node: the class of the nodes that this module's traces record.
        functions: how NumPy's functions are applied to traced values.
        toposort: gives the nodes that a node was computed from, children first.
        add_outgrads: adds a gradient to the sum so far.
    """

    box: type[Any]
    tensor: type[Any]
    node: type[Any]
    functions: Functions
    toposort: Callable[[Any], Iterator[Any]]
    add_outgrads: Callable[[Any, Any], Any]


def gradients(
    loss: Callable[[], Any],
    variables: Sequence[Variable] | Callable[[], Sequence[Variable]],
    weight: Any = None,
    may_overflow: bool = False,
) -> tuple[list[Variable], list[Array | None]]:
    """Run a loss once and differentiate it.

    A Variable is read once for all: writing into its ``array`` while the loss runs changes
    neither value nor gradient, and after ``assign`` the gradient is the sum over the values read.
    Variables are constants in other threads, those that the loss starts included.

    Args:
        loss: takes no arguments; returns a real floating number or array, whose sum is
            differentiated.
        variables: what to differentiate with respect to; or a callable that returns it, which is
            called after the loss, and then all Variables that the loss reads are traced.
        weight: the gradient of whatever follows the loss, by which its elements are weighted:
            real numbers that broadcast to its shape; None for ones.
        may_overflow: whether infinities and NaN in the derivatives are no reason to warn.

    Returns:
        The variables, and for each a new array of its shape and dtype, or None if the loss does
        not depend on it.

    Raises:
        ValueError: if the loss or the weight is no such value.
        RuntimeError: if the thread differentiates another loss already.
        NotImplementedError: if autograd has no derivative of a function.
        ImportError: if autograd is missing or of another version.
    """
    library = _autograd()
    if active.trace is not None:
        raise RuntimeError(
            "a loss that is being differentiated cannot differentiate another one by minimize, "
            "get_gradients or get_updates. Use autograd.grad for a derivative inside of a loss, "
            "or call the optimizer outside."
        )
    trace = _Trace(library, None if callable(variables) else variables)
    active.trace = trace
    try:
        value, end = trace.outcome(loss())
    finally:
        active.trace = None
    seed = _seed(value, weight)
    listed = list(variables() if callable(variables) else variables)
    quiet: dict[str, Any] = {"over": "ignore", "invalid": "ignore"} if may_overflow else {}
    with np.errstate(**quiet):
        found = {} if end is None else _backward(library, end, seed, trace.roots)
        return listed, [_gradient_of(variable, trace.roots, found) for variable in listed]


def _seed(value: Any, weight: Any) -> Array:
    """Return the gradient of a loss with respect to itself, in its shape and dtype."""
    dtype, shape = np.asarray(value).dtype, np.shape(value)
    if weight is None:
        return np.ones(shape, dtype)
    factors = np.asarray(weight)
    if factors.dtype.kind not in "fiu":
        raise ValueError(f"grad_loss: expected real numbers, received dtype {factors.dtype}.")
    try:
        with np.errstate(over="ignore"):
            return np.array(np.broadcast_to(factors, shape), dtype)
    except ValueError:
        raise ValueError(
            f"grad_loss: expected the shape {shape} of the loss, or one that broadcasts to it, "
            f"received {factors.shape}."
        ) from None


def _backward(library: _Autograd, end: Any, seed: Array, roots: Iterable[Any]) -> dict[Any, Any]:
    """Return the gradients of those roots that the end of a graph depends on."""
    wanted = set(roots)
    found = {}
    sums = {end: (seed, False)}
    for node in library.toposort(end):
        gradient = sums.pop(node)[0]
        if node in wanted:
            found[node] = gradient
            continue
        for parent, part in zip(node.parents, node.vjp(gradient), strict=True):
            fitting = _fitted(part, parent.shape)
            sums[parent] = library.add_outgrads(sums.get(parent), fitting)
    return found


def _fitted(gradient: Any, shape: tuple[int, ...] | None) -> Any:
    """Return a gradient in the shape of its value, summed over the axes that were broadcast.

    Autograd leaves that out in some functions, ``where`` among them.
    """
    if shape is None or not isinstance(gradient, np.ndarray | np.generic | float):
        return gradient
    received = np.shape(gradient)
    if received == shape:
        return gradient
    added = len(received) - len(shape)
    pairs = list(zip(received[max(added, 0) :], shape, strict=False))
    if added < 0 or any(target not in (1, length) for length, target in pairs):
        raise RuntimeError(
            f"autograd gave a gradient of shape {received} for a value of shape {shape}; write "
            "the loss with other functions."
        )
    repeated = [added + i for i, (length, target) in enumerate(pairs) if length != target]
    return np.sum(gradient, axis=(*range(added), *repeated)).reshape(shape)


def _gradient_of(
    variable: Variable, roots: dict[Any, Variable], found: dict[Any, Any]
) -> Array | None:
    """Return the sum over a Variable's roots as a new array; None if none was reached."""
    parts = [found[node] for node, owner in roots.items() if owner is variable and node in found]
    if not parts:
        return None
    total = np.real(functools.reduce(operator.add, parts))
    with np.errstate(over="ignore"):  # infinity is what float32 has for such a gradient
        return np.array(total, variable.dtype, copy=True, order="C", subok=False)


class _Trace:
    """The differentiation of one loss: what stands for the Variables that it reads.

    Attributes:
        roots: the Variables that are differentiated, by the nodes of the values read.
    """

    def __init__(self, library: _Autograd, variables: Sequence[Variable] | None) -> None:
        """Start without having read anything; None for variables means all that are read."""
        self._library = library
        self._wanted = None if variables is None else frozenset(variables)
        self._values: dict[Variable, Any] = {}
        self._lent: set[Variable] = set()
        self.roots: dict[Any, Variable] = {}

    def read(self, variable: Variable) -> Any:
        """Return the traced value of a Variable, or a Tensor if it is not differentiated."""
        if variable not in self._values:
            # A copy, because the graph keeps it and the array may be written before it is used.
            value = np.array(variable.array, subok=False)
            if self.follows(variable):
                node = self._library.node.new_root()
                node.shape = value.shape
                self.roots[node] = variable
                self._values[variable] = self._library.tensor(value, _TRACE, node)
            else:
                self._values[variable] = value.view(Tensor)
        return self._values[variable]

    def follows(self, variable: Variable) -> bool:
        """Say whether the loss is differentiated with respect to a Variable."""
        return self._wanted is None or variable in self._wanted

    def written(self, variable: Variable) -> None:
        """Forget the value of a Variable that is about to get another one."""
        if variable in self._lent:
            raise RuntimeError(
                f"{variable.name}: a loss cannot assign to a Variable that is not in var_list "
                "after a function of autograd.numpy has read it. Use the function of numpy, or "
                "give the function variable.value()."
            )
        self._values.pop(variable, None)

    def lend(self, variable: Variable) -> None:
        """Remember that autograd keeps a Variable itself, and reads it in the backward pass."""
        self._lent.add(variable)

    def plain(self, value: Any) -> Any:
        """Return the value of a traced value; anything else as it is."""
        return self._library.functions.plain(value)

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call a function of NumPy with arguments that hold Variables."""
        return self._library.functions.call(function, args, kwargs)

    def call_ufunc(self, ufunc: np.ufunc, method: str, inputs: Any, kwargs: Any) -> Any:
        """Call a method of a ufunc with inputs that hold Variables."""
        return self._library.functions.call_ufunc(ufunc, method, inputs, kwargs)

    def outcome(self, result: Any) -> tuple[Any, Any]:
        """Return the value of what a loss returned and its node; None if nothing was traced.

        Raises:
            ValueError: if it is no real floating number or array.
            RuntimeError: if it is traced by autograd too.
        """
        library = self._library
        value = self.read(result) if isinstance(result, Variable) else result
        node = None
        if isinstance(value, library.box):
            if type(value._node) is not library.node:
                raise RuntimeError(
                    "the value of the loss belongs to a function that autograd differentiates. "
                    "Call the optimizer outside of it, and return from the loss no value that "
                    "was traced in autograd.grad."
                )
            value, node = value._value, value._node
        floating = isinstance(value, float | np.floating) or (
            isinstance(value, np.ndarray) and value.dtype.kind == "f"
        )
        if not floating:
            what = f"dtype {value.dtype}" if isinstance(value, np.ndarray) else repr(value)
            raise ValueError(
                "loss: expected a callable that returns a real floating number or array, received "
                f"{what} ({type(value).__name__}) from it."
            )
        return value, node


# Autograd --------------------------------------------------------------------------------------


def _autograd() -> _Autograd:
    """Import autograd and prepare it for Variables; later calls return the same.

    Raises:
        ImportError: if it is missing, or lacks something that this module needs.
    """
    with _LOADING:
        return _prepared()


@functools.cache
def _prepared() -> _Autograd:
    try:
        import autograd  # type: ignore[import-untyped]
        import autograd.numpy  # type: ignore[import-untyped]

        for name in PRIVATE_NAMES:
            operator.attrgetter(name)(autograd)
    except (ImportError, AttributeError) as error:
        raise ImportError(
            f"gradients of a loss need {REQUIREMENT}, which is missing or of another version "
            f"({error}). Install it with: pip install '{REQUIREMENT}'"
        ) from error
    core, tracer, numpy = autograd.core, autograd.tracer, autograd.numpy
    modules = {"numpy": numpy, "numpy.fft": numpy.fft, "numpy.linalg": numpy.linalg}
    functions = Functions(tracer.Box, modules, lambda function: not hasattr(function, "fun"))
    node = _node_class(core.VJPNode)
    # Functions without a derivative give plain values in traces of this module too.
    tracer.notrace_primitives[node] = tracer.notrace_primitives[core.VJPNode]
    array_box = numpy.numpy_boxes.ArrayBox
    tensor = type(
        "TracedTensor",
        (TracedMethods, array_box),
        {"__slots__": (), "__doc__": TracedMethods.__doc__, "_functions": functions},
    )
    _register(tracer.Box, core.VSpace.mappings, array_box, tensor, node)
    return _Autograd(tracer.Box, tensor, node, functions, core.toposort, core.add_outgrads)


def _node_class(base: Any) -> type[Any]:
    """Return the class of nodes of autograd that also know the shape of their value."""

    class TracedNode(base):  # type: ignore[misc]
        __slots__ = ("shape",)

        def __init__(self, value: Any, *args: Any) -> None:
            super().__init__(value, *args)
            is_array = isinstance(value, np.ndarray | np.generic | float)
            self.shape = np.shape(value) if is_array else None

    return TracedNode


def _register(box: Any, spaces: Any, array_box: Any, tensor: Any, node: Any) -> None:
    """Make autograd take Variables and Tensors, and box the values of this module's nodes."""

    def boxed(value: Any, trace: Any, recorded: Any) -> Any:
        return (tensor if type(recorded) is node else array_box)(value, trace, recorded)

    arrays = [kind for kind, found in box.type_mappings.items() if found is array_box]
    box.type_mappings.update(dict.fromkeys([*arrays, tensor, Tensor], boxed))
    spaces[Tensor] = spaces[np.ndarray]
    # Autograd asks its traced values for these, and takes a Variable for one of them.
    for name, getter in (("_value", _value_of), ("_trace", _trace_of), ("_node", _node_of)):
        setattr(Variable, name, property(getter))
    box.types.update({tensor, Variable})


def _value_of(variable: Variable) -> Any:
    trace = active.trace
    if trace is None:
        return variable.array
    value = trace.read(variable)
    return value._value if trace.follows(variable) else value


def _trace_of(variable: Variable) -> float:
    trace = active.trace
    if not isinstance(trace, _Trace):
        return _NO_TRACE
    if trace.follows(variable):
        return _TRACE
    trace.lend(variable)
    return _NO_TRACE


def _node_of(variable: Variable) -> Any:
    return current(variable)._node
