"""The format of a spec, as pydantic models.

The models say which keys there are and of which type; what keys mean together is checked in
`spec_checks`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

Numbers = TypeAliasType("Numbers", "int | float | list[Numbers]")
MAX_PARTS = 64
MAX_EXAMPLES = 256


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class HyperparameterSpec(_Table):
    """A constructor argument of the optimizer."""

    type: Literal["float", "int", "bool", "choice"] | None = Field(
        None, description="The type; taken from the default if missing."
    )
    default: bool | int | float | str | None = Field(
        None, description="The default; an optional hyperparameter without one defaults to None."
    )
    min: int | float | None = Field(None, description="The smallest allowed value.")
    max: int | float | None = Field(None, description="The largest allowed value.")
    optional: bool = Field(False, description="Whether None is allowed.")
    choices: list[str] | None = Field(None, description="The allowed words of a choice.")
    doc: str = Field(description="What it does, for the documentation of the class.")

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

    rate: Literal["element", "variable", "step"] = Field(
        "element", description="One number per element of a variable, per variable, or in all."
    )
    initial: int | float | str = Field(
        0.0,
        description=(
            'The first value: a number, "w" for a copy of the variable, or the name of a '
            "hyperparameter."
        ),
    )
    when: str | None = Field(None, description="The condition under which the slot exists.")
    doc: str = Field(description="What it holds.")


class ModeSpec(_Table):
    """One form of the update rule, selected by the hyperparameters."""

    name: str = Field(description="A lower-case word.")
    when: str = Field(description="The condition that selects the mode.")
    doc: str = Field("", description="What is special about the mode.")
    update: str = Field(description="The mode's own equations.")


class ExampleSpec(_Table):
    """Numbers from outside of the project that the optimizer must reproduce."""

    mode: str = Field(description='The mode; "default" for a spec without modes.')
    hyperparameters: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="The values that differ from the defaults."
    )
    start: Numbers = Field(description="The variable before the first step.")
    gradients: list[Numbers] = Field(description="The gradient of each step.")
    expected: list[Numbers] = Field(description="The variable after each step.")
    tolerance: float = Field(
        1e-12, ge=0.0, le=1.0, description="The allowed absolute plus relative difference."
    )
    source: str = Field(description="Where the numbers come from.")


class OptimizerSpec(_Table):
    """A whole spec."""

    name: str = Field(description="The name of the class, a CamelCase word.")
    summary: str = Field(description="What the optimizer is, in one line.")
    description: str = Field("", description="A longer text, in Markdown.")
    references: list[str] = Field(default_factory=list, description="Papers and pages.")
    hyperparameters: dict[str, HyperparameterSpec] = Field(
        max_length=MAX_PARTS, description="The constructor's arguments, in order."
    )
    slots: dict[str, SlotSpec] = Field(default_factory=dict, max_length=MAX_PARTS)
    update: str | None = Field(None, description="The equations of a spec without modes.")
    before: str | None = Field(None, description="Equations that every mode runs first.")
    after: str | None = Field(None, description="Equations that every mode runs last.")
    modes: list[ModeSpec] = Field(default_factory=list, max_length=MAX_PARTS)
    example: list[ExampleSpec] = Field(default_factory=list, max_length=MAX_EXAMPLES)


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
