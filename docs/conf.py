"""The site: `sphinx-build -W --keep-going -n docs build/site`."""

import sys
from pathlib import Path

import optgen

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE / "examples")]

project = "optgen"
author = "the optgen authors"
project_copyright = "the optgen authors, Apache-2.0"
version = release = optgen.__version__

extensions = ["myst_parser", "mathml", "optimizer_pages"]
exclude_patterns = ["_ext", "_static", "examples", "reference/pictures"]
myst_enable_extensions = ["attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 4
highlight_language = "none"

html_theme = "furo"
html_title = "optgen"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_sourcelink = False
