"""The optimizers of pytorch_optimizer, in float64.

Weight decay that a rule does not have itself is off, as ours is the common stage.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.references.comparison import Arguments, Array, Gradients

RENAMED = {
    "learning_rate": "lr",
    "final_learning_rate": "final_lr",
    "amsgrad": "ams_bound",
    "epsilon": "eps",
    "epsilon_1": "eps1",
    "epsilon_2": "eps2",
}

STATE = {
    "m": "exp_avg",
    "v": "exp_avg_sq",
    "s": "exp_avg_var",
    "s_hat": "max_exp_avg_var",
    "v_hat": "max_exp_avg_sq",
    "m_slow": "exp_avg_slow",
    "average_gradient": "exp_mean_avg_beta2",
    "learning_rate_average": "exp_avg_lr_1",
    "momentum_buffer": "momentum_buffer",
    "v_row": "exp_avg_sq_row",
    "v_column": "exp_avg_sq_col",
    "residual_row": "exp_avg_res_row",
    "residual_column": "exp_avg_res_col",
}
"""What the library calls the slots, but for those of `ADAN`, `NOVOGRAD` and SM3."""

ADAN = {
    "m": "exp_avg",
    "n": "exp_avg_sq",
    "v": "exp_avg_diff",
    "previous_gradient": "previous_grad",
    "has_previous": "",
}
NOVOGRAD = {"m": "moments", "v": "grads_ema"}
OWN_STATE = {"Adan": ADAN, "NovoGrad": NOVOGRAD}


def load_library() -> ModuleType:
    """Return the library, or skip the test with the reason."""
    module: ModuleType = pytest.importorskip(
        "pytorch_optimizer", reason="pytorch_optimizer (and PyTorch) is not installed"
    )
    return module


def spelt_for_library(rule: type[Any], arguments: Arguments) -> Arguments:
    """Return the arguments under the library's names; the betas with those not given.

    Raises:
        ValueError: for AMSGrad where the library, which ignores what it does not know, lacks it.
    """
    parameters = inspect.signature(rule).parameters
    betas = [name for name in ("beta_1", "beta_2", "beta_3") if name in parameters]
    spelt = {RENAMED.get(n, n): value for n, value in arguments.items() if n not in betas}
    if betas:
        spelt["betas"] = tuple(arguments.get(n, parameters[n].default) for n in betas)
    if rule.__name__ == "NovoGrad" and spelt.pop("ams_bound", False):
        raise ValueError("the NovoGrad of pytorch_optimizer has no AMSGrad, so it must be off")
    return spelt


class LibraryPeer:
    """The optimizer of pytorch_optimizer that has a reference's name and arguments.

    Args:
        rule: The reference's class.
        arguments: Its arguments.
        variables: The variables; copies are stepped.
        **options: Further arguments, under the library's names.
    """

    def __init__(
        self, rule: type[Any], arguments: Arguments, variables: Sequence[Array], **options: Any
    ) -> None:
        library = load_library()
        self.torch = pytest.importorskip("torch")
        self.rule = rule.__name__
        self.parameters = [self.torch.nn.Parameter(self.torch.tensor(w)) for w in variables]
        peer_class = getattr(library, rule.__name__)
        spelt = spelt_for_library(rule, arguments)
        if "weight_decay" in inspect.signature(peer_class).parameters:
            spelt = {"weight_decay": 0.0} | spelt
        self.optimizer = peer_class(self.parameters, **spelt | options)

    def step(self, learning_rate: float, gradients: Gradients) -> list[Any]:
        self.optimizer.param_groups[0]["lr"] = learning_rate
        for parameter, g in zip(self.parameters, gradients, strict=True):
            parameter.grad = None if g is None else self.torch.tensor(g)
        self.optimizer.step()
        return [parameter.detach().numpy() for parameter in self.parameters]

    def state(self, index: int | None, slot: str) -> Any:
        if index is None:
            assert slot == "base_learning_rate", f"nothing stands for {slot}"
            return self.optimizer.base_lrs[0]
        parameter = self.parameters[index]
        state = self.optimizer.state[parameter]
        if slot == "has_previous":
            return float(bool(state))
        if self.rule == "SM3" and slot != "momentum_buffer":
            axes = [state[f"accumulator_{axis}"].ravel() for axis in range(max(parameter.ndim, 1))]
            return np.concatenate(axes if slot == "v_axes" else [axes[slot == "v_column"]])
        found = state[OWN_STATE.get(self.rule, STATE)[slot]]
        # Adan keeps the negative of the last gradient.
        return -found if (self.rule, slot) == ("Adan", "previous_gradient") else found
