from __future__ import annotations

import numpy as np
import pytest

from marsseg.training.files import move_whole, save_array, write_whole


def test_a_failed_write_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"earlier")

    def fail(file):
        file.write(b"half of the n")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_whole(path, fail)
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
