"""The optimizers of pytorch_optimizer, where torch has none of the kind."""

from __future__ import annotations

from pytorch_optimizer import NovoGrad

from optgen.bench.candidate import Array
from optgen.bench.peers.with_torch import Torch, parameters_of
from optgen.bench.steps import Step


class PytorchOptimizer(Torch):
    """An optimizer of pytorch_optimizer over torch's parameters; a candidate."""

    packages = ("pytorch_optimizer", "torch")


def make(step: Step, variables: list[Array], form: str) -> PytorchOptimizer:
    """The candidate of a step over copies of variables."""
    parameters = parameters_of(variables)
    optimizer = NovoGrad(
        parameters,
        lr=step.number("learning_rate"),
        betas=(step.number("beta_1"), step.number("beta_2")),
        eps=step.number("epsilon"),
        weight_decay=step.number("weight_decay"),
        foreach=True,
    )
    return PytorchOptimizer(
        parameters, [], optimizer.step, "pytorch_optimizer.NovoGrad(foreach=True).step()"
    )
