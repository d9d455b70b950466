"""What `optgen bench` rests on: shapes, candidates, their processes, and statistics."""

from __future__ import annotations

import ast
import io
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optgen.bench import rounds, start
from optgen.bench.candidate import gradient_values, sampled, start_values
from optgen.bench.cases import MODELS, Case, cases, model_named
from optgen.bench.parity import difference
from optgen.bench.peers import EVERY_STEP, FLOOR, OURS, PEERS, Peer, peers
from optgen.bench.process import Process, WorkerError, worker
from optgen.bench.results import CaseResult, Measured, spread
from optgen.bench.rounds import ENVIRONMENT, Plan, measure_case
from optgen.bench.scaling import measure_memory, places
from optgen.bench.steps import STEPS, step_named
from optgen.bench.worker import FRESH, SAME, Worker, serve
from tests.bench_candidates import make, ours_without
from tests.oracle import compiled

ROOT = Path(__file__).parents[1]
TINY = model_named("tiny")
SHORT = Plan(rounds=3, seconds=0.002)
BAD = "tests.bench_candidates"
HERE = {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}


def silent(_: str) -> None:
    """Progress that nobody watches."""


def bad(form: str) -> Peer:
    return Peer(f"bad-{form}", form, BAD, form)


# Models and steps ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "variables", "parameters"),
    [
        ("mlp", 4, 101_770),
        ("resnet50", 161, 25_557_032),
        ("gpt2", 148, 124_439_808),
        ("many", 1000, 64_000),
        ("tiny", 2, 15),
    ],
)
def test_models_have_their_published_sizes(name: str, variables: int, parameters: int) -> None:
    model = model_named(name)
    assert len(model.shapes) == variables
    assert model.parameters == parameters


def test_every_model_and_step_can_be_chosen() -> None:
    chosen = cases([model.name for model in MODELS], [step.name for step in STEPS], False)
    assert len({(case.model.name, case.step.name) for case in chosen}) == 5 * 4
    assert {case.model.name for case in cases([], ["adam"], quick=True)} == {"tiny", "mlp"}
    assert len(cases(["gpt2"], [], False)) == 4
    with pytest.raises(ValueError, match="expected a model among mlp, .* received 'vgg'"):
        cases(["vgg"], [], False)
    with pytest.raises(ValueError, match="expected a step among nesterov, .* received 'newton'"):
        cases([], ["newton"], False)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_the_floor_moves_what_the_schedule_moves(step: Any) -> None:
    """The bytes of the floor are those of the compiled phases with the stages that are on."""
    optimizer = compiled(step.optimizer.lower())
    arguments = dict(step.arguments)
    kind = {"nesterov": "nesterov", "novograd": "decay"}.get(step.name, "plain")
    layout = next(m for m in optimizer.modes if m.schedule.name == kind)
    on = {"average"} if arguments.get("use_ema") else set()
    on |= {"global_clipnorm"} if "global_clipnorm" in arguments else set()
    streams = 0
    for phase in layout.schedule.phases:
        if phase.stages is None or on & set(phase.stages):
            for access in (*phase.loads, *phase.stores):
                streams += access.stage is None or access.stage in on
    assert step.bytes_per_parameter == 4 * streams


def test_every_step_has_candidates_and_every_candidate_a_module() -> None:
    assert {step.name for step in STEPS} == set(EVERY_STEP)
    for peer in PEERS:
        assert set(peer.steps) <= set(EVERY_STEP)
        assert (ROOT / (peer.module.replace(".", "/") + ".py")).is_file()
    assert [peer.name for peer in peers(["floor"])] == [OURS, FLOOR]
    with pytest.raises(ValueError, match="expected a candidate among optgen, .* received 'tf'"):
        peers(["tf"])


