"""How long steps take: beside torch's fused optimizers, and beside a plain copy of memory."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import cuda

from optgen.gpu_check.machine import has_torch
from optgen.gpu_check.models import MODELS, Shapes
from optgen.gpu_check.peers import WORKLOADS, Step, Workload

SECONDS = 0.2
"""How long one measurement takes, about."""

COPIED = 1 << 28
"""Bytes of the copy that stands for the bandwidth of memory."""

FLOAT32_BYTES = 4

HEAD = (
    f"\n{'model':16} {'step':28} {'us':>10} {'spread':>7} {'GB/s':>7} {'% copy':>7}"
    f" {'torch us':>10} {'torch/ours':>11}"
)


def run(rounds: int) -> list[dict[str, Any]]:
    """Measure every workload over every model, and print a table.

    Args:
        rounds: how many measurements each figure is the median of.

    Returns:
        The figures, a row each.
    """
    copy = copy_bandwidth(rounds)
    print(f"\ncopy of {COPIED >> 20} MiB: {copy / 1e9:.0f} GB/s, read and written")
    if not has_torch():
        print("torch with CUDA is not installed: nothing is compared with it")
    print(HEAD)
    rows = []
    for model, shapes in MODELS.items():
        for workload in WORKLOADS:
            row = {"model": model, **measure(workload, shapes(), rounds, copy)}
            rows.append(row)
            print(_line(row))
    return rows


def copy_bandwidth(rounds: int) -> float:
    """Bytes per second that a copy within the device reads and writes."""
    source = cuda.device_array(COPIED // FLOAT32_BYTES, np.float32)
    target = cuda.device_array_like(source)

    def step() -> None:
        target.copy_to_device(source)

    steps = _steps_for(step)
    return 2 * COPIED / statistics.median(_time(step, steps) for _ in range(rounds))


def measure(workload: Workload, shapes: Shapes, rounds: int, copy: float) -> dict[str, Any]:
    """Measure one workload; candidates take turns, and the first of a round is another each time.

    Args:
        workload: what to measure.
        shapes: those of the variables.
        rounds: how many measurements.
        copy: bytes per second of a copy.
    """
    candidates = _candidates(workload, shapes)
    steps = {name: _steps_for(step) for name, step in candidates.items()}
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for index in range(rounds):
        names = list(candidates)
        for name in names if index % 2 == 0 else reversed(names):
            times[name].append(_time(candidates[name], steps[name]))
    median = statistics.median(times["ours"])
    moved = sum(map(math.prod, shapes)) * FLOAT32_BYTES * workload.streams / median
    row = {
        "step": workload.name,
        "seconds": median,
        "spread": (max(times["ours"]) - min(times["ours"])) / median,
        "bytes per second": moved,
        "of copy": moved / copy,
    }
    if "torch" in times:
        pairs = zip(times["torch"], times["ours"], strict=True)
        row["torch seconds"] = statistics.median(times["torch"])
        row["torch over ours"] = statistics.median(theirs / ours for theirs, ours in pairs)
    return row


def _candidates(workload: Workload, shapes: Shapes) -> dict[str, Step]:
    """The steps to compare, each over arrays of its own."""
    rng = np.random.default_rng(0)
    if not has_torch():
        arrays = [rng.standard_normal(shape, np.float32) for shape in shapes]
        gradients = [rng.standard_normal(shape, np.float32) for shape in shapes]
        return {"ours": workload.step(_on_device(arrays), _on_device(gradients))}
    import torch

    def tensors() -> list[Any]:
        return [torch.randn(shape, device="cuda") for shape in shapes]

    found = {"ours": workload.step(tensors(), tensors())}
    if workload.peer is not None:
        parameters = [torch.nn.Parameter(tensor) for tensor in tensors()]
        for parameter, gradient in zip(parameters, tensors(), strict=True):
            parameter.grad = gradient
        found["torch"] = workload.peer(torch, parameters)
    return found


def _on_device(arrays: Sequence[Any]) -> list[Any]:
    return [cuda.to_device(array) for array in arrays]


def _steps_for(step: Step) -> int:
    """How many steps fill a measurement, after all that happens once only."""
    for _ in range(3):
        step()
    return max(1, math.ceil(SECONDS / _time(step, 10)))


def _time(step: Step, count: int) -> float:
    """Seconds per step, from an idle device to an idle device."""
    cuda.synchronize()
    start = time.perf_counter()
    for _ in range(count):
        step()
    cuda.synchronize()
    return (time.perf_counter() - start) / count


def _line(row: dict[str, Any]) -> str:
    text = (
        f"{row['model']:16} {row['step']:28} {row['seconds'] * 1e6:10.1f} {row['spread']:7.1%}"
        f" {row['bytes per second'] / 1e9:7.0f} {row['of copy']:7.1%}"
    )
    if "torch seconds" in row:
        text += f" {row['torch seconds'] * 1e6:10.1f} {row['torch over ours']:10.2f}x"
    return text
