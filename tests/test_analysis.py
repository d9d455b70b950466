"""The cost of a step: every array is read once per loop that needs it, and written once."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from optgen.analysis import all_compatible, cost_of, required_stages, stage_sets
from optgen.backends.layout import phase_names
from optgen.cli import app
from optgen.commands.cost_tables import print_explanation
from optgen.driver import common_modes, compile_text
from optgen.ir.expr import Apply, Expr, Number, Ref, walk
from optgen.ir.notation import in_language
from optgen.ir.program import Program, Schedule
from optgen.ir.rate import ELEMENT
from tests.oracle import SPECS, compiled, spec_modes, spec_names

ROOT = Path(__file__).parent.parent
# A slot that only needs the largest numbers of the last loop is stored after it, at no pass.
REDUCTIONS = {"sum", "sum_of_squares", "max", "norm", "mean", "row_mean", "column_mean"}

# Arrays read and written by hand from the papers' algorithms, with all common stages off.
BY_HAND = {
    ("sgd", "plain"): 3,  # w g -> w
    ("sgd", "momentum"): 5,  # w g velocity -> w velocity
    ("sgd", "nesterov"): 5,
    ("adam", "plain"): 7,  # w g m v -> w m v
    ("adam", "amsgrad"): 9,  # and v_hat
    ("adamw", "plain"): 7,
    ("adamw", "amsgrad"): 9,
    ("novograd", "plain"): 6,  # g, then w g m -> w m
    ("novograd", "amsgrad_decay_averaging"): 6,
}


def schedule(spec: str, mode: str) -> Schedule:
    (found,) = (m.schedule for m in compiled(spec).modes if m.schedule.name == mode)
    return found


@pytest.mark.parametrize(("spec", "mode"), BY_HAND)
def test_bytes_are_the_minimum_by_hand(spec: str, mode: str) -> None:
    cost = cost_of(schedule(spec, mode))
    assert cost.bytes_moved(4) == 4 * BY_HAND[spec, mode]
    assert cost.bytes_moved(8) == 8 * BY_HAND[spec, mode]


class Arrays:
    """The arrays that each loop must touch, from the text of a mode's equations alone."""

    def __init__(self, program: Program, mode: str) -> None:
        kept = {slot.name: slot for slot in program.slots if slot.name in program.mode(mode).slots}
        elementwise = {"w", "g", *(name for name, s in kept.items() if s.rate == ELEMENT)}
        self.values: dict[str, tuple[frozenset[str], int]] = {
            name: (frozenset({name}), 0) for name in elementwise
        }
        self.loops: dict[int, set[str]] = {}
        assigned = set()
        for equation in program.mode(mode).equations:
            (statement,) = ast.parse(equation.text).body
            assert isinstance(statement, ast.Assign)
            (target,) = statement.targets
            assert isinstance(target, ast.Name)
            self.values[target.id] = self.value(statement.value)
            assigned.add(target.id)
        stored = assigned & {"w", *kept}
        last = max(self.values[name][1] for name in stored)
        for name in stored & elementwise:
            self.loops.setdefault(last, set()).update(self.values[name][0])
        self.written = len(stored & elementwise)

    def value(self, node: ast.AST) -> tuple[frozenset[str], int]:
        """The arrays from which a value is computed element by element, and the loops before it."""
        if isinstance(node, ast.Name):
            return self.values.get(node.id, (frozenset(), 0))
        parts = [self.value(part) for part in ast.iter_child_nodes(node)]
        arrays = frozenset().union(*(arrays for arrays, _ in parts))
        level = max((level for _, level in parts), default=0)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in REDUCTIONS:
            self.loops.setdefault(level, set()).update(arrays)
            return frozenset(), level + 1
        return arrays, level

    def moved(self, stages: tuple[str, ...]) -> int:
        """Arrays read and written while some common stages are on."""
        gradient_loops = sum("g" in arrays for arrays in self.loops.values())
        gradient_loops += bool({"clipnorm", "global_clipnorm"} & set(stages))
        count = self.written + sum(len(arrays - {"g"}) for arrays in self.loops.values())
        count += gradient_loops
        if "accumulator" in stages:  # part of the gradient wherever that is read; then emptied
            count += gradient_loops + 1
        if "average" in stages:
            count += 2
        return count


