"""Programs that tests/test_class_concurrency.py runs in processes of their own."""

from __future__ import annotations

import hashlib
import os
import sys
import threading

import numba
import numpy as np

from optgen.optimizers import SGD
from tests.generated_classes import bytes_after_steps, everything_on
from tests.oracle import thorough_specs


def digest(parts: list[bytes]) -> str:
    """A short name of some bytes."""
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def thread_counts() -> None:
    """Print, for each spec, what each number of threads gives; 8 of them many times over."""
    for spec in thorough_specs():
        for count in (1, 2, 3, 8):
            numba.set_num_threads(count)
            found = {digest(bytes_after_steps(spec)) for _ in range(10 if count == 8 else 2)}
            print(spec, *found)


def python_threads() -> None:
    """Print what four threads at once give, each with its own optimizer, and one alone."""
    found: list[str] = []

    def work() -> None:
        for _ in range(5):
            found.append(digest(bytes_after_steps("sgd")))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    print("sgd", *{*found, digest(bytes_after_steps("sgd"))})


def forked_child() -> None:
    """Print what a child gives that is forked after a parallel launch, and its parent after it."""
    rng = np.random.default_rng(0)
    w = rng.standard_normal(100_000, np.float32)
    gradients = [rng.standard_normal(100_000, np.float32) for _ in range(4)]
    optimizer = everything_on("sgd")
    optimizer.apply(gradients[:1], [w])
    optimizer.apply(gradients[1:2], [w])
    child = os.fork()
    for gradient in gradients[2:]:
        optimizer.apply([gradient])
    line = f"sgd {digest([array.tobytes() for array in [w, *optimizer.variables]])}\n"
    # One write each: both may be at it, and what print buffers goes out in pieces.
    os.write(sys.stdout.fileno(), line.encode())
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def first_step() -> None:
    """Print what a small step gives, compiled at once if no cache holds it."""
    w = np.arange(5.0)
    SGD(momentum=0.9).apply([np.ones(5)], [w])
    print("sgd", digest([w.tobytes()]))


if __name__ == "__main__":
    {f.__name__: f for f in (thread_counts, python_threads, forked_child, first_step)}[
        sys.argv[1]
    ]()
