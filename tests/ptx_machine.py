"""Runs PTX: the threads of one block, with a log of what they read and write.

Covers the instructions of generated kernels; any other one is an error. Integers are kept as
unsigned numbers, as in registers; floats are NumPy scalars of their type.
"""

from __future__ import annotations

import math
import operator
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

SHARED = 1 << 40
"""Where shared memory begins; smaller addresses are device memory."""

FLOATS: dict[str, Any] = {"f32": np.float32, "f64": np.float64}
FORMATS = {"f32": "<f", "f64": "<d", "u32": "<I", "u64": "<Q", "b32": "<I", "b64": "<Q"}

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "neu": operator.ne,
    "nan": lambda x, y: bool(np.isnan(x) or np.isnan(y)),
}
INTEGER_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "shl": lambda x, y: x << y,
    "shr": lambda x, y: x >> y,
    "min": min,
    "max": max,
    "div": lambda x, y: abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1),
    "rem": lambda x, y: abs(x) % abs(y) * (1 if x >= 0 else -1),
}
FLOAT_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "sqrt": np.sqrt,
    "neg": operator.neg,
    "abs": abs,
    "rcp": lambda x: type(x)(1.0) / x,
    "fma": lambda x, y, z: type(x)(_fused(float(x), float(y), float(z))),
}


def _fused(x: float, y: float, z: float) -> float:
    """``x * y + z``, rounded once, to float64."""
    if not all(map(math.isfinite, (x, y, z))):
        return x * y + z
    return float(Fraction(x) * Fraction(y) + Fraction(z))


@dataclass(frozen=True)
class Instruction:
    """One line: ``@guard operation operands``."""

    guard: str
    operation: tuple[str, ...]
    operands: tuple[str, ...]


@dataclass(frozen=True)
class Access:
    """One read or write of device memory; threads are counted row by row."""

    thread: int
    store: bool
    address: int
    size: int


@dataclass
class Kernel:
    """A kernel's text in parts.

    Attributes:
        parameters: name and type, in order.
        instructions: its body.
        labels: the index of the instruction behind each label.
        shared: the address of each shared array.
        shared_size: bytes of shared memory.
    """

    parameters: list[tuple[str, str]]
    instructions: list[Instruction]
    labels: dict[str, int]
    shared: dict[str, int]
    shared_size: int

    def in_loops(self) -> list[Instruction]:
        """The instructions from which a way leads back to them."""
        pieces = self._pieces()
        found = []
        for start, (stop, following) in pieces.items():
            pending, reached = list(following), set(following)
            while pending:
                new = pieces[pending.pop()][1] - reached
                reached |= new
                pending += new
            if start in reached:
                found += self.instructions[start:stop]
        return found

    def _pieces(self) -> dict[int, tuple[int, set[int]]]:
        """Straight pieces by where they begin: where they end, and what may come next."""
        behind = (i + 1 for i, line in enumerate(self.instructions) if line.operation[0] == "bra")
        edges = sorted({0, len(self.instructions), *self.labels.values(), *behind})
        pieces = {}
        for start, stop in zip(edges, edges[1:], strict=False):
            last = self.instructions[stop - 1]
            goes_on = last.guard or last.operation[0] not in ("bra", "ret")
            following = {stop} if goes_on else set()
            if last.operation[0] == "bra":
                following.add(self.labels[last.operands[0]])
            pieces[start] = (stop, following)
        return pieces


def parse(ptx: str) -> Kernel:
    """The parts of a text that holds one kernel."""
    head, body = ptx.split("\n{\n", 1)
    parameters = [(n, t) for t, n in re.findall(r"\.param \.(\w+) (\w+)", head)]
    shared, size = {}, 0
    for name, length in re.findall(r"\.shared \.align \d+ \.b8 (\w+)\[(\d+)\]", head):
        shared[name] = SHARED + size
        size += int(length)
    instructions: list[Instruction] = []
    labels = {}
    for raw in body.splitlines():
        line = raw.strip()
        if label := re.fullmatch(r"(\$\w+):", line):
            labels[label[1]] = len(instructions)
        elif found := re.fullmatch(r"(?:@(!?%p\d+) )?([a-z][\w.]*)\s*(.*);", line):
            operands = tuple(part.strip() for part in found[3].split(",")) if found[3] else ()
            operation = tuple(found[2].split("."))
            instructions.append(Instruction(found[1] or "", operation, operands))
        else:
            assert line in ("", "}") or line.startswith((".", "//")), f"not understood: {line}"
    return Kernel(parameters, instructions, labels, shared, size)


