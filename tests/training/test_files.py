from __future__ import annotations

import errno
import sqlite3

import numpy as np
import pytest

from marsseg.training.files import (
    DiskFullError,
    is_disk_full,
    list_unfinished,
    move_whole,
    remove_unfinished,
    save_array,
    write_whole,
)


def test_a_failed_write_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"earlier")

    def fail(file):
        file.write(b"half of the n")
        raise OSError(28, "No space left on device")

    with pytest.raises(
        DiskFullError, match=r"disk full while saving a\.bin: 4\.2 MB were needed, .+ are free in"
    ):
        write_whole(path, fail, 4_200_000)
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_an_array_comes_back_from_a_folder_made_on_the_way(tmp_path):
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    save_array(tmp_path / "new" / "masks.npy", array)
    np.testing.assert_array_equal(np.load(tmp_path / "new" / "masks.npy", allow_pickle=False), array)


def test_moving_replaces_the_earlier_file(tmp_path):
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "new").write_bytes(b"new")
    move_whole(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old").read_bytes() == b"new"


def test_other_errors_stay_what_they_are(tmp_path):
    def fail(_file):
        raise PermissionError(13, "Permission denied")

    with pytest.raises(PermissionError):
        write_whole(tmp_path / "a.bin", fail, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (OSError("1000000 requested and 131056 written"), True),  # NumPy's tofile
        (RuntimeError("Can't decrement id ref count (… error message = 'No space left on device' …)"), True),
        (sqlite3.OperationalError("database or disk is full"), True),
        (OSError(errno.EIO, "Input/output error"), False),
        (ValueError("no such thing"), False),
    ],
)
def test_a_full_disk_is_known_in_every_library_s_words(error, is_full):
    assert is_disk_full(error) is is_full
    wrapped = ValueError("could not be written")
    wrapped.__cause__ = error
    assert is_disk_full(wrapped) is is_full


def test_what_a_kill_leaves_is_listed_and_removed(tmp_path):
    for name in (
        ".model.onnx.ab12cd34.tmp/raw.onnx",
        "predictions/.test_argmax.npy.77.tmp",
        ".tmp.best.weights.h5",
        "predictions/test_argmax.npy",
        "model.onnx",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    unfinished = list_unfinished(tmp_path)
    (tmp_path / ".split.npz.78.tmp").write_bytes(b"of a launch that came later")
    remove_unfinished([*unfinished, tmp_path / ".gone.tmp"])
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"predictions/test_argmax.npy", "model.onnx", ".split.npz.78.tmp"}
    assert not (tmp_path / ".model.onnx.ab12cd34.tmp").exists()
    assert list_unfinished(tmp_path / "never made") == []
