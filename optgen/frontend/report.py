"""A collector of messages about one spec."""

from __future__ import annotations

from dataclasses import dataclass, field

from optgen.diagnostics import CompileError, Diagnostic, Label, Span
from optgen.frontend.toml import SpanIndex


@dataclass
class Report:
    """What was found wrong so far.

    Attributes:
        index: the spec's text and positions.
        diagnostics: the messages.
    """

    index: SpanIndex
    diagnostics: list[Diagnostic] = field(default_factory=list)

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

    def raise_if_any(self) -> None:
        """End the compilation if anything was found.

        Raises:
            CompileError: with all messages so far.
        """
        if self.diagnostics:
            raise CompileError.of(self.diagnostics, {self.index.path: self.index.text})
