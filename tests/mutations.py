"""Random damage to specs: every result is either refused with messages, or harmless code.

``python -m tests.mutations --count 100000`` tries many and prints those that fail.
"""

from __future__ import annotations

import argparse
import ast
import multiprocessing
import random
import re
import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from optgen.backends.artifact import Artifact
from optgen.backends.keras_api.emit import emit_class
from optgen.backends.numba_cpu.emit import emit_module
from optgen.backends.package.emit import emit_package
from optgen.diagnostics import CATALOGUE, CompileError
from optgen.diagnostics.examples import example_of
from optgen.driver import Optimizer, compile_text, documentation
from optgen.frontend.lower import load_text
from optgen.frontend.schema import OptimizerSpec
from optgen.ir.program import Program

SPECS = sorted((Path(__file__).parents[1] / "specs").glob("*.toml"))
SEED = 20_240_229
NAME = "mutated.toml"

SNIPPETS = (
    *"' \" ''' \"\"\" \\ # [ ] { } = , . ( ) * ** - / 0 1e999 nan inf -inf true w g t ==".split(),
    *"and not None if for lambda {{ {% sum( optional __import__ 1j ^ && ; : $ @ | ! ~ % `".split(),
    *'m_{t-1} m[t-1] np.sqrt( {% if %} {{ w }} %s {0} \\u202e \\n \\\\ \\"\\"\\"'.split(),
    *("\u202e", "\u2028", "\x85", "漢", "é", "\ud7ff", "β", "η", "θ", "√", "′", "\x00", "\r"),
    *("\n", "\t", " ", "9" * 40, "[[modes]]\n", "[slots]\n", "when = 'x'\n", "min = 1\n"),
    *("__import__('os').system('true')", "\n\n    import os\n", "\nimport os\n", "# noqa"),
)
_EQUATIONS = re.compile("'''(.*?)'''|when = ([^\n]*)|update = ([^\n]*)", re.DOTALL)


def mutate(text: str, generator: random.Random) -> bytes:
    """The text with a few random edits: of words, of characters, and sometimes of bytes."""
    words = list(re.finditer(r"\w+" if generator.random() < 0.8 else r"\w+|[^\w\s]", text))
    if generator.random() < 0.6:
        word, other = generator.choice(words), generator.choice(words)
        text = text[: word.start()] + other[0] + text[word.end() :]
        if generator.random() < 0.7:
            return text.encode()
    places = [found.span() for found in _EQUATIONS.finditer(text)]
    for _ in range(generator.choice((1, 1, 1, 2, 4))):
        start = generator.randrange(len(text) + 1)
        if places and generator.random() < 0.85:
            # Elsewhere most edits only break the TOML.
            first, last = generator.choice(places)
            start = min(generator.randrange(first, last) + 3, len(text))
        stop = min(len(text), start + generator.choice((0, 0, 1, 1, 3, 20)))
        piece = generator.choice(SNIPPETS)
        if generator.random() < 0.3:
            other_start = generator.randrange(len(text) + 1)
            piece = text[other_start : other_start + generator.randint(1, 60)]
        text = text[:start] + piece + text[stop:]
    content = bytearray(text.encode())
    if generator.random() < 0.1:
        content[generator.randrange(len(content))] = generator.randrange(256)
    return bytes(content)


def mutations(numbers: Iterable[int]) -> Iterator[bytes]:
    """The mutations of these numbers; each number gives the same one always."""
    for number in numbers:
        sources = texts()
        yield mutate(sources[number % len(sources)], random.Random(SEED + number))


@cache
def texts() -> tuple[str, ...]:
    """What is mutated: the specs of the project, and the small ones that explain messages."""
    found = [path.read_text(encoding="utf-8") for path in SPECS]
    # Most of a spec is numbers; without examples the mutations meet the rest.
    found += [text.split("[[example]]")[0] for text in found]
    mended = (example_of(code) for code in CATALOGUE)
    small = [example.mended.decode() for example in mended if example is not None]
    return (*found, *(text for text in small if text.count("\n") < 60))


