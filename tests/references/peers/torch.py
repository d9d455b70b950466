"""The optimizers of torch.optim, in float64."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tests.references.comparison import Arguments, Array, Gradients

STATE = {
    "m": "exp_avg",
    "v": "exp_avg_sq",
    "previous_gradient": "prev",
    "step_size": "step_size",
    "w_average": "ax",
    "eta": "eta",
    "mu": "mu",
}
"""What PyTorch calls the slots."""

RENAMED = {"learning_rate": "lr", "epsilon": "eps"}
PAIRS = {
    ("beta_1", "beta_2"): "betas",
    ("eta_minus", "eta_plus"): "etas",
    ("step_size_min", "step_size_max"): "step_sizes",
}


def spelt_for_torch(arguments: Arguments) -> Arguments:
    """Return the arguments under PyTorch's names."""
    spelt = dict(arguments)
    for names, pair in PAIRS.items():
        if names[0] in spelt:
            spelt[pair] = tuple(spelt.pop(name) for name in names)
    return {RENAMED.get(name, name): value for name, value in spelt.items()}


@contextmanager
def float64_by_default(torch: Any) -> Iterator[None]:
    """Make float64 the dtype of the numbers that PyTorch keeps per parameter."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class TorchPeer:
    """The optimizer of torch.optim that has a reference's name and arguments.

    PyTorch counts steps per parameter and the references count all steps, so every parameter must
    have a gradient in every step.

    Args:
        rule: The reference's class.
        arguments: Its arguments.
        variables: The variables; copies are stepped.
        **options: Further arguments, under PyTorch's names.
    """

    def __init__(
        self, rule: type[Any], arguments: Arguments, variables: Sequence[Array], **options: Any
    ) -> None:
        self.torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        self.parameters = [self.torch.nn.Parameter(self.torch.tensor(w)) for w in variables]
        peer_class = getattr(self.torch.optim, rule.__name__)
        self.optimizer = peer_class(self.parameters, **spelt_for_torch(arguments), **options)

    def step(self, learning_rate: float, gradients: Gradients) -> list[Any]:
        self.optimizer.param_groups[0]["lr"] = learning_rate
        for parameter, g in zip(self.parameters, gradients, strict=True):
            parameter.grad = self.torch.tensor(g)
        with float64_by_default(self.torch):
            self.optimizer.step()
        return [parameter.detach().numpy() for parameter in self.parameters]

    def state(self, index: int | None, slot: str) -> Any:
        assert index is not None, "torch.optim keeps nothing for an optimizer as a whole"
        return self.optimizer.state[self.parameters[index]][STATE[slot]]
