from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from marsseg.data import importing
from marsseg.data.arrays import META_KEYS, open_arrays
from marsseg.data.cleaning import cleaning_report
from marsseg.data.importing import import_dataset
from marsseg.errors import DatasetError
from marsseg.settings import Settings
from tests.data.conftest import Npz, random_pairs


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64, ">f8"])
def test_keeps_every_pixel_whatever_the_dtype(make_npz: Npz, settings: Settings, dtype: type) -> None:
    pairs, test = random_pairs(40), random_pairs(7, seed=1)[:, 0]
    source = make_npz(training_set=pairs.astype(dtype), test_set=test)
    before = source.read_bytes()

    imported = import_dataset(source, settings)

    arrays = open_arrays(imported.folder)
    np.testing.assert_array_equal(arrays.images, pairs[:, 0])
    np.testing.assert_array_equal(arrays.masks, pairs[:, 1])
    np.testing.assert_array_equal(arrays.test_images, test)
    assert arrays.images.dtype == arrays.masks.dtype == np.uint8
    assert imported.sha256 == hashlib.sha256(before).hexdigest()
    assert imported.folder == settings.datasets_dir / imported.sha256
    assert source.read_bytes() == before


def test_meta_says_what_numpy_measures(make_npz: Npz, settings: Settings) -> None:
    pairs = random_pairs(9)
    meta = import_dataset(make_npz(training_set=pairs), settings).meta
    assert meta.keys() >= META_KEYS
    assert meta["class_counts"] == np.bincount(pairs[:, 1].ravel(), minlength=5).tolist()
    assert meta["mean"] == pytest.approx((pairs[:, 0] / 255).mean(), abs=1e-12)
    assert meta["std"] == pytest.approx((pairs[:, 0] / 255).std(), abs=1e-12)
    assert (meta["pairs"], meta["test_images"], meta["tile"]) == (9, 0, [64, 128])
    assert meta["frame_size"] is None
    assert meta["known_as"] is None
    assert not meta["has_groups"]


def test_counts_beside_the_arrays_are_those_of_each_mask(make_npz: Npz, settings: Settings) -> None:
    pairs = random_pairs(5)
    arrays = open_arrays(import_dataset(make_npz(training_set=pairs), settings).folder)
    expected = [np.bincount(mask.ravel(), minlength=5) for mask in pairs[:, 1]]
    np.testing.assert_array_equal(arrays.counts, expected)
    assert np.flatnonzero(arrays.has_rock).tolist() == [0, 1, 2, 3, 4]


def test_fractions_of_gray_levels_are_rounded(make_npz: Npz, settings: Settings) -> None:
    pairs = random_pairs(3, dtype=np.float64)
    pairs[:, 0] = 99.6
    arrays = open_arrays(import_dataset(make_npz(training_set=pairs), settings).folder)
    assert (np.asarray(arrays.images) == 100).all()


def test_second_import_finds_the_first(make_npz: Npz, settings: Settings) -> None:
    source = make_npz(training_set=random_pairs(3))
    first = import_dataset(source, settings)
    written = {path: path.stat().st_mtime_ns for path in files_below(settings.artifacts)}
    second = import_dataset(source, settings)
    assert (first.already_there, second.already_there) == (False, True)
    assert second.meta == first.meta
    assert {path: path.stat().st_mtime_ns for path in files_below(settings.artifacts)} == written


def test_importing_again_repairs_a_damaged_dataset(make_npz: Npz, settings: Settings) -> None:
    source = make_npz(training_set=random_pairs(3))
    folder = import_dataset(source, settings).folder
    (folder / "masks.npy").write_bytes(b"")
    assert not import_dataset(source, settings).already_there
    assert len(open_arrays(folder).masks) == 3
    assert list(settings.datasets_dir.iterdir()) == [folder]


def test_two_imports_of_one_file_at_once_agree(
    make_npz: Npz, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_npz(training_set=random_pairs(3))
    real_write = importing._write

    def write_while_another_import_wins(*arguments: object) -> object:
        monkeypatch.setattr(importing, "_write", real_write)
        import_dataset(source, settings)
        return real_write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(importing, "_write", write_while_another_import_wins)
    imported = import_dataset(source, settings)
    assert imported.already_there
    assert [path.name for path in settings.datasets_dir.iterdir()] == [imported.sha256]


def test_progress_rises_from_start_to_end(make_npz: Npz, settings: Settings) -> None:
    reports: list[tuple[float, str]] = []
    source = make_npz(training_set=random_pairs(200), test_set=random_pairs(90)[:, 0])
    import_dataset(source, settings, progress=lambda share, what: reports.append((share, what)))
    shares = [share for share, _ in reports]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert all(0 <= share <= 1 and what for share, what in reports)
    assert len(set(shares)) > 5


def test_an_interrupted_import_leaves_nothing(make_npz: Npz, settings: Settings) -> None:
    def interrupt(share: float, what: str) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(make_npz(training_set=random_pairs(200)), settings, progress=interrupt)
    assert list(settings.datasets_dir.iterdir()) == []


def test_sweeps_what_a_killed_import_left_long_ago(make_npz: Npz, settings: Settings) -> None:
    old, fresh = (settings.datasets_dir / f".import-{name}" for name in ("old", "fresh"))
    for folder in (old, fresh):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    import_dataset(make_npz(training_set=random_pairs(2)), settings)
    assert not old.exists()
    assert fresh.exists()


def test_frame_size_of_an_npz_is_recorded_and_not_silently_changed(make_npz: Npz, settings: Settings) -> None:
    source = make_npz(training_set=random_pairs(2))
    assert import_dataset(source, settings, frame_size=512).meta["frame_size"] == [512, 512]
    assert import_dataset(source, settings).meta["frame_size"] == [512, 512]
    with pytest.raises(DatasetError, match="already imported with frames of 512×512"):
        import_dataset(source, settings, frame_size=256)


@pytest.mark.parametrize("size", [0, -128, 100, 192 + 1, 8192])
def test_a_frame_that_cannot_be_cut_is_refused(make_npz: Npz, settings: Settings, size: int) -> None:
    with pytest.raises(DatasetError, match="multiple of 128"):
        import_dataset(make_npz(training_set=random_pairs(2)), settings, frame_size=size)


@pytest.mark.real_data
def test_real_tiles(real_data_dir: Path, settings: Settings) -> None:
    imported = import_dataset(real_data_dir / "mars_tiles.npz", settings)
    arrays = open_arrays(imported.folder)
    (group,) = arrays.outlier_groups
    assert (imported.meta["pairs"], imported.meta["test_images"], len(group.rows)) == (2611, 10022, 106)
    report = cleaning_report(arrays.counts, group.rows)
    assert (report.kept, report.rock_after) == (2505, 126)
    np.testing.assert_allclose(100 * report.share_after, [35.6, 23.6, 32.5, 7.7, 0.66], atol=0.06)
    assert imported.meta["frame_size"] == [256, 256]
    assert "AI4Mars" in imported.meta["known_as"]
    assert json.loads((imported.folder / "meta.json").read_text()) == imported.meta
