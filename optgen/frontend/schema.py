"""The format of a spec, as pydantic models.

The models say which keys there are and of which type; what keys mean together is checked in
`spec_checks` and `hyperparameter_checks`, with messages of their own.  What a `json_schema_extra`
says is for editors alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from typing_extensions import TypeAliasType

from optgen.frontend.names import (
    CHOICE_WORD,
    CLASS_NAMES,
    CLASS_WORD,
    LOWER_WORD,
    MAX_NAME,
    PROJECT_NAMES,
    REPLACEABLE_ARGUMENTS,
    WORD,
)

Numbers = TypeAliasType("Numbers", "int | float | list[Numbers]")
MAX_PARTS = 64
MAX_EXAMPLES = 256
DEFAULT_MODE = "default"
"""The mode of a spec without modes."""

LOWER_BOUNDS, UPPER_BOUNDS = ("min", "above"), ("max", "below")
"""The keys of bounds, of which a hyperparameter has one of each at most: a bound that is allowed
itself, and one that is not."""


def _word(pattern: str, taken: Iterable[str] = ()) -> JsonDict:
    """What a name must look like, for editors."""
    rules: JsonDict = {"pattern": f"^{pattern}$", "maxLength": MAX_NAME}
    names = sorted(taken)
    return {**rules, "not": {"enum": [*names]}} if names else rules


def _names(taken: Iterable[str]) -> JsonDict:
    """What the keys of a table of free names must look like, for editors."""
    return {"propertyNames": _word(WORD.pattern, taken)}


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


_CONDITIONS = ["momentum > 0", "momentum == 0 and not nesterov", 'kind == "smooth"']
_TAKEN = frozenset(PROJECT_NAMES)
_EQUATIONS = ["w = w - learning_rate * g"]
_GIVEN: JsonDict = {"properties": {"optional": {"const": True}}, "required": ["optional"]}


class HyperparameterSpec(_Table):
    """A constructor argument of the optimizer."""

    model_config = ConfigDict(
        title="Hyperparameter",
        json_schema_extra={
            "anyOf": [{"required": ["default"]}, _GIVEN],
            "not": {"anyOf": [{"required": [*keys]} for keys in (LOWER_BOUNDS, UPPER_BOUNDS)]},
        },
    )

    type: Literal["float", "int", "bool", "choice"] | None = Field(
        None, description="The type; taken from the default if missing."
    )
    default: bool | int | float | str | None = Field(
        None,
        description="The default; an optional hyperparameter without one defaults to None.",
        examples=[0.001, 5, False, "smooth"],
    )
    min: int | float | None = Field(None, description="The smallest allowed value.", examples=[0.0])
    max: int | float | None = Field(None, description="The largest allowed value.", examples=[1.0])
    above: int | float | None = Field(
        None, description="What every value must be above, in place of `min`.", examples=[0.0]
    )
    below: int | float | None = Field(
        None, description="What every value must be below, in place of `max`.", examples=[1.0]
    )
    optional: bool = Field(False, description="Whether None is allowed.")
    choices: list[str] | None = Field(
        None,
        description="The allowed words of a choice.",
        examples=[["hard", "smooth"]],
        json_schema_extra={"items": {"type": "string", **_word(CHOICE_WORD.pattern)}},
    )
    doc: str = Field(
        description="What it does, for the documentation of the class.",
        examples=["How far a step goes along the gradient."],
    )

    @property
    def bounds(self) -> dict[str, float]:
        """The bounds that are given, by their keys."""
        found = {key: getattr(self, key) for key in (*LOWER_BOUNDS, *UPPER_BOUNDS)}
        return {key: bound for key, bound in found.items() if bound is not None}

    @property
    def kind(self) -> str:
        """The type, inferred if it is not given: ``float``, ``int``, ``bool`` or ``choice``."""
        if self.type is not None:
            return self.type
        if self.choices is not None or isinstance(self.default, str):
            return "choice"
        if isinstance(self.default, bool):
            return "bool"
        return "int" if isinstance(self.default, int) else "float"


class SlotSpec(_Table):
    """State that the optimizer keeps between steps."""

    model_config = ConfigDict(title="Slot")

    rate: Literal["element", "row", "column", "index", "variable", "step"] = Field(
        "element",
        description=(
            "One number per element of a variable; per row or per column of its matrices; per "
            "index of each of its axes; per variable; or in all."
        ),
    )
    initial: int | float | str = Field(
        0.0,
        description=(
            'The first value: a number, "w" for a copy of the variable, or the name of a '
            "hyperparameter."
        ),
        examples=[0.0, "w"],
    )
    when: str | None = Field(
        None, description="The condition under which the slot exists.", examples=_CONDITIONS
    )
    doc: str = Field(description="What it holds.", examples=["Decaying average of the gradient."])


class ModeSpec(_Table):
    """One form of the update rule, selected by the hyperparameters."""

    model_config = ConfigDict(title="Mode")

    name: str = Field(
        description="A lower-case word.",
        examples=["plain"],
        json_schema_extra=_word(LOWER_WORD.pattern),
    )
    when: str = Field(description="The condition that selects the mode.", examples=_CONDITIONS)
    doc: str = Field("", description="What is special about the mode.")
    update: str = Field(description="The mode's own equations.", examples=_EQUATIONS)


class ExampleSpec(_Table):
    """Numbers from outside of the project that the optimizer must reproduce."""

    model_config = ConfigDict(title="Example")

    mode: str = Field(
        DEFAULT_MODE, description="The mode; a spec without modes needs none.", examples=["plain"]
    )
    hyperparameters: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="The values that differ from the defaults."
    )
    start: Numbers = Field(description="The variable before the first step.", examples=[[1.0, 2.0]])
    gradients: list[Numbers] = Field(
        description="The gradient of each step.",
        examples=[[[0.5, -1.0]]],
        json_schema_extra={"minItems": 1},
    )
    expected: list[Numbers] = Field(
        description="The variable after each step.",
        examples=[[[0.95, 2.1]]],
        json_schema_extra={"minItems": 1},
    )
    tolerance: float = Field(
        1e-12, ge=0.0, le=1.0, description="The allowed absolute plus relative difference."
    )
    source: str = Field(description="Where the numbers come from.")


class OptimizerSpec(_Table):
    """A whole spec."""

    model_config = ConfigDict(
        title="Optimizer",
        json_schema_extra={
            "oneOf": [
                {"required": ["update"]},
                {"required": ["modes"], "properties": {"modes": {"minItems": 1}}},
            ],
            "dependentRequired": {"before": ["modes"], "after": ["modes"]},
        },
    )

    name: str = Field(
        description="The name of the class, a CamelCase word.",
        examples=["SignDescent"],
        json_schema_extra=_word(CLASS_WORD.pattern, CLASS_NAMES),
    )
    summary: str = Field(
        description="What the optimizer is, in one line.",
        json_schema_extra={"pattern": r"^[^\n]*\S[^\n]*$"},
    )
    description: str = Field("", description="A longer text, in Markdown.")
    references: list[str] = Field(default_factory=list, description="Papers and pages.")
    hyperparameters: dict[str, HyperparameterSpec] = Field(
        max_length=MAX_PARTS,
        description="The constructor's arguments, in order.",
        json_schema_extra={
            "required": ["learning_rate"],
            **_names(_TAKEN - {*REPLACEABLE_ARGUMENTS}),
        },
    )
    slots: dict[str, SlotSpec] = Field(
        default_factory=dict,
        max_length=MAX_PARTS,
        description="The state kept between steps.",
        json_schema_extra=_names(_TAKEN | {"learning_rate"}),
    )
    update: str | None = Field(
        None, description="The equations of a spec without modes.", examples=_EQUATIONS
    )
    before: str | None = Field(None, description="Equations that every mode runs first.")
    after: str | None = Field(None, description="Equations that every mode runs last.")
    evaluation: str | None = Field(
        None,
        description="Equations that give the variable the value that a model is evaluated with.",
        examples=["w = (w - (1 - beta) * z) / beta"],
    )
    modes: list[ModeSpec] = Field(
        default_factory=list,
        max_length=MAX_PARTS,
        description="The forms of the update rule.",
    )
    example: list[ExampleSpec] = Field(
        default_factory=list,
        max_length=MAX_EXAMPLES,
        description="Numbers from outside that must be reproduced.",
    )


def keys_of(location: tuple[Any, ...]) -> tuple[str, ...]:
    """The keys that the table at a location of a spec may have; none for a table of free names."""
    table: type[BaseModel] | None = OptimizerSpec
    if location:
        table = _TABLES.get(str(location[0])) if len(location) == 2 else None
    return () if table is None else tuple(table.model_fields)


_TABLES: dict[str, type[BaseModel]] = {
    "hyperparameters": HyperparameterSpec,
    "slots": SlotSpec,
    "modes": ModeSpec,
    "example": ExampleSpec,
}
