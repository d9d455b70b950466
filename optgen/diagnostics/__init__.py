"""What the compiler tells a spec's author: positions, messages, their codes, and rendering."""

from optgen.diagnostics.catalogue import CATALOGUE, CatalogueEntry
from optgen.diagnostics.render import render, render_all, render_report, visible
from optgen.diagnostics.span import CompileError, Diagnostic, Label, Position, Span

__all__ = [
    "CATALOGUE",
    "CatalogueEntry",
    "CompileError",
    "Diagnostic",
    "Label",
    "Position",
    "Span",
    "render",
    "render_all",
    "render_report",
    "visible",
]
