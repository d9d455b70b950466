"""Files, copies and pickles of optimizers: what goes on exactly, and what is refused.

The names in brackets are rows of the list of bugs that optimizers have had.
"""

from __future__ import annotations

import copy
import io
import json
import pickle
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import optgen.runtime.checkpoint as checkpoint
from optgen import LossScaleOptimizer, Variable
from optgen.optimizers import SGD, Adam
from optgen.runtime import Optimizer
from optgen.schedules import CosineDecay, LearningRateSchedule, LinearWarmup
from optgen.testing import Case, check_named
from optgen.testing.case import DTYPES, everything_of
from tests.generated_classes import everything_on, last_mode
from tests.oracle import spec_names, subject, thorough_modes, thorough_specs

Array = np.ndarray[Any, Any]
SPECS = pytest.mark.parametrize("spec", thorough_specs())
MODES = pytest.mark.parametrize(
    ("spec", "mode"), thorough_modes(), ids=["-".join(pair) for pair in thorough_modes()]
)
SHAPES = ((3, 4), (), (0,), (5,))


def make_variables(dtype: Any = np.float32) -> list[Array]:
    rng = np.random.default_rng(1)
    return [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]


def gradients(call: int, dtype: Any = np.float32) -> list[Array]:
    rng = np.random.default_rng([2, call])
    return [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]


def step(optimizer: Any, variables: list[Array], calls: range) -> None:
    for call in calls:
        optimizer.apply(gradients(call, variables[0].dtype), variables)


def everything(optimizer: Any, variables: list[Array]) -> list[bytes]:
    return [array.tobytes() for array in [*variables, *optimizer.variables]]


# --- Resuming ---------------------------------------------------------------------------------


@MODES
@pytest.mark.parametrize("dtype", DTYPES)
def test_saving_and_loading_changes_no_bit(spec: str, mode: str, dtype: str) -> None:
    """[B10, B13] N + M steps are N, save, load, M; also where the arguments were others before."""
    tested = subject(spec)
    case = Case(mode, dtype, everything_of(tested), SHAPES, calls=7)
    check_named("resume").run(tested, case)


@SPECS
def test_a_saved_list_of_weights_resumes(spec: str) -> None:
    whole, expected = everything_on(spec), make_variables()
    step(whole, expected, range(6))
    first, variables = everything_on(spec), make_variables()
    step(first, variables, range(3))
    weights = first.get_weights()
    assert weights[0].dtype == np.int64
    assert weights[0] == 3
    second = everything_on(spec)
    second.build(variables)
    second.set_weights(weights)
    step(second, variables, range(3, 6))
    assert everything(second, variables) == everything(whole, expected)


@SPECS
def test_own_variables_resume(spec: str) -> None:
    whole, expected = everything_on(spec), make_variables()
    step(whole, expected, range(6))
    first, variables = everything_on(spec), make_variables()
    step(first, variables, range(3))
    store: dict[str, Array] = {}
    first.save_own_variables(store)
    assert list(store) == [str(i) for i in range(len(first.variables))]
    second = everything_on(spec)
    second.build(variables)
    second.load_own_variables(store)
    step(second, variables, range(3, 6))
    assert everything(second, variables) == everything(whole, expected)
    with pytest.raises(ValueError, match=r"store: expected the keys '0' to '\d+', received"):
        second.load_own_variables({**store, "x": np.zeros(1)})


def test_copies_of_a_structure_stay_connected() -> None:
    variable = Variable(np.ones(3), name="kernel")
    optimizer = SGD(learning_rate=0.5)
    optimizer.build([variable])
    other, its_variable = copy.deepcopy((optimizer, variable))
    other.apply([np.ones(3)], [its_variable])
    assert its_variable.numpy().tolist() == [0.5] * 3
    assert variable.numpy().tolist() == [1.0] * 3


