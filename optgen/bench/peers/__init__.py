"""The candidates: what they are called, what they need, and where they are made."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from optgen.bench.steps import ADAPTIVE, CLIPPED, MOMENTUM, NORMED

OURS = "optgen"
FLOOR = "floor"
EVERY_STEP = (MOMENTUM, ADAPTIVE, CLIPPED, NORMED)
PLAIN_AND_CLIPPED = (MOMENTUM, ADAPTIVE, CLIPPED)


@dataclass(frozen=True)
class Peer:
    """A candidate, before it is started.

    Attributes:
        name: what options call it.
        title: what tables call it.
        module: its function ``make(step, variables, form)`` makes the candidate.
        form: which of the module's forms, where it has several.
        needs: modules that must be installed.
        install: what installs them.
        steps: names of the steps that it can take.
        memory: arrays like all variables together that it holds in addition to those of the step.
    """

    name: str
    title: str
    module: str
    form: str = ""
    needs: tuple[str, ...] = ()
    install: str = ""
    steps: tuple[str, ...] = EVERY_STEP
    memory: int = 0

    def missing(self) -> str:
        """Which of its modules are not installed, and what installs them; empty if all are."""
        missing = [name for name in self.needs if importlib.util.find_spec(name) is None]
        if missing:
            return f"{', '.join(missing)} not installed: pip install {self.install}"
        return ""


_HERE = "optgen.bench.peers"

PEERS = (
    Peer(OURS, "optgen", f"{_HERE}.ours"),
    Peer(FLOOR, "memory floor", f"{_HERE}.floor"),
    Peer(
        "torch-fused",
        "torch fused",
        f"{_HERE}.with_torch",
        "fused",
        ("torch",),
        "torch",
        PLAIN_AND_CLIPPED,
    ),
    Peer(
        "torch-foreach",
        "torch foreach",
        f"{_HERE}.with_torch",
        "foreach",
        ("torch",),
        "torch",
        PLAIN_AND_CLIPPED,
        memory=1,
    ),
    Peer(
        "optax",
        "optax jit",
        f"{_HERE}.with_optax",
        needs=("jax", "optax"),
        install="jax optax",
        memory=1,
    ),
    Peer(
        "keras",
        "keras jit",
        f"{_HERE}.with_keras",
        needs=("jax", "keras"),
        install="jax keras",
        steps=PLAIN_AND_CLIPPED,
        memory=1,
    ),
    Peer(
        "pytorch-optimizer",
        "pytorch_optimizer",
        f"{_HERE}.with_pytorch_optimizer",
        needs=("torch", "pytorch_optimizer"),
        install="torch pytorch_optimizer",
        steps=(NORMED,),
        memory=1,
    ),
)


def peers(names: list[str]) -> list[Peer]:
    """The candidates of some names, ours first; all of them for none.

    Raises:
        ValueError: if a name is unknown.
    """
    known = [peer.name for peer in PEERS]
    for name in names:
        if name not in known:
            raise ValueError(f"expected a candidate among {', '.join(known)}, received {name!r}")
    # Everything is said as a ratio to ours.
    return [peer for peer in PEERS if not names or peer.name in {*names, OURS}]