def test_all_start_from_the_same_numbers() -> None:
    shapes = [(4, 3), (), (100,)]
    for values in (start_values, gradient_values):
        for a, b in zip(values(shapes), values(shapes), strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == np.float32
    gradients = np.concatenate([g.reshape(-1) for g in gradient_values(shapes)])
    assert abs(gradients).min() >= 0.5
    assert gradients.min() < 0.0 < gradients.max()
    (few, one, many) = sampled(start_values(shapes))
    assert (len(few), len(one), len(many)) == (8, 1, 8)
    assert many[-1] == start_values(shapes)[2][-1]


# Statistics ---------------------------------------------------------------------------------


def result(**seconds: list[float]) -> CaseResult:
    found = [Measured(name, name, seconds={FRESH: times}) for name, times in seconds.items()]
    return CaseResult("m", "s", ("m", "s"), 1, 10, 100, found)


def test_ratios_are_taken_round_by_round() -> None:
    # The machine is four times as slow in the second round: the ratio does not see it.
    case = result(optgen=[1.0, 4.0, 1.0, 2.0, 1.0], peer=[2.0, 8.0, 3.0, 4.0, 1.0])
    found = case.ratio("peer", OURS, FRESH)
    assert found is not None
    assert (found.low, found.median, found.high) == (2.0, 2.0, 2.0)
    ratios = [2.0, 2.0, 3.0, 2.0, 1.0]
    assert found.median == np.median(ratios)
    assert case.ratio("peer", OURS, SAME) is None
    assert case.ratio("absent", OURS, FRESH) is None


def test_the_spread_is_the_quartiles() -> None:
    figures = [0.3, 1.0, 7.0, 2.5, 2.0, 9.0]
    found = spread(figures)
    expected = np.percentile(figures, [25, 50, 75])
    np.testing.assert_allclose([found.low, found.median, found.high], expected)
    assert spread([5.0]).low == spread([5.0]).high == 5.0


# The worker ---------------------------------------------------------------------------------


def test_a_worker_answers_line_by_line() -> None:
    requests = [
        {"prepare": {"shapes": [[4, 3], [3]], "step": "nesterov"}},
        {"measure": {"gradients": "fresh", "seconds": 0.001}},
        {"measure": {"gradients": "same", "seconds": 0.001}},
        {"measure": {"gradients": "stale", "seconds": 0.001}},
        {"dance": {}},
    ]
    answers = io.StringIO()
    serve(Worker(make, "NesterovMomentum"), [json.dumps(request) for request in requests], answers)
    ready, fresh, same, stale, dance = map(json.loads, answers.getvalue().splitlines())
    assert [len(sample) for sample in ready["start"]] == [8, 3]
    assert ready["start"] != ready["end"]
    assert ready["versions"]["numpy"] == np.__version__
    for timed in (fresh, same):
        assert timed["steps"] * timed["seconds"] >= 0.001
    assert "stale" in stale["error"]
    assert dance["error"] == (
        "ValueError: expected the request prepare or measure, received 'dance'"
    )


def test_steps_get_the_gradients_they_are_timed_with() -> None:
    """Fresh ones are in new memory in every step; the same ones are the same objects."""
    seen: list[int] = []

    class Watched:
        form, threads, packages = "", 1, ()

        def fresh(self, arrays: Any) -> Any:
            return [array.copy() for array in arrays]

        def again(self) -> Any:
            return [array.copy() for array in self.placed]

        def place(self, gradients: Any) -> None:
            self.placed = gradients

        def step(self) -> None:
            seen.append(id(self.placed))

        def wait(self) -> None:
            pass

        def results(self) -> Any:
            return []

    worker = Worker(lambda *_: Watched(), "")
    worker.answer({"prepare": {"shapes": [[2]], "step": "adam"}})
    worker._fresh_steps(5)
    assert len(set(seen[-5:])) == 5
    worker._same_steps(5)
    assert len(set(seen[-5:])) == 1


def test_a_worker_needs_no_part_of_the_compiler() -> None:
    """What is measured shares its process with as little as possible."""
    script = (
        "import json, sys, optgen.bench.worker, optgen.bench.peers.ours, optgen.bench.memory\n"
        "print(json.dumps({'modules': list(sys.modules)}))"
    )
    with Process(["-c", script], HERE) as process:
        modules = process.receive(60.0)["modules"]
    assert "numba" in modules
    assert not {"pydantic", "rich", "typer", "jinja2", "optgen.driver"} & set(modules)


# Candidates that fail, or take another step --------------------------------------------------


@pytest.fixture(scope="module")
def odd() -> dict[str, Measured]:
    """One case with all candidates that behave badly beside ours and an honest one."""
    forms = ["NesterovMomentum", "raising", "Dying", "DyingLater"]
    others = ["WithoutMomentum", "NotANumber", "OnlyTheFirst"]
    missing = Peer("missing", "missing", BAD, needs=("no_such_module",), install="nothing")
    broken = Peer("broken", "broken", "tests.no_such_module")
    able = [*peers([FLOOR]), missing, broken, *map(bad, [*forms, *others])]
    plan = Plan(rounds=2, seconds=0.001, gradients=(FRESH,))
    found = measure_case(Case(TINY, step_named("nesterov")), able, plan, silent, HERE)
    assert [candidate.name for candidate in found.candidates] == [peer.name for peer in able]
    return {candidate.name.removeprefix("bad-"): candidate for candidate in found.candidates}


@pytest.mark.parametrize("name", [OURS, FLOOR, "NesterovMomentum"])
def test_honest_candidates_have_times(odd: dict[str, Measured], name: str) -> None:
    assert odd[name].note == ""
    assert len(odd[name].seconds[FRESH]) == 2
    assert min(odd[name].seconds[FRESH]) > 0.0


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("missing", "no_such_module not installed: pip install nothing"),
        ("broken", "failed: ModuleNotFoundError: No module named 'tests.no_such_module'"),
        ("raising", "failed: RuntimeError: no such device"),
        ("Dying", "failed: the process ended with status 3: the library gave up"),
        ("DyingLater", "failed: the process ended with status 4"),
    ],
)
def test_a_candidate_that_fails_is_reported(odd: dict[str, Measured], name: str, note: str) -> None:
    assert odd[name].note.startswith(note)
    assert odd[name].seconds == {}


