"""The page backend: equations as LaTeX, and a reference page in Markdown per spec."""
