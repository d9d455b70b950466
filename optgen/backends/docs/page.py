"""Program, schedules and words -> the reference page of an optimizer, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from optgen import __version__
from optgen.backends.artifact import Artifact, Source, templates
from optgen.backends.docs.latex import block
from optgen.backends.docs.markdown import blocks, cell, code, line, table
from optgen.backends.docs.notation import Notation, notation_of
from optgen.backends.keras_api.documentation import ClassDocumentation
from optgen.backends.keras_api.example import example_lines
from optgen.backends.layout import ModeLayout
from optgen.ir.notation import number_text
from optgen.ir.program import Hyperparameter, Mode, Program, Slot
from optgen.ir.rate import COLUMN, ELEMENT, INDEX, ROW, STEP, TENSOR, Rate

FLOAT64 = 8
LIST = "all-optimizers.md"
"""The page that lists all others; with a hyphen, it is the module of no spec."""

# What a common stage is called, and what switches it on.
STAGES: Mapping[str, tuple[str, str]] = {
    "loss_scale_factor": ("Unscale", "`loss_scale_factor` is given"),
    "accumulator": ("Accumulate", "`gradient_accumulation_steps` is given"),
    "clipnorm": ("Clip each variable's gradient", "`clipnorm` is given"),
    "global_clipnorm": ("Clip all gradients together", "`global_clipnorm` is given"),
    "clipvalue": ("Clip each element", "`clipvalue` is given"),
    "weight_decay": ("Decay", "`weight_decay` is given"),
    "average": ("Average", "`use_ema` is true"),
    "overwrite": ("Overwrite", "`use_ema` is true and `ema_overwrite_frequency` is given"),
}
_KEPT = {
    ELEMENT: "one number per element",
    ROW: "one number per row",
    COLUMN: "one number per column",
    INDEX: "one number per index of each axis",
    TENSOR: "one number per variable",
    STEP: "one number",
}


@dataclass(frozen=True)
class Picture:
    """A picture of an optimizer at work.

    Attributes:
        light, dark: the file for a light and for a dark background, relative to the page.
        alternative: what it shows, for those who cannot see it.
        caption: how it was made, in Markdown.
    """

    light: str
    dark: str
    alternative: str
    caption: str


@dataclass(frozen=True)
class _ModeSection:
    """What a page says of one mode; all texts are Markdown."""

    title: str
    selected: str
    doc: str
    formulas: str


@dataclass(frozen=True)
class _Step:
    """One of the operations of a step.

    Attributes:
        title: what it is called.
        condition: how the sentence goes on.
        equations: its lines, as text.
    """

    title: str
    condition: str
    equations: tuple[str, ...]


def emit_page(
    program: Program,
    modes: Sequence[ModeLayout],
    source: Source,
    documentation: ClassDocumentation,
    package: str,
    pictures: Sequence[Picture] = (),
) -> Artifact:
    """The reference page of an optimizer.

    Args:
        program: the optimizer.
        modes: its modes, in the program's order.
        source: the spec it comes from.
        documentation: what the spec says in words.
        package: the package that its class is imported from, in the example.
        pictures: shown at the end.
    """
    declared = {row.name for row in program.hyperparameters}
    common = [row for row in program.common if row.name not in declared]
    text = (
        templates("optgen.backends.docs")
        .get_template("page.md.j2")
        .render(
            header=header(f"The page of {program.name}", source),
            name=program.name,
            summary=line(documentation.summary),
            description=blocks(documentation.description),
            modes=list(_mode_sections(program, dict(documentation.modes))),
            evaluation=_evaluation(program),
            arguments=_arguments(program.hyperparameters),
            common=_arguments(common),
            slots=_slots(program),
            memory=_memory(modes),
            common_costs=_common_costs(program),
            steps=list(_steps(program)),
            example=_example(program, package),
            pictures=pictures,
            references=[line(reference) for reference in documentation.references],
        )
    )
    return Artifact(f"{program.module}.md", text)


def emit_list(entries: Iterable[tuple[Program, Sequence[ModeLayout], str]]) -> Artifact:
    """The page that lists all optimizers.

    Args:
        entries: per optimizer its program, its modes, and its summary.
    """
    rows = [
        (f"[{program.name}]({program.module}.md)", cell(summary), _bytes(modes))
        for program, modes, summary in sorted(entries, key=lambda entry: entry[0].name)
    ]
    text = (
        templates("optgen.backends.docs")
        .get_template("list.md.j2")
        .render(
            header=header("The list of optimizers", None),
            optimizers=table(("optimizer", "what it is", "state, in bytes per parameter"), rows),
        )
    )
    return Artifact(LIST, text)


def header(what: str, source: Source | None) -> str:
    """The comment at the top of a generated page."""
    spec = f" Spec: {source.spec}, digest {source.digest}." if source is not None else ""
    return f"<!-- {what}, generated by optgen {__version__}; do not edit.{spec} -->"


def _mode_sections(program: Program, docs: Mapping[str, str]) -> Iterator[_ModeSection]:
    notation = notation_of(program)
    several = len(program.modes) > 1
    for mode in program.modes:
        default = several and mode.name == program.default_mode
        yield _ModeSection(
            f"Mode {code(mode.name)}" if several else "",
            f"{code(mode.condition)}{', as it is by default' if default else ''}",
            blocks(docs.get(mode.name, "")),
            _formulas(mode, notation),
        )


def _evaluation(program: Program) -> str:
    """What variables are while a model is evaluated; empty if they are what they are."""
    return _formulas(program.evaluations[0], notation_of(program)) if program.evaluations else ""


def _formulas(mode: Mode, notation: Notation) -> str:
    return f"$$\n{block(mode.equations, notation)}\n$$"


def _arguments(hyperparameters: Iterable[Hyperparameter]) -> str:
    rows = [
        (code(row.name), code(_literal(row.default)), _values(row), cell(row.doc))
        for row in hyperparameters
    ]
    return table(("argument", "default", "values", "meaning"), rows)


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _values(row: Hyperparameter) -> str:
    """Which values an argument may have."""
    if row.choices:
        text = ", ".join(code(_literal(choice)) for choice in row.choices)
    elif row.kind == "bool":
        text = "`True`, `False`"
    else:
        text = _range(row)
    return f"{text}; or `None`" if row.optional else text


def _range(row: Hyperparameter) -> str:
    kind = "integer" if row.kind == "int" else "number"
    low, high = (_bound(bound) for bound in (row.minimum, row.maximum))
    if low and high and not (row.exclusive_minimum or row.exclusive_maximum):
        return f"{kind} from {low} to {high}"
    lower = f"{'above' if row.exclusive_minimum else 'at least'} {low}" if low else ""
    upper = f"{'below' if row.exclusive_maximum else 'at most'} {high}" if high else ""
    bounds = " and ".join(filter(None, (lower, upper)))
    return f"{kind}, {bounds}" if bounds else kind


def _bound(value: float | None) -> str:
    return "" if value is None else number_text(value)


def _slots(program: Program) -> str:
    """The table of slots; empty if there is none."""
    rows = []
    for slot in program.slots:
        having = [code(mode.name) for mode in program.modes if slot.name in mode.slots]
        every = len(having) == len(program.modes)
        rows.append(
            (
                code(slot.name),
                _KEPT[slot.rate],
                _start(slot),
                "all" if every else ", ".join(having),
                cell(slot.doc),
            )
        )
    return table(("slot", "holds", "starts as", "modes", "meaning"), rows) if rows else ""


def _start(slot: Slot) -> str:
    """What a slot starts as."""
    if slot.initial == "w":
        return "a copy of the variable"
    return code(slot.initial) if isinstance(slot.initial, str) else number_text(slot.initial)


def _own(mode: ModeLayout) -> list[Slot]:
    """The slots of a mode without those of the common stages."""
    return [slot for slot in mode.schedule.slots if slot.name not in ("average", "accumulator")]


def _common_costs(program: Program) -> str:
    """What common arguments cost, those apart that the spec declares itself."""
    kept = "`use_ema` and `gradient_accumulation_steps` keep one more number per element each"
    own = {hyperparameter.name for hyperparameter in program.hyperparameters}
    clips = [code(name) for name in ("clipnorm", "global_clipnorm") if name not in own]
    if not clips:
        return f"{kept}."
    return f"{kept};\n{' and '.join(clips)} need{'s' if len(clips) == 1 else ''} one more pass."


def _memory(modes: Sequence[ModeLayout]) -> str:
    """What each mode keeps, and how often a step goes over memory."""
    rows = []
    kept = {slot.rate for mode in modes for slot in _own(mode)}
    axes = [axis for axis in (ROW, COLUMN, INDEX) if axis in kept]
    for mode in modes:
        elements, variables = (
            sum(slot.rate == rate for slot in _own(mode)) for rate in (ELEMENT, TENSOR)
        )
        passes = sum(phase.stages is None for phase in mode.schedule.phases)
        numbers = (
            4 * elements,
            8 * elements,
            FLOAT64 * variables,
            *_axis_bytes(mode, axes),
            passes,
        )
        rows.append((code(mode.schedule.name), *map(str, numbers)))
    head = ("mode", "float32 parameter", "float64 parameter", "variable", *map(str, axes))
    return table((*head, "passes over memory"), rows)


def _axis_bytes(mode: ModeLayout, axes: Iterable[Rate]) -> Iterator[int]:
    """The bytes that a mode keeps per row, column or index."""
    for axis in axes:
        yield FLOAT64 * sum(slot.rate == axis for slot in _own(mode))


def _bytes(modes: Sequence[ModeLayout]) -> str:
    """The bytes of state per float32 parameter, smallest to largest."""
    counts = sorted({4 * sum(slot.rate == ELEMENT for slot in _own(mode)) for mode in modes})
    return " or ".join(map(str, counts))


def _steps(program: Program) -> Iterator[_Step]:
    """What happens in a step, in order."""
    for before in (True, False):
        for stage in program.stages:
            if stage.before is before:
                title, condition = STAGES[stage.name]
                lines = tuple(equation.text for equation in stage.equations)
                yield _Step(title, f", if {condition}:", lines)
        if before:
            yield _Step("Update", ": the equations above.", ())


def _example(program: Program, package: str) -> list[str]:
    lines = example_lines(program)
    return [f">>> from {package} import {program.name}", *lines] if lines else []