@pytest.mark.parametrize("name", ["WithoutMomentum", "NotANumber", "OnlyTheFirst"])
def test_a_candidate_that_takes_another_step_is_reported(
    odd: dict[str, Measured], name: str
) -> None:
    assert odd[name].note.startswith("another step: ")
    assert len(odd[name].seconds[FRESH]) == 2


def test_a_candidate_that_gives_no_answer_is_given_up() -> None:
    with worker(bad("Silent"), HERE) as process:
        process.send({"prepare": {"shapes": [[2]], "step": "nesterov"}})
        with pytest.raises(WorkerError, match="gave no answer within 1 s"):
            process.receive(1.0)


@pytest.mark.parametrize(
    ("left_out", "kind"),
    [("weight_decay", "variable"), ("global_clipnorm", "variable"), ("use_ema", None)],
)
def test_a_stage_that_is_left_out_is_seen(left_out: str, kind: str | None) -> None:
    request = {"prepare": {"shapes": [[4, 3], [3]], "step": "adamw-clip-ema"}}
    whole = Worker(ours_without, "").answer(request)
    less = Worker(ours_without, left_out).answer(request)
    assert difference(whole["start"], whole["end"], whole["end"]) == ""
    found = difference(whole["start"], less["end"], whole["end"])
    assert found.startswith("another step: ")
    assert kind is None or kind in found


def test_nothing_is_compared_without_ours() -> None:
    broken = Peer(OURS, "optgen", BAD, "raising")
    found = measure_case(
        Case(TINY, step_named("nesterov")), [broken, bad("NesterovMomentum")], SHORT, silent, HERE
    )
    ours, other = found.candidates
    assert ours.note == "failed: RuntimeError: no such device"
    assert other.note.startswith("not compared")


