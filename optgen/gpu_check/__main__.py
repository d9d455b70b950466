"""The command: what the device is, whether results are right, how fast they come."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from optgen.runtime.cuda.support import check_support


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: those of the command line; None for the process's own.

    Returns:
        The exit status: 0 if results are right everywhere.
    """
    options = _parser().parse_args(arguments)
    try:
        check_support()
    except (ImportError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    # Only now, because these import Numba's CUDA target.
    from optgen.gpu_check import benchmark, machine, parity

    found: dict[str, object] = {"machine": machine.describe()}
    print(machine.sentence())
    results = parity.check_all(options.only, options.jobs)
    found["parity"] = [result.record() for result in results]
    right = parity.report(results)
    if not options.parity_only:
        found["benchmark"] = benchmark.run(options.rounds)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 0 if right else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m optgen.gpu_check", description=__doc__)
    parser.add_argument("--parity-only", action="store_true", help="measure nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write results here")
    parser.add_argument("--rounds", type=_positive, default=7, help="rounds of measurements")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="check cases whose name holds this text"
    )
    parser.add_argument(
        "--jobs",
        type=_positive,
        default=min(8, os.cpu_count() or 1),
        help="processes that compile and check",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected an integer of at least 1, received {text!r}")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
