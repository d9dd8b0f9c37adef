from __future__ import annotations

import io
import os
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from marsseg.data import importing
from marsseg.data.importing import import_dataset
from marsseg.errors import DatasetError
from marsseg.settings import Limits, Settings
from tests.data.conftest import Npz, random_pairs
from tests.support.memory import PeakMemory


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def refused(path: Path, settings: Settings, *words: str) -> str:
    """Assert that an import ends in one sentence with these words and leaves no file behind."""
    before = files_below(settings.artifacts)
    with pytest.raises(DatasetError) as caught:
        import_dataset(path, settings)
    message = str(caught.value)
    assert files_below(settings.artifacts) == before
    assert not list(settings.artifacts.glob("datasets/.import-*"))
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


def test_missing_key(make_npz: Npz, settings: Settings) -> None:
    refused(make_npz(images=random_pairs(2)), settings, '"training_set"', "images")


@pytest.mark.parametrize("shape", [(4, 64, 128), (4, 3, 64, 128), (4, 2, 32, 64), (4, 64, 128, 2), (), (4,)])
def test_wrong_shape(make_npz: Npz, settings: Settings, shape: tuple[int, ...]) -> None:
    message = refused(make_npz(training_set=np.zeros(shape, np.uint8)), settings, "(N, 2, 64, 128)")
    assert str(shape) in message


def test_wrong_shape_of_the_test_set(make_npz: Npz, settings: Settings) -> None:
    test = np.zeros((3, 128, 64), np.uint8)
    refused(make_npz(training_set=random_pairs(2), test_set=test), settings, "test_set", "(M, 64, 128)")


@pytest.mark.parametrize("dtype", ["complex64", "bool", "U3", "M8[s]"])
def test_wrong_dtype(make_npz: Npz, settings: Settings, dtype: str) -> None:
    refused(make_npz(training_set=np.zeros((2, 2, 64, 128), dtype)), settings, "dtype", "uint8")


def test_fortran_order_is_explained(make_npz: Npz, settings: Settings) -> None:
    refused(make_npz(training_set=np.asfortranarray(random_pairs(3))), settings, "ascontiguousarray")


def test_no_tiles(make_npz: Npz, settings: Settings) -> None:
    refused(make_npz(training_set=random_pairs(0)), settings, "no tiles")


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(make_npz: Npz, settings: Settings, channel: int, value: float) -> None:
    pairs = random_pairs(70, dtype=np.float64)
    pairs[65, channel, 3, 4] = value
    refused(make_npz(training_set=pairs), settings, "finite", "image 65", f"{value:g}")


@pytest.mark.parametrize(
    ("value", "dtype"), [(7, np.uint8), (255, np.uint8), (-1, np.int16), (5, np.float64)]
)
def test_label_outside_the_classes(make_npz: Npz, settings: Settings, value: int, dtype: type) -> None:
    pairs = random_pairs(50, dtype=dtype)
    pairs[[12, 44], 1, 60, 100] = value
    message = refused(make_npz(training_set=pairs), settings, "0–4", "AI4Mars")
    assert f"found {value} in image 12" in message


def test_label_that_is_no_whole_number(make_npz: Npz, settings: Settings) -> None:
    pairs = random_pairs(3, dtype=np.float32)
    pairs[1, 1, 0, 0] = 1.5
    refused(make_npz(training_set=pairs), settings, "found 1.5 in image 1", "nearest neighbour")


@pytest.mark.parametrize("value", [-0.5, 255.5, 4095])
@pytest.mark.parametrize("name", ["training_set", "test_set"])
def test_image_outside_gray_levels(make_npz: Npz, settings: Settings, name: str, value: float) -> None:
    arrays = {
        "training_set": random_pairs(4, dtype=np.float32),
        "test_set": random_pairs(4, dtype=np.float32)[:, 0],
    }
    arrays[name][2].reshape(-1)[5] = value
    refused(make_npz(**arrays), settings, "0–255", f"found {value:g} in image 2 of {name}")


def test_images_on_a_unit_scale(make_npz: Npz, settings: Settings) -> None:
    pairs = random_pairs(3, dtype=np.float64)
    pairs[:, 0] /= 255
    refused(make_npz(training_set=pairs), settings, "0–1", "Multiply")