def test_what_does_not_fit_into_memory_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "available_memory", lambda: 1000)
    found = measure_case(Case(TINY, step_named("adam")), peers([FLOOR]), SHORT, silent, HERE)
    for candidate in found.candidates:
        assert "GiB are free" in candidate.note
        assert candidate.seconds == {}


def test_rounding_is_allowed_and_no_more() -> None:
    start, end = [[0.05, -0.1]], [[0.051, -0.101]]
    assert difference(start, end, end) == ""
    assert difference(start, [[0.051 + 1e-8, -0.101]], end) == ""
    assert "variable 0" in difference(start, [[0.051 + 1e-6, -0.101]], end)
    assert "average 0" in difference(start, [*end, [0.0, 0.0]], [*end, *end])
    assert "another step" in difference(start, [], end)
    assert "another step" in difference(start, [[0.051]], end)
    assert "another step" in difference([[0.0]], [[0.1]], [[0.0]])


def test_peers_take_the_same_steps() -> None:
    """Every installed library, in every step that it has: the arguments mean the same."""
    shapes = [[4, 3], [3], [257]]
    ends: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        able = [peer for peer in PEERS if peer.name != FLOOR and not peer.missing()]
        running = {p.name: stack.enter_context(worker(p, HERE)) for p in able}
        for peer in able:
            for step in peer.steps:
                running[peer.name].send({"prepare": {"shapes": shapes, "step": step}})
        for peer in able:
            ends[peer.name] = {s: running[peer.name].receive(300.0) for s in peer.steps}
    compared = 0
    for name, answers in ends.items():
        for step, answer in answers.items():
            ours = ends[OURS][step]
            assert difference(ours["start"], answer["end"], ours["end"]) == "", (name, step)
            compared += name != OURS
    assert compared == 3 + 3 + 4 + 3 + 1, "a library of the test extra is missing"


# Scaling, memory, start ----------------------------------------------------------------------


def test_scaling_goes_through_all_axes() -> None:
    full = places(quick=False)
    found = {axis: [p for p in full if p.axis == axis] for axis in ("parameters", "variables")}
    assert [p.case.model.parameters for p in found["parameters"]][-1] == 300_000_000
    assert [len(p.case.model.shapes) for p in found["variables"]] == [10**k for k in range(6)]
    assert {p.environment["NUMBA_NUM_THREADS"] for p in full if p.axis == "threads"} >= {"1"}
    assert all(p.case.model.parameters <= 640_000 for p in places(quick=True))


def test_memory_is_what_is_declared_and_steps_take_none() -> None:
    (memory,) = measure_memory([step_named("nesterov")], quick=True, patience=300.0)
    # Tables and Python objects do not grow with the parameters.
    tables = 40_000 / memory.parameters
    assert memory.declared == 4.0
    assert memory.declared <= memory.state < memory.declared + tables
    assert memory.in_step < memory.parameters


def test_starts_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    for name, text in (("_FIRST_STEP", "import time; time.sleep(0.5)"), ("_NUMBA_ALONE", "")):
        monkeypatch.setattr(start, name, ["-c", f"{text}\nprint('{{}}', flush=True)"])
    found = start.measure_start(2, 1, told.append)
    assert told == ["cold start 1", "filling the cache", "start 1", "start 2"]
    assert len(found.cold) == 1
    assert len(found.first_step) == len(found.numba_alone) == len(found.more) == 2
    assert min(found.first_step) > 0.5
    assert max(found.more) > 0.0


def test_the_program_of_the_first_step_runs() -> None:
    with Process(["-m", "optgen.bench.programs.first_step", "SGD"], HERE) as process:
        assert process.receive(300.0) == {}


def test_programs_that_fail_say_why() -> None:
    with (
        Process(["-c", "raise SystemExit('no such program')"], {}) as process,
        pytest.raises(WorkerError, match="status 1: no such program"),
    ):
        process.receive(60.0)


def test_the_least_program_imports_numba_alone() -> None:
    tree = ast.parse((ROOT / "optgen/bench/programs/numba_alone.py").read_text("utf-8"))
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert imported <= {"__future__", "typing", "numba"}