def test_unbuilt_optimizers_are_copied_saved_and_loaded(tmp_path: Path) -> None:
    optimizer = Adam(learning_rate=0.25, amsgrad=True)
    for other in (copy.copy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert other.get_config() == optimizer.get_config()
        assert not other.built
    optimizer.save(tmp_path / "new.npz")
    other = Adam()
    other.load(tmp_path / "new.npz")
    assert other.get_config() == optimizer.get_config()
    other.build([np.ones(2)])
    with pytest.raises(ValueError, match="not built yet; load it before build"):
        other.load(tmp_path / "new.npz")


def test_what_was_added_and_excluded_is_saved(tmp_path: Path) -> None:
    variables = [np.ones(3), np.ones(2)]
    first = Adam(weight_decay=0.5)
    first.build(variables)
    first.exclude_from_weight_decay([variables[1]])
    first.add_slot(variables[0], "fisher", np.arange(4.0))
    first.add_weight("scale", (), np.float64, "ones")
    step_gradients = [np.full(3, 0.1), np.full(2, 0.1)]
    first.apply(step_gradients)
    first.save(tmp_path / "a")
    copies = [w.copy() for w in variables]
    second = Adam()
    second.build(copies)
    second.load(tmp_path / "a")
    assert second.get_slot(copies[0], "fisher").tolist() == [0, 1, 2, 3]
    assert second.variables[-1] == 1.0
    for optimizer, given in ((first, variables), (second, copies)):
        optimizer.apply(step_gradients, given)
    assert everything(first, variables) == everything(second, copies)


# --- Names and arguments ----------------------------------------------------------------------


def saved(tmp_path: Path, names: str, **arguments: Any) -> Path:
    optimizer = SGD(momentum=0.9, **arguments)
    optimizer.build([Variable(np.ones(i + 1), name=name) for i, name in enumerate(names)])
    optimizer.save(tmp_path / "state.npz")
    return tmp_path / "state.npz"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ([np.ones(1)], "expected a file for 1 variables, received one for 2"),
        (
            [Variable(np.ones(1), name="a"), Variable(np.ones(2), name="x")],
            r"variable 1 \(x\): expected a file with the name 'x', received one with 'b' \(b\)",
        ),
        ([np.ones(1), np.ones(3)], r"variable 1: .* shape \[3\], received one with \[2\] \(b\)"),
        ([np.ones(1), np.ones(2, np.float32)], "variable 1: .* dtype 'float32'.*'float64'"),
        (None, "not built; call build"),
    ],
)
def test_other_variables_are_refused_by_name(variables: Any, message: str, tmp_path: Path) -> None:
    """[B12]"""
    path = saved(tmp_path, "ab")
    optimizer = SGD()
    if variables is not None:
        optimizer.build(variables)
    before = repr(optimizer), [a.tobytes() for a in optimizer.variables]
    with pytest.raises(ValueError, match=f"state.npz: .*{message}"):
        optimizer.load(path)
    assert (repr(optimizer), [a.tobytes() for a in optimizer.variables]) == before


def test_a_file_of_another_class_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, "a")
    with pytest.raises(ValueError, match="class: expected a file of Adam, received one of 'SGD'"):
        Adam().load(path)
    with pytest.raises(ValueError, match="expected a file of LossScaleOptimizer"):
        LossScaleOptimizer(SGD()).load(path)


def test_callables_come_from_the_caller_or_from_the_optimizer(tmp_path: Path) -> None:
    def half() -> float:
        return 0.5

    path = saved(tmp_path, "a", learning_rate=half)
    variable = Variable(np.ones(1), name="a")
    optimizer = SGD()
    optimizer.build([variable])
    with pytest.raises(ValueError, match=r"learning_rate: .*called 'half'.*custom_objects"):
        optimizer.load(path)
    optimizer.load(path, custom_objects={"half": lambda: 0.25})
    assert optimizer.learning_rate == 0.25
    other = SGD(learning_rate=lambda: 0.125)
    other.build([variable])
    other.load(path)
    assert other.learning_rate == 0.125


class Halving(LearningRateSchedule):
    """A schedule of a user's own."""

    def __init__(self, start: float) -> None:
        self.start = start

    def __call__(self, step: int) -> float:
        return self.start * 0.5**step

    def get_config(self) -> dict[str, Any]:
        return {"start": self.start}


def test_functions_without_names_stay_with_their_arguments(tmp_path: Path) -> None:
    optimizer = Adam(beta_1=lambda: 0.5, beta_2=lambda: 0.75)
    path = tmp_path / "state.npz"
    optimizer.save(path)
    optimizer.load(path)
    assert (optimizer.mode_value("beta_1"), optimizer.beta_1(), optimizer.beta_2()) == (
        0.9,
        0.5,
        0.75,
    )
    with pytest.raises(ValueError, match="beta_1 and beta_2: expected callables that their names"):
        Adam.from_config(optimizer.get_config(), {"<lambda>": lambda: 0.5})
    with pytest.raises(ValueError, match="beta_1 and beta_2: expected callables that their names"):
        Adam().load(path, {"<lambda>": lambda: 0.5})
    config = {**optimizer.get_config(), "beta_1": lambda: 0.25}
    assert Adam.from_config(config, {"<lambda>": lambda: 0.5}).beta_2() == 0.5


