"""What a schedule costs, counted without running it.

The counts are those of the generated loops: every array that a loop needs is read once, every one
that it changes is written once, and a line that belongs to a stage runs only when the stage is on.
"""

from optgen.analysis.cost import Cost, PhaseCost, cost_of
from optgen.analysis.operations import OPERATION_KINDS, count_operations
from optgen.analysis.stages import all_compatible, required_stages, stage_sets
from optgen.analysis.waits import Wait

__all__ = [
    "OPERATION_KINDS",
    "Cost",
    "PhaseCost",
    "Wait",
    "all_compatible",
    "cost_of",
    "count_operations",
    "required_stages",
    "stage_sets",
]
