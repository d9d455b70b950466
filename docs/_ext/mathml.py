"""A Sphinx extension: formulas as MathML, which browsers render without script or network."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer, which ``html_math_renderer`` selects by its name."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in a line of text."""
    translator.body.append(mathml(node, "inline"))
    raise nodes.SkipNode


def visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula that stands by itself."""
    start = translator.starttag(node, "div", CLASS="formula")
    translator.body.append(f"{start}{mathml(node, 'block')}</div>\n")
    raise nodes.SkipNode


def mathml(node: nodes.Element, display: str) -> str:
    """Return the MathML of a formula; a warning if a part of it is not understood."""
    latex = node.astext()
    try:
        text = convert(latex, display=display)
    except Exception as error:
        logger.warning("not a formula: %s (%r)", latex, error, location=node)
        return ""
    # The converter leaves commands that it does not know as they are.
    if "\\" in text or "&<" in text:
        logger.warning("a formula holds an unknown command: %s", latex, location=node)
    return text