@dataclass
class Shape:
    """What code can do: what it imports, calls, and reads from outside of itself.

    Attributes:
        imports: the modules, and the names taken from them.
        calls: the names and attributes that are called.
        attributes: the attributes that are read or written.
        free: the names that are read although nothing in the file binds them.
        kinds: the kinds of statements and expressions.
    """

    imports: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    free: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)

    def add(self, text: str) -> None:
        """Add what a file does; SyntaxError if it is no Python."""
        bound: set[str] = set()
        read: set[str] = set()
        for node in ast.walk(ast.parse(text)):
            self.kinds.add(type(node).__name__)
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = getattr(node, "module", None) or ""
                self.imports |= {f"{module}:{alias.name}" for alias in node.names}
                bound |= {alias.asname or alias.name for alias in node.names}
            elif isinstance(node, ast.Call):
                self.calls.add(ast.unparse(node.func))
            elif isinstance(node, ast.Attribute):
                self.attributes.add(node.attr)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                bound.add(node.name)
            elif isinstance(node, ast.arg):
                bound.add(node.arg)
            elif isinstance(node, ast.Name):
                (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        self.free |= read - bound


@cache
def allowed() -> Shape:
    """What the code of the unharmed specs does."""
    shape = Shape()
    for text in texts():
        for file in files_of(compile_text(text.encode(), NAME)):
            shape.add(file.text)
    return shape


def files_of(optimizer: Optimizer) -> list[Artifact]:
    """The generated files that depend on the spec."""
    program, source = optimizer.program, optimizer.source
    return [
        emit_package([program]),
        emit_module(program.module, f"CPU kernels of {program.name}.", optimizer.modes, source),
        emit_class(program, optimizer.modes, source, documentation(optimizer.spec)),
    ]


def excess(optimizer: Optimizer, files: Iterable[Artifact]) -> list[str]:
    """What generated code does that no code of an unharmed spec does, words of its spec aside.

    Raises:
        SyntaxError: if a file is no Python.
    """
    shape, known = Shape(), allowed()
    for file in files:
        shape.add(file.text)
    program = optimizer.program
    functions = _functions(files)
    own = {program.name, *functions, *(slot.name for slot in program.slots)}
    own |= {row.name for row in program.hyperparameters}
    own |= {name for mode in program.modes for e in mode.equations for name in [e.target.name]}
    found = [f"imports {name}" for name in shape.imports - known.imports if not _own(name, own)]
    calls = {name.split(".")[-1] for name in shape.calls}
    found += [f"calls {name}" for name in calls - _last(known.calls) - _LANGUAGE if name not in own]
    attributes = shape.attributes - known.attributes - _LANGUAGE
    found += [f"reads .{name}" for name in attributes if name not in own]
    found += [f"reads {name}" for name in shape.free - known.free - _LANGUAGE]
    found += [f"holds {kind}" for kind in shape.kinds - known.kinds - _KINDS]
    return sorted(found)


# What the function table spells in ways that the specs of the project happen not to use.
_LANGUAGE = frozenset(
    "np math numpy ieee abs absolute exp log sqrt sign where maximum minimum square clip power pow "
    "float real number float64 float32 copysign inf nan fabs not_equal divide quotient "
    "log_ exponential logarithm square_root".split()
)
_KINDS = frozenset(
    "Gt GtE Lt LtE Eq NotEq Not And Or BoolOp USub Pow Div Mult Add Sub IfExp Is IsNot".split()
)


def _last(names: Iterable[str]) -> set[str]:
    return {name.split(".")[-1] for name in names}


def _own(imported: str, own: set[str]) -> bool:
    """Whether an import is one of the package's own modules or of the runtime's helpers."""
    module, name = imported.split(":")
    return module.startswith("optgen.runtime") or name in own or name in {"mutated", "mutated_cpu"}


def _functions(files: Iterable[Artifact]) -> set[str]:
    return {
        node.name
        for file in files
        for node in ast.walk(ast.parse(file.text))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    } | {
        target.id
        for file in files
        for node in ast.parse(file.text).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


_SEEN: set[int] = set()


def _seen_before(spec: OptimizerSpec, program: Program) -> bool:
    """Whether another mutation gave the same code, but for its numbers and the spec's digest."""
    modes = [
        (mode.name, mode.condition, mode.slots, *(line.text for line in mode.equations))
        for mode in program.modes
    ]
    words = documentation(spec)
    everything = repr((program.name, program.hyperparameters, program.slots, modes, words))
    key = hash(re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "0", everything))
    known = key in _SEEN
    _SEEN.add(key)
    return known


def outcome(content: bytes) -> tuple[str, ...]:
    """The codes of the messages that a spec gives; empty if it compiles to harmless code.

    Raises:
        AssertionError: if what is generated does what its spec cannot ask for.
        Exception: any other is an internal error.
    """
    try:
        spec, program = load_text(content, NAME)
        if _seen_before(spec, program):
            return ()
        optimizer = compile_text(content, NAME)
    except CompileError as refusal:
        shown = str(refusal)
        codes = tuple(diagnostic.code for diagnostic in refusal.diagnostics)
        assert codes, shown
        return codes
    files = files_of(optimizer)
    found = excess(optimizer, files)
    assert not found, f"the generated code {', '.join(found)}"
    return ()


def failure(number: int) -> tuple[str, str]:
    """What a mutation gives, in a word, and why it fails; empty if it does not."""
    (content,) = mutations([number])
    try:
        codes = outcome(content)
    except Exception:
        return "failed", traceback.format_exc()
    return (codes[0] if codes else "compiled"), ""


def main() -> None:
    """Try many mutations in several processes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--count", type=int, default=100_000, help="how many mutations to try")
    parser.add_argument("--first", type=int, default=0, help="the number of the first one")
    parser.add_argument("--processes", type=int, default=None, help="how many at a time")
    options = parser.parse_args()
    seen: Counter[str] = Counter()
    numbers = range(options.first, options.first + options.count)
    allowed()  # once, before the processes part
    with multiprocessing.Pool(options.processes) as pool:
        for number, (word, reason) in enumerate(pool.imap(failure, numbers, 20), options.first):
            seen[word] += 1
            if reason:
                print(f"mutation {number}:\n{reason}", flush=True)
            if (number + 1 - options.first) % 1_000 == 0:
                print(f"{number + 1 - options.first} tried, {seen['failed']} failed", flush=True)
    for word, count in sorted(seen.items()):
        print(f"{word:>9} {count}")
    sys.exit(1 if seen["failed"] else 0)


if __name__ == "__main__":
    main()
