"""Program and schedules -> the class module of an optimizer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from optgen.backends.artifact import Artifact, Source, header, templates
from optgen.backends.keras_api.documentation import ClassDocumentation, class_docstring
from optgen.backends.keras_api.host import (
    ModeTables,
    cuda_constant,
    function_names,
    imports,
    mode_constant,
    stage_entry,
)
from optgen.backends.layout import ModeLayout, phase_names
from optgen.backends.pytext import LINE_LENGTH, call, docstring, indented, literal
from optgen.backends.step_scalars import ScalarFunction, phase_function, stage_functions
from optgen.ir.program import Hyperparameter, Program, Slot
from optgen.ir.rate import COLUMN, ELEMENT, INDEX, ROW, TENSOR

_RATES = {TENSOR: "variable", ROW: "row", COLUMN: "column", INDEX: "index", ELEMENT: "element"}
_FLOAT = "float | Callable[[], float]"
_RATE = "float | LearningRateSchedule | Callable[[], float]"
_ANNOTATIONS = {"float": _FLOAT, "int": "int", "bool": "bool", "choice": "str"}


def emit_class(
    program: Program,
    modes: Sequence[ModeLayout],
    source: Source,
    documentation: ClassDocumentation,
) -> Artifact:
    """The class module of an optimizer.

    Args:
        program: the optimizer.
        modes: its modes, in the program's order, and after them its evaluations.
        source: the spec it comes from.
        documentation: what the spec says in words.
    """
    functions = _host_functions(modes)
    names = function_names(functions)
    texts = list(dict.fromkeys(function.text(names[function]) for function in functions.values()))
    constants = [cuda_constant(program.module)]
    constants += ModeTables(modes, phase_names(modes), functions, names).texts()
    runtime_names = ["Hyperparameter", "LearningRateSchedule", "Mode", "Optimizer", "Phase"]
    runtime_names += ["Slot"] if program.slots else []
    common = [h for h in program.common if h.name not in _declared(program)]
    text = (
        templates("optgen.backends.keras_api")
        .get_template("class.py.j2")
        .render(
            header=header(source, f"The {program.name} optimizer"),
            title=f"The {program.name} optimizer.",
            imports=imports(program.module, "\n".join(texts), runtime_names),
            functions=texts,
            modes=constants,
            name=program.name,
            docstring=docstring(class_docstring(program, common, documentation), 1),
            attributes="\n".join(indented(_attributes(program), 1)),
            parameters=[*_parameters(program, common)],
            own=[h.name for h in program.hyperparameters],
            common=[h.name for h in common],
            selection=list(_selection(program)),
        )
    )
    return Artifact(f"{program.module}.py", text)


def _host_functions(modes: Sequence[ModeLayout]) -> dict[tuple[str, str], ScalarFunction]:
    """The function that computes the step scalars of each (mode, phase)."""
    return {
        (mode.schedule.name, phase.name): phase_function(mode, phase)
        for mode in modes
        for phase in mode.schedule.phases
    }


def _declared(program: Program) -> set[str]:
    return {h.name for h in program.hyperparameters}


def _parameters(program: Program, common: Sequence[Hyperparameter]) -> Iterable[str]:
    """The constructor's parameters with annotations and defaults."""
    for hyperparameter in (*program.hyperparameters, *common):
        rate = hyperparameter.name == "learning_rate"
        annotation = _RATE if rate else _ANNOTATIONS[hyperparameter.kind]
        if hyperparameter.optional:
            annotation += " | None"
        yield f"{hyperparameter.name}: {annotation} = {literal(hyperparameter.default)}"
    yield f'name: str = "{program.name}"'


