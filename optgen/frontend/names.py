"""Names: which are allowed, which are taken, and which one an author probably meant."""

from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Iterable

from optgen.frontend.builtin_names import BUILTIN_NAMES, SOFT_KEYWORDS
from optgen.frontend.libraries import other_name
from optgen.ir.intrinsics import INTRINSICS, SHORTHANDS

WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
LOWER_WORD = re.compile(r"[a-z][a-z0-9_]*")
CLASS_WORD = re.compile(r"[A-Z][A-Za-z0-9]*")
CHOICE_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
MAX_NAME = 64

LANGUAGE_NAMES = {
    "w": "the variable",
    "g": "the gradient",
    "t": "the step",
    "size": "the number of elements of the variable",
    "rank": "the number of axes of the variable",
    "rows": "the number of rows of each of the variable's matrices",
    "columns": "the number of columns of each of the variable's matrices",
    "iterations": "the number of completed steps",
}
REPLACEABLE_ARGUMENTS = (
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "loss_scale_factor",
)
"""Common arguments that a spec may declare itself: the stage of that name is then left out."""
COMMON_ARGUMENTS = (
    *REPLACEABLE_ARGUMENTS,
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "gradient_accumulation_steps",
    "name",
    "kwargs",
)
STAGE_NAMES = (
    "accumulator",
    "average",
    "average_momentum",
    "clipnorm_scale",
    "global_clipnorm_scale",
    "global_norm",
    "global_square_sum",
    "minus_clipvalue",
    "nonfinite",
    "one_minus_average_momentum",
    "overwrite",
    "overwrite_now",
    "overwrite_now_is_one",
    "reciprocal",
    "sum_of_g_minus_g",
    "sum_of_squares_of_g",
    "weight_decay_is_zero",
)
"""Slots and locals of the common stages."""
CLASS_MEMBERS = (
    "accumulate",
    "add_slot",
    "add_variable",
    "add_variable_from_reference",
    "add_weight",
    "apply",
    "apply_gradients",
    "assign",
    "build",
    "built",
    "compute_gradients",
    "eval",
    "evaluating",
    "evaluations",
    "exclude_from_weight_decay",
    "finalize_variable_values",
    "finite",
    "from_config",
    "from_state",
    "get_config",
    "get_gradients",
    "get_learning_rate",
    "get_slot",
    "get_slot_names",
    "get_updates",
    "get_weights",
    "hyperparameters",
    "load",
    "load_own_variables",
    "load_state_dict",
    "minimize",
    "mode",
    "mode_value",
    "rest",
    "save",
    "save_own_variables",
    "scale_loss",
    "select_mode",
    "set_weights",
    "slots",
    "stage_scalars",
    "state",
    "state_dict",
    "stateless_apply",
    "step",
    "train",
    "update_step",
    "variables",
    "weights",
)
GENERATED_NAMES = (
    "block",
    "block_sums",
    "blocks",
    "chunk",
    "chunks",
    "cpu",
    "cuda",
    "first",
    "first_column",
    "float32",
    "float64",
    "i",
    "int64",
    "lane",
    "lanes",
    "layout",
    "length",
    "like",
    "math",
    "np",
    "numba",
    "numpy",
    "offset",
    "pointers",
    "row",
    "rows",
    "scalars",
    "self",
    "stages",
    "start",
    "stop",
    "tensor",
    "uint64",
    "variable",
)
CLASS_NAMES = (
    "Callable",
    "Hyperparameter",
    "LearningRateSchedule",
    "Mode",
    "Optimizer",
    "Phase",
    "Slot",
    "StageScalars",
)
PROJECT_NAMES = (
    *LANGUAGE_NAMES,
    *INTRINSICS,
    *SHORTHANDS,
    *COMMON_ARGUMENTS,
    *STAGE_NAMES,
    *CLASS_MEMBERS,
    *GENERATED_NAMES,
)
"""What neither a hyperparameter nor a slot can be called, Python's own names apart."""


def reserved(name: str) -> str | None:
    """What a name already means anywhere in an equation; None if it is free for a local."""
    if keyword.iskeyword(name):
        return "a word of Python"
    if name in LANGUAGE_NAMES:
        return LANGUAGE_NAMES[name]
    if name in INTRINSICS or name in SHORTHANDS:
        return "a function of the language"
    if name in COMMON_ARGUMENTS:
        return "an argument that every optimizer has"
    if name in STAGE_NAMES:
        return "kept by the stages that every optimizer has"
    if name in GENERATED_NAMES or name in SOFT_KEYWORDS:
        return "used in generated code"
    return "a built-in name of Python" if name in BUILTIN_NAMES else None


def reserved_for_attribute(name: str) -> str | None:
    """What the name of a hyperparameter or slot, which the class shows, already means."""
    return "a member of the class" if name in CLASS_MEMBERS else reserved(name)


def reserved_for_class(name: str) -> str | None:
    """What the name of an optimizer already means."""
    if name in CLASS_NAMES:
        return "a class that generated code uses"
    if keyword.iskeyword(name) or name in BUILTIN_NAMES:
        return "a built-in name of Python"
    return None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like ``name``; None if none does."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), sorted(by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def suggestion(name: str, known: Iterable[str], what: str = "names") -> str | None:
    """The help line for an unknown name: the nearest known one, or all of them if they are few."""
    names = tuple(known)
    close = other_name(name, names) or nearest(name, names)
    if close is not None:
        return f"did you mean `{close}`?"
    if not names or len(names) > 40:
        return None
    return f"known {what}: " + ", ".join(f"`{candidate}`" for candidate in names)
