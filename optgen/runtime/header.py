"""The header of a saved optimizer, held against the optimizer that is to take it over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optgen.runtime.checkpoint import Header
from optgen.runtime.state import State


def described(state: State) -> list[dict[str, Any]]:
    """Say what the variables of a state are: name, shape and dtype of each."""
    return [
        {"name": name, "shape": list(w.shape), "dtype": w.dtype.name}
        for name, w in zip(state.names, state.layouts, strict=True)
    ]


def checked_header(header: Header, owner: str, state: State | None) -> Header:
    """Return a header; its entries are of the right types and fit the optimizer.

    Args:
        header: what a file holds, which may be anything that JSON can be.
        owner: the name of the optimizer's class.
        state: the optimizer's state, None if it is not built.

    Raises:
        ValueError: if an entry is missing or malformed, or the file is of another class or for
            other variables.
    """
    check_class(header, owner)
    config = header.get("config")
    _expect("config", config, isinstance(config, dict))
    variables = header.get("variables")
    _check_variables(variables, state)
    if state is None:
        _check_items("excluded_names", header, str)
    else:
        _check_items("excluded", header, bool)
        count = len(header["excluded"])
        _expect("excluded", header["excluded"], count == len(state.variables))
    return header


def check_class(header: Header, owner: str) -> None:
    """Raise ValueError unless a header was written by a class of that name."""
    if header.get("class") != owner:
        raise ValueError(
            f"class: expected a file of {owner}, received one of {header.get('class')!r}."
        )


def _check_items(key: str, header: Header, kind: type) -> None:
    items = header.get(key)
    fits = isinstance(items, list) and all(isinstance(item, kind) for item in items)
    _expect(key, items, fits)


def _expect(key: str, value: object, fits: bool) -> None:
    if not fits:
        raise ValueError(f"the header is malformed: {key!r} is {value!r}.")


def _check_variables(saved: Any, state: State | None) -> None:
    """Raise ValueError unless variables are those that a file was written for."""
    if saved is None and state is None:
        return
    if saved is None:
        raise ValueError(
            "variables: the file is of an optimizer that was not built yet; load it before build."
        )
    described_well = isinstance(saved, list) and all(
        isinstance(entry, dict) and entry.keys() == {"name", "shape", "dtype"} for entry in saved
    )
    _expect("variables", saved, described_well)
    if state is None:
        raise ValueError(
            f"variables: the file is of an optimizer of {len(saved)} variables, and this one is "
            "not built; call build(variables) first."
        )
    own = described(state)
    if len(saved) != len(own):
        raise ValueError(
            f"variables: expected a file for {len(own)} variables, received one for {len(saved)}."
        )
    for index, (theirs, ours) in enumerate(zip(saved, own, strict=True)):
        for what in ("name", "shape", "dtype"):
            known = theirs[what] is not None and ours[what] is not None
            if known and theirs[what] != ours[what]:
                raise ValueError(
                    f"variable {index}{_named(ours)}: expected a file with the {what} "
                    f"{ours[what]!r}, received one with {theirs[what]!r}{_named(theirs)}."
                )


def _named(description: Mapping[str, Any]) -> str:
    return "" if description["name"] is None else f" ({description['name']})"
