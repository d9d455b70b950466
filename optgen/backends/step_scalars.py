"""Functions of STEP scalars: what is computed once per step, on the host or by one thread."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from optgen.backends.layout import ModeLayout, summed_values
from optgen.backends.pytext import (
    LINE_LENGTH,
    Spelling,
    Style,
    call,
    docstring,
    fitted,
    indented,
)
from optgen.ir.expr import Apply, Symbol, symbols
from optgen.ir.program import Assign, Phase


@dataclass(frozen=True)
class ScalarFunction:
    """A function from STEP values that are known to STEP values that kernels need.

    Attributes:
        stem: what the function is for, ``update`` for the phase update.
        owner: the first mode that has it.
        inputs: the names by which the runtime knows the arguments.
        parameters: the names of the parameters.
        statements: its body.
        outputs: the expressions that it returns.
        outputs_by_name: the names of what it returns.
        doc: the equations behind it.
        summed: the inputs that are sums over all variables, or follow from some.
    """

    stem: str
    owner: str
    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    statements: tuple[str, ...]
    outputs: tuple[str, ...]
    outputs_by_name: tuple[str, ...]
    doc: tuple[str, ...]
    summed: tuple[str, ...]

    def text(self, name: str) -> str:
        """The function under a name, for the host."""
        parameters = [f"{parameter}: float" for parameter in self.parameters]
        return self._defined(call(f"def {name}", parameters, tail=" -> tuple[float, ...]:"))

    def compiled_text(self, head: str) -> str:
        """The function as one that Numba compiles.

        Args:
            head: its decorator and the opening of its definition.
        """
        return self._defined(call(head, self.parameters, tail=":"))

    def _defined(self, head: str) -> str:
        lines = [head]
        lines.append(docstring(self.doc, 1))
        lines += indented(self.statements, 1)
        lines.append("    " + _returned(self.outputs))
        return "\n".join(lines)

    @property
    def content(self) -> object:
        """What makes two functions the same one."""
        return self.stem, self.inputs, self.statements, self.outputs


def phase_function(mode: ModeLayout, phase: Phase) -> ScalarFunction:
    """The function that computes the ``scalars`` tuple of a phase, and new values of STEP slots."""
    layout = mode.phase(phase)
    wanted = [*layout.scalars]
    if phase is mode.schedule.phases[-1]:
        wanted += [output.symbol for output in mode.schedule.step_stores]
    lines = _closure(phase.step_lines, wanted, None)
    doc = ["Scalars of one step, in float64."]
    return _function(mode, phase.name, lines, wanted, doc, "host")


def stage_function(
    mode: ModeLayout,
    stage: str,
    lines: tuple[Assign, ...],
    wanted: Container[str],
    spelling: Spelling,
) -> ScalarFunction:
    """The function that computes those STEP values of a common stage that kernels want."""
    texts = list(dict.fromkeys(line.text for line in lines))
    outputs = [line.target for line in lines if mode.names[line.target] in wanted]
    return _function(mode, stage, lines, outputs, texts, spelling)


def _function(
    mode: ModeLayout,
    stem: str,
    lines: tuple[Assign, ...],
    wanted: Iterable[Symbol],
    doc: list[str],
    spelling: Spelling,
) -> ScalarFunction:
    wanted, summed = tuple(wanted), summed_values(mode.schedule)
    computed = {line.target for line in lines}
    used = [symbol for line in lines for symbol in symbols(line.value)]
    inputs = dict.fromkeys(s for s in (*used, *wanted) if s not in computed)
    style = Style(spelling, lambda symbol: mode.names[symbol])
    taken = tuple(mode.names.values())
    statements = [
        text
        for line in lines
        for text in fitted(mode.names[line.target], line.value, style, 1, taken)
    ]
    outputs = tuple(
        f"float({mode.names[symbol]})" if symbol.truth else mode.names[symbol] for symbol in wanted
    )
    return ScalarFunction(
        stem=stem,
        owner=mode.schedule.name,
        inputs=tuple(s.name if s.version == 0 else mode.names[s] for s in inputs),
        parameters=tuple(mode.names[symbol] for symbol in inputs),
        statements=tuple(statements),
        outputs=outputs,
        outputs_by_name=tuple(mode.names[symbol] for symbol in wanted),
        doc=tuple(doc),
        summed=tuple(s.name if s.version == 0 else mode.names[s] for s in inputs if s in summed),
    )


def _closure(
    lines: tuple[Assign, ...], wanted: Iterable[Symbol], stage: str | None
) -> tuple[Assign, ...]:
    """The lines of a stage, or of the author, that the wanted symbols need."""
    needed = set(wanted)
    found: list[Assign] = []
    for line in reversed(lines):
        if line.target in needed and line.stage == stage:
            found.append(line)
            needed.update(symbols(line.value))
    return tuple(reversed(found))


def stage_functions(mode: ModeLayout, spelling: Spelling = "host") -> list[ScalarFunction]:
    """The functions of the common stages that compute something once per step."""
    lines: dict[str, dict[Assign, None]] = {}
    for phase in mode.schedule.phases:
        for line in phase.step_lines:
            if line.stage is not None and not _sums_variables(line):
                lines.setdefault(line.stage, {}).setdefault(line)
    wanted = {pair for phase in mode.schedule.phases for pair in mode.phase(phase).stages}
    return [
        stage_function(
            mode, stage, tuple(found), {name for owner, name in wanted if owner == stage}, spelling
        )
        for stage, found in lines.items()
    ]


def _sums_variables(line: Assign) -> bool:
    return isinstance(line.value, Apply) and line.value.intrinsic.reduces is not None


def _returned(outputs: tuple[str, ...]) -> str:
    line = f"return {tuple_text(outputs)}"
    return line if len(line) + 4 <= LINE_LENGTH else call("return ", outputs, 1)


def tuple_text(texts: Iterable[str]) -> str:
    """A tuple of expressions."""
    texts = tuple(texts)
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
