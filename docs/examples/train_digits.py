"""Train a small network on scikit-learn's digits with every generated optimizer.

The network and its gradients are plain NumPy in float32; the optimizers are all those of
`optgen.optimizers`, with a learning rate that suits the task where their default does not.  Where
Keras 3 has the same optimizer, Keras trains a copy of the network beside it, from the same start
and along the same gradients, so that the weights of both can be compared step by step.

The program prints a table, saves a plot of the loss curves, and ends with exit status 1 if an
optimizer stays below 95 % accuracy on the test digits.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import optgen.optimizers

Array = NDArray[np.float32]
Labels = NDArray[np.int64]

SEED = 0
BATCH = 32
HIDDEN = 64
REQUIRED_ACCURACY = 0.95

RUNS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "ASGD": {"ASGD": {"learning_rate": 0.2}},
    "Adadelta": {"Adadelta": {"learning_rate": 1.0}},
    "Adafactor": {"Adafactor": {"learning_rate": 0.01}},
    "Adagrad": {"Adagrad": {"learning_rate": 0.05}},
    "Adam": {
        "Adam": {"learning_rate": 0.002},
        "Adam, AMSGrad": {"learning_rate": 0.004, "amsgrad": True},
    },
    "AdamW": {"AdamW": {"learning_rate": 0.006, "weight_decay": 0.05}},
    "Adamax": {"Adamax": {"learning_rate": 0.01}},
    "Adan": {"Adan": {"learning_rate": 0.004}},
    "CAME": {"CAME": {"learning_rate": 0.002}},
    "Ftrl": {"Ftrl": {"learning_rate": 0.1}},
    "LARS": {"LARS": {"learning_rate": 1.0}},
    "LaProp": {"LaProp": {"learning_rate": 0.002}},
    "Lamb": {"Lamb": {"learning_rate": 0.005}},
    "NovoGrad": {"NovoGrad": {"learning_rate": 0.02}},
    "ProximalAdagrad": {"ProximalAdagrad": {"learning_rate": 0.05}},
    "RAdam": {"RAdam": {"learning_rate": 0.004}},
    "Rprop": {"Rprop": {"learning_rate": 0.03}},
    "SGD": {
        "SGD": {"learning_rate": 0.1},
        "SGD, momentum": {"learning_rate": 0.02, "momentum": 0.9},
        "SGD, Nesterov": {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
    },
}
"""What is trained per class, by label; a class that is not listed runs once, with its defaults."""

WHOLE_BATCHES = ("Rprop",)
"""The optimizers that are fed the gradient of all digits at once, one step an epoch.

Rprop looks at signs alone, which the noise of small batches turns too often.
"""

KERAS_PEERS = (
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Nadam",
    "RMSprop",
    "SGD",
)
"""The optimizers whose arguments and numbers are those of the Keras class of the same name.

Keras' Adafactor is not among them: the corners of the pictures are always white, so that a row of
gradients is 0, for which it divides 0 by 0 in float32.
"""


@dataclass(frozen=True)
class Data:
    """The digits: pixels from 0 to 1, one row per picture, and the digit that each one shows."""

    train_x: Array
    train_y: Labels
    test_x: Array
    test_y: Labels


@dataclass
class KerasRun:
    """What became of the copy that Keras trained.

    Attributes:
        losses: training loss at the start and after each epoch.
        difference: the largest difference between any weight of it and of the optgen run, over all
            steps.
    """

    losses: list[float]
    difference: float = 0.0


@dataclass
class Run:
    """One optimizer's training.

    Attributes:
        label: its name in the table and in the plot.
        losses: training loss at the start and after each epoch.
        accuracy: on the test digits, at the end.
        seconds: spent in gradients and optimizer steps, once the kernels were compiled.
        keras: the copy that Keras trained, None if Keras has no such optimizer.
    """

    label: str
    losses: list[float] = field(default_factory=list)
    accuracy: float = 0.0
    seconds: float = 0.0
    keras: KerasRun | None = None


class KerasPeer:
    """A Keras optimizer with a copy of the weights, on Keras's NumPy backend."""

    def __init__(self, name: str, arguments: Mapping[str, Any], weights: Sequence[Array]) -> None:
        os.environ["KERAS_BACKEND"] = "numpy"  # read once, when Keras is imported first
        import keras

        self.optimizer = getattr(keras.optimizers, name)(**arguments)
        self.variables = [keras.Variable(weight.copy(), dtype="float32") for weight in weights]
        self.optimizer.build(self.variables)

    def weights(self) -> list[Array]:
        """Return the current weights."""
        return [np.asarray(variable.value) for variable in self.variables]

    def apply(self, gradients: Sequence[Array]) -> None:
        """Take one step."""
        self.optimizer.apply(list(gradients))


