"""Checks of what a spec's keys mean together, before any equation is looked at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from optgen.diagnostics import Label
from optgen.frontend.hyperparameter_checks import (
    check_hyperparameter,
    is_sound,
    value_problem,
)
from optgen.frontend.libraries import other_name
from optgen.frontend.names import (
    CLASS_WORD,
    LOWER_WORD,
    MAX_NAME,
    REPLACEABLE_ARGUMENTS,
    WORD,
    nearest,
    reserved_for_attribute,
    reserved_for_class,
    suggestion,
)
from optgen.frontend.report import Report
from optgen.frontend.schema import (
    DEFAULT_MODE,
    ExampleSpec,
    HyperparameterSpec,
    OptimizerSpec,
    SlotSpec,
)
from optgen.frontend.toml import Location


def check_spec(spec: OptimizerSpec, report: Report) -> None:
    """Report every inconsistency of names, hyperparameters, slots, modes and examples."""
    _check_class_name(spec, report)
    if not spec.summary.strip() or "\n" in spec.summary:
        headline = "`summary` must be one line, and not empty"
        report.error("E204", headline, report.index.value("summary"))
    _check_names(spec, report)
    for name, hyperparameter in spec.hyperparameters.items():
        if name not in report.faulty:
            check_hyperparameter(name, hyperparameter, report)
    _check_learning_rate(spec, report)
    for name, slot in spec.slots.items():
        _check_initial(name, slot, spec.hyperparameters, report)
    _check_update(spec, report)
    for number, example in enumerate(spec.example):
        if report.fits("example", number):
            _check_example(spec, example, ("example", number), report)


def _check_initial(
    name: str, slot: SlotSpec, hyperparameters: Mapping[str, HyperparameterSpec], report: Report
) -> None:
    """Report a slot that starts as nothing that it can hold."""
    span = report.index.value("slots", name, "initial")
    initial = slot.initial
    if not isinstance(initial, str):
        if not is_sound(initial):
            report.error("E204", f"slot `{name}` must start as a finite number", span)
    elif initial == "w":
        if slot.rate != "element":
            headline = f"slot `{name}` is not per element, so it cannot start as a copy of `w`"
            report.error("E204", headline, span)
    elif initial not in hyperparameters:
        headline = f"slot `{name}` cannot start as `{initial}`, which is no hyperparameter"
        report.error("E204", headline, span, help=suggestion(initial, ["w", *hyperparameters]))
    elif hyperparameters[initial].kind not in ("float", "int") or hyperparameters[initial].optional:
        headline = f"slot `{name}` cannot start as `{initial}`, which need not be a number"
        report.error("E204", headline, span)


def check_name(
    name: str, what: str, location: Location, report: Report, taken: Callable[[str], str | None]
) -> None:
    """Report a name that is no word, or that already means something."""
    span = report.index.key(*location)
    pattern = LOWER_WORD if what == "mode" else WORD
    if not pattern.fullmatch(name) or len(name) > MAX_NAME:
        kind = "a lower-case word" if what == "mode" else "a word"
        headline = f"the name of the {what} `{name[:MAX_NAME]}` is not {kind}"
        hint = f"a letter, then at most {MAX_NAME - 1} letters, digits and `_`"
        words = re.sub(r"\W+", "_", name).strip("_")
        if pattern.fullmatch(words) and len(words) <= MAX_NAME:
            hint += f", such as `{words}`"
        report.error("E205", headline, span, help=hint)
        return
    meaning = taken(name)
    if meaning is not None:
        headline = f"the {what} cannot be called `{name}`: that is {meaning}"
        report.error("E206", headline, span, help=f"another name, such as `my_{name}`")


def _check_class_name(spec: OptimizerSpec, report: Report) -> None:
    span = report.index.value("name")
    if not report.fits("name"):
        return
    if not CLASS_WORD.fullmatch(spec.name) or len(spec.name) > MAX_NAME:
        headline = f"the optimizer's name `{spec.name[:MAX_NAME]}` is not a CamelCase word"
        words = "".join(word.capitalize() for word in WORD.findall(spec.name)).replace("_", "")
        hint = f'name = "{words[:MAX_NAME]}"' if words else None
        report.error("E205", headline, span, help=hint)
    elif (meaning := reserved_for_class(spec.name)) is not None:
        headline = f"the optimizer cannot be called `{spec.name}`: that is {meaning}"
        report.error("E206", headline, span)


def _check_names(spec: OptimizerSpec, report: Report) -> None:
    for name in spec.hyperparameters:
        if name not in REPLACEABLE_ARGUMENTS:
            location = ("hyperparameters", name)
            check_name(name, "hyperparameter", location, report, reserved_for_attribute)
    for name in spec.slots:
        check_name(name, "slot", ("slots", name), report, _reserved_for_slot)
        if name in spec.hyperparameters:
            report.error(
                "E207",
                f"`{name}` is the name of a hyperparameter and of a slot",
                report.index.key("slots", name),
                "a slot here",
                Label(report.index.key("hyperparameters", name), "a hyperparameter here"),
                help="give one of them another name",
            )


def _reserved_for_slot(name: str) -> str | None:
    if name == "learning_rate":
        return "a hyperparameter that every optimizer has"
    return reserved_for_attribute(name)


def _reserved_for_mode(name: str) -> str | None:
    return "kept for `evaluation`" if name.endswith("_evaluation") else None


def _check_learning_rate(spec: OptimizerSpec, report: Report) -> None:
    rate = spec.hyperparameters.get("learning_rate")
    hint = 'learning_rate = { default = 0.001, doc = "The learning rate." }'
    if rate is None:
        span = report.index.key("hyperparameters")
        other = next((n for n in spec.hyperparameters if other_name(n, ["learning_rate"])), None)
        other = other or nearest("learning_rate", spec.hyperparameters)
        if other is not None:
            span = report.index.key("hyperparameters", other)
            hint = f"rename `{other}` to `learning_rate`: schedules and decay rely on that name"
        headline = "there is no hyperparameter `learning_rate`"
        report.error("E210", headline, span, help=hint)
    elif "learning_rate" in report.faulty or isinstance(rate.default, str):
        return
    elif rate.kind != "float" or rate.optional:
        span = report.index.key("hyperparameters", "learning_rate")
        headline = "`learning_rate` must be a float that is always given"
        if rate.kind == "int" and rate.type is None:
            hint = f"an integer default makes it an int: write {float(rate.default or 0)!r}"
        report.error("E208", headline, span, help=hint)


def _check_update(spec: OptimizerSpec, report: Report) -> None:
    if spec.update is None and not spec.modes and not report.partial:
        headline = "the spec has neither `update` nor `[[modes]]`"
        hint = "update = '''\nw = w - learning_rate * g\n'''"
        report.error("E211", headline, report.index.value("name"), help=hint)
    elif spec.update is not None and spec.modes:
        report.error(
            "E211",
            "the spec has both `update` and `[[modes]]`",
            report.index.key("update"),
            "equations of a spec without modes",
            Label(report.index.value("modes", 0), "modes"),
            help="lines that all modes share stand in `before` or `after`",
        )
    for key, block in (("before", spec.before), ("after", spec.after)):
        if block is not None and not spec.modes:
            hint = "put these lines into `update`"
            headline = f"`{key}` is for specs with modes"
            report.error("E211", headline, report.index.key(key), help=hint)
    seen: dict[str, int] = {}
    for number, mode in enumerate(spec.modes):
        check_name(mode.name, "mode", ("modes", number, "name"), report, _reserved_for_mode)
        first = seen.setdefault(mode.name, number)
        if first != number:
            report.error(
                "E207",
                f"two modes are called `{mode.name}`",
                report.index.value("modes", number, "name"),
                "",
                Label(report.index.value("modes", first, "name"), "the first one"),
                help="give one of them another name",
            )


def _check_example(
    spec: OptimizerSpec, example: ExampleSpec, location: Location, report: Report
) -> None:
    modes = [mode.name for mode in spec.modes] or [DEFAULT_MODE]
    if example.mode not in modes and report.fits("modes"):
        if "mode" in example.model_fields_set:
            span = report.index.value(*location, "mode")
            headline = f"there is no mode `{example.mode}`"
            report.error("E209", headline, span, help=suggestion(example.mode, modes))
        else:
            known = ", ".join(f'`mode = "{mode}"`' for mode in modes)
            headline = "this example does not say which mode it is of"
            report.error(
                "E209", headline, report.index.value(*location), help=f"add one of {known}"
            )
    for name, value in example.hyperparameters.items():
        where = (*location, "hyperparameters", name)
        if name not in spec.hyperparameters:
            hint = suggestion(name, spec.hyperparameters)
            headline = f"there is no hyperparameter `{name}`"
            report.error("E209", headline, report.index.key(*where), help=hint)
        elif (problem := value_problem(spec.hyperparameters[name], value)) is not None:
            report.error("E209", f"the value of `{name}` {problem}", report.index.value(*where))
    if not example.gradients or len(example.gradients) != len(example.expected):
        report.error(
            "E209",
            f"{len(example.gradients)} gradients but {len(example.expected)} expected values",
            report.index.value(*location, "expected"),
            "",
            Label(report.index.value(*location, "gradients"), "one gradient per step"),
        )
    if not all(map(is_sound, _integers([example.start, example.gradients, example.expected]))):
        span = report.index.value(*location)
        report.error("E209", "an integer that a float64 cannot hold", span, "in this example")
    shape = _shape(example.start)
    if shape is None:
        span = report.index.value(*location, "start")
        report.error("E209", "`start` is not a rectangular array", span)
        return
    entries = {_shape(entry) for entry in (*example.gradients, *example.expected)}
    if len(entries) == 1 and entries != {shape}:
        report.error(
            "E209",
            "`start` has another shape than the gradients and the expected values",
            report.index.value(*location, "start"),
            f"shape {shape}",
            Label(report.index.value(*location, "gradients", 0), f"shape {entries.pop()}"),
        )
        return
    for key, values in (("gradients", example.gradients), ("expected", example.expected)):
        for number, entry in enumerate(values):
            if _shape(entry) != shape:
                report.error(
                    "E209",
                    f"an entry of `{key}` has another shape than `start`",
                    report.index.value(*location, key, number),
                    "",
                    Label(report.index.value(*location, "start"), f"shape {shape}"),
                    help="nest it like `start`, with as many numbers",
                )


def _shape(value: object) -> tuple[int, ...] | None:
    """The shape of nested lists; None if they are ragged."""
    if not isinstance(value, list):
        return ()
    inner = {_shape(item) for item in value}
    if len(inner) > 1 or None in inner:
        return None
    return (len(value), *(inner.pop() or () if inner else ()))


def _integers(value: object) -> Iterator[int]:
    """The integers inside nested lists."""
    if isinstance(value, list):
        for item in value:
            yield from _integers(item)
    elif isinstance(value, int):
        yield value