def test_exclusions_before_build_are_saved_by_name_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    optimizer = SGD(1.0, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.save(path)
    for other in (SGD(), copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        other.load(path)
        bias, kernel = Variable([1.0], name="bias"), Variable([1.0], name="kernel")
        other.build([bias, kernel])
        other.apply([np.zeros(1, np.float32)] * 2)
        assert (bias.numpy().tolist(), kernel.numpy().tolist()) == ([1.0], [0.5])
    optimizer.exclude_from_weight_decay(var_list=[np.ones(1)])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="cannot say which variables var_list holds"):
        optimizer.save(path)
    assert path.read_bytes() == before


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "folder" / "state.npz", tmp_path / ("x" * 250)
    target.parent.mkdir()
    target.write_text("old")
    link.symlink_to(target)
    SGD(momentum=0.5).save(link)
    other = SGD()
    other.load(target)
    assert link.is_symlink()
    assert other.momentum == 0.5
    long = tmp_path / ("y" * 250)
    SGD(momentum=0.5).save(long)
    other.load(long)


def test_a_warning_is_not_repeated_after_loading(tmp_path: Path) -> None:
    optimizer, variables = everything_on("sgd"), make_variables()
    with pytest.warns(UserWarning, match="no gradient"):
        optimizer.apply([*gradients(0)[:-1], None], variables)
    optimizer.save(tmp_path / "state.npz")
    optimizer.load(tmp_path / "state.npz")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.apply([*gradients(1)[:-1], None], variables)


def test_a_pickle_of_another_version_is_refused() -> None:
    state = SGD().__getstate__()
    with pytest.raises(ValueError, match="pickle: expected one of version 1, received version 99"):
        SGD.__new__(SGD).__setstate__({**state, "version": 99})


def test_a_configuration_that_json_cannot_hold_is_no_file(tmp_path: Path) -> None:
    class Own(LearningRateSchedule):
        def __call__(self, step: Any) -> float:
            return 0.5

        def get_config(self) -> dict[str, Any]:
            return {"pace": object()}

    with pytest.raises(ValueError, match="expected arguments that JSON holds"):
        SGD(Own()).save(tmp_path / "state.npz")
    assert list(tmp_path.iterdir()) == []


def test_schedules_are_saved(tmp_path: Path) -> None:
    schedule = LinearWarmup(CosineDecay(0.5, 10), 3)
    path = saved(tmp_path, "a", learning_rate=schedule)
    optimizer = SGD()
    optimizer.build([Variable(np.ones(1), name="a")])
    optimizer.load(path)
    assert optimizer.get_config()["learning_rate"] == SGD(schedule).get_config()["learning_rate"]
    path = saved(tmp_path, "a", learning_rate=Halving(0.5))
    with pytest.raises(ValueError, match="Halving"):
        optimizer.load(path)
    optimizer.load(path, custom_objects={"Halving": Halving})
    assert optimizer.learning_rate == 0.5


# --- Files that are not what they should be ---------------------------------------------------


def rewritten(path: Path, change: Callable[[dict[str, Any], dict[str, Array]], None]) -> None:
    """Write a file again after a change that hides its traces."""
    found = checkpoint.read(path)
    change(found.header, found.arrays)
    checkpoint.write(path, found)


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path: Path, content: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def npy(value: Any, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, value, allow_pickle=allow_pickle)
    return file.getvalue()


class Bomb:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def damaged(path: Path) -> Iterator[tuple[str, Callable[[], None], str]]:
    """Name, what is done to the file, and what the message says."""
    whole = path.read_bytes()
    content = members(path)
    header = json.loads(str(np.load(io.BytesIO(content["header.npy"]))))
    slot = next(name for name in content if name.startswith("slot/"))

    def with_header(**changes: Any) -> Callable[[], None]:
        text = npy(np.array(json.dumps({**header, **changes})))
        return lambda: packed(path, {**content, "header.npy": text})

    def with_member(name: str, data: bytes) -> Callable[[], None]:
        return lambda: packed(path, {**content, name: data})

    flipped = bytearray(whole)
    flipped[whole.index(content[slot]) + len(content[slot]) - 1] ^= 1
    yield "empty", lambda: path.write_bytes(b""), "zip"
    for length in (1, 100, len(whole) // 2, len(whole) - 1):
        yield f"cut to {length}", lambda n=length: path.write_bytes(whole[:n]), "zip"
    yield "text", lambda: path.write_text("hello"), "zip"
    yield "npy", lambda: path.write_bytes(npy(np.ones(3))), "zip"
    yield "pickle", lambda: path.write_bytes(pickle.dumps({"a": 1})), "zip"
    yield "another npz", lambda: np.savez(path, a=np.ones(2)), "header"
    yield "a flipped bit", lambda: path.write_bytes(bytes(flipped)), "CRC"
    yield "later version", with_header(version=99), "version 99"
    yield "foreign format", with_header(format="other"), "another format"
    yield "changed header", with_header(config={}), "changed after"
    yield "header no object", lambda: packed(path, {"header.npy": npy(np.array("[1]"))}), "format"
    yield "changed array", with_member(slot, npy(np.load(io.BytesIO(content[slot])) + 1)), "changed"
    yield "other shape", with_member(slot, npy(np.ones(77))), "as the header describes"
    yield "other dtype", with_member(slot, npy(np.ones(1, "i8"))), "as the header describes"
    yield "member added", with_member("more.npy", npy(np.ones(1))), "do not agree"
    yield "member missing", lambda: packed(path, {"header.npy": content["header.npy"]}), "agree"
    yield "compressed", lambda: packed(path, content, zipfile.ZIP_DEFLATED), "compressed"
    bomb = np.array([Bomb(path.with_name("pwned"))], dtype=object)
    yield "pickled array", with_member(slot, npy(bomb, allow_pickle=True)), "as the header"
    yield "pickled header", with_member("header.npy", npy(bomb, allow_pickle=True)), "header"
    huge = {**header["arrays"], slot.removesuffix(".npy"): {"shape": [9**20], "dtype": "<f4"}}
    yield "huge", with_header(arrays=huge), "as the header"
    encrypted = bytearray(whole)
    encrypted[whole.index(b"PK\x01\x02") + 8] |= 1
    yield "encrypted", lambda: path.write_bytes(bytes(encrypted)), "encrypted"
    nowhere = bytearray(whole)
    nowhere[whole.index(b"PK\x01\x02") + 42 : whole.index(b"PK\x01\x02") + 46] = b"\xff" * 4
    yield "a member elsewhere", lambda: path.write_bytes(bytes(nowhere)), "save"
    code = content[slot].replace(b"(3, 4)", b"exit()")
    yield "code", with_member(slot, code), "as the header"


def test_damaged_files_are_refused_and_change_nothing(tmp_path: Path) -> None:
    optimizer, variables = everything_on("adam"), make_variables()
    step(optimizer, variables, range(3))
    path = tmp_path / "state.npz"
    optimizer.save(path)
    good = path.read_bytes()
    step(optimizer, variables, range(3, 4))
    before = everything(optimizer, variables), optimizer.get_config()
    names = []
    for name, damage, message in list(damaged(path)):
        damage()
        with pytest.raises(ValueError, match=rf"state\.npz: (?s:.*){message}"):
            optimizer.load(path)
        assert (everything(optimizer, variables), optimizer.get_config()) == before, name
        path.write_bytes(good)
        names.append(name)
    assert len(names) >= 20
    assert not (tmp_path / "pwned").exists()
    optimizer.load(path)


def test_files_that_agree_with_themselves_may_still_not_fit(tmp_path: Path) -> None:
    optimizer, variables = everything_on("adam"), make_variables()
    step(optimizer, variables, range(3))
    path = tmp_path / "state.npz"
    changes: dict[str, Callable[[dict[str, Any], dict[str, Array]], Any]] = {
        "expected 'iteration'": lambda h, a: a.pop("iteration"),
        "expected no 'slot/q/0'": lambda h, a: a.update({"slot/q/0": np.ones(1)}),
        "iteration: expected a count": lambda h, a: a.update(iteration=np.array(-1)),
        "slot/m/0: expected the shape": lambda h, a: a.update({"slot/m/0": np.ones(1, "f4")}),
        "slot/m/0: expected float32": lambda h, a: a.update({"slot/m/0": a["slot/m/0"] + 0.5j}),
        "unknown argument": lambda h, a: h["config"].update(beta_3=1.0),
        "beta_1: expected": lambda h, a: h["config"].update(beta_1=7.0),
        "malformed: 'config'": lambda h, a: h.pop("config"),
        "malformed: 'variables'": lambda h, a: h.update(variables=3),
        "malformed: 'variables' is \\[1": lambda h, a: h.update(variables=[1, 2, 3, 4]),
        "malformed: 'excluded'": lambda h, a: h.update(excluded=[]),
        "malformed: 'excluded' is \\[1": lambda h, a: h.update(excluded=[1, 0, 0, 0]),
        "name: expected": lambda h, a: h["config"].update(name=3),
        "'self'": lambda h, a: h["config"].update(self=3),
        "learning_rate: expected|config: expected": lambda h, a: h["config"].update(
            learning_rate={"class_name": "CosineDecay"}
        ),
        "CosineDecay: .*'pace'": lambda h, a: h["config"].update(
            learning_rate={
                "class_name": "CosineDecay",
                "config": {"initial_learning_rate": 1.0, "decay_steps": 2, "pace": 1},
            }
        ),
        "without its variable": lambda h, a: a.update({"added_slot/x/9": np.ones(1)}),
    }
    before = everything(optimizer, variables), optimizer.get_config()
    for message, change in changes.items():
        optimizer.save(path)
        rewritten(path, change)
        with pytest.raises(ValueError, match=message):
            optimizer.load(path)
        assert (everything(optimizer, variables), optimizer.get_config()) == before, message


def test_an_argument_that_is_younger_than_a_file_has_its_default(tmp_path: Path) -> None:
    """[B11]"""
    optimizer, variables = everything_on("adam", beta_2=0.5), make_variables()
    step(optimizer, variables, range(1))
    optimizer.save(tmp_path / "state.npz")
    rewritten(tmp_path / "state.npz", lambda header, arrays: header["config"].pop("beta_2"))
    optimizer.load(tmp_path / "state.npz")
    assert optimizer.beta_2 == Adam().beta_2


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, "a")
    good = path.read_bytes()

    def fails(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint.os, "fsync", fails)
    with pytest.raises(OSError, match="disk full"):
        SGD().save(path)
    assert path.read_bytes() == good
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError):
        SGD().save(tmp_path / "nowhere" / "state.npz")
    with pytest.raises(FileNotFoundError):
        SGD().load(tmp_path / "absent.npz")