def load_data() -> Data:
    """Return scikit-learn's digits, a quarter of them set aside for testing."""
    digits = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        (digits.data / 16.0).astype(np.float32),
        digits.target.astype(np.int64),
        test_size=0.25,
        random_state=SEED,
        stratify=digits.target,
    )
    return Data(train_x, train_y, test_x, test_y)


def initial_weights(inputs: int, classes: int) -> list[Array]:
    """Return the same random start on every call: two weight matrices, each with its bias."""
    rng = np.random.default_rng(SEED)
    weights = []
    for rows, columns in ((inputs, HIDDEN), (HIDDEN, classes)):
        scale = np.sqrt(2.0 / rows)
        weights.append((scale * rng.standard_normal((rows, columns))).astype(np.float32))
        weights.append(np.zeros(columns, np.float32))
    return weights


def scores(weights: Sequence[Array], x: Array) -> tuple[Array, Array]:
    """Return the hidden layer's values and the classes' log-probabilities."""
    w1, b1, w2, b2 = weights
    hidden = np.maximum(x @ w1 + b1, np.float32(0.0))
    logits = hidden @ w2 + b2
    logits = logits - logits.max(axis=1, keepdims=True)
    return hidden, logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def loss(weights: Sequence[Array], x: Array, y: Labels) -> float:
    """Return the mean cross-entropy."""
    _, log_probabilities = scores(weights, x)
    return float(-log_probabilities[np.arange(y.size), y].mean())


def accuracy(weights: Sequence[Array], x: Array, y: Labels) -> float:
    """Return the fraction of the digits that are recognised."""
    _, log_probabilities = scores(weights, x)
    return float((log_probabilities.argmax(axis=1) == y).mean())


def loss_gradients(weights: Sequence[Array], x: Array, y: Labels) -> list[Array]:
    """Return the gradient of the mean cross-entropy for each weight."""
    _, _, w2, _ = weights
    hidden, log_probabilities = scores(weights, x)
    logits_gradient = np.exp(log_probabilities)
    logits_gradient[np.arange(y.size), y] -= np.float32(1.0)
    logits_gradient /= np.float32(y.size)
    hidden_gradient = (logits_gradient @ w2.T) * (hidden > 0)
    return [
        x.T @ hidden_gradient,
        hidden_gradient.sum(axis=0),
        hidden.T @ logits_gradient,
        logits_gradient.sum(axis=0),
    ]


def batches(data: Data, epoch: int, size: int) -> Iterator[tuple[Array, Labels]]:
    """Yield the training digits in an order that depends on nothing but the epoch."""
    order = np.random.default_rng((SEED, epoch)).permutation(data.train_y.size)
    for first in range(0, order.size, size):
        chosen = order[first : first + size]
        yield data.train_x[chosen], data.train_y[chosen]


def largest_difference(ours: Sequence[Array], theirs: Sequence[Array]) -> float:
    """Return the largest difference between two sets of weights; NaN if any weight is."""
    return float(np.max([np.abs(a - b).max() for a, b in zip(ours, theirs, strict=True)]))


def compile_kernels(optimizer: Any, weights: Sequence[Array]) -> None:
    """Take a step on copies, so that Numba compiles the kernels or finds them in its cache."""
    copies = [weight.copy() for weight in weights]
    optimizer.apply([np.zeros_like(weight) for weight in weights], copies)


def train(
    label: str,
    name: str,
    arguments: Mapping[str, Any],
    data: Data,
    epochs: int,
    on_epoch: Callable[[], None] = lambda: None,
    beside_keras: bool = False,
) -> Run:
    """Train the network with one optimizer; on request, Keras does so beside it if it has it."""
    weights = initial_weights(data.train_x.shape[1], int(data.train_y.max()) + 1)
    copy = None
    run = Run(label, [loss(weights, data.train_x, data.train_y)])
    if beside_keras and name in KERAS_PEERS:
        copy = KerasPeer(name, arguments, weights)
        run.keras = KerasRun(list(run.losses))

    make = getattr(optgen.optimizers, name)
    compile_kernels(make(**arguments), weights)
    optimizer = make(**arguments)
    optimizer.build(weights)
    batch = data.train_y.size if name in WHOLE_BATCHES else BATCH
    for epoch in range(epochs):
        for x, y in batches(data, epoch, batch):
            start = time.perf_counter()
            gradients = loss_gradients(weights, x, y)
            optimizer.apply(gradients)  # the arrays in `weights` are updated in place
            run.seconds += time.perf_counter() - start
            if copy is not None and run.keras is not None:
                copy.apply(gradients)
                difference = largest_difference(weights, copy.weights())
                run.keras.difference = float(np.maximum(run.keras.difference, difference))
        optimizer.eval()  # those of ScheduleFreeAdamW are evaluated where they were not trained
        run.losses.append(loss(weights, data.train_x, data.train_y))
        if copy is not None and run.keras is not None:
            run.keras.losses.append(loss(copy.weights(), data.train_x, data.train_y))
        run.accuracy = accuracy(weights, data.test_x, data.test_y)
        optimizer.train()
        on_epoch()

    return run


