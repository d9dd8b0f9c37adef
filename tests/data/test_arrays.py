from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from marsseg.data.arrays import open_arrays
from marsseg.data.importing import import_dataset
from marsseg.errors import DatasetError
from marsseg.settings import Settings
from tests.data.conftest import Npz, random_pairs


@pytest.fixture
def folder(make_npz: Npz, settings: Settings) -> Path:
    return import_dataset(make_npz(training_set=random_pairs(6)), settings).folder


def test_tiles_are_mapped_and_read_only(folder: Path) -> None:
    arrays = open_arrays(folder)
    for array in (arrays.images, arrays.masks, arrays.counts):
        assert isinstance(array, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_has_rock_follows_the_counts(folder: Path) -> None:
    counts = np.zeros((6, 5), np.int64)
    counts[[1, 4], 4] = 1
    np.save(folder / "counts.npy", counts)
    arrays = open_arrays(folder)
    assert arrays.has_rock.tolist() == [False, True, False, False, True, False]
    assert np.flatnonzero(arrays.has_rock).tolist() == [1, 4]


def test_a_vanished_dataset(folder: Path) -> None:
    shutil.rmtree(folder)
    with pytest.raises(DatasetError, match="is gone; add it again from its source"):
        open_arrays(folder)


@pytest.mark.parametrize("name", ["images.npy", "masks.npy", "test_images.npy", "counts.npy", "meta.json"])
@pytest.mark.parametrize("harm", ["missing", "empty", "truncated", "other"])
def test_a_damaged_dataset(folder: Path, name: str, harm: str) -> None:
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if harm != "missing":
        path.write_bytes({"empty": b"", "truncated": content[: len(content) // 2], "other": b"[1, 2"}[harm])
    with pytest.raises(DatasetError, match="incomplete or damaged") as caught:
        open_arrays(folder)
    assert "add it again" in str(caught.value)


def test_pickled_arrays_are_not_loaded(folder: Path) -> None:
    np.save(folder / "images.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(DatasetError, match="damaged"):
        open_arrays(folder)


def test_arrays_that_do_not_belong_together(folder: Path) -> None:
    np.save(folder / "masks.npy", np.zeros((5, 64, 128), np.uint8))
    with pytest.raises(DatasetError, match=r"masks\.npy holds uint8 \(5, 64, 128\)"):
        open_arrays(folder)


@pytest.mark.parametrize("key", ["pairs", "outlier_groups", "std"])
def test_meta_without_a_key(folder: Path, key: str) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    del meta[key]
    (folder / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(DatasetError, match=key):
        open_arrays(folder)


def test_meta_that_is_no_object(folder: Path) -> None:
    (folder / "meta.json").write_text("[]")
    with pytest.raises(DatasetError, match="damaged"):
        open_arrays(folder)