def test_the_same_state_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b"):
        optimizer, variables = everything_on("novograd"), make_variables()
        step(optimizer, variables, range(3))
        optimizer.save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b").read_bytes()
    with np.load(tmp_path / "b") as found:
        header = json.loads(str(found["header"]))
        assert found["iteration"] == 3
    assert header["class"] == "NovoGrad"
    assert header["config"] == optimizer.get_config()
    assert [v["shape"] for v in header["variables"]] == [list(shape) for shape in SHAPES]


def test_every_optimizer_with_weights_of_all_modes_has_a_unique_key() -> None:
    for spec in spec_names():
        optimizer: Optimizer = everything_on(spec)
        optimizer.build(make_variables())
        assert last_mode(spec)
        count = len(optimizer._checkpoint().arrays)
        assert count == len(optimizer.weights) == len(optimizer.variables) - 1


def test_a_file_that_cannot_be_written_is_named_as_it_was_given(tmp_path: Path) -> None:
    optimizer = SGD(0.5)
    optimizer.build([np.ones(3)])
    path = tmp_path / "missing" / "state.npz"
    with pytest.raises(FileNotFoundError) as caught:
        optimizer.save(path)
    assert caught.value.filename == str(path)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(
    ("place", "value", "words"),
    [(0, -1, "expected a count, received -1"), (1, np.nan, "the learning rate: expected")],
)
def test_what_could_not_be_loaded_is_not_saved(
    scaled: bool, place: int, value: float, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    inner = SGD(0.5)
    optimizer = LossScaleOptimizer(inner) if scaled else inner
    optimizer.save(path)
    before = path.read_bytes()
    inner.variables[place][...] = value
    store: dict[str, Any] = {}
    with pytest.raises(ValueError, match=rf"variables\[{place + 3 * scaled}\].*{words}"):
        optimizer.save(path)
    with pytest.raises(ValueError, match=words):
        optimizer.save_own_variables(store)
    with pytest.raises(ValueError, match=words):
        pickle.dumps(optimizer)
    assert path.read_bytes() == before
    assert not store


def test_a_loss_scale_optimizer_checks_the_learning_rate_of_a_store() -> None:
    optimizer = LossScaleOptimizer(SGD(0.5))
    store: dict[str, Any] = {}
    optimizer.save_own_variables(store)
    with pytest.raises(ValueError, match=r"store\[4\], the learning rate: expected"):
        optimizer.load_own_variables({**store, "4": np.array(np.inf)})
    assert optimizer.learning_rate == 0.5
