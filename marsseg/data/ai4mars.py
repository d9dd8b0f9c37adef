"""Read a folder in the AI4Mars layout: rover images and their label images side by side.

Source of the layout and of the label values: https://data.nasa.gov/dataset/ai4mars (Swan et al. 2021).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from marsseg.classes import BACKGROUND, N_CLASSES
from marsseg.data.images import decode_gray
from marsseg.data.progress import Report
from marsseg.data.tiles import TileBatch, cut_into_tiles
from marsseg.errors import DatasetError, ImageError
from marsseg.settings import Limits

DEFAULT_FRAME_SIZE = 256
UNLABELLED = 255
_IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff"})
_LABEL_FORMATS = ("PNG", "JPEG", "TIFF")
_MAX_DEPTH = 6
_LAYOUT = "images/edr/NAME.JPG beside labels/train/NAME.png"


@dataclass(frozen=True, slots=True)
class FramePair:
    """A rover image, its label image, and the name of the two."""

    name: str
    image: Path
    label: Path


@dataclass(frozen=True, slots=True)
class Ai4MarsFolder:
    """An AI4Mars folder whose images and labels have been matched by name; contents are checked on reading.

    Args:
        base: names are relative to it: where `images` and `labels` lie, or what holds several such pairs.
        frames: matched pairs, by name.
        frame_size: side of the square that each frame is resized to.
        image_pixels: upper bound on the pixels of one image.
    """

    base: Path
    frames: tuple[FramePair, ...]
    frame_size: int
    image_pixels: int

    @classmethod
    def open(cls, root: Path, limits: Limits, frame_size: int | None) -> Ai4MarsFolder:
        """Find `images` and `labels` folders that lie side by side anywhere below `root`, and match names.

        Images without a label are left out: the public release has thousands of them.

        Raises:
            DatasetError: there is no such pair of folders, no image, or no label that matches an image.
        """
        folders = list(_find_folders(root))
        base = root if len(folders) > 1 else folders[0][0].parent if folders else root
        frames = [frame for pair in folders for frame in _match(base, *pair)]
        if not frames:
            raise _nothing_found(root)
        ordered = tuple(sorted(frames, key=lambda frame: frame.name))
        return cls(base, ordered, frame_size or DEFAULT_FRAME_SIZE, limits.image_pixels)

    @property
    def format(self) -> str:
        """The name of the format, as `meta.json` keeps it."""
        return "ai4mars"

    @property
    def pairs(self) -> int:
        """Number of image/mask pairs once the frames are cut into tiles."""
        return len(self.frames) * len(cut_into_tiles(np.empty((self.frame_size,) * 2, np.uint8)))

    @property
    def test_images(self) -> int:
        """An AI4Mars folder is read for its labelled images alone."""
        return 0

    @property
    def group_names(self) -> tuple[str, ...]:
        """Names of the frames; a tile's group is the position of its frame here."""
        return tuple(frame.name for frame in self.frames)

    def checksum(self, report: Report) -> str:
        """Sixty-four hex digits: sha256 over names and contents of the matched files, and the frame size.

        The frame size is part of it because the same folder at another size is another dataset.
        """
        digest = hashlib.sha256(f"ai4mars {self.frame_size}\n".encode())
        files = sorted(
            (p.relative_to(self.base).as_posix(), p) for f in self.frames for p in (f.image, f.label)
        )
        for done, (name, path) in enumerate(files, 1):
            content = _read(path)
            digest.update(f"{name}\0{len(content)}\0".encode("utf-8", "surrogateescape"))
            digest.update(content)
            report(done / len(files), "Computing the checksum")
        return digest.hexdigest()

    def read_pairs(self, report: Report) -> Iterator[TileBatch]:
        """The tiles of each frame in turn: image resized by area, label by nearest neighbour.

        Raises:
            DatasetError: a file is no image, a label does not fit its image, or holds an unknown value.
        """
        for number, frame in enumerate(self.frames):
            image, mask = self._load(frame)
            images, masks = cut_into_tiles(image), cut_into_tiles(mask)
            yield TileBatch(images, masks, np.full(len(images), number, np.int64))
            report((number + 1) / len(self.frames), "Cutting frames into tiles")

    def read_test_images(self, report: Report) -> Iterator[NDArray[np.uint8]]:
        """Nothing: there are no unlabelled tiles."""
        report(1.0, "Cutting frames into tiles")
        return iter(())

    def _load(self, frame: FramePair) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        try:
            image = decode_gray(_read(frame.image), self.image_pixels)
        except ImageError as error:
            raise DatasetError(f"{frame.image.name}: {error}") from error
        label = _read_label(frame.label, self.image_pixels)
        if label.shape != image.shape:
            raise DatasetError(
                f"The label {frame.label.name} is {_size(label)} pixels but its image is {_size(image)}; "
                "use the label that was drawn on this image."
            )
        return resize_image(image, self.frame_size), resize_mask(_to_classes(label, frame), self.frame_size)


