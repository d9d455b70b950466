"""Files that hold the state of an optimizer: one .npz with a header that says what is in it."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import secrets
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib.format import write_array_header_1_0

from optgen.runtime.arrays import Array

FORMAT = "optgen optimizer"
VERSION = 1
"""Version of the format; a reader refuses files of a later one."""

_HEADER = "header"
_SUFFIX = ".npy"

Header = dict[str, Any]


class Checkpoint(NamedTuple):
    """What a file holds.

    Attributes:
        header: the optimizer's class, arguments and variables; plain JSON.
        arrays: its state, by a key that says what each array is.
    """

    header: Header
    arrays: dict[str, Array]


def write(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a file; it appears whole or not at all, and replaces one of the same name.

    Args:
        path: the file, used as it is given.
        checkpoint: what to write.

    Raises:
        OSError: if the file cannot be written.
        ValueError: if JSON cannot hold the header.
    """
    # What a link points at is replaced, and the link stays.
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    header = {
        "format": FORMAT,
        "version": VERSION,
        **checkpoint.header,
        "arrays": {
            key: {"shape": list(array.shape), "dtype": array.dtype.str}
            for key, array in checkpoint.arrays.items()
        },
    }
    try:
        header["digest"] = _digest(header, checkpoint.arrays)
    except TypeError as error:
        raise ValueError(
            f"{os.fspath(path)}: expected arguments that JSON holds; {error}."
        ) from None
    # In the same folder, because a file can be moved at once only within a file system.
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        file = temporary.open("wb")
    except OSError as error:
        # Nobody has heard of the temporary file.
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from None
    try:
        with file:
            contents: dict[str, Any] = {_HEADER: np.array(json.dumps(header)), **checkpoint.arrays}
            np.savez(file, **contents)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _digest(header: Mapping[str, Any], arrays: Mapping[str, Array]) -> str:
    """Return a digest of everything that a file holds but this digest."""
    found = hashlib.blake2b(digest_size=16)
    content = {name: value for name, value in header.items() if name != "digest"}
    found.update(json.dumps(content, sort_keys=True).encode())
    for key in sorted(arrays):
        found.update(np.ascontiguousarray(arrays[key]).data)
    return found.hexdigest()


def read(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a file that ``write`` wrote; never runs code that a file may hold.

    Args:
        path: the file.

    Raises:
        OSError: if there is no file, or it cannot be opened.
        ValueError: if it is not such a file, cut short, changed, or of a later version.
    """
    with Path(path).open("rb") as file:
        try:
            return _read(file)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            KeyError,
            TypeError,
            AttributeError,
            RuntimeError,
            OSError,
            ValueError,
        ) as error:
            raise ValueError(
                f"{os.fspath(path)}: expected a file that an optimizer's save(path) wrote; "
                f"{error or type(error).__name__}."
            ) from error


def _read(file: BinaryIO) -> Checkpoint:
    with zipfile.ZipFile(file) as archive:
        header = json.loads(_header(archive))
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ValueError("it is of another format")
        if header.get("version") != VERSION:
            raise ValueError(
                f"its format has version {header.get('version')!r}, and this optgen reads version "
                f"{VERSION}; use a later optgen"
            )
        described = header["arrays"]
        members = {f"{key}{_SUFFIX}" for key in (_HEADER, *described)}
        if set(archive.namelist()) != members or len(archive.namelist()) != len(members):
            raise ValueError("its header and its arrays do not agree")
        arrays = {
            key: _array(archive, key, tuple(about["shape"]), np.dtype(str(about["dtype"])))
            for key, about in described.items()
        }
    if header.get("digest") != _digest(header, arrays):
        raise ValueError("its content was changed after it was written")
    return Checkpoint(header, arrays)


def _header(archive: zipfile.ZipFile) -> str:
    length = (_member(archive, _HEADER).file_size - len(_preamble((), np.dtype("U1")))) // 4
    return str(_array(archive, _HEADER, (), np.dtype(f"U{length}")))


def _array(
    archive: zipfile.ZipFile, key: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    """Return an array of the shape and dtype that it must have; nothing in it is interpreted."""
    info, preamble = _member(archive, key), _preamble(shape, dtype)
    size = math.prod(shape) * dtype.itemsize
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"array {key!r} is compressed")
    with archive.open(info) as member:
        # The length comes before memory is taken for it.
        if member.read(len(preamble)) != preamble or info.file_size != len(preamble) + size:
            raise ValueError(f"array {key!r} is not as the header describes it")
        data = bytearray(member.read(size))
        if len(data) != size or member.read(1):
            raise ValueError(f"array {key!r} is cut short")
    return np.frombuffer(data, dtype, math.prod(shape)).reshape(shape)


def _member(archive: zipfile.ZipFile, key: str) -> zipfile.ZipInfo:
    return archive.getinfo(f"{key}{_SUFFIX}")


def _preamble(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """Return the bytes with which NumPy starts a file of an array in C order."""
    if dtype.hasobject:
        raise ValueError("an array of objects")
    file = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(dtype)
    write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()
