"""The names in generated text: which are taken, and a distinct one for every value."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable

from optgen.ir.expr import Symbol

# What kernels import, call, or use for their own purposes.
_OWN_NAMES = frozenset(
    "BLOCK LANES abs block block_sums borrowed chunk chunk_of_block chunk_of_tile "
    "chunk_sums common cpu elements first float float64 fold_blocks fold_blocks_maximum "
    "fold_lanes fold_lanes_maximum i kernel lane lanes lanes_on_stack largest like max min "
    "np number optional_elements optional_number range "
    "range_of_thread real rounded row scalars sign square stages start stop tables tensor "
    "uint64 write_back absolute clip divide exp log maximum minimum power sqrt cuda device inputs "
    "numbers outputs results row_of_thread step step_numbers summed_number axes axis_columns "
    "axis_indices axis_matrices axis_rows fold_panels fold_panels_maximum height index "
    "index_columns index_maxima index_rows matrices matrix matrix_number maxima_of_columns "
    "maxima_of_rows run scratch spread_columns spread_matrices spread_rows "
    "sum_matrices sums_of_columns sums_of_rows units unit variable variable_number width "
    "column kernel_if number_of_column number_of_row range_of_block tanh "
    "variable_of_block driver for_each threads tables_at arguments".split()
)

# The names of phases, of the functions made for them, and of temporary values.
_OWN_FORMS = re.compile(
    r"(\w+_)?(update|evaluation)$|(\w+_)?gradient_norm(_again)*$|(\w+_)?reduce_\w+$"
    r"|(\w+_)?store_slots$"
    r"|\w+_(chunk|chunks|driver|unit|variable|variables|fold|total|scalars|lanes|element|stage|i"
    r"|axes|indices|run|values)(_again)*$"
)


# What is made of a kernel's name for the functions and constants around it, on either target.
_DERIVED = re.compile(
    r"_(chunks?|driver|unit|variables?|fold|step|scalars|rows|columns|panels|axis_kernels"
    r"|(axes|indices)(_again)*(_run)?|of_(runs|indices)(_again)*)"
)


def are_confused(name: str, other: str) -> bool:
    """Whether a function made for one of two kernels would have the name of one of the other's."""
    short, long = sorted((name, other), key=len)
    rest = long.removeprefix(short)
    return short == long or (long.startswith(short) and _DERIVED.fullmatch(rest) is not None)


def is_reserved(name: str) -> bool:
    """Whether generated text uses a name for something of its own."""
    own = name in _OWN_NAMES or _OWN_FORMS.match(name) is not None
    return own or keyword.iskeyword(name)


def parameter_name(name: str, others: Collection[str]) -> str:
    """The name under which a value of a spec appears: its own, with underscores if that is taken.

    Args:
        name: the name in the spec.
        others: the other names in use.
    """
    while is_reserved(name.rstrip("_")) and not name.endswith("_") or name in others:
        name += "_"
    return name


def distinct_names(symbols: Iterable[Symbol], plain: Collection[str]) -> dict[Symbol, str]:
    """A name for every symbol, no two alike: the newest value of a name keeps it.

    ``v`` before its assignment is ``previous_v`` where both are used.

    Args:
        symbols: the values.
        plain: the names that the spec gives to anything in the mode.
    """
    versions: dict[str, list[Symbol]] = {}
    for symbol in dict.fromkeys(symbols):
        versions.setdefault(symbol.name, []).append(symbol)
    names: dict[Symbol, str] = {}
    newest = {name: max(found, key=lambda s: s.version) for name, found in versions.items()}
    for name, symbol in newest.items():
        names[symbol] = parameter_name(name, {*plain, *names.values()} - {name})
    for name, found in versions.items():
        for symbol in sorted(found, key=lambda s: -s.version)[1:]:
            other = f"previous_{name}"
            while other in plain or other in names.values():
                other = f"previous_{other}"
            names[symbol] = other
    return names
