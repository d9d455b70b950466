"""Attributes of optimizers: a misspelt one is an error, and the name is checked."""

from __future__ import annotations

import difflib

from optgen.runtime.arguments import checked_name

_RUNTIME = __name__.rpartition(".")[0]


class Attributes:
    """What can be assigned is what the class has a setter for."""

    @property
    def name(self) -> str:
        """The optimizer's name, in messages and configurations.

        Raises:
            ValueError: if what is assigned is no non-empty printable string.
        """
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self._name = checked_name(value)

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute; AttributeError for a public one that has no setter."""
        found = getattr(type(self), name, None)
        own = name.startswith("_") or name in _declared_outside(type(self))
        if not own and not hasattr(type(found), "__set__"):
            settable = [n for n in dir(type(self)) if _has_setter(type(self), n)]
            close = difflib.get_close_matches(name, settable, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            has = "cannot set" if found is not None else "has no"
            raise AttributeError(f"{type(self).__name__} {has} attribute {name!r}{hint}")
        super().__setattr__(name, value)


def _declared_outside(owner: type) -> set[str]:
    """Return what subclasses of users declare, which is theirs to change."""
    ours, theirs = set[str](), set[str]()
    for base in owner.__mro__:
        is_ours = base.__module__.startswith(_RUNTIME) or "hyperparameters" in vars(base)
        (ours if is_ours else theirs).update(vars(base))
    return theirs - ours


def _has_setter(owner: type, name: str) -> bool:
    return not name.startswith("_") and hasattr(type(getattr(owner, name, None)), "__set__")
