"""Importing compiles nothing, and brings in nothing that running does not need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

PROGRAM = """
import json, sys
import generated
from generated import *
from numba.core.dispatcher import Dispatcher
modules = [m for name, m in sys.modules.items() if name.startswith(("generated.", "optgen."))]
kernels = [v for m in modules for v in vars(m).values() if isinstance(v, Dispatcher)]
optimizers = [getattr(generated, name)() for name in generated.__all__]
print(json.dumps({
    "classes": [type(o).__name__ for o in optimizers],
    "kernels": len(kernels),
    "compiled": sum(len(k.signatures) for k in kernels),
    "modules": sorted({name.split(".")[0] for name in sys.modules}),
    "optgen": sorted(name for name in sys.modules if name.startswith("optgen.")),
}))
"""


def test_importing_and_constructing_compiles_nothing() -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True
    )
    seen = json.loads(result.stdout)
    assert len(seen["classes"]) >= 4
    assert seen["kernels"] > 50
    assert seen["compiled"] == 0
    assert not {"pydantic", "jinja2", "typer", "rich", "autograd"} & set(seen["modules"])
    assert all(name.startswith("optgen.runtime") for name in seen["optgen"])
