"""The checks that show whether an optimizer can be trusted, for any spec.

``CHECKS`` holds them; each runs on a `Subject`, a compiled optimizer with its class, in a `Case`.
``optgen test`` runs them all, and so do the tests of optgen itself for the specs that come with it.
"""

from optgen.testing.case import Case, Check, Finding
from optgen.testing.checks import CHECKS, check_named
from optgen.testing.plan import planned
from optgen.testing.subject import Subject, load_subject

__all__ = [
    "CHECKS",
    "Case",
    "Check",
    "Finding",
    "Subject",
    "check_named",
    "load_subject",
    "planned",
]
