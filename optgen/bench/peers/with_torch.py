"""torch's own optimizers, fused and with foreach."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from optgen.bench.candidate import Array
from optgen.bench.steps import ADAPTIVE, CLIPPED, MOMENTUM, Step

Parameters = list[torch.nn.Parameter]


class Torch:
    """An optimizer of torch over parameters; a candidate.

    Args:
        parameters: what it updates.
        averages: averages of the parameters; empty without.
        step: takes a step of parameters that have gradients.
        form: what a user writes for it.
    """

    packages: tuple[str, ...] = ("torch",)

    def __init__(
        self,
        parameters: Parameters,
        averages: list[torch.Tensor],
        step: Callable[[], Any],
        form: str,
    ) -> None:
        self.form = form
        self.threads = torch.get_num_threads()
        self._parameters = parameters
        self._averages = averages
        self._step = step

    def fresh(self, arrays: Iterable[Array]) -> list[torch.Tensor]:
        return [torch.tensor(array) for array in arrays]

    def again(self) -> list[torch.Tensor]:
        return [
            parameter.grad.clone() for parameter in self._parameters if parameter.grad is not None
        ]

    def place(self, gradients: list[torch.Tensor]) -> None:
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient

    def step(self) -> None:
        self._step()

    def wait(self) -> None:
        """Nothing is running when a step has returned."""

    def results(self) -> list[Array]:
        tensors = [*(parameter.detach() for parameter in self._parameters), *self._averages]
        return [tensor.numpy() for tensor in tensors]


def parameters_of(variables: list[Array]) -> Parameters:
    """Parameters with the values of variables, in memory of torch's own."""
    return [torch.nn.Parameter(torch.tensor(array)) for array in variables]


def make(step: Step, variables: list[Array], form: str) -> Torch:
    """The candidate of a step over copies of variables; ``form`` is fused or foreach."""
    return _MAKERS[step.name](step, parameters_of(variables), {form: True})


def _nesterov(step: Step, parameters: Parameters, form: dict[str, bool]) -> Torch:
    optimizer = torch.optim.SGD(
        parameters,
        lr=step.number("learning_rate"),
        momentum=step.number("momentum"),
        nesterov=True,
        **form,
    )
    return Torch(parameters, [], optimizer.step, f"torch.optim.SGD({_said(form)}).step()")


def _adam(step: Step, parameters: Parameters, form: dict[str, bool]) -> Torch:
    optimizer = torch.optim.Adam(
        parameters, lr=step.number("learning_rate"), betas=_betas(step), eps=_eps(step), **form
    )
    return Torch(parameters, [], optimizer.step, f"torch.optim.Adam({_said(form)}).step()")


def _clipped_and_averaged(step: Step, parameters: Parameters, form: dict[str, bool]) -> Torch:
    optimizer = torch.optim.AdamW(
        parameters,
        lr=step.number("learning_rate"),
        betas=_betas(step),
        eps=_eps(step),
        weight_decay=step.number("weight_decay"),
        **form,
    )
    largest = step.number("global_clipnorm")
    values = [parameter.detach() for parameter in parameters]
    averages = [value.clone() for value in values]
    average = get_ema_multi_avg_fn(step.number("ema_momentum"))
    averaged = 0

    def take() -> None:
        nonlocal averaged
        torch.nn.utils.clip_grad_norm_(parameters, largest, foreach=True)
        optimizer.step()
        if averaged == 0:  # as torch's AveragedModel does it
            torch._foreach_copy_(averages, values)
        else:
            average(averages, values, averaged)
        averaged += 1

    said = (
        f"clip_grad_norm_(parameters, {largest}, foreach=True); "
        f"torch.optim.AdamW({_said(form)}).step(); "
        f"get_ema_multi_avg_fn({step.number('ema_momentum')})(averages, values, averaged)"
    )
    return Torch(parameters, averages, take, said)


def _betas(step: Step) -> tuple[float, float]:
    return step.number("beta_1"), step.number("beta_2")


def _eps(step: Step) -> float:
    return step.number("epsilon")


def _said(form: dict[str, bool]) -> str:
    return ", ".join(f"{name}={value}" for name, value in form.items())


_MAKERS: dict[str, Callable[[Step, Parameters, dict[str, bool]], Torch]] = {
    MOMENTUM: _nesterov,
    ADAPTIVE: _adam,
    CLIPPED: _clipped_and_averaged,
}
