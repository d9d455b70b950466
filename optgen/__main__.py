"""``python -m optgen``: the command line."""

from optgen.cli import main

main()
