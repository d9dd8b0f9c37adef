"""Files of runs: are they whole, and what do they hold, with a sentence for one that cannot be read."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from marsseg.errors import StateError

_DAMAGE = (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)
"""What NumPy and zipfile raise on files that are gone, cut short or changed."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""Kinds of protobuf fields (protobuf.dev, "Encoding")."""


def read_array(path: Path, *, what: str, remedy: str, mapped: bool = False) -> np.ndarray[Any, Any]:
    """Read an array that a worker wrote; nothing but numbers is ever read.

    Args:
        what: the beginning of the sentence, e.g. "Run r-1 (quick) has test predictions that".
        remedy: what to do.
        mapped: leave the numbers in the file until they are needed.

    Raises:
        StateError: the file cannot be read.
    """
    try:
        return _load(path, mapped=mapped)
    except _DAMAGE as error:
        raise StateError(f"{what} cannot be read ({path.name} is damaged); {remedy}") from error


def read_split(path: Path, split: str, *, whose: str, remedy: str) -> np.ndarray[Any, Any]:
    """Read the dataset rows of one part of a run's split.

    Args:
        whose: the beginning of the sentence, e.g. "Run r-1 (quick)".
        remedy: what to do.

    Raises:
        StateError: the file cannot be read, or has no such part.
    """
    try:
        with np.load(path, allow_pickle=False) as parts:
            rows: np.ndarray[Any, Any] = parts[split]
            return rows
    except _DAMAGE as error:
        raise StateError(f"{whose} has a {path.name} that cannot be read; {remedy}") from error


def modified_ns(path: Path) -> int:
    """When a file was last written, in nanoseconds since the epoch; 0 if it is gone."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def is_whole_archive(path: Path) -> bool:
    """Whether an archive, such as a checkpoint, is there and every part of it fits its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except _DAMAGE:
        return False


def is_whole_array(path: Path) -> bool:
    """Whether an array is there and as long as it says."""
    try:
        _load(path, mapped=True)
    except _DAMAGE:
        return False
    return True


def is_whole_network(path: Path) -> bool:
    """Whether an ONNX file is there and its outermost fields fill it exactly, which no cut leaves so."""
    try:
        content = memoryview(path.read_bytes())
    except OSError:
        return False
    place = 0
    try:
        while place < len(content):
            tag, place = _read_varint(content, place)
            place = _skip_field(content, tag & 7, place)
    except (IndexError, ValueError):
        return False
    return 0 < len(content) == place


def _load(path: Path, *, mapped: bool) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    return array


def _skip_field(content: memoryview, kind: int, place: int) -> int:
    if kind == _VARINT:
        return _read_varint(content, place)[1]
    if kind == _BYTES:
        length, place = _read_varint(content, place)
        return place + length
    sizes = {_FIXED64: 8, _FIXED32: 4}
    if kind not in sizes:
        raise ValueError(f"no field is of kind {kind}")
    return place + sizes[kind]


def _read_varint(content: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the place behind it."""
    number = shift = 0
    while True:
        byte = content[place]
        number, shift, place = number | (byte & 0x7F) << shift, shift + 7, place + 1
        if not byte & 0x80:
            return number, place
