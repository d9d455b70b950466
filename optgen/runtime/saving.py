"""Saving and restoring a whole optimizer: files, copies and pickles."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, Self

from optgen.runtime.arrays import Array
from optgen.runtime.checkpoint import VERSION, Checkpoint, Header, read, write
from optgen.runtime.configuration import is_function
from optgen.runtime.description import Value
from optgen.runtime.device_arrays import assign, on_host
from optgen.runtime.header import checked_header, described
from optgen.runtime.replacement import check_all, converted_for
from optgen.runtime.state_access import StateAccess
from optgen.runtime.stateful import check_is_count
from optgen.runtime.values import Tensor

_ITERATION = "iteration"
_ADDED_SLOT = "added_slot/"
_ADDED_WEIGHT = "added_weight/"


class Saving(StateAccess):
    """What it takes to go on later exactly as if there had been no break."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write arguments and state to a file, from which ``load`` resumes bit for bit.

        The values of the variables are not part of it. The file appears whole or not at all.

        Args:
            path: the file, by convention with the ending ``.npz``; one that exists is replaced.

        Raises:
            OSError: if the file cannot be written.
            ValueError: if a count of calls or a learning rate that ``load`` would refuse was
                written into its array; if JSON cannot hold the configuration of a schedule of your
                own; or if variables are excluded from weight decay before ``build``, where no file
                can say which they are.
        """
        write(path, self._checkpoint())

    def load(
        self, path: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None
    ) -> None:
        """Take over the arguments and the state that ``save`` wrote; nothing if that is refused.

        Whatever arguments this optimizer was constructed with, afterwards it has those of the
        file; arrays that were taken from ``variables`` before are not its state any more.

        Args:
            path: the file.
            custom_objects: by name, the callables and classes of your own that were among the
                arguments. Where it does not name a callable, this optimizer keeps its own for
                that argument.

        Raises:
            OSError: if there is no file, or it cannot be opened.
            ValueError: if it is not such a file, cut short or changed, or of another class of
                optimizer; if the optimizer is not built with variables of the same number, names,
                shapes and dtypes; if a name is not in ``custom_objects``. The message says which.
        """
        restore(self, path, custom_objects)

    def _checkpoint(self) -> Checkpoint:
        """Return everything that a file needs; arrays of the host are live."""
        self._check_training("save")
        check_all("variables", self.variables, self._checks_of_variables)
        header: Header = {"class": type(self).__name__, "config": self.get_config()}
        arrays: dict[str, Array] = {_ITERATION: self._iteration}
        if self._state is not None:
            header["variables"] = described(self._state)
            header["excluded"] = list(self._state.excluded)
            arrays |= {key: on_host(a) for key, a in self._state.by_key().items()}
        elif self._excluded_variables:
            raise ValueError(
                "exclude_from_weight_decay: a file cannot say which variables var_list holds "
                "before build; call build(variables) first, or exclude by var_names."
            )
        else:
            header["excluded_names"] = list(self._excluded_names)
        arrays |= {f"{_ADDED_WEIGHT}{name}": array for name, array in self._added_weights.items()}
        return Checkpoint(header, arrays)

    def _restore(self, checkpoint: Checkpoint, custom_objects: Mapping[str, Any]) -> None:
        self._check_training("load")
        header = checked_header(checkpoint.header, type(self).__name__, self._state)
        # A new optimizer takes everything first, so that a refusal leaves this one alone.
        config = self._with_own_callables(header["config"], custom_objects)
        new = type(self).from_config(config, custom_objects)
        if self._state is None:
            new.exclude_from_weight_decay(var_names=header["excluded_names"])
        else:
            new._adopt(self._state.variables, self._state.names, header["excluded"])
        new._take(checkpoint.arrays)
        new._warned = self._warned
        self.__dict__.update(vars(new))

    def _adopt(
        self,
        variables: Sequence[Array],
        names: Sequence[str | None],
        excluded: Sequence[bool],
    ) -> None:
        """Build with variables that another optimizer had."""
        # Every array receives its saved value, so that no callable is asked for a first one.
        slots = [replace(slot, initial=0.0) for slot in self.slots]
        state = self._empty_state(variables, names, slots)
        state.excluded = tuple(excluded)
        self._fill_columns(state, self._settings.values)
        self._state, self._reader = state, state.tables.reader(state)

    def _with_own_callables(
        self, config: Mapping[str, Value], custom_objects: Mapping[str, Any]
    ) -> dict[str, Value]:
        """Return a configuration with callables of this optimizer where no custom object is."""
        own = self._values()
        return {
            name: own[name]
            if is_function(value)
            and value.get("config") not in custom_objects
            and callable(own.get(name))
            else value
            for name, value in config.items()
        }

    def _take(self, arrays: Mapping[str, Array]) -> None:
        """Copy saved arrays into a new optimizer's state; ValueError if they do not fit it."""
        targets: dict[str, Array] = {_ITERATION: self._iteration}
        targets |= {} if self._state is None else self._state.by_key()
        added = {
            key: a for key, a in arrays.items() if key.startswith((_ADDED_SLOT, _ADDED_WEIGHT))
        }
        if missing := targets.keys() - arrays.keys():
            raise ValueError(f"state: expected {min(missing)!r}, which the file does not hold.")
        if unknown := arrays.keys() - targets.keys() - added.keys():
            raise ValueError(
                f"state: expected no {min(unknown)!r}, which this optimizer does not have."
            )
        for key, target in targets.items():
            value = arrays[key]
            if value.dtype != target.dtype:
                raise ValueError(
                    f"{key}: expected {target.dtype.name}, received {value.dtype.name}."
                )
            assign(target, converted_for(key, target, value))
        check_is_count(_ITERATION, self._iteration)
        for key, array in added.items():
            if key.startswith(_ADDED_WEIGHT):
                self._added_weights[key.removeprefix(_ADDED_WEIGHT)] = array.view(Tensor)
            else:
                name, _, position = key.removeprefix(_ADDED_SLOT).rpartition("/")
                known = () if self._state is None else range(len(self._state.variables))
                if self._state is None or position not in map(str, known):
                    raise ValueError(f"state: expected no {key!r} without its variable.")
                placed = self._state.memory.placed(array)
                self._state.added_slots.setdefault(name, {})[int(position)] = placed

    # Copies --------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Return everything but what can be made again, for ``copy`` and ``pickle``.

        A copy has copies of the variables, too; copied or pickled together with a model, it goes
        on with the variables of the model's copy.

        Raises:
            ValueError: as ``save`` does for what was written into arrays of state.
        """
        self._check_training("copy")
        check_all("variables", self.variables, self._checks_of_variables)
        remade = ("_reader", "_mode", "_programs")
        found = {name: value for name, value in vars(self).items() if name not in remade}
        found["version"] = VERSION
        if self._state is not None:
            self._state.memory.check_copyable(self._state.variables)
            found["_state"] = {
                "variables": self._state.variables,
                "names": self._state.names,
                "excluded": self._state.excluded,
                "arrays": {key: on_host(a) for key, a in self._state.by_key().items()},
            }
        return found

    def __setstate__(self, found: dict[str, Any]) -> None:
        found = dict(found)
        if (version := found.pop("version", None)) != VERSION:
            raise ValueError(
                f"pickle: expected one of version {VERSION}, received version {version!r}; "
                "use save(path) for what another optgen is to read."
            )
        self.__dict__.update(found, _state=None, _reader=None)
        self._mode = self.select_mode()
        self._programs = self._new_programs()
        if found["_state"] is not None:
            kept = dict(found["_state"])
            arrays = kept.pop("arrays")
            self._adopt(**kept)
            self._take({_ITERATION: self._iteration, **arrays})

    def __copy__(self) -> Self:
        """Return a copy that shares nothing: two optimizers cannot step on the same state."""
        return copy.deepcopy(self)


class Restorable(Protocol):
    """What can take over a checkpoint, all or nothing."""

    def _restore(self, checkpoint: Checkpoint, custom_objects: Mapping[str, Any]) -> None: ...


def restore(
    optimizer: Restorable,
    path: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None,
) -> None:
    """Let an optimizer take over a file; see ``Saving.load``."""
    checkpoint = read(path)
    try:
        optimizer._restore(checkpoint, custom_objects or {})
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error