def train_all(data: Data, epochs: int, console: Console) -> list[Run]:
    """Train once per optimizer and mode, with a progress bar."""
    logging.getLogger("optgen").setLevel(logging.ERROR)  # the bar says what is going on
    plan = [
        (label, name, arguments)
        for name in optgen.optimizers.__all__
        for label, arguments in RUNS.get(name, {name: {}}).items()
    ]
    columns = (
        TextColumn("{task.description:<16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs"),
        TimeElapsedColumn(),
    )
    runs = []
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(plan) * epochs)
        for label, name, arguments in plan:
            progress.update(task, description=label)
            on_epoch = partial(progress.advance, task)
            runs.append(train(label, name, arguments, data, epochs, on_epoch, beside_keras=True))
        progress.update(task, description="done")
    return runs


def results_table(runs: Sequence[Run], epochs: int) -> Table:
    """Return the results as a table, one line per run."""
    table = Table(
        title=f"Digits, {epochs} epochs in batches of {BATCH}",
        box=SIMPLE_HEAD,
        pad_edge=False,
        caption="seconds: gradients and steps of the optgen run, after compiling the kernels\n"
        "from Keras: largest difference of any weight, Keras fed the same gradients",
        caption_justify="left",
    )
    table.add_column("optimizer", no_wrap=True)
    for heading in ("train loss", "test accuracy", "seconds", "from Keras"):
        table.add_column(heading, justify="right", no_wrap=True)
    for run in runs:
        cells = [run.label, f"{run.losses[-1]:.4f}", f"{run.accuracy:.4f}", f"{run.seconds:.2f}"]
        if run.keras is not None:
            cells.append(f"{run.keras.difference:.1e}")
        table.add_row(*cells)
    return table


def save_plot(runs: Sequence[Run], path: Path) -> None:
    """Draw each run's loss in a panel of its own, before those of all others in grey."""
    columns = 6
    rows = -(-len(runs) // columns)
    figure = Figure(figsize=(12.0, 0.5 + 1.45 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    epochs = range(len(runs[0].losses))
    for panel, run in zip(panels, runs, strict=False):
        for other in runs:
            panel.plot(epochs, other.losses, color="0.88", linewidth=0.6, zorder=1)
        if run.keras is not None:
            panel.plot(epochs, run.keras.losses, color="C1", alpha=0.45, linewidth=6, zorder=2)
        panel.plot(epochs, run.losses, color="C0", linewidth=1.6, zorder=3)
        panel.set_title(f"{run.label}  {run.accuracy:.1%}", fontsize=8.5)
        panel.set_yscale("log")
        panel.set_xlim(0, epochs[-1])
        panel.yaxis.set_major_formatter("{x:g}")
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(runs) :]:
        panel.axis("off")
    ours = Line2D([], [], color="C0", linewidth=1.6, label="optgen")
    theirs = Line2D([], [], color="C1", alpha=0.45, linewidth=6, label="Keras, the same gradients")
    others = Line2D([], [], color="0.82", linewidth=0.6, label="all other runs")
    figure.legend(handles=[ours, theirs, others], loc="outside upper right", ncols=3, frameon=False)
    title = "A 64-64-10 network on scikit-learn's digits, float32, with the accuracy on test digits"
    figure.suptitle(title, fontsize=12, x=0.01, horizontalalignment="left")
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel("training loss (mean cross-entropy)", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30, help="passes over the training digits")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("build/digits_loss.png"),
        help="where the plot is saved (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    if options.epochs < 1:
        parser.error("--epochs must be at least 1")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, report, and return the exit status."""
    options = parse_arguments(arguments)
    console = Console()
    data = load_data()
    runs = train_all(data, options.epochs, console)
    console.print(results_table(runs, options.epochs))
    differences = [run.keras.difference for run in runs if run.keras is not None]
    if differences:
        console.print(
            f"Largest difference of any weight from Keras: {max(differences):.1e}", highlight=False
        )
    save_plot(runs, options.output)
    console.print(f"Loss curves: {options.output}", highlight=False, soft_wrap=True)

    failed = [run for run in runs if not run.accuracy >= REQUIRED_ACCURACY]
    for run in failed:
        print(
            f"{run.label} recognises {run.accuracy:.1%} of the test digits;"
            f" {REQUIRED_ACCURACY:.0%} is required.",
            file=sys.stderr,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
