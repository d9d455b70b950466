"""What is measured: steps of generated optimizers, and what does the same in torch.

The only place that knows optimizers by name: each stands beside its counterpart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from optgen.gpu_check.package import Arguments, optimizer_class

Step = Callable[[], object]


@dataclass(frozen=True)
class Workload:
    """A step to measure.

    Attributes:
        name: what it is called in tables.
        optimizer: the generated class.
        arguments: of the class.
        streams: how many numbers per element a step has to read and write.
        peer: makes the same step in torch, of parameters with gradients; None if torch has none.
    """

    name: str
    optimizer: str
    arguments: Arguments
    streams: int
    peer: Callable[[Any, Sequence[Any]], Step] | None

    def step(self, variables: Sequence[Any], gradients: Sequence[Any]) -> Step:
        """The step of the generated class over device arrays."""
        optimizer = optimizer_class(self.optimizer)(**self.arguments)
        optimizer.build(list(variables))
        held = list(gradients)
        return lambda: optimizer.apply(held)


def _sgd(torch: Any, parameters: Sequence[Any]) -> Step:
    step: Step = torch.optim.SGD(parameters, lr=0.01, momentum=0.9, nesterov=True, fused=True).step
    return step


def _adam(torch: Any, parameters: Sequence[Any]) -> Step:
    step: Step = torch.optim.Adam(parameters, lr=0.001, fused=True).step
    return step


def _adamw_clip_average(torch: Any, parameters: Sequence[Any]) -> Step:
    optimizer = torch.optim.AdamW(parameters, lr=0.001, weight_decay=0.01, fused=True)
    values = [parameter.detach() for parameter in parameters]
    averages = [value.clone() for value in values]

    def step() -> None:
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        optimizer.step()
        torch._foreach_lerp_(averages, values, 0.001)

    return step


WORKLOADS = (
    Workload("SGD, Nesterov", "SGD", {"momentum": 0.9, "nesterov": True}, 5, _sgd),
    Workload("Adam", "Adam", {}, 7, _adam),
    Workload(
        "AdamW, global clip, average",
        "AdamW",
        {
            "weight_decay": 0.01,
            "global_clipnorm": 1.0,
            "use_ema": True,
            "ema_momentum": 0.999,
        },
        10,
        _adamw_clip_average,
    ),
    Workload("NovoGrad", "NovoGrad", {}, 6, None),
)