@pytest.mark.parametrize(("spec", "mode"), spec_modes())
def test_bytes_are_the_minimum_with_every_stage(spec: str, mode: str) -> None:
    program = compiled(spec).program
    expected = Arrays(program, mode)
    for stages in stage_sets(program.stages):
        cost = cost_of(schedule(spec, mode), stages)
        assert cost.bytes_moved(4) == 4 * expected.moved(stages), stages
        assert cost.bytes_moved(8) == 8 * expected.moved(stages), stages


def test_what_each_stage_adds_to_adam() -> None:
    plain = cost_of(schedule("adam", "plain")).bytes_moved(4)
    added = {
        stages: cost_of(schedule("adam", "plain"), stages).bytes_moved(4) - plain
        for stages in stage_sets(compiled("adam").program.stages)
    }
    assert plain == 28
    assert added == {
        (): 0,
        ("loss_scale_factor",): 0,
        ("accumulator",): 8,
        ("clipnorm",): 4,
        ("global_clipnorm",): 4,
        ("clipvalue",): 0,
        ("weight_decay",): 0,
        ("average",): 8,
        ("average", "overwrite"): 8,
        (
            "loss_scale_factor",
            "accumulator",
            "clipnorm",
            "weight_decay",
            "average",
            "overwrite",
        ): 24,
    }


def test_what_runs_beside_the_update() -> None:
    costs = {m.schedule.name: m.schedule for m in common_modes()}
    assert cost_of(costs["accumulate"]).bytes_moved(4) == 12  # g, the sum, and the sum again
    assert cost_of(costs["accumulate"], ("average",)).bytes_moved(4) == 24
    assert cost_of(costs["rest"]).bytes_moved(4) == 0
    assert cost_of(costs["rest"], ("accumulator",)).bytes_moved(4) == 4
    assert cost_of(costs["finite"]).bytes_moved(4) == 4


@pytest.mark.parametrize("spec", spec_names())
def test_generated_kernels_touch_what_is_counted(spec: str) -> None:
    optimizer = compiled(spec)
    text = (ROOT / "generated" / f"{spec}_cpu.py").read_text("utf-8")
    functions = {f.name: f for f in ast.parse(text).body if isinstance(f, ast.FunctionDef)}
    names = phase_names(optimizer.modes)
    for layout in optimizer.modes:
        arrays = {text: memory for memory, text in layout.stream_names.items()}
        for phase in cost_of(layout.schedule).phases:
            kernel = functions.get(names[layout.schedule.name, phase.name])
            reads, writes = ([], []) if kernel is None else touched(kernel)
            assert [arrays[name] for name in reads if name in arrays] == list(phase.reads)
            assert [arrays[name] for name in writes if name in arrays] == list(phase.writes)


def touched(function: ast.FunctionDef) -> tuple[list[str], list[str]]:
    """The arrays that a kernel's innermost loop reads and writes with every stage off."""
    loop: Any = [part for part in ast.walk(function) if isinstance(part, ast.For)][-1]
    lines = [line for line in loop.body if isinstance(line, ast.Assign)]
    reads = [line.value.value.id for line in lines if _at_i(line.value)]
    return reads, [line.targets[0].value.id for line in lines if _at_i(line.targets[0])]


def _at_i(node: Any) -> bool:
    return isinstance(node, ast.Subscript) and getattr(node.slice, "id", "") == "i"


