"""The compiler from end to end.

A spec is *loaded* into what its author wrote, *lowered* to a Program in which names are resolved
and rates inferred, and for each of its modes *specialized* to a Variant, hoisted and *split* into
a Schedule. Backends *emit* files from the schedules.  They are written elsewhere, and only when
everything before has succeeded for every spec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from optgen.backends.artifact import Artifact, Source
from optgen.backends.docs.page import Picture, emit_list, emit_page
from optgen.backends.keras_api.documentation import ClassDocumentation
from optgen.backends.keras_api.emit import emit_class, emit_common
from optgen.backends.layout import ModeLayout, layouts, sharing_axes
from optgen.backends.numba_cpu.emit import emit_module
from optgen.backends.numba_cuda.emit import emit_cuda_module
from optgen.backends.numba_cuda.ptx import compile_text as compile_cuda
from optgen.backends.numba_cuda.signatures import own_signatures
from optgen.backends.package.emit import emit_package
from optgen.diagnostics import CompileError, Diagnostic, Label
from optgen.frontend.common import common_programs, stages_program
from optgen.frontend.lower import load_text
from optgen.frontend.schema import OptimizerSpec
from optgen.frontend.toml import parse_toml, unreadable
from optgen.ir.program import Program, Schedule, Variant
from optgen.ir.verify import verify_program
from optgen.passes import compile_mode

CAPABILITY_SHOWN = (9, 0)
"""The compute capability whose code is shown."""


@dataclass(frozen=True)
class Optimizer:
    """A spec on its way through the compiler.

    Attributes:
        spec: what the author wrote.
        source: its file and text.
        program: names resolved, rates inferred.
        modes: the schedule of each mode, with its tables.
        evaluations: the same of what gives variables the values for evaluation; may be empty.
    """

    spec: OptimizerSpec
    source: Source
    program: Program
    modes: tuple[ModeLayout, ...]
    evaluations: tuple[ModeLayout, ...] = ()


Watch = Callable[[str, Variant | Schedule], None]

T = TypeVar("T")


def compile_spec(path: Path, watch: Watch = lambda name, code: None) -> Optimizer:
    """Load a spec and take it through all passes.

    Args:
        path: the spec's file.
        watch: called with each pass's name and result, mode after mode.

    Raises:
        CompileError: with every mistake in the spec.
        OSError: if the file cannot be read.
    """
    return compile_text(path.read_bytes(), str(path), watch)


def compile_text(data: bytes, path: str, watch: Watch = lambda name, code: None) -> Optimizer:
    """Take the text of a spec through all passes; see ``compile_spec``.

    Args:
        data: the text, in UTF-8.
        path: what to call it in messages; its stem names the module.
        watch: called with each pass's name and result, mode after mode.

    Raises:
        CompileError: with every mistake in the spec.
    """
    spec, program = load_text(data, path)
    verify_program(program)
    source = Source(f"{program.module}.toml", data.decode("utf-8"))
    found = compile_modes(program, watch)
    count = len(program.modes)
    return Optimizer(spec, source, program, found[:count], found[count:])


def compile_modes(
    program: Program, watch: Watch = lambda name, code: None
) -> tuple[ModeLayout, ...]:
    """The schedules of all modes of a program, and after them those of its evaluations."""
    schedules = [compile_mode(program, mode.name, watch) for mode in program.modes]
    schedules += [
        for_evaluation(compile_mode(program.evaluation, mode.name, watch))
        for mode in program.evaluations
    ]
    found = layouts(schedules, common_modes()[0].table)
    count = len(program.modes)
    if not program.evaluations:
        return found
    pairs = [sharing_axes(*pair) for pair in zip(found[:count], found[count:], strict=True)]
    return (*(mode for mode, _ in pairs), *(evaluation for _, evaluation in pairs))


def for_evaluation(schedule: Schedule) -> Schedule:
    """The schedule with a last phase that is named after what it does."""
    last = replace(schedule.phases[-1], name="evaluation")
    return replace(schedule, phases=(*schedule.phases[:-1], last))


@cache
def common_modes() -> tuple[ModeLayout, ...]:
    """The schedules of what is launched beside the update, over the tables of any optimizer."""
    return layouts(
        compile_mode(program, mode.name) for program in common_programs() for mode in program.modes
    )


@dataclass(frozen=True)
class Part:
    """What one spec gives to a package of optimizers.

    Attributes:
        name: the class.
        module: its module.
        spec: the spec's file name, without folder.
        files: the files that come from this spec alone.
    """

    name: str
    module: str
    spec: str
    files: tuple[Artifact, ...]


def emit(optimizers: Sequence[Optimizer]) -> list[Artifact]:
    """All files of a package of optimizers, in the order of their paths."""
    return assemble(map(emit_part, optimizers), emit_shared())


def emit_part(optimizer: Optimizer) -> Part:
    """The kernels and the class of one optimizer."""
    program, source = optimizer.program, optimizer.source
    words = documentation(optimizer.spec)
    cpu, cuda = f"CPU kernels of {program.name}.", f"CUDA kernels of {program.name}."
    modes = (*optimizer.modes, *optimizer.evaluations)
    files = (
        emit_module(program.module, cpu, modes, source),
        emit_cuda_module(program.module, cuda, modes, source),
        emit_class(program, modes, source, words),
    )
    return Part(program.name, program.module, source.spec, files)


def emit_shared() -> tuple[Artifact, ...]:
    """What every package of optimizers holds, whatever its specs."""
    stages = compile_modes(stages_program())
    return (
        emit_common(stages[0], common_modes()),
        emit_module("common", "CPU kernels of the common stages.", common_modes(), None),
        emit_cuda_module(
            "common", "CUDA kernels of the common stages.", common_modes(), None, stages[0]
        ),
    )


def assemble(parts: Iterable[Part], shared: Iterable[Artifact]) -> list[Artifact]:
    """The files of a package, in the order of their paths."""
    parts = tuple(parts)
    files = [emit_package(parts), *shared, *(file for part in parts for file in part.files)]
    assert len({file.path for file in files}) == len(files), "two files of one name"
    return sorted(files, key=lambda file: file.path)


def ptx(optimizer: Optimizer, mode: str | None = None) -> list[str]:
    """What a device runs for float32 variables while no common stage is on, a text a kernel.

    Args:
        optimizer: the spec.
        mode: the mode whose kernels are wanted; None for those of all.

    Raises:
        CudaMissingError: if numba-cuda or the CUDA toolkit is not installed.
    """
    modes = (*optimizer.modes, *optimizer.evaluations)
    file = emit_cuda_module(optimizer.program.module, "", modes, optimizer.source)
    wanted = own_signatures(modes, mode)
    title = "float32, compute capability {}.{}, no common stage".format(*CAPABILITY_SHOWN)
    texts = compile_cuda(file.text, wanted, "float32", CAPABILITY_SHOWN)
    return [f"// {name}: {title}\n{text}" for name, text in texts.items()]


def pages(
    optimizers: Sequence[Optimizer],
    package: str = "optgen.optimizers",
    pictures: Mapping[str, Sequence[Picture]] | None = None,
) -> list[Artifact]:
    """The reference pages of optimizers and the list of them, in the order of their paths.

    Args:
        optimizers: what they are about.
        package: the package that the classes are imported from, in examples.
        pictures: what to show at the end of a page, by the optimizer's module.
    """
    shown = pictures or {}
    files = [
        emit_page(
            optimizer.program,
            optimizer.modes,
            optimizer.source,
            documentation(optimizer.spec),
            package,
            shown.get(optimizer.program.module, ()),
        )
        for optimizer in optimizers
    ]
    files.append(emit_list((o.program, o.modes, o.spec.summary) for o in optimizers))
    return sorted(files, key=lambda file: file.path)


def documentation(spec: OptimizerSpec) -> ClassDocumentation:
    """What a spec says in words."""
    return ClassDocumentation(
        spec.summary,
        spec.description,
        tuple(spec.references),
        tuple((mode.name, mode.doc) for mode in spec.modes),
    )


def compile_all(paths: Iterable[Path]) -> list[Optimizer]:
    """Compile many specs; one CompileError holds the mistakes of all.

    Raises:
        CompileError: if any spec has a mistake, or two specs share a name.
    """
    return _compile_many((str(path), path.read_bytes) for path in paths)


def compile_texts(texts: Iterable[tuple[str, bytes]]) -> list[Optimizer]:
    """Compile the texts of many specs, each with what to call it; see ``compile_all``.

    Raises:
        CompileError: if any spec has a mistake, or two specs share a name.
    """
    return _compile_many((path, partial(bytes, data)) for path, data in texts)


def _compile_many(specs: Iterable[tuple[str, Callable[[], bytes]]]) -> list[Optimizer]:
    return collect(
        specs,
        lambda path, data: compile_text(data, path),
        lambda optimizer: (optimizer.program.name, optimizer.program.module),
    )


def collect(
    specs: Iterable[tuple[str, Callable[[], bytes]]],
    make: Callable[[str, bytes], T],
    names: Callable[[T], tuple[str, str]],
) -> list[T]:
    """Make something of each spec; one CompileError holds the mistakes of all.

    Args:
        specs: what to call each, and what reads its text.
        make: makes something of a path and a text, or raises CompileError.
        names: the class and the module of what was made.

    Raises:
        CompileError: if any spec has a mistake or cannot be read, or two specs share a name.
    """
    made: dict[str, T] = {}
    texts: dict[str, bytes] = {}
    mistakes: list[Diagnostic] = []
    sources: dict[str, str] = {}
    for path, read in specs:
        try:
            texts[path] = read()
            made[path] = make(path, texts[path])
        except CompileError as error:
            mistakes += error.diagnostics
            sources.update(error.sources)
        except OSError as error:
            mistakes.append(unreadable(path, error))
    for path, shared in _shared_names({path: names(item) for path, item in made.items()}, texts):
        mistakes.append(shared)
        sources[path] = texts[path].decode("utf-8").replace("\r\n", "\n")
    if mistakes:
        raise CompileError(tuple(mistakes), sources)
    return list(made.values())


def _shared_names(
    names: Mapping[str, tuple[str, str]], texts: Mapping[str, bytes]
) -> Iterator[tuple[str, Diagnostic]]:
    """A message per spec whose class or module another spec has before it, with its path."""
    owners: dict[str, str] = {}
    for path, (class_name, module) in names.items():
        for what, name in (("class", class_name), ("module", module)):
            key = f"{what} {name.lower()}"
            if key in owners:
                span = parse_toml(texts[path], path)[1].value("name")
                headline = f"the {what} `{name}` is also that of {owners[key]}"
                hint = "give it another name" if what == "class" else "rename one of the files"
                yield path, Diagnostic("E213", headline, (Label(span),), hint)
            owners.setdefault(key, path)
