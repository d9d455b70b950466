"""The text of a pytest file that runs the checks on somebody's specs; nothing here needs pytest."""

from __future__ import annotations

import json
from collections.abc import Sequence

MARK = "Written by `optgen test"
"""What says that a file may be written anew."""

_TEXT = '''\
"""Whether {names} can be trusted, property by property.

{mark} --pytest`, which writes this file anew
as long as this sentence stands here.
"""

from pathlib import Path

import pytest
from optgen.testing import load_subject, planned

HERE = Path(__file__).parent
SPECS = [
{specs}
]
SUBJECTS = {{Path(spec).stem: load_subject(HERE / spec) for spec in SPECS}}
CASES = [
    pytest.param(subject, check, case, id=f"{{name}}-{{check.name}}-{{case}}")
    for name, subject in SUBJECTS.items()
    for check, case in planned(subject{options})
]


@pytest.mark.parametrize(("subject", "check", "case"), CASES)
def test_property(subject, check, case):
    """Run one check; its message says what was expected and what was received."""
    check.run(subject, case)
'''


def pytest_text(specs: Sequence[str], names: Sequence[str], quick: bool, seed: int) -> str:
    """Return the text of a pytest file.

    Args:
        specs: the paths of the specs, as seen from the folder of the file, with slashes.
        names: the names of the optimizers.
        quick: whether few combinations of common arguments will do.
        seed: where variables, gradients and hyperparameters come from.
    """
    options = ", quick=True" if quick else ""
    options += f", seed={seed}" if seed else ""
    return _TEXT.format(
        names=" and ".join(names),
        mark=MARK,
        specs="\n".join(f"    {json.dumps(spec)}," for spec in specs),
        options=options,
    )