def test_operations_are_counted_by_kind() -> None:
    # m: two sums and a product; v: two and two; w: a product, a root, two sums and a quotient.
    counts = cost_of(schedule("adam", "plain")).operations
    assert counts == {"add": 6, "multiply": 4, "divide": 1, "sqrt": 1, "compare": 0, "other": 0}
    clipped = cost_of(schedule("sgd", "plain"), ("clipvalue",)).operations
    assert clipped == {"add": 1, "multiply": 1, "divide": 0, "sqrt": 0, "compare": 2, "other": 0}
    norm = cost_of(schedule("sgd", "plain"), ("clipnorm",)).phases[0].operations
    assert (norm["multiply"], norm["add"]) == (1, 1)


def test_state_is_counted_per_parameter_and_per_variable() -> None:
    cost = cost_of(schedule("novograd", "amsgrad"))
    assert cost.state_per_parameter(4) == 4
    assert cost.state_per_variable == 16
    assert cost.state_in_all == 0
    on = cost_of(schedule("novograd", "amsgrad"), ("accumulator", "average"))
    assert on.state_per_parameter(4) == 12
    assert [slot.name for slot in cost.slots] == ["m", "v", "v_hat"]
    product = compile_text(STEP_SLOT, "product.toml").modes[0].schedule
    assert cost_of(product).state_in_all == 8


STEP_SLOT = b"""
name = "Product"
summary = "A product over the steps."
update = '''
product = product * beta
w = w - learning_rate * g * (1 - product)
'''

[hyperparameters]
learning_rate = { default = 0.5, doc = "How far a step goes." }
beta = { default = 0.9, doc = "What the product grows by." }

[slots]
product = { rate = "step", initial = 1.0, doc = "Product of the betas so far." }
"""


def test_a_later_phase_says_what_it_waits_for() -> None:
    cost = cost_of(schedule("novograd", "plain"))
    (first, update) = cost.phases
    assert first.waits == ()
    (wait,) = update.waits
    assert in_language(wait.reduction.value) == "sum(g * g)"
    assert wait.phase == first.name
    assert not wait.over_all_variables
    assert list(dict.fromkeys(line.text for line in wait.lines)) == [
        "v = where(t == 1, squares, beta_2 * v + (1 - beta_2) * squares)",
        "d = g / (sqrt(v) + epsilon)",
    ]
    clipped = cost_of(schedule("adam", "plain"), ("global_clipnorm",))
    (wait,) = clipped.phases[1].waits
    assert wait.over_all_variables
    assert wait.lines[-1].text == "g = g * global_clipnorm_scale"
    assert cost_of(schedule("adam", "plain"), ("global_clipnorm",)).gradient_passes == 2
    assert [len(phase.waits) for phase in cost_of(schedule("adam", "plain")).phases] == [0]


def test_what_is_hoisted_is_said_with_the_authors_line() -> None:
    (phase,) = cost_of(schedule("adam", "plain")).phases
    found = {line.target.name: (in_language(line.value), line.text) for line in phase.step_lines}
    assert found == {
        "alpha": (
            "learning_rate * sqrt(1 - beta_2 ** t) / (1 - beta_1 ** t)",
            "alpha = learning_rate * sqrt(1 - beta_2 ** t) / (1 - beta_1 ** t)",
        ),
        "one_minus_beta_1": ("1 - beta_1", "m = m + (g - m) * (1 - beta_1)"),
        "one_minus_beta_2": ("1 - beta_2", "v = v + (g * g - v) * (1 - beta_2)"),
    }
    (phase,) = cost_of(schedule("adam", "plain"), ("weight_decay",)).phases
    assert [line.target.name for line in phase.variable_lines] == ["weight_decay_is_zero"]


def expressions() -> Iterator[Expr]:
    for spec, mode in spec_modes():
        for line in schedule(spec, mode).lines():
            yield from walk(line.value)
        yield from (equation.value for equation in compiled(spec).program.mode(mode).equations)


def parenthesized(expr: Expr) -> str:
    """An expression with parentheses around everything, which needs no precedence."""
    if isinstance(expr, Number):
        return f"({expr.value!r})".replace(".0)", ")")
    if isinstance(expr, Ref):
        return expr.symbol.name
    assert isinstance(expr, Apply)
    args = [parenthesized(arg) for arg in expr.args]
    sign = expr.intrinsic.operator
    if sign is None:
        return f"{expr.function}({', '.join(args)})"
    return f"({f' {sign} '.join(args)})" if len(args) == 2 else f"({sign} {args[0]})"