def test_pickled_objects_are_never_loaded(tmp_path: Path, settings: Settings) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    trap = np.empty((2, 2, 64, 128), object)
    trap[0, 0, 0, 0] = Trap()
    path = tmp_path / "trap.npz"
    np.savez(path, training_set=trap)
    refused(path, settings, "Python objects")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("share", [0.0001, 0.2, 0.5, 0.9, 0.999])
def test_truncated_file(make_npz: Npz, settings: Settings, share: float) -> None:
    path = make_npz(training_set=random_pairs(20))
    content = path.read_bytes()
    path.write_bytes(content[: max(4, int(share * len(content)))])
    refused(path, settings, "truncated or damaged", "again")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_flipped_bits(make_npz: Npz, settings: Settings, share: float) -> None:
    path = make_npz(training_set=random_pairs(20))
    content = bytearray(path.read_bytes())
    for offset in range(40):
        content[int(share * len(content)) + offset] ^= 0xFF
    path.write_bytes(content)
    refused(path, settings)


def test_zero_bytes(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "empty.npz").touch()
    refused(tmp_path / "empty.npz", settings, "empty (0 bytes)")


def test_not_an_archive(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "text.npz").write_text("hello " * 100)
    refused(tmp_path / "text.npz", settings, "not an npz archive")


def test_a_single_npy_array_is_explained(tmp_path: Path, settings: Settings) -> None:
    np.save(tmp_path / "one.npy", random_pairs(2))
    refused(tmp_path / "one.npy", settings, "np.savez")


def test_a_folder_of_something_else(tmp_path: Path, settings: Settings) -> None:
    refused(tmp_path, settings, "images and labels")


def test_nothing_there(tmp_path: Path, settings: Settings) -> None:
    refused(tmp_path / "nowhere.npz", settings, "no file or folder")


def test_an_impossible_path(settings: Settings) -> None:
    refused(Path("/" + "x" * 5000), settings, "path")


def test_a_pipe_is_no_dataset(tmp_path: Path, settings: Settings) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", settings, "neither a file nor a folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(make_npz: Npz, settings: Settings) -> None:
    path = make_npz(training_set=random_pairs(2))
    path.chmod(0)
    refused(path, settings, "permission")


def test_a_declared_bomb_is_refused_unread(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("other.npy", "w") as member,
    ):
        for _ in range(64):
            member.write(bytes(1024**2))
    assert path.stat().st_size < 200_000
    small = replace(settings, limits=Limits(unpacked_bytes=32 * 1024**2))
    refused(path, small, "would unpack to", "0.0312 GiB")


def npy_bytes(shape: tuple[int, ...], data: bytes, dtype: str = "|u1") -> bytes:
    stream = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + data


def test_an_array_header_that_promises_more_than_there_is(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "liar.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("training_set.npy", npy_bytes((10**9, 2, 64, 128), bytes(1000)))
    refused(path, settings, "truncated or damaged")


def test_an_archive_that_lies_about_its_size(tmp_path: Path, settings: Settings) -> None:
    """The directory claims two small tiles; the compressed stream holds 256 MiB."""
    path = tmp_path / "liar.npz"
    honest = npy_bytes((2, 2, 64, 128), bytes(2 * 2 * 64 * 128))
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("training_set.npy", "w") as m,
    ):
        m.write(honest)
        for _ in range(256):
            m.write(bytes(1024**2))
    actual, claimed = len(honest) + 256 * 1024**2, len(honest)
    path.write_bytes(path.read_bytes().replace(struct.pack("<L", actual), struct.pack("<L", claimed)))
    memory = PeakMemory()
    refused(path, settings, "truncated or damaged")
    assert memory.mebibytes() < 100


def test_a_giant_npy_header_is_not_read(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "header.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("training_set.npy", b"\x93NUMPY\x02\x00" + struct.pack("<L", 2**31) + bytes(2**20))
    refused(path, settings, "truncated or damaged")


def test_a_full_disk_is_told_before_writing(
    make_npz: Npz, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing.shutil, "disk_usage", lambda _: _Usage(1000))
    refused(make_npz(training_set=random_pairs(2)), settings, "make room")


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_a_disk_that_fills_up_while_writing(
    make_npz: Npz, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("marsseg.data.npy.os.fsync", no_space)
    refused(make_npz(training_set=random_pairs(2)), settings, "No space left on device")
