"""Reads formulas back: what a reader takes a formula for, by the rules of mathematics.

It shares nothing with the printer.  A product binds tighter than a sum, a fraction is one thing,
the base of a power is the single thing before it, and a sign belongs to the factor behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# A formula as nested tuples: a function and its arguments; a name; or a number.
Tree = tuple[Any, ...] | str | float

_TOKEN = re.compile(
    r"\\left\\lVert|\\right\\rVert|\\left\||\\right\||\\left\(|\\right\)|\\begin\{cases\}|\\end\{cases\}"
    r"|\\text\{[^{}]*\}|\\operatorname\{\w+\}|\\\\|\\[a-zA-Z]+|\\[,_]|\d+(?:\.\d+)?|[A-Za-z]|\S"
)
_RELATIONS = {
    "<": "less",
    r"\le": "less_equal",
    ">": "greater",
    r"\ge": "greater_equal",
    "=": "equal",
    r"\ne": "not_equal",
}
_CALLS = {
    r"\operatorname{sign}": {1: "sign"},
    r"\operatorname{clip}": {3: "clip"},
    r"\operatorname{mean}": {1: "mean"},
    r"\min": {2: "minimum"},
    r"\max": {1: "max", 2: "maximum"},
    r"\exp": {1: "exp"},
    r"\tanh": {1: "tanh"},
    r"\log": {1: "log"},
    r"\sum": {1: "sum"},
}
_ENDS = {r"\right)", r"\right|", r"\right\rVert", r"\end{cases}", "}", ",", "&", r"\\"}


@dataclass
class Reader:
    """Reads one formula.

    Args:
        text: the formula.
        names: what the LaTeX of each name, blanks removed, stands for.
    """

    text: str
    names: Mapping[str, str]

    def __post_init__(self) -> None:
        self.tokens = _TOKEN.findall(self.text)
        self.position = 0

    def read(self) -> Tree:
        """The whole formula."""
        tree = self.alternative()
        assert self.position == len(self.tokens), self.tokens[self.position :]
        return tree

    @property
    def next(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        token = self.next
        assert not expected or token in expected, f"{token} instead of {expected}: {self.text}"
        self.position += 1
        return token

    def _chain(self, part: Callable[[], Tree], functions: Mapping[str, str]) -> Tree:
        tree = part()
        while self.next in functions:
            tree = (functions[self.take()], tree, part())
        return tree

    def alternative(self) -> Tree:
        return self._chain(self.conjunction, {r"\lor": "or"})

    def conjunction(self) -> Tree:
        return self._chain(self.relation, {r"\land": "and"})

    def relation(self) -> Tree:
        left = self.total()
        if self.next in _RELATIONS:
            return (_RELATIONS[self.take()], left, self.total())
        return left

    def total(self) -> Tree:
        return self._chain(self.product, {"+": "add", "-": "subtract"})

    def product(self) -> Tree:
        return self._chain(self.factor, {r"\,": "multiply", r"\cdot": "multiply"})

    def factor(self) -> Tree:
        if self.next == "-":
            self.take()
            return ("negative", self.power())
        if self.next == r"\lnot":
            self.take()
            return ("not", self.power())
        return self.power()

    def power(self) -> Tree:
        base = self.thing()
        if self.next != "^":
            return base
        self.take()
        exponent = self.group()
        assert self.next != "^", "two exponents"
        return ("square", base) if exponent == 2.0 else ("power", base, exponent)

    def group(self) -> Tree:
        self.take("{")
        tree = self.alternative()
        self.take("}")
        return tree

    def thing(self) -> Tree:
        token = self.next
        if token[0].isdigit():
            return float(self.take())
        if token == r"\left(":
            return self.bracketed(r"\right)")[0]
        if token == r"\left|":
            return ("abs", *self.bracketed(r"\right|"))
        if token == r"\left\lVert":
            inside = self.bracketed(r"\right\rVert")
            self.take("_")
            self.take("2")
            if self.next == "^":
                self.take()
                self.take("2")
                return ("sum_of_squares", *inside)
            return ("sqrt", ("sum_of_squares", *inside))
        if token == r"\frac":
            self.take()
            return ("divide", self.group(), self.group())
        if token == r"\sqrt":
            self.take()
            return ("sqrt", self.group())
        if token == r"\begin{cases}":
            return self.cases()
        if token in _CALLS:
            self.take()
            arguments = self.bracketed(r"\right)")
            return (_CALLS[token][len(arguments)], *arguments)
        return self.name()

    def bracketed(self, end: str) -> tuple[Tree, ...]:
        self.take()
        arguments = [self.alternative()]
        while self.next == ",":
            self.take()
            arguments.append(self.alternative())
        self.take(end)
        return tuple(arguments)

    def cases(self) -> Tree:
        self.take(r"\begin{cases}")
        value = self.alternative()
        self.take("&")
        self.take(r"\text{if }")
        condition = self.alternative()
        self.take(r"\\")
        other = self.alternative()
        self.take("&")
        self.take(r"\text{otherwise}")
        self.take(r"\end{cases}")
        return ("where", condition, value, other)

    def name(self) -> str:
        """The longest run of tokens that is the LaTeX of a name."""
        assert self.next not in _ENDS, f"nothing before {self.next}: {self.text}"
        rest = len(self.tokens) - self.position
        lengths = [n for n in range(rest, 0, -1) if self._look(n) in self.names]
        assert lengths, f"no name at {self.tokens[self.position :]}"
        name = self.names[self._look(lengths[0])]
        self.position += lengths[0]
        return name

    def _look(self, length: int) -> str:
        return "".join(self.tokens[self.position : self.position + length])
