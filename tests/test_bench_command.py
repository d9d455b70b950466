"""`optgen bench` from the command line, and what its tables, files and pictures say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from optgen.bench.markdown import as_markdown, markdown, sections
from optgen.bench.peers import FLOOR, OURS, Peer
from optgen.bench.plot import PlotError, plot
from optgen.bench.results import (
    CaseResult,
    Measured,
    Memory,
    Point,
    Report,
    Start,
    as_json,
    read,
)
from optgen.bench.tables import case_table, overview, shown_seconds
from optgen.bench.targets import TARGETS, targets_table
from optgen.bench.worker import FRESH, SAME
from optgen.cli import app
from optgen.commands import bench_run

ROOT = Path(__file__).parents[1]
ONE = ["--model", "tiny", "--step", "nesterov", "--candidate", "floor"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["bench", *arguments])


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """A run of the smallest case, and the folder that it wrote into."""
    folder = tmp_path_factory.mktemp("bench") / "new"
    files = ["--json", f"{folder}/a.json", "--markdown", f"{folder}/a.md"]
    files += ["--plot", f"{folder}/a.svg"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        return run("--quick", *ONE, *files), folder


def times(name: str, fresh: list[float], same: list[float], note: str = "") -> Measured:
    seconds = {FRESH: fresh, SAME: same}
    return Measured(name, name.replace("-", " "), note, "python", "f(x)", 2, {"p": "1"}, seconds)


def case(model: str, step: str, *candidates: Measured) -> CaseResult:
    return CaseResult(model, step, (model, step), 4, 1000, 28_000, list(candidates))


def recorded() -> Report:
    """A report of all parts, with round numbers."""
    ours = times(OURS, [1e-5, 2e-5, 3e-5], [1e-5, 1e-5, 1e-5])
    floor = times(FLOOR, [5e-6, 1e-5, 1.5e-5], [1e-5, 1e-5, 1e-5])
    fused = times("torch-fused", [1e-4, 1e-4, 1e-4], [2e-5, 2e-5, 2e-5])
    absent = Measured("keras", "keras jit", "keras not installed: pip install keras")
    cheat = times("optax", [1e-6] * 3, [1e-6] * 3, "another step: variable 0")
    small = case("mlp", "adam", ours, floor, fused, absent, cheat)
    other = case("resnet50", "nesterov", ours, floor)
    threads = [Point("threads", n, replace(other, candidates=[ours, floor])) for n in (1, 2)]
    sizes = [Point("parameters", n, other) for n in (1000, 10_000)]
    memory = [Memory("a step", 10_000, 4.0, 4.01, 2000, 0)]
    start = Start([0.9, 1.0], [0.8, 0.8], [9.0])
    return Report(
        "2030-01-02",
        "optgen bench",
        "2 cores",
        {"numba": "1"},
        [small, other],
        [*sizes, *threads],
        memory,
        start,
    )


# Runs ---------------------------------------------------------------------------------------


def test_a_quick_run_ends_in_tables_and_files(quick: tuple[Result, Path]) -> None:
    result, folder = quick
    assert result.exit_code == 0, result.output
    assert "two tiny, SGD, Nesterov: 2 variables, 15 parameters" in result.stdout
    assert "optgen.bench.worker optgen.bench.peers.floor" in result.stdout
    assert "apply_gradients(zip(gradients, variables))" in result.stdout
    assert sorted(file.name for file in folder.iterdir()) == ["a.json", "a.md", "a.svg"]
    report = read(folder / "a.json")
    (found,) = report.cases
    assert [candidate.name for candidate in found.candidates] == [OURS, FLOOR]
    for candidate in found.candidates:
        assert candidate.note == ""
        assert [len(candidate.seconds[kind]) for kind in (FRESH, SAME)] == [3, 3]
    assert report.versions["numpy"] == np.__version__
    assert (folder / "a.md").read_text("utf-8") == markdown(report)
    assert as_json(report) == (folder / "a.json").read_text("utf-8")


def test_the_terminal_shows_what_the_file_keeps(quick: tuple[Result, Path]) -> None:
    result, folder = quick
    found = json.loads((folder / "a.json").read_text("utf-8"))["cases"][0]
    ours, floor = (candidate["seconds"]["fresh"] for candidate in found["candidates"])
    (line,) = re.findall(r"^ +memory floor +.*$", result.stdout, re.MULTILINE)
    low, middle, high = np.percentile(np.divide(floor, ours), [25, 50, 75])
    assert f" {shown_seconds(float(np.median(floor)))} " in line
    shown = re.findall(r"([\d.]+) \(([\d.]+)–([\d.]+)\)", line)[0]
    np.testing.assert_allclose([float(x) for x in shown], [middle, low, high], rtol=0.02, atol=6e-4)


def test_earlier_results_are_shown_again(quick: tuple[Result, Path]) -> None:
    result, folder = quick
    again = run("--from", str(folder / "a.json"))
    assert again.exit_code == 0
    assert again.stdout == result.stdout[: result.stdout.index("wrote ")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "vgg"], "expected a model among"),
        (["--step", "newton"], "expected a step among"),
        (["--candidate", "tf"], "expected a candidate among"),
        ([*ONE, "--plot", "a.txt"], "expected a file that ends in"),
        (["--from", "pyproject.toml"], "expected a file that optgen bench --json wrote"),
    ],
)
def test_mistakes_are_said_before_anything_is_measured(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(bench_run, "measure_case", None)
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())


def test_the_exit_status_tells_when_ours_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Peer(OURS, "optgen", "tests.no_such_module")
    monkeypatch.setattr(bench_run, "peers", lambda names: [broken])
    result = run("--quick", *ONE)
    assert result.exit_code == 1
    assert "No module named 'tests.no_such_module'" in result.stdout


def test_parts_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for part in ("_cases", "_points", "_memory"):
        monkeypatch.setattr(bench_run, part, lambda *_, part=part: done.append(part) or [])
    monkeypatch.setattr(bench_run, "_start", lambda *_: done.append("_start"))
    expected = {
        (): ["_cases"],
        ("--scaling",): ["_points", "_memory"],
        ("--start",): ["_start"],
        ("--everything",): ["_cases", "_points", "_memory", "_start"],
    }
    for options, parts in expected.items():
        done.clear()
        assert run(*options).exit_code == 0
        assert done == parts


# Tables -------------------------------------------------------------------------------------


def test_a_table_says_times_ratios_bandwidth_and_floor() -> None:
    small, other = recorded().cases
    rows = {row[0]: row[1:] for row in case_table(small).rows}
    # 28,000 bytes in 20 µs are 1.4 GB/s, and the floor takes half of that time.
    ours = ("20.0 µs", "1.00 (1.00–1.00)", "10.0 µs", "1.00 (1.00–1.00)", "1.40", "50", "")
    assert rows["optgen"] == ours
    assert rows["torch fused"][:2] == ("100 µs", "5.00 (4.17–7.50)")
    assert rows["keras jit"] == (*["–"] * 6, "keras not installed: pip install keras")
    assert rows["optax"][-1] == "another step: variable 0"
    assert "remark" not in case_table(other).headers


def test_the_overview_has_a_row_for_each_case() -> None:
    found = overview(recorded().cases, FRESH)
    assert found.headers[:4] == ("model", "step", "floor", "optgen")
    first, second = (dict(zip(found.headers, row, strict=True)) for row in found.rows)
    assert first["floor"] == "10.0 µs, 0.500 (0.500–0.500)"
    assert first["optgen"] == "20.0 µs"
    assert first["optax"] == "1.00 µs, another step"
    assert first["keras jit"] == second["optax"] == "–"


def test_targets_are_met_missed_or_not_comparable() -> None:
    report = recorded()
    verdicts = {row[:3]: row[3:] for row in targets_table(report).rows}
    faster, floor = "at least 2.5 × as fast as torch fused", "at most 1.10 × the floor"
    assert verdicts[faster, "mlp, adam", FRESH] == ("5.00 (4.17–7.50)", "met")
    assert verdicts[faster, "mlp, adam", SAME] == ("2.00 (2.00–2.00)", "missed")
    assert verdicts[floor, "resnet50, nesterov", FRESH] == ("2.00 (2.00–2.00)", "missed")
    assert verdicts[floor, "resnet50, nesterov", SAME][1] == "met"
    assert verdicts["under 10 s", "first step, cold cache", ""][1] == "met"
    more = verdicts["at most 0.15 s more than Numba alone", "first step, warm cache", ""]
    assert more == ("0.150 (0.125–0.175)", "met")
    ours, floor_, fused, *rest = report.cases[0].candidates
    wrong = replace(fused, note="another step: variable 0")
    bad = replace(report.cases[0], candidates=[ours, floor_, wrong, *rest])
    verdicts = {row[:3]: row[4] for row in targets_table(replace(report, cases=[bad])).rows}
    assert verdicts[faster, "mlp, adam", FRESH] == "not comparable"


def test_targets_name_models_steps_and_candidates_that_exist() -> None:
    from optgen.bench.cases import MODELS
    from optgen.bench.peers import PEERS
    from optgen.bench.steps import STEPS

    for target in TARGETS:
        assert set(target.models) <= {model.name for model in MODELS}
        assert set(target.steps) <= {step.name for step in STEPS}
        assert {target.above, target.below} <= {peer.name for peer in PEERS}


def test_every_part_is_in_the_markdown() -> None:
    text = markdown(recorded())
    for title, tables in sections(recorded()).items():
        assert f"## {title}\n" in text
        assert tables
        for table in tables:
            lines = as_markdown(table).splitlines()[2:]
            assert len(lines) == len(table.rows) + 2
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert "| 2 | 20.0 µs | 1.00 (1.00–1.00) | 10.0 µs | 0.500 (0.500–0.500) |" in text
    assert "| 10,000 | 20.0 µs | 2.00 ns | 10.0 µs | 0.500 (0.500–0.500) |" in text
    assert "| a step | 4.00 | 4.01 | 2,000 | 0 |" in text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (2.5e-9, "2.50 ns"),
        (814e-9, "814 ns"),
        (1.3e-5, "13.0 µs"),
        (0.0567, "56.7 ms"),
        (12, "12.0 s"),
    ],
)
def test_times_are_shown_to_three_digits(seconds: float, shown: str) -> None:
    assert shown_seconds(seconds) == shown


# Files --------------------------------------------------------------------------------------


def test_a_report_is_read_back_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(as_json(recorded()), "utf-8")
    assert read(file) == recorded()
    file.write_text('{"date": 3}', "utf-8")
    with pytest.raises(ValueError, match="where date is wrong"):
        read(file)


def test_pictures_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    plot(recorded(), first)
    plot(recorded(), second)
    assert first.read_bytes() == second.read_bytes()
    plot(recorded(), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(PlotError, match="without either"):
        plot(Report("", "", "", {}), first)
