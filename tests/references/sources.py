"""Which source every optimizer of the catalogue has: the one place that says it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.references.comparison import Arguments, Peer
from tests.references.peers.addons import proximal_adagrad_runs, yogi_runs
from tests.references.peers.keras import KerasPeer
from tests.references.peers.nvidia import novograd_runs
from tests.references.peers.pytorch_optimizer import LibraryPeer
from tests.references.peers.recorded import RecordedRun
from tests.references.peers.torch import TorchPeer


@dataclass(frozen=True)
class Live:
    """A library that is installed and stepped.

    Attributes:
        path: Where its optimizers are; they are called as the references.
        peer: Starts the optimizer that has a reference's name.
        forms: The options of each way in which it computes a step, by a name for it.
        missing: Whether it goes on as the references do when variables lack gradients.
        lacks: Arguments that it does not have, so that they must be off.
    """

    path: str
    peer: Callable[..., Peer]
    forms: Mapping[str, Arguments] = field(default_factory=lambda: {"live": {}})
    missing: bool = True
    lacks: tuple[str, ...] = ()

    def has(self, arguments: Arguments) -> bool:
        """Whether the library can be given some arguments."""
        return not any(arguments.get(name) for name in self.lacks)


@dataclass(frozen=True)
class Recorded:
    """An optimizer that cannot be installed, and the runs that stand for it.

    Attributes:
        name: Where it is found.
        runs: Return the runs.
    """

    name: str
    runs: Callable[[], list[RecordedRun]]


Source = Live | Recorded

BY_PARAMETER_AND_BATCHED = {"live": {"foreach": False}, "batched": {"foreach": True}}

KERAS = Live("keras.optimizers", KerasPeer)
TORCH = Live("torch.optim", TorchPeer, BY_PARAMETER_AND_BATCHED, missing=False)
PYTORCH_OPTIMIZER = Live("pytorch_optimizer", LibraryPeer, BY_PARAMETER_AND_BATCHED)
# Its average square starts at a variable's first gradient; that of Addons at the first step.
NOVOGRAD_WITHOUT_AMSGRAD = Live(
    "pytorch_optimizer", LibraryPeer, BY_PARAMETER_AND_BATCHED, missing=False, lacks=("amsgrad",)
)

SOURCES: dict[str, tuple[Source, ...]] = {
    "adabelief": (PYTORCH_OPTIMIZER,),
    "adabound": (PYTORCH_OPTIMIZER,),
    "adadelta": (KERAS,),
    "adafactor": (KERAS,),
    "adagrad": (KERAS,),
    "adam": (KERAS,),
    "adamax": (KERAS,),
    "adamw": (KERAS,),
    "adan": (PYTORCH_OPTIMIZER,),
    "ademamix": (PYTORCH_OPTIMIZER,),
    "adopt": (PYTORCH_OPTIMIZER,),
    "asgd": (TORCH,),
    "came": (PYTORCH_OPTIMIZER,),
    "ftrl": (KERAS,),
    "lamb": (KERAS,),
    "laprop": (PYTORCH_OPTIMIZER,),
    "lars": (PYTORCH_OPTIMIZER,),
    "lion": (KERAS,),
    "nadam": (KERAS,),
    "novograd": (
        NOVOGRAD_WITHOUT_AMSGRAD,
        Recorded("timm.optim.nvnovograd.NvNovoGrad", novograd_runs),
    ),
    "proximal_adagrad": (Recorded("tfa.optimizers.ProximalAdagrad", proximal_adagrad_runs),),
    "radam": (TORCH,),
    "rmsprop": (KERAS,),
    "rprop": (TORCH,),
    "schedule_free_adamw": (KERAS,),
    "sgd": (KERAS,),
    "sm3": (PYTORCH_OPTIMIZER,),
    "stable_adamw": (PYTORCH_OPTIMIZER,),
    "tiger": (PYTORCH_OPTIMIZER,),
    "yogi": (Recorded("tfa.optimizers.Yogi", yogi_runs),),
}
"""By the stem of spec and reference; a mode is compared with the first source that has it."""


def source_of(stem: str, arguments: Arguments) -> Source:
    """Return what an optimizer is compared with.

    Args:
        stem: The name of its spec's file and of its reference's module.
        arguments: Its arguments; not every source has all modes.

    Raises:
        LookupError: if the table names none.
    """
    for source in SOURCES.get(stem, ()):
        if isinstance(source, Recorded) or source.has(arguments):
            return source
    raise LookupError(f"{stem}: expected a source in tests/references/sources.py, found none")


def rule_of(stem: str) -> type[Any]:
    """Return the reference of a module: the class that is called like it."""
    module = importlib.import_module(f"tests.references.{stem}")
    name = stem.replace("_", "")
    (found,) = (value for key, value in vars(module).items() if key.lower() == name)
    rule: type[Any] = found
    return rule


def rules_of(source: Source) -> list[type[Any]]:
    """Return the references of all optimizers that have a source."""
    return [rule_of(stem) for stem, sources in SOURCES.items() if source in sources]
