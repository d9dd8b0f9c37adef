"""Recognise what a path holds and open it as a source of tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from marsseg.classes import TILE_WIDTH
from marsseg.data.ai4mars import Ai4MarsFolder
from marsseg.data.course_npz import CourseFile
from marsseg.data.progress import Report
from marsseg.data.tiles import TileBatch
from marsseg.errors import DatasetError
from marsseg.settings import Limits

MAX_FRAME_SIZE = 4096


class TileSource(Protocol):
    """A checked dataset that has not been read yet; each method raises DatasetError on bad content."""

    @property
    def format(self) -> str:
        """The name of the format, as `meta.json` keeps it."""

    @property
    def pairs(self) -> int:
        """Number of image/mask pairs."""

    @property
    def test_images(self) -> int:
        """Number of unlabelled tiles."""

    @property
    def frame_size(self) -> int | None:
        """Side of the square frames that the tiles were cut from; None if unknown."""

    @property
    def group_names(self) -> tuple[str, ...] | None:
        """The names of the source frames, in the order of their numbers; None without frames."""

    def checksum(self, report: Report) -> str:
        """Sixty-four hex digits of a sha256 over everything that decides the tiles."""

    def read_pairs(self, report: Report) -> Iterator[TileBatch]:
        """All pairs, in order."""

    def read_test_images(self, report: Report) -> Iterator[NDArray[np.uint8]]:
        """All unlabelled tiles, in order, (B, 64, 128) uint8 at a time."""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What we know about a file by its checksum: a sentence for people, and the side of its frames."""

    sentence: str
    frame_size: int


KNOWN_FILES: dict[str, KnownFile] = {
    "70498488de0e67d414c4b8f983e6d5f342761a02690db42dee6c006262ef7f09": KnownFile(
        "This is the original course file, mars_for_students.npz; its tiles were cut from rover frames "
        "resized to 512×512.",
        512,
    ),
    "ca6abcfefce54a8b4fe034a8e41ff2dac33218c1cfb0a1092d9e6e6a8fc47a61": KnownFile(
        "These are the tiles made from the public AI4Mars release in the course format; they were cut from "
        "rover frames resized to 256×256.",
        256,
    ),
}


def open_source(source: Path, limits: Limits, frame_size: int | None = None) -> TileSource:
    """Open a course npz or an AI4Mars folder and check what can be checked without reading it all.

    Args:
        source: the file or folder.
        limits: `unpacked_bytes` bounds an npz, `image_pixels` an image.
        frame_size: side of the frames in pixels, a multiple of 128. AI4Mars images are resized to it (256
            if None); for an npz it only records what its tiles were cut from.

    Raises:
        DatasetError: nothing is there, it cannot be read, or it is not in one of the two formats.
    """
    _check_frame_size(frame_size)
    try:
        if source.is_dir():
            return Ai4MarsFolder.open(source, limits, frame_size)
        if source.is_file():
            return CourseFile.open(source, limits, frame_size)
        found = source.exists()
    except PermissionError as error:
        raise DatasetError(f"{source} cannot be read (permission denied); change its permissions.") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{source} cannot be opened ({error}); check the path.") from error
    if found:
        raise DatasetError(f"{source} is neither a file nor a folder; give an npz file or an AI4Mars folder.")
    raise DatasetError(f"There is no file or folder at {source}; check the path.")


def _check_frame_size(frame_size: int | None) -> None:
    if frame_size is None:
        return
    if not TILE_WIDTH <= frame_size <= MAX_FRAME_SIZE or frame_size % TILE_WIDTH:
        raise DatasetError(
            f"A frame of {frame_size}×{frame_size} pixels cannot be cut into 64×128 tiles; choose a "
            f"multiple of {TILE_WIDTH} from {TILE_WIDTH} to {MAX_FRAME_SIZE}, such as 256 or 512."
        )