def test_expressions_are_written_as_the_language_reads_them() -> None:
    found = [*expressions(), *awkward()]
    assert len(found) > 500
    for expr in found:
        written, meant = (ast.dump(ast.parse(t)) for t in (in_language(expr), parenthesized(expr)))
        assert written == meant, in_language(expr)


def awkward() -> list[Expr]:
    x, y = Number(1.0), Number(0.5)

    def of(name: str, *args: Expr) -> Expr:
        return Apply(name, args)

    return [
        of("subtract", x, of("subtract", y, x)),
        of("divide", x, of("multiply", y, x)),
        of("power", of("power", x, y), y),
        of("power", x, of("power", y, x)),
        of("power", of("negative", x), y),
        of("negative", of("power", x, y)),
        of("power", x, of("negative", y)),
        of("multiply", of("negative", of("add", x, y)), y),
        of("not", of("and", of("less", x, y), of("not", of("less", y, x)))),
        of("or", of("less", x, y), of("or", of("less", x, y), of("less", y, x))),
        of("equal", of("less", x, y), of("less", y, x)),
    ]


def test_stages_that_exclude_each_other_are_never_on_together() -> None:
    stages = compiled("adam").program.stages
    by_name = {stage.name: stage for stage in stages}
    assert required_stages(by_name["overwrite"], stages) == ("average",)
    assert required_stages(by_name["average"], stages) == ()
    for names in stage_sets(stages):
        assert sum("clip" in name for name in names) <= 1
    assert len(all_compatible(stages)) == len(stages) - 2


def explained(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["explain", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_prints_tables() -> None:
    text = explained(str(SPECS / "adam.toml"))
    assert " 28 " in text
    assert "one_minus_beta_1 = 1 - beta_1    # of m = m + (g - m) * (1 - beta_1)" in text
    assert "Why clipnorm costs a pass" in text
    assert "\x1b" not in text
    amsgrad = explained(str(SPECS / "adam.toml"), "--mode", "amsgrad")
    assert "v_hat" in amsgrad
    assert "Mode amsgrad" in amsgrad


@pytest.mark.parametrize("width", [80, 104, 200])
def test_no_number_is_cut_on_a_terminal_of_any_width(width: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, color_system=None)
    print_explanation(compiled("novograd"), "amsgrad_decay_averaging", console)
    text = stream.getvalue()
    assert "…" not in text
    assert " 104 " in text  # float64 with everything on


@pytest.mark.parametrize("spec", spec_names())
def test_the_command_explains_every_spec(spec: str) -> None:
    last = compiled(spec).program.modes[-1].name
    assert explained(str(SPECS / f"{spec}.toml"), "--mode", last)


def test_the_command_prints_json() -> None:
    data = json.loads(explained(str(SPECS / "novograd.toml"), "--json"))
    assert [mode["name"] for mode in data["modes"]] == [
        m for s, m in spec_modes() if s == "novograd"
    ]
    (cost,) = (cost for cost in data["modes"][0]["costs"] if not cost["stages"])
    assert cost["bytes_per_parameter"] == {"float32": 24, "float64": 48}
    assert cost["phases"][1]["waits"][0]["value"] == "sum(g * g)"
    only = json.loads(explained(str(SPECS / "novograd.toml"), "--json", "--mode", "decay"))
    assert [mode["name"] for mode in only["modes"]] == ["decay"]


def test_the_command_says_what_is_wrong() -> None:
    result = CliRunner().invoke(app, ["explain", str(SPECS / "adam.toml"), "--mode", "fast"])
    assert result.exit_code == 2
    assert "expected one of plain, amsgrad" in " ".join(result.output.replace("│", " ").split())
    assert CliRunner().invoke(app, ["explain", str(SPECS)]).exit_code == 2