def resize_image(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Resize gray values (H, W) to (side, side): area averages when shrinking, bilinear otherwise."""
    shrinks = min(image.shape) >= side
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(image).resize((side, side), method))


def resize_mask(mask: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Resize class numbers (H, W) to (side, side) by nearest neighbour."""
    return np.asarray(Image.fromarray(mask).resize((side, side), Image.Resampling.NEAREST))


def _to_classes(label: NDArray[Any], frame: FramePair) -> NDArray[np.uint8]:
    """Map AI4Mars values 0-3 to classes 1-4 and 255 to background."""
    unknown = ((label < 0) | (label >= N_CLASSES - 1)) & (label != UNLABELLED)
    if unknown.any():
        raise DatasetError(
            f"Label values must be 0–3 (soil … big rock) or 255 (unlabelled); found {label[unknown][0]} in "
            f"{frame.label.name}. Is this a mask with other classes, or one that was resized?"
        )
    classes = label.astype(np.int64) + 1
    return np.where(label == UNLABELLED, BACKGROUND.index, classes).astype(np.uint8)


def _read_label(path: Path, max_pixels: int) -> NDArray[Any]:
    """Read a label image's raw values, palette numbers included, without any colour conversion."""
    try:
        with Image.open(path, formats=_LABEL_FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise DatasetError(
                    f"The label {path.name} has {image.width}×{image.height} pixels, more than the "
                    f"{max_pixels:,} allowed here; remove it or its image."
                )
            values: NDArray[Any] = np.asarray(image)
    except Image.DecompressionBombError as error:
        raise DatasetError(f"The label {path.name} is too large to unpack; remove it.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"The label {path.name} is not a readable image; copy it again.") from error
    if values.ndim == 3 and (values[..., :3] == values[..., :1]).all():
        values = values[..., 0]
    if values.ndim != 2 or values.dtype.kind not in "ui":
        raise DatasetError(
            f"The label {path.name} is a colour picture; labels are gray images whose values are classes."
        )
    return values


def _find_folders(root: Path) -> Iterator[tuple[Path, Path]]:
    """Yield (images, labels) for every folder at or below `root` that holds both."""
    for folder, names, _ in os.walk(root, onerror=_refuse_unreadable):
        here = Path(folder)
        by_name = {name.lower(): here / name for name in sorted(names)}
        if "images" in by_name and "labels" in by_name:
            yield by_name["images"], by_name["labels"]
            names[:] = [n for n in names if n.lower() not in {"images", "labels"}]
        if len(here.relative_to(root).parts) >= _MAX_DEPTH:
            names.clear()


def _refuse_unreadable(error: OSError) -> None:
    raise DatasetError(f"{error.filename} cannot be read ({error.strerror}); change its permissions.")


def _match(base: Path, images: Path, labels: Path) -> list[FramePair]:
    """Match images to labels by the name without suffix; rover and range masks beside `edr` are no images."""
    label_by_stem = {path.stem: path for path in _image_files(_prefer(labels, "train"))}
    parent = images.parent.relative_to(base).as_posix()
    prefix = "" if parent == "." else f"{parent}/"
    return [
        FramePair(prefix + image.stem, image, label_by_stem[image.stem])
        for image in _image_files(_prefer(images, "edr"))
        if image.stem in label_by_stem
    ]


def _prefer(folder: Path, name: str) -> Path:
    return next((p for p in folder.iterdir() if p.is_dir() and p.name.lower() == name), folder)


def _image_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in _IMAGE_SUFFIXES and p.is_file())


def _nothing_found(root: Path) -> DatasetError:
    pairs = list(_find_folders(root))
    if not pairs:
        return DatasetError(
            f"{root} holds no pair of folders named images and labels; an AI4Mars folder has {_LAYOUT}."
        )
    images = [image for folder, _ in pairs for image in _image_files(folder)]
    if not images:
        return DatasetError(f"{pairs[0][0]} holds no JPEG, PNG or TIFF images; expected {_LAYOUT}.")
    return DatasetError(
        f"None of the {len(images)} images in {pairs[0][0]} has a label of the same name in {pairs[0][1]}; "
        f"for {images[0].name} it would be {images[0].stem}.png."
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}); check the file.") from error


def _size(array: NDArray[Any]) -> str:
    return f"{array.shape[1]}×{array.shape[0]}"
