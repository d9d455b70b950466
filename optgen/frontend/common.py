"""The stages that every optimizer has around its update, written in the equation language.

They are data; `lower_stages` turns them into the same form as an author's equations.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache

from optgen.frontend.equations import Name, parse_equations
from optgen.frontend.expressions import Lowering, local
from optgen.frontend.report import Report
from optgen.frontend.source import Source
from optgen.frontend.toml import SpanIndex
from optgen.ir.expr import Expr, Kind, Ref, Symbol
from optgen.ir.program import Equation, Hyperparameter, Mode, ModeChoice, Program, Slot, Stage
from optgen.ir.rate import ELEMENT, STEP

VARIABLE = Symbol("w", Kind.VARIABLE, ELEMENT)
GRADIENT = Symbol("g", Kind.GRADIENT, ELEMENT)
STEP_NUMBER = Symbol("t", Kind.COUNTER, STEP)
ITERATIONS = Symbol("iterations", Kind.COUNTER, STEP)
OVERWRITE_NOW = Symbol("overwrite_now", Kind.COUNTER, STEP)

AVERAGE = Slot("average", ELEMENT, "w", "Moving average of the variable.")
ACCUMULATOR = Slot("accumulator", ELEMENT, 0.0, "Sum of the gradients since the last update.")
COMMON_SLOTS = (AVERAGE, ACCUMULATOR)

COMMON_HYPERPARAMETERS = (
    Hyperparameter(
        "weight_decay",
        "float",
        None,
        minimum=0.0,
        optional=True,
        doc="Fraction of a variable, per unit of learning rate, removed before each update.",
        per_variable=True,
    ),
    Hyperparameter(
        "clipnorm",
        "float",
        None,
        minimum=0.0,
        exclusive_minimum=True,
        optional=True,
        doc="Largest L2 norm of each gradient; a longer one is scaled down to it.",
    ),
    Hyperparameter(
        "clipvalue",
        "float",
        None,
        minimum=0.0,
        exclusive_minimum=True,
        optional=True,
        doc="Largest magnitude of each element of a gradient; larger ones are cut to it.",
    ),
    Hyperparameter(
        "global_clipnorm",
        "float",
        None,
        minimum=0.0,
        exclusive_minimum=True,
        optional=True,
        doc="Largest L2 norm of all gradients of a step taken together.",
    ),
    Hyperparameter(
        "use_ema", "bool", False, doc="Whether to keep a moving average of every variable."
    ),
    Hyperparameter(
        "ema_momentum",
        "float",
        0.99,
        minimum=0.0,
        maximum=1.0,
        doc="Weight of the old average in the new one.",
    ),
    Hyperparameter(
        "ema_overwrite_frequency",
        "int",
        None,
        minimum=1,
        optional=True,
        doc="Every so many iterations the variables become their averages; None for never.",
    ),
    Hyperparameter(
        "loss_scale_factor",
        "float",
        None,
        minimum=0.0,
        exclusive_minimum=True,
        optional=True,
        doc="What the loss was multiplied by; gradients are divided by it.",
    ),
    Hyperparameter(
        "gradient_accumulation_steps",
        "int",
        None,
        minimum=2,
        optional=True,
        doc="Number of calls whose mean gradient makes one update; None or 0 for every call.",
    ),
)


@dataclass(frozen=True)
class StageText:
    """A common stage as its author wrote it."""

    name: str
    before: bool
    text: str
    slots: tuple[Slot, ...] = ()
    excludes: tuple[str, ...] = ()


LOSS_SCALE_FACTOR = StageText("loss_scale_factor", True, "g = g / loss_scale_factor")
AVERAGE_STAGE = StageText(
    "average",
    False,
    """
    average_momentum = where(iterations == 0, 0, ema_momentum)
    average = average_momentum * average + (1 - average_momentum) * w
    """,
    (AVERAGE,),
)
OVERWRITE = StageText("overwrite", False, "w = where(overwrite_now == 1, average, w)", (AVERAGE,))
# In this order.  The division that gives global_clipnorm_scale, and the difference that is zero
# unless the norm is not finite, are Keras 3's: a gradient with an infinity becomes NaN as a whole.
STAGES = (
    LOSS_SCALE_FACTOR,
    StageText(
        "accumulator",
        True,
        """
        g = (g + accumulator) / gradient_accumulation_steps
        accumulator = 0
        """,
        (ACCUMULATOR,),
    ),
    StageText(
        "clipnorm",
        True,
        """
        clipnorm_scale = clipnorm / maximum(norm(g), clipnorm)
        g = g * clipnorm_scale
        """,
    ),
    StageText(
        "global_clipnorm",
        True,
        """
        global_square_sum = sum_over_variables(sum_of_squares(g))
        global_norm = sqrt(global_square_sum)
        reciprocal = minimum(1 / global_norm, 1 / global_clipnorm)
        global_clipnorm_scale = global_clipnorm * reciprocal + (global_norm - global_norm)
        g = g * global_clipnorm_scale
        """,
        excludes=("clipnorm",),
    ),
    StageText(
        "clipvalue",
        True,
        "g = clip(g, -clipvalue, clipvalue)",
        excludes=("clipnorm", "global_clipnorm"),
    ),
    # An excluded variable sees 0, and keeps even a negative zero and infinities.
    StageText(
        "weight_decay",
        True,
        "w = where(weight_decay == 0, w, w - w * weight_decay * learning_rate)",
    ),
    AVERAGE_STAGE,
    OVERWRITE,
)
_ACCUMULATE = "accumulator = accumulator + g"
# A finite number less itself is 0; NaN and the infinities give NaN, which no sum hides.
_FINITE = "nonfinite = sum_over_variables(sum(g - g))"
_FORGET = StageText("accumulator", True, "accumulator = 0", (ACCUMULATOR,))


def lower_stages(
    declared: Collection[str], learning_rate: Symbol
) -> tuple[tuple[Stage, ...], tuple[Hyperparameter, ...]]:
    """The common stages and their hyperparameters, for a spec that declares some itself.

    Args:
        declared: the names of the spec's hyperparameters; a stage of such a name is left out.
        learning_rate: the spec's learning rate.
    """
    stages = tuple(
        _lower_stage(stage, learning_rate) for stage in STAGES if stage.name not in declared
    )
    common = tuple(row for row in COMMON_HYPERPARAMETERS if row.name not in declared)
    return stages, common


def stages_program() -> Program:
    """A program with all common stages around the simplest update: what the stages compute."""
    learning_rate = Hyperparameter("learning_rate", "float", 0.01)
    symbols = {s.name: s for s in (VARIABLE, GRADIENT, learning_rate.symbol)}
    equations = _lower_with(symbols, "w = w - learning_rate * g", "stages")
    stages, common = lower_stages((), learning_rate.symbol)
    modes = (Mode("stages", "", (), equations),)
    choices = (ModeChoice((), "stages"),)
    return Program("Stages", "stages", (learning_rate,), (), modes, stages, common, choices)


def common_programs() -> tuple[Program, Program, Program]:
    """What is launched beside the update, over the tables of any optimizer.

    Returns:
        The program with the mode ``accumulate``, for a gradient that is only added up in this call;
        the one with the mode ``rest``, for a variable without a gradient; and the one with the mode
        ``finite``, whose result ``nonfinite`` is 0 if all elements of the gradients, as they come,
        are finite, and NaN otherwise.
    """
    accumulate = _lower(_ACCUMULATE, "accumulate", ("accumulator",), None)
    finite = _lower(_FINITE, "finite", (), None)
    after = (AVERAGE_STAGE, OVERWRITE)
    return (
        _program(
            Mode("accumulate", "", (ACCUMULATOR.name,), accumulate),
            (LOSS_SCALE_FACTOR, *after),
            (ACCUMULATOR,),
        ),
        _program(Mode("rest", "", (), ()), (_FORGET, *after)),
        _program(Mode("finite", "", (), finite, results=("nonfinite",)), ()),
    )


def _program(mode: Mode, stages: tuple[StageText, ...], slots: tuple[Slot, ...] = ()) -> Program:
    return Program(
        "Common",
        "common",
        (),
        slots,
        (mode,),
        tuple(_lower_stage(stage, None) for stage in stages),
        COMMON_HYPERPARAMETERS,
        (ModeChoice((), mode.name),),
    )


@cache
def _lower_stage(stage: StageText, learning_rate: Symbol | None) -> Stage:
    slots = tuple(slot.name for slot in stage.slots)
    equations = _lower(stage.text, stage.name, slots, learning_rate)
    return Stage(stage.name, stage.before, equations, stage.slots, stage.excludes)


def _lower(
    text: str, title: str, slots: tuple[str, ...], learning_rate: Symbol | None
) -> tuple[Equation, ...]:
    """The equations of the compiler's own text, in which every mistake is a mistake of ours."""
    symbols = {row.name: row.symbol for row in COMMON_HYPERPARAMETERS}
    symbols |= {slot.name: slot.symbol for slot in COMMON_SLOTS if slot.name in slots}
    for symbol in (VARIABLE, GRADIENT, ITERATIONS, OVERWRITE_NOW, learning_rate):
        if symbol is not None:
            symbols[symbol.name] = symbol
    return _lower_with(symbols, text, title)


def _lower_with(symbols: dict[str, Symbol], text: str, title: str) -> tuple[Equation, ...]:
    """The equations of a text of ours in terms of symbols; locals are added to them."""
    report = Report(SpanIndex(f"<{title}>", text))
    lowering = Lowering(lambda name: _resolve(name, symbols), report, internal=True)
    equations = []
    lines, _ = parse_equations(Source.builtin(text, title), report)
    for line in lines:
        value = lowering.lower(line.value)
        if value is not None:
            symbol = symbols.setdefault(line.target.name, local(line.target.name, value))
            equations.append(Equation(symbol, value, line.text))
    report.raise_if_any()
    return tuple(equations)


def _resolve(name: Name, symbols: Mapping[str, Symbol]) -> Expr:
    return Ref(symbols[name.name])
