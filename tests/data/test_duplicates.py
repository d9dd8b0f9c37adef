from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from marsseg.data import duplicates
from marsseg.data.duplicates import CACHE, DuplicatePair, find_duplicates, known_duplicates
from tests.support.terrain import tiles

Change = Callable[[np.ndarray], np.ndarray]


def scenes(count: int = 12, seed: int = 0) -> np.ndarray:
    """(count, 64, 128) uint8 smooth random landscapes, no two alike."""
    rng = np.random.default_rng(seed)
    rough = np.kron(rng.normal(0, 30, (count, 16, 32)), np.ones((1, 4, 4)))
    slope = np.linspace(-30, 30, 64)[:, None]
    return np.clip(110 + slope + rough + rng.normal(0, 3, rough.shape), 0, 255).astype(np.uint8)


def with_copy(change: Change) -> np.ndarray:
    """Twelve scenes and, as row 12, a changed copy of row 3."""
    images = scenes()
    return np.concatenate([images, change(images[3].astype(float)).clip(0, 255).astype(np.uint8)[None]])


def as_jpeg(image: np.ndarray) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(image.astype(np.uint8)).save(stream, "JPEG", quality=60)
    return np.asarray(Image.open(stream), float)


CHANGES: dict[str, tuple[Change, str]] = {
    "exact": (lambda image: image, ""),
    "brighter": (lambda image: image + 35, ""),
    "less contrast": (lambda image: 90 + 0.4 * (image - 90), ""),
    "saved anew": (as_jpeg, ""),
    "noisy": (lambda image: image + np.random.default_rng(1).normal(0, 4, image.shape), ""),
    "left for right": (lambda image: image[:, ::-1], "left-right"),
    "upside down": (lambda image: image[::-1], "up-down"),
    "turned, darker": (lambda image: 0.7 * image[::-1, ::-1], "both ways"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(name: str) -> None:
    change, mirrored = CHANGES[name]
    found = find_duplicates(with_copy(change))
    assert found.complete
    assert [(pair.first, pair.second, pair.mirrored) for pair in found.pairs] == [(3, 12, mirrored)]
    assert 0.75 < found.pairs[0].similarity <= 1


@pytest.mark.parametrize("kind", ["constant", "noise", "ramps", "horizons"])
def test_tiles_with_little_to_see_are_not_alike(kind: str) -> None:
    rng = np.random.default_rng(2)
    down = np.linspace(0, 1, 64)[:, None] * np.ones(128)
    steepness = rng.uniform(20, 80, (10, 1, 1))
    images = {
        "constant": np.full((10, 64, 128), 7.0),
        "noise": 90 + rng.normal(0, 1.5, (10, 64, 128)),
        "ramps": 60 + steepness * down + rng.normal(0, 1, (10, 64, 128)),
        "horizons": 60 + steepness * (down < 0.5) + rng.normal(0, 4, (10, 64, 128)),
    }[kind]
    assert find_duplicates(images.astype(np.uint8)).pairs == ()


def test_the_most_alike_come_first_whatever_their_place() -> None:
    images = scenes(600)
    images[598] = np.clip(images[1] + np.random.default_rng(0).normal(0, 8, images[1].shape), 0, 255)
    images[20] = images[599]
    first, second = find_duplicates(images).pairs
    assert (first.first, first.second, second.first, second.second) == (20, 599, 1, 598)
    assert first.similarity == pytest.approx(1, abs=1e-3)
    assert second.similarity < first.similarity


def test_a_file_of_copies_ends_early_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MAX_PAIRS", 10)
    found = find_duplicates(np.repeat(scenes(1), 30, axis=0))
    assert (len(found.pairs), found.complete) == (10, False)


def test_progress_rises() -> None:
    told: list[float] = []
    find_duplicates(scenes(600), lambda share, _: told.append(share))
    assert told == sorted(told)
    assert 0 <= told[0] < told[-1] < 1


def test_pairs_are_found_once_and_kept_beside_the_arrays(tmp_path: Path) -> None:
    images = with_copy(lambda image: image[:, ::-1])
    found = known_duplicates(tmp_path, images)
    assert known_duplicates(tmp_path, np.zeros_like(images)) == found
    assert [path.name for path in tmp_path.iterdir()] == [CACHE]


@pytest.mark.parametrize("content", ["", "[1]", '{"rule": 0, "pairs": [], "complete": true}', '{"rule": 1}'])
def test_a_damaged_or_old_cache_is_made_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / CACHE).write_text(content, encoding="utf-8")
    assert len(known_duplicates(tmp_path, with_copy(lambda image: image)).pairs) == 1
    assert json.loads((tmp_path / CACHE).read_text(encoding="utf-8"))["pairs"]


def test_a_folder_that_cannot_be_written_costs_the_cache_only(tmp_path: Path) -> None:
    assert len(known_duplicates(tmp_path / "gone", with_copy(lambda image: image)).pairs) == 1


def test_made_up_tiles_hold_no_near_duplicates() -> None:
    assert find_duplicates(tiles(60)[0]).pairs == ()


def test_of_the_real_tiles_five_pairs_are_found(real_data_dir: Path) -> None:
    """These five were looked at, and each shows one scene; that there are no others is not said."""
    with np.load(real_data_dir / "mars_tiles.npz", allow_pickle=False) as file:
        images = file["training_set"][:, 0].astype(np.uint8)
    found = find_duplicates(images).pairs
    scenes_seen_twice = {(382, 617), (591, 1353), (707, 1008), (1190, 2411), (332, 442)}
    assert {(pair.first, pair.second) for pair in found} == scenes_seen_twice
    assert all(isinstance(pair, DuplicatePair) and not pair.mirrored for pair in found)
