"""A collector of messages about one spec."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from optgen.diagnostics import CompileError, Diagnostic, Label, Span
from optgen.frontend.toml import Location, SpanIndex


@dataclass
class Report:
    """What was found wrong so far.

    Attributes:
        index: the spec's text and positions.
        diagnostics: the messages.
        faulty: names whose declaration has had a message, so that their uses need none.
        dropped: places whose content does not fit the schema; something else stands there now.
    """

    index: SpanIndex
    diagnostics: list[Diagnostic] = field(default_factory=list)
    faulty: set[str] = field(default_factory=set)
    dropped: set[Location] = field(default_factory=set)

    @property
    def partial(self) -> bool:
        """Whether parts of the spec are missing, so that the whole of it cannot be judged."""
        return bool(self.dropped)

    @property
    def misses_a_block(self) -> bool:
        """Whether a block of equations may be missing, so that names that it sets are unknown."""
        words = {("name",), ("summary",), ("description",), ("references",)}
        return any(len(location) == 1 and location not in words for location in self.dropped)

    def fits(self, *location: str | int) -> bool:
        """Whether nothing at a place, inside it, or around it was dropped."""
        return not any(
            other[: len(location)] == location or location[: len(other)] == other
            for other in self.dropped
        )

    def error(
        self,
        code: str,
        headline: str,
        span: Span,
        label: str = "",
        *others: Label,
        help: str | None = None,
    ) -> None:
        """Add a message that points at ``span``, and at other places as well."""
        self.diagnostics.append(Diagnostic(code, headline, (Label(span, label), *others), help))

    def blame(self, name: str) -> None:
        """Say nothing more about a name, nor about the words in it if it is none."""
        self.faulty.add(name)
        if not name.isidentifier():
            self.faulty.update(re.findall(r"\w+", name))

    def raise_if_any(self) -> None:
        """End the compilation if anything was found.

        Raises:
            CompileError: with all messages so far.
        """
        if self.diagnostics:
            raise CompileError.of(self.diagnostics, {self.index.path: self.index.text})
