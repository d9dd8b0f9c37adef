from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsseg.data import npy
from marsseg.data.npy import NpyWriter, read_header, read_rows


class Dribble(io.BytesIO):
    """A stream that gives a few bytes at a time, as a pipe may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(7, size) if size and size > 0 else size)


@given(rows=st.integers(0, 50), width=st.integers(1, 9), dtype=st.sampled_from(["u1", ">i2", "<f8"]))
def test_rows_come_back_as_saved(rows: int, width: int, dtype: str) -> None:
    array = np.arange(rows * width).reshape(rows, width).astype(dtype)
    saved = io.BytesIO()
    np.save(saved, array)
    stream = Dribble(saved.getvalue())
    header = read_header(io.BytesIO(saved.getvalue()))
    assert header.total_bytes == len(saved.getvalue())
    stream.seek(header.length)
    parts = list(read_rows(stream, header))
    np.testing.assert_array_equal(np.concatenate([*parts, array[:0]]), array)


def test_rows_are_read_in_bounded_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npy, "_CHUNK_BYTES", 100)
    saved = io.BytesIO()
    np.save(saved, np.zeros((30, 40), np.uint8))
    saved.seek(0)
    assert [len(part) for part in read_rows(saved, read_header(saved))] == [2] * 15


def test_missing_bytes_are_noticed() -> None:
    saved = io.BytesIO()
    np.save(saved, np.zeros((3, 4)))
    short = io.BytesIO(saved.getvalue()[:-1])
    with pytest.raises(EOFError, match="1 bytes are missing"):
        list(read_rows(short, read_header(short)))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_numpy_reads_what_the_writer_wrote(tmp_path: Path, dtype: type[np.generic]) -> None:
    array = np.arange(24).reshape(6, 4).astype(dtype)
    with NpyWriter(tmp_path / "a.npy", (6, 4), dtype) as writer:
        writer.append(array[:5])
        writer.append(array[5:])
    loaded = np.load(tmp_path / "a.npy", allow_pickle=False)
    np.testing.assert_array_equal(loaded, array)
    assert loaded.dtype == dtype


def test_too_few_rows_are_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="1 rows were written, 2 were announced"),
        NpyWriter(tmp_path / "a.npy", (2, 3)) as writer,
    ):
        writer.append(np.zeros((1, 3), np.uint8))