@dataclass
class Machine:
    """A block of threads and its memory.

    Args:
        kernel: what the threads run.
        arguments: one number per parameter.
        memory: device memory, from address 0.
        threads: how many threads the block has along its first axis.
        tiles: how many rows of so many threads it has.
        block: the index of the block.
    """

    kernel: Kernel
    arguments: list[Any]
    memory: bytearray
    threads: int
    tiles: int = 1
    block: int = 0
    log: list[Access] = field(default_factory=list)

    def run(self) -> list[Access]:
        """Run all threads to the end; returns the log."""
        self._shared = bytearray(self.kernel.shared_size)
        names = [name for name, _ in self.kernel.parameters]
        self._parameters = dict(zip(names, self.arguments, strict=True))
        waiting = [self._thread(index) for index in range(self.threads * self.tiles)]
        while waiting:
            stopped = [next(thread, "end") for thread in waiting]
            assert len(set(stopped)) == 1, "threads that do not meet at a barrier"
            waiting = [] if stopped[0] == "end" else waiting
        return self.log

    def _thread(self, index: int) -> Iterator[str]:
        registers: dict[str, Any] = {
            "%tid.x": index % self.threads,
            "%tid.y": index // self.threads,
            "%ntid.x": self.threads,
            "%ntid.y": self.tiles,
            "%ctaid.x": self.block,
            **self.kernel.shared,
        }
        counter = 0
        while True:
            line = self.kernel.instructions[counter]
            counter += 1
            if line.guard and registers[line.guard.lstrip("!")] == line.guard.startswith("!"):
                continue
            match line.operation[0]:
                case "ret":
                    return
                case "bra":
                    counter = self.kernel.labels[line.operands[0]]
                case "bar":
                    yield "barrier"
                case "ld" | "st":
                    self._move(index, line, registers)
                case _:
                    registers[line.operands[0]] = _result(line, registers)

    def _move(self, thread: int, line: Instruction, registers: dict[str, Any]) -> None:
        """A load or a store."""
        kind, store = line.operation[-1], line.operation[0] == "st"
        place, value = line.operands if store else reversed(line.operands)
        base, _, offset = place.strip("[]").partition("+")
        if "param" in line.operation:
            number = self._parameters[base]
            registers[value] = FLOATS[kind](number) if kind in FLOATS else int(number)
            return
        address = _value(base, registers, "u64") + int(offset or 0)
        memory, start = (
            (self._shared, address - SHARED) if address >= SHARED else (self.memory, address)
        )
        size = struct.calcsize(FORMATS[kind])
        assert 0 <= start <= len(memory) - size, f"outside memory: {address}"
        if memory is self.memory:
            self.log.append(Access(thread, store, address, size))
        if store:
            struct.pack_into(FORMATS[kind], memory, start, _value(value, registers, kind))
        else:
            (found,) = struct.unpack_from(FORMATS[kind], memory, start)
            registers[value] = FLOATS[kind](found) if kind in FLOATS else found


def _signed(number: int, kind: str) -> int:
    bits = int(kind[1:])
    return number - (1 << bits) if kind[0] == "s" and number >> (bits - 1) & 1 else number


def _value(text: str, registers: dict[str, Any], kind: str) -> Any:
    """A register, a literal, or the address of a shared array, as a number of a type."""
    if text in registers:
        number = registers[text]
    elif text.startswith("0f"):
        return np.frombuffer(struct.pack("<I", int(text[2:], 16)), np.float32)[0]
    elif text.startswith("0d"):
        return np.frombuffer(struct.pack("<Q", int(text[2:], 16)), np.float64)[0]
    else:
        number = int(text)
    if kind in FLOATS or kind == "pred":
        return number
    return _signed(int(number) & ((1 << int(kind[1:])) - 1), kind)


def _result(line: Instruction, registers: dict[str, Any]) -> Any:
    """What an instruction computes."""
    name, *modifiers = line.operation
    kind = line.operation[-1]
    if name == "cvt":
        source = _value(line.operands[1], registers, kind)
        target = line.operation[-2]
        return FLOATS[target](source) if target in FLOATS else source & _mask(target)
    if name == "cvta":
        return registers[line.operands[1]]
    if name == "selp":
        chosen = line.operands[1 if registers[line.operands[3]] else 2]
        return _stored(_value(chosen, registers, kind), kind)
    values = [_value(text, registers, kind) for text in line.operands[1:]]
    if name == "mov":
        return _stored(values[0], kind)
    if name == "setp":
        return COMPARISONS[modifiers[0]](*values)
    if kind in FLOATS:
        with np.errstate(all="ignore"):
            return FLOAT_OPERATIONS[name](*values)
    if kind == "pred":
        return bool(INTEGER_OPERATIONS[name](*values)) if len(values) == 2 else not values[0]
    if name in ("neg", "not"):
        return (-values[0] - (name == "not")) & _mask(kind)
    wide = "wide" in modifiers
    return INTEGER_OPERATIONS[name](*values) & _mask("b64" if wide else kind)


def _stored(number: Any, kind: str) -> Any:
    return number if kind in FLOATS or kind == "pred" else number & _mask(kind)


def _mask(kind: str) -> int:
    return (1 << int(kind[1:])) - 1
