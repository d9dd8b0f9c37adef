from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from marsseg.data.ai4mars import resize_image, resize_mask
from marsseg.data.arrays import DatasetArrays, open_arrays
from marsseg.data.importing import import_dataset
from marsseg.errors import DatasetError
from marsseg.settings import Settings

IMAGES, LABELS = "msl/ncam/images/edr", "msl/ncam/labels/train"


def opened(root: Path, settings: Settings, frame_size: int | None = None) -> DatasetArrays:
    return open_arrays(import_dataset(root, settings, frame_size=frame_size).folder)


def refused(root: Path, settings: Settings, *words: str) -> None:
    with pytest.raises(DatasetError) as caught:
        import_dataset(root, settings)
    for word in words:
        assert word in str(caught.value)
    assert not settings.datasets_dir.exists() or not list(settings.datasets_dir.iterdir())


def test_cuts_labelled_frames_into_eight_tiles_each(ai4mars_folder: Path, settings: Settings) -> None:
    arrays = opened(ai4mars_folder, settings)
    assert arrays.images.shape == arrays.masks.shape == (24, 64, 128)
    assert arrays.test_images.shape == (0, 64, 128)
    assert arrays.groups is not None
    assert arrays.groups.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    assert arrays.meta["group_names"] == ["N0", "N1", "N2"]
    assert (arrays.meta["format"], arrays.meta["frame_size"]) == ("ai4mars", [256, 256])


def test_label_is_class_minus_one_and_255_is_background(ai4mars_folder: Path, settings: Settings) -> None:
    masks = np.asarray(opened(ai4mars_folder, settings).masks)
    label = np.asarray(Image.open(ai4mars_folder / LABELS / "N1.png"))
    expected = np.select([label == value for value in (0, 1, 2, 3, 255)], [1, 2, 3, 4, 0], 9)
    frame = np.vstack([np.hstack(masks[8 + 2 * row : 10 + 2 * row]) for row in range(4)])
    np.testing.assert_array_equal(frame, expected)


