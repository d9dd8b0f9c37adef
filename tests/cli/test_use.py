from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from marsseg import services
from marsseg.services import Lab
from tests.cli.conftest import THRESHOLD, Command, course_tiles, queue_run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(5).integers(0, 256, (64, 128)).astype(np.uint8)
    path = tmp_path / "rover.png"
    Image.fromarray(pixels).save(path)
    return path


def classes_of(pixels: np.ndarray) -> np.ndarray:
    return np.where(pixels >= THRESHOLD, 3, 1)


def test_segment_writes_mask_and_overlay(
    marsseg: Command, scored_run: str, picture: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "masks"
    answer = marsseg("segment", "--run", scored_run, picture, "--out", out, "--json")
    assert answer.status == 0
    (document,) = answer.document
    mask = Image.open(out / "rover_mask.png")
    assert mask.mode == "P"
    expected = classes_of(np.asarray(Image.open(picture)))
    np.testing.assert_array_equal(np.asarray(mask), expected)
    assert document["mask"] == str(out / "rover_mask.png")
    assert document["class_share"] == pytest.approx(
        list(np.bincount(expected.ravel(), minlength=5) / expected.size)
    )
    assert Image.open(out / "rover_overlay.png").size == (128, 64)


def test_another_decoding_may_say_background(
    marsseg: Command, scored_run: str, picture: Path, tmp_path: Path
) -> None:
    common = ("segment", "--run", scored_run, picture, "--out", tmp_path, "--json")
    assert marsseg(*common).document[0]["decoding"] == "terrain_only"
    assert marsseg(*common, "--decoding", "argmax").document[0]["decoding"] == "argmax"
    assert marsseg(*common, "--decoding", "best").status == 2


def test_one_bad_image_does_not_spoil_the_others(
    marsseg: Command, scored_run: str, picture: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("no image")
    answer = marsseg(
        "segment", "--run", scored_run, bad, picture, tmp_path / "none.png", "--out", tmp_path, "--json"
    )
    assert answer.status == 2
    assert [Path(done["image"]).name for done in answer.document] == ["rover.png"]
    assert len(answer.err.splitlines()) == 2
    assert "bad.jpg" in answer.err
    assert "none.png" in answer.err


def test_images_of_one_name_are_refused_before_any_is_written(
    marsseg: Command, scored_run: str, picture: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "rover.jpg"
    out = tmp_path / "out"
    answer = marsseg("segment", "--run", scored_run, picture, other, "--out", out)
    assert answer.status == 2
    assert "overwrite" in answer.err
    assert not out.exists()


@pytest.mark.parametrize("command", [["segment", "x.png", "--out", "x"], ["submission", "--out", "x.csv"]])
def test_a_run_without_a_network_says_so(marsseg: Command, lab: Lab, command: list[str]) -> None:
    answer = marsseg(*command, "--run", queue_run(lab).id)
    assert answer.status == 2
    assert "no exported network" in answer.err


def test_an_output_folder_that_is_a_file_gets_a_sentence(
    marsseg: Command, scored_run: str, picture: Path
) -> None:
    answer = marsseg("segment", "--run", scored_run, picture, "--out", picture)
    assert answer.status == 2
    assert str(picture) in answer.err
    assert len(answer.err.splitlines()) == 1


def test_a_submission_has_a_row_a_test_tile_and_a_column_a_pixel(
    marsseg: Command, scored_run: str, tmp_path: Path
) -> None:
    out = tmp_path / "submission.csv"
    answer = marsseg("submission", "--run", scored_run, "--out", out, "--json")
    assert answer.document == {"run": scored_run, "file": str(out), "rows": 3}
    header, *rows = csv.reader(io.StringIO(out.read_text()))
    assert header == ["id", *map(str, range(8192))]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    expected = classes_of(course_tiles()["test_set"]).reshape(3, -1)
    np.testing.assert_array_equal(np.array([row[1:] for row in rows], dtype=int), expected)


def test_a_submission_into_a_folder_is_refused(marsseg: Command, scored_run: str, tmp_path: Path) -> None:
    answer = marsseg("submission", "--run", scored_run, "--out", tmp_path)
    assert answer.status == 2
    assert f"{tmp_path} is a folder" in answer.err


def test_a_submission_that_is_cut_short_leaves_nothing(lab: Lab, scored_run: str, tmp_path: Path) -> None:
    def interrupt(_fraction: float, _what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        services.write_submission(lab, scored_run, tmp_path / "out" / "submission.csv", progress=interrupt)
    assert not list((tmp_path / "out").iterdir())
