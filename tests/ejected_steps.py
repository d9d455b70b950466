"""Steps of a class in a process that cannot import optgen; imports NumPy and nothing else.

As a program it reads what to do as JSON from its standard input and prints digests as JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
from importlib import import_module
from typing import Any

import numpy as np

SHAPES = ((5,), (3, 4), ())


def variables(dtype: str) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return [np.array(rng.standard_normal(shape), dtype) for shape in SHAPES]


def gradients(dtype: str, call: int) -> list[np.ndarray]:
    rng = np.random.default_rng(100 + call)
    return [np.array(rng.standard_normal(shape), dtype) for shape in SHAPES]


def stepped(cls: Any, arguments: dict[str, Any], dtype: str, calls: int) -> tuple[Any, list[Any]]:
    """An optimizer and its variables after some calls."""
    own = variables(dtype)
    optimizer = cls(**arguments)
    for call in range(calls):
        optimizer.apply(gradients(dtype, call), own)
    return optimizer, own


def digest(optimizer: Any, own: list[Any]) -> str:
    """A digest of every bit of the variables and of the state."""
    arrays = [*own, *(np.asarray(array) for array in optimizer.variables)]
    content = b"".join(array.tobytes() + str(array.dtype).encode() for array in arrays)
    return hashlib.sha256(content).hexdigest()


class Blocker:
    """A finder that finds no optgen."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.split(".")[0] == "optgen":
            raise ImportError(f"{name} is out of reach")


def main() -> None:
    sys.meta_path.insert(0, Blocker())  # type: ignore[arg-type]
    task = json.load(sys.stdin)
    sys.path.insert(0, task["folder"])
    package = import_module(task["package"])
    cls = getattr(package, task["class"])
    digests = []
    for arguments, dtype, calls in task["cases"]:
        optimizer, own = stepped(cls, arguments, dtype, calls)
        digests.append(digest(optimizer, own))
    assert not any(name.split(".")[0] in ("optgen", "autograd") for name in sys.modules)
    if "save" in task:
        optimizer.save(task["save"])
        np.savez(f"{task['save']}.npz", *own)
    if "minimize" in task:
        x = package.Variable([3.0, -4.0])
        schedule = package.schedules.CosineDecay(0.5, decay_steps=50)
        optimizer = cls(learning_rate=schedule)
        for _ in range(3):
            optimizer.minimize(lambda: (x**2).sum(), [x])
        digests.append(x.numpy().tobytes().hex())
    print(json.dumps(digests))


if __name__ == "__main__":
    main()