def _attributes(program: Program) -> Iterable[str]:
    """The class attributes that describe the optimizer to the runtime."""
    yield from _tuple("hyperparameters", "Hyperparameter", map(_fields, program.hyperparameters))
    if program.slots:
        yield from _tuple("slots", "Slot", (_slot_fields(slot, program) for slot in program.slots))
    if program.evaluations:
        constants = [mode_constant(mode.name) for mode in program.evaluations]
        alone = len(constants) == 1
        yield f"evaluations = ({constants[0]},)" if alone else call("evaluations = ", constants)
    yield "stage_scalars = common.STAGE_SCALARS"
    yield "accumulate = common.ACCUMULATE_MODE"
    yield "rest = common.REST_MODE"
    yield "finite = common.FINITE_MODE"


def _tuple(name: str, description: str, rows: Iterable[Iterable[str]]) -> Iterable[str]:
    """The lines of an attribute that holds a description for each row of fields."""
    calls = [call(description, fields, 2, ",") for fields in rows]
    line = f"{name} = ({calls[0]})"
    if len(calls) == 1 and "\n" not in line and len(line) + 4 <= LINE_LENGTH:
        yield line
    else:
        yield from (f"{name} = (", *(f"    {row}" for row in calls), ")")


def _fields(hyperparameter: Hyperparameter) -> list[str]:
    fields = [
        f'"{hyperparameter.name}"',
        f'"{hyperparameter.kind}"',
        literal(hyperparameter.default),
    ]
    if hyperparameter.minimum is not None:
        fields.append(f"minimum={hyperparameter.minimum!r}")
    if hyperparameter.maximum is not None:
        fields.append(f"maximum={hyperparameter.maximum!r}")
    if hyperparameter.exclusive_minimum:
        fields.append("exclusive_minimum=True")
    if hyperparameter.exclusive_maximum:
        fields.append("exclusive_maximum=True")
    if hyperparameter.optional:
        fields.append("optional=True")
    if hyperparameter.choices:
        fields.append(f"choices={literal(hyperparameter.choices)}")
    if hyperparameter.per_variable:
        fields.append("per_variable=True")
    return fields


def _slot_fields(slot: Slot, program: Program) -> list[str]:
    initial = literal(slot.initial)
    fields = [f'"{slot.name}"', f'"{_RATES.get(slot.rate, "step")}"', initial]
    everywhere = all(slot.name in mode.slots for mode in program.modes)
    return fields if everywhere else [*fields, "optional=True"]


def _selection(program: Program) -> Iterable[str]:
    """Statements that return the mode; exactly one condition holds, so the last needs no test."""
    if len(program.modes) == 1:
        yield f"return {mode_constant(program.modes[0].name)}"
        return
    names = [name for mode in program.modes for name in mode.reads]
    for name in dict.fromkeys(names):
        yield f'{name} = self.mode_value("{name}")'
    for mode in program.modes[:-1]:
        yield f"if {mode.test}:"
        yield f"    return {mode_constant(mode.name)}"
    yield f"return {mode_constant(program.modes[-1].name)}"


def emit_common(stages: ModeLayout, modes: Sequence[ModeLayout]) -> Artifact:
    """The module of the common stages, which every optimizer of a package shares.

    Args:
        stages: any mode with all common stages around it: it shows what they compute on the host.
        modes: what is launched beside the author's update.
    """
    functions = _host_functions(modes)
    names = function_names(functions)
    scalars = stage_functions(stages)
    texts = [function.text(f"{function.stem}_scalars") for function in scalars]
    texts += dict.fromkeys(function.text(names[function]) for function in functions.values())
    entries = [text for function in scalars for text in stage_entry(function)]
    constants = [cuda_constant("common")]
    constants += ["\n".join(["STAGE_SCALARS = (", *indented(entries, 1), ")"])]
    constants += ModeTables(modes, phase_names(modes), functions, names).texts()
    text = (
        templates("optgen.backends.keras_api")
        .get_template("common.py.j2")
        .render(
            header=header(None, "The common stages"),
            title="Common stages: host scalars, and the variables that an update leaves alone.",
            imports=imports(
                "common", "\n".join(texts), ("Mode", "Phase", "StageScalars"), common=False
            ),
            functions=texts,
            constants=constants,
        )
    )
    return Artifact("common.py", text)