def test_tiles_lie_row_by_row_and_images_match_their_masks(tmp_path: Path, settings: Settings) -> None:
    """A picture whose brightness encodes the label must still do so in every tile."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    label = np.random.default_rng(0).integers(0, 4, (8, 8), np.uint8).repeat(32, 0).repeat(32, 1)
    Image.fromarray(label * 60).save(tmp_path / "images/a.png")
    Image.fromarray(label).save(tmp_path / "labels/a.png")
    arrays = opened(tmp_path, settings)
    np.testing.assert_array_equal(arrays.images // 60 + 1, arrays.masks)


@pytest.mark.parametrize(("frame_size", "tiles"), [(128, 2), (256, 8), (512, 32)])
def test_frame_size_decides_how_many_tiles(
    ai4mars_folder: Path, settings: Settings, frame_size: int, tiles: int
) -> None:
    arrays = opened(ai4mars_folder, settings, frame_size)
    assert len(arrays.images) == 3 * tiles
    assert arrays.meta["frame_size"] == [frame_size, frame_size]


def test_another_frame_size_is_another_dataset(ai4mars_folder: Path, settings: Settings) -> None:
    first = import_dataset(ai4mars_folder, settings, frame_size=256)
    second = import_dataset(ai4mars_folder, settings, frame_size=512)
    assert first.sha256 != second.sha256
    assert import_dataset(ai4mars_folder, settings).sha256 == first.sha256


@pytest.mark.parametrize("start", ["", "msl", "msl/ncam"])
def test_the_pair_of_folders_may_lie_anywhere_below(
    ai4mars_folder: Path, settings: Settings, start: str
) -> None:
    whole = import_dataset(ai4mars_folder, settings)
    assert import_dataset(ai4mars_folder / start, settings).sha256 == whole.sha256


def test_two_instruments_in_one_tree_keep_their_frames_apart(
    ai4mars_folder: Path, settings: Settings
) -> None:
    shutil.copytree(ai4mars_folder / "msl/ncam", ai4mars_folder / "m2020/ncam")
    arrays = opened(ai4mars_folder, settings)
    assert arrays.groups is not None
    assert len(np.unique(arrays.groups)) == 6
    assert arrays.meta["group_names"][0] == "m2020/ncam/N0"


def test_rover_masks_beside_the_images_are_no_images(ai4mars_folder: Path, settings: Settings) -> None:
    masks = ai4mars_folder / "msl/ncam/images/mxy"
    masks.mkdir()
    Image.new("L", (256, 256)).save(masks / "N0.png")
    assert len(opened(ai4mars_folder, settings).images) == 24


def test_checksum_follows_names_and_contents(
    ai4mars_folder: Path, settings: Settings, tmp_path: Path
) -> None:
    first = import_dataset(ai4mars_folder, settings).sha256
    copy = shutil.copytree(ai4mars_folder, tmp_path / "copy")
    assert import_dataset(copy, settings).sha256 == first
    for folder in (IMAGES, LABELS):
        for file in (copy / folder).glob("N2.*"):
            file.rename(file.with_stem("N9"))
    renamed = import_dataset(copy, settings).sha256
    Image.new("L", (256, 256)).save(copy / LABELS / "N0.png")
    assert len({first, renamed, import_dataset(copy, settings).sha256}) == 3


def test_gray_labels_saved_as_colour_pictures_are_read(ai4mars_folder: Path, settings: Settings) -> None:
    expected = opened(ai4mars_folder, settings).masks
    for path in (ai4mars_folder / LABELS).iterdir():
        Image.open(path).convert("RGB").save(path)
    np.testing.assert_array_equal(opened(ai4mars_folder, settings).masks, expected)


def test_palette_labels_are_read_by_number_not_colour(ai4mars_folder: Path, settings: Settings) -> None:
    expected = opened(ai4mars_folder, settings).masks
    for path in (ai4mars_folder / LABELS).iterdir():
        values = np.array(Image.open(path))
        indexed = Image.fromarray(values, "L").convert("P")
        indexed.putdata(values.ravel().tolist())
        indexed.putpalette([17, 200, 3] * 256)
        indexed.save(path)
    np.testing.assert_array_equal(opened(ai4mars_folder, settings).masks, expected)


def test_shrinking_averages_images_and_picks_labels() -> None:
    image = np.array([[0, 100], [100, 200]], np.uint8).repeat(2, 0).repeat(2, 1)
    checker = np.tile(np.array([[0, 200], [200, 0]], np.uint8), (4, 4))
    np.testing.assert_array_equal(resize_image(image, 2), [[0, 100], [100, 200]])
    assert (resize_image(checker, 4) == 100).all()
    labels = np.random.default_rng(0).choice(np.array([0, 4], np.uint8), (100, 100))
    assert set(np.unique(resize_mask(labels, 64))) <= {0, 4}


def test_unlabelled_value_that_is_unknown(ai4mars_folder: Path, settings: Settings) -> None:
    label = np.zeros((256, 256), np.uint8)
    label[9, 9] = 4
    Image.fromarray(label).save(ai4mars_folder / LABELS / "N1.png")
    refused(ai4mars_folder, settings, "found 4", "N1.png", "0–3")


def test_sixteen_bit_labels_do_not_wrap_around(ai4mars_folder: Path, settings: Settings) -> None:
    Image.fromarray(np.full((256, 256), 256, np.uint16)).save(ai4mars_folder / LABELS / "N1.png")
    refused(ai4mars_folder, settings, "found 256", "N1.png")


def test_label_of_another_size(ai4mars_folder: Path, settings: Settings) -> None:
    Image.new("L", (128, 256)).save(ai4mars_folder / LABELS / "N2.png")
    refused(ai4mars_folder, settings, "N2.png", "128×256", "256×256")


def test_colour_label(ai4mars_folder: Path, settings: Settings) -> None:
    Image.new("RGB", (256, 256), (10, 20, 30)).save(ai4mars_folder / LABELS / "N2.png")
    refused(ai4mars_folder, settings, "N2.png", "colour")


PORTABLE_GRAYMAP = b"P5 256 256 255\n" + bytes(256 * 256)  # readable, but no format that rovers' labels have


@pytest.mark.parametrize(
    "content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n and then nothing", PORTABLE_GRAYMAP]
)
def test_label_that_is_no_image(ai4mars_folder: Path, settings: Settings, content: bytes) -> None:
    (ai4mars_folder / LABELS / "N0.png").write_bytes(content)
    refused(ai4mars_folder, settings, "N0.png")


@pytest.mark.parametrize("content", [b"", b"no image at all"])
def test_image_that_is_no_image(ai4mars_folder: Path, settings: Settings, content: bytes) -> None:
    (ai4mars_folder / IMAGES / "N0.JPG").write_bytes(content)
    refused(ai4mars_folder, settings, "N0.JPG")


def test_truncated_label(ai4mars_folder: Path, settings: Settings) -> None:
    path = ai4mars_folder / LABELS / "N0.png"
    path.write_bytes(path.read_bytes()[:3000])
    refused(ai4mars_folder, settings, "N0.png")


def test_giant_label(ai4mars_folder: Path, settings: Settings) -> None:
    Image.new("1", (30_000, 30_000)).save(ai4mars_folder / LABELS / "N0.png")
    refused(ai4mars_folder, settings, "N0.png")


def test_folder_without_matching_labels(ai4mars_folder: Path, settings: Settings) -> None:
    for path in (ai4mars_folder / LABELS).iterdir():
        path.rename(path.with_stem(path.stem + "_other"))
    refused(ai4mars_folder, settings, "None of the 4 images", "N0.png")


def test_folder_without_images(ai4mars_folder: Path, settings: Settings) -> None:
    for path in (ai4mars_folder / IMAGES).iterdir():
        path.unlink()
    refused(ai4mars_folder, settings, "no JPEG, PNG or TIFF images")


def test_folder_without_labels(ai4mars_folder: Path, settings: Settings) -> None:
    shutil.rmtree(ai4mars_folder / "msl/ncam/labels")
    refused(ai4mars_folder, settings, "images and labels")


@pytest.mark.real_data
def test_real_frames(real_data_dir: Path, settings: Settings) -> None:
    arrays = opened(real_data_dir / "ai4mars", settings)
    assert arrays.images.shape == (240 * 8, 64, 128)
    assert arrays.groups is not None
    np.testing.assert_array_equal(arrays.groups, np.arange(240).repeat(8))
    assert arrays.outlier_groups == []
    labels = sorted((real_data_dir / "ai4mars" / LABELS).iterdir())
    pixels = sum(int((np.asarray(Image.open(path)) == 3).sum()) for path in labels)
    assert arrays.meta["class_counts"][4] == pixels
