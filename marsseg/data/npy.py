"""NumPy's npy format as a stream: read a header, read rows, append rows, all in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

_CHUNK_BYTES = 4 * 1024**2
_HEADER_BYTES = 64 * 1024  # real ones take 128; version 2 can claim 4 GiB and would be read whole


class Readable(Protocol):
    """Anything that gives bytes, such as a member of a zip archive."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; fewer only at the end or when the source feels like it."""


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What an npy header says, and how many bytes it took itself."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool
    length: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one entry along the first axis."""
        return int(np.prod(self.shape[1:], dtype=object)) * self.dtype.itemsize

    @property
    def total_bytes(self) -> int:
        """Bytes of header and data."""
        return self.length + self.shape[0] * self.row_bytes


def read_header(stream: Readable) -> NpyHeader:
    """Read the header and leave `stream` at the first data byte.

    Raises:
        ValueError: the stream does not start with an npy header of version 1 or 2.
    """
    counted = _Counted(stream)
    version = np.lib.format.read_magic(counted)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"npy version {version} is not supported")
    shape, fortran_order, dtype = readers[version](counted)
    return NpyHeader(tuple(shape), dtype, fortran_order, counted.position)


def read_rows(stream: Readable, header: NpyHeader) -> Iterator[NDArray[Any]]:
    """Read the data behind a C-ordered header, some megabytes of whole rows at a time.

    Raises:
        EOFError: the stream ends before the last row.
    """
    step = max(1, _CHUNK_BYTES // max(1, header.row_bytes))
    for start in range(0, header.shape[0], step):
        rows = min(step, header.shape[0] - start)
        data = _read_exactly(stream, rows * header.row_bytes)
        yield np.frombuffer(data, header.dtype).reshape(rows, *header.shape[1:])


def _read_exactly(stream: Readable, size: int) -> bytearray:
    data = bytearray()
    while len(data) < size:
        piece = stream.read(size - len(data))
        if not piece:
            raise EOFError(f"{size - len(data)} bytes are missing")
        data += piece
    return data


class _Counted:
    """A stream that remembers how much was read from it and hands out little at a time."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.position = 0

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= _HEADER_BYTES:
            raise ValueError(f"its header claims {size} bytes")
        data = self._stream.read(size)
        self.position += len(data)
        return data


class NpyWriter:
    """Write a uint8 or int64 array of known shape to a new npy file, rows at a time, fsynced on success.

    Plain writes rather than a memory map: on a full disk a map kills the process, a write raises OSError.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: type[np.generic] = np.uint8) -> None:
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._rows = 0
        self._file = path.open("xb")
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, rows: NDArray[Any]) -> None:
        """Write rows (B, …) behind those already there."""
        self._file.write(np.ascontiguousarray(rows, self._dtype).data)
        self._rows += len(rows)

    def __enter__(self) -> NpyWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None:
                if self._rows != self._shape[0]:
                    raise ValueError(f"{self._rows} rows were written, {self._shape[0]} were announced")
                self._file.flush()
                os.fsync(self._file.fileno())
