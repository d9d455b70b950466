"""Measures every mode of every spec and writes ``docs/parity.md``: ``python -m tests.parity``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.oracle import spec_modes, spec_names
from tests.parity.matrix import Failure, outcomes
from tests.parity.page import page_of, rows_of

PAGE = Path(__file__).parents[2] / "docs" / "parity.md"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.parity", description=__doc__)
    parser.add_argument("--out", type=Path, default=PAGE, help="the page (default: %(default)s)")
    parser.add_argument("--only", metavar="SPEC", choices=spec_names(), help="measure this one")
    quick = "no common arguments, and the figures are printed instead of written"
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--processes", type=int, default=None, help="how many at a time")
    return parser.parse_args()


def main() -> int:
    """Measure, report, and write the page if all is well; the exit status."""
    options = arguments()
    pairs = [pair for pair in spec_modes() if options.only in (None, pair[0])]
    rows, failures = [], []
    for found in outcomes(pairs, options.processes, quick=options.quick):
        if isinstance(found, Failure):
            failures.append(found)
            print(f"{found.spec} {found.mode}: failed", flush=True)
        else:
            rows.append(found)
            print(*found.cells, sep="  ", flush=True)
    for failure in failures:
        print(f"\n{failure.spec} {failure.mode}:\n{failure.message}", file=sys.stderr)
    if failures:
        print(f"{len(failures)} of {len(pairs)} modes failed, nothing written", file=sys.stderr)
        return 1
    if not options.quick:
        if options.only:
            others = rows_of(options.out.read_text("utf-8")) if options.out.exists() else []
            rows += [row for row in others if row.spec != options.only]
        options.out.write_text(page_of(rows), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
