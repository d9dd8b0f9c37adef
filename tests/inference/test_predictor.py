from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marsseg.data.images import decode_gray
from marsseg.errors import MarsSegError, NotFoundError
from marsseg.inference.predictor import load_predictor
from tests.inference.conftest import (
    LEVELS,
    MEAN,
    METADATA,
    STD,
    brightness_weights,
    nearest_level,
    write_network,
)
from tests.support.memory import PeakMemory


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def smooth(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return (127 + 60 * np.sin(rows / 17) + 60 * np.cos(columns / 23)).astype(np.uint8)


@pytest.mark.parametrize("shape", [(64, 128), (8, 8), (61, 83), (1, 40), (40, 1), (9, 300), (1, 1)])
def test_masks_are_right_for_any_size(brightness_network, shape):
    image = noise(*shape)
    result = load_predictor(brightness_network()).segment(image)
    assert result.mask.dtype == np.uint8
    assert result.confidence.dtype == np.float32
    np.testing.assert_array_equal(result.mask, nearest_level(image))
    assert result.confidence.shape == shape
    assert (result.working_size, result.scale) == (shape, 1.0)
    assert result.seconds > 0


def test_decodings_choose_from_five_classes_or_four(brightness_network):
    predictor = load_predictor(brightness_network())
    image = noise(32, 40)
    argmax = predictor.segment(image, decoding="argmax")
    np.testing.assert_array_equal(argmax.mask, nearest_level(image, terrain_only=False))
    assert (argmax.mask == 0).any()
    assert (predictor.segment(image).mask > 0).all()


def test_confidence_is_the_softmax_over_the_classes_that_may_be_chosen(brightness_network):
    image = np.full((8, 8), 100, np.uint8)
    seen = (100 / 255 - MEAN) / STD
    kernel, bias = brightness_weights()
    exponentials = np.exp(kernel.ravel() * seen + bias)
    predictor = load_predictor(brightness_network())
    terrain, five = (
        predictor.segment(image, decoding=d).confidence[0, 0] for d in ("terrain_only", "argmax")
    )
    assert terrain == pytest.approx(exponentials.max() / exponentials[1:].sum(), rel=1e-4)
    assert five == pytest.approx(exponentials.max() / exponentials.sum(), rel=1e-4)


@pytest.mark.parametrize("shape", [(700, 90), (90, 700), (331, 419)])
def test_tiles_agree_with_the_whole_image(blurring_network, shape):
    predictor = load_predictor(blurring_network())
    image = smooth(*shape)
    whole = predictor.segment(image)
    tiled = predictor.segment(image, pixels_at_once=40_000)
    # the zeros that the network pads with reach 4 pixels in from a tile's edge, where the tile has no say
    np.testing.assert_allclose(tiled.confidence, whole.confidence, atol=1e-3)
    np.testing.assert_array_equal(tiled.mask, whole.mask)


@pytest.mark.parametrize("shape", [(90, 700), (700, 90)])
def test_wide_and_high_images_are_seen_upright(tmp_path, shape):
    kernel = np.zeros((5, 1, 3, 3))
    kernel[1, 0, 0, 1] = 1.0  # soil where the pixel above is bright
    kernel[2, 0, 2, 1] = 1.0  # bedrock where the pixel below is
    bias = np.array([0, 0, 0, -50.0, -50.0])
    predictor = load_predictor(write_network(tmp_path / "edges.onnx", kernel, bias))
    image = np.zeros(shape, np.uint8)
    image[40] = 255
    for pixels_at_once in (10**6, 20_000):
        mask = predictor.segment(image, pixels_at_once=pixels_at_once).mask
        assert (mask[41, 1:-1] == 1).all()
        assert (mask[39, 1:-1] == 2).all()


def test_a_frame_is_brought_to_the_scale_of_the_training_tiles(brightness_network):
    blocks = np.random.default_rng(0).choice(LEVELS[1:], (16, 24)).astype(np.uint8)
    image = np.kron(blocks, np.ones((32, 32), np.uint8))  # 512 × 768
    for predictor, frame_size in [
        (load_predictor(brightness_network(frame_size="128x128")), None),
        (load_predictor(brightness_network(frame_size="[256, 256]")), 128),
    ]:
        result = predictor.segment(image, frame_size=frame_size)
        assert result.working_size == (128, 192)
        assert result.scale == 0.25
        assert result.mask.shape == image.shape
        centres = result.mask[16::32, 16::32]
        np.testing.assert_array_equal(centres, nearest_level(blocks))


@pytest.mark.parametrize("frame_size", ["", "null"])
def test_unknown_frames_leave_an_image_at_its_size(brightness_network, frame_size):
    predictor = load_predictor(brightness_network(frame_size=frame_size))
    assert predictor.facts.frame_side is None
    assert predictor.segment(noise(300, 200)).working_size == (300, 200)


def test_facts_are_read(brightness_network):
    facts = load_predictor(brightness_network(frame_size="256x256")).facts
    assert (facts.mean, facts.std, facts.frame_side, facts.multiple, facts.run_id) == (
        MEAN,
        STD,
        256,
        8,
        "r1",
    )


def test_the_same_image_gives_the_same_numbers(blurring_network):
    image = noise(120, 100)
    first, second = (
        load_predictor(blurring_network()).segment(image, pixels_at_once=9_000) for _ in range(2)
    )
    np.testing.assert_array_equal(first.mask, second.mask)
    np.testing.assert_array_equal(first.confidence, second.confidence)


@pytest.mark.parametrize("size", [(64, 128), (61, 83)])
def test_batches_of_tiles_are_decoded(brightness_network, size):
    predictor = load_predictor(brightness_network())
    tiles = noise(3, *size)
    np.testing.assert_array_equal(predictor.predict_batch(tiles), nearest_level(tiles))
    np.testing.assert_array_equal(
        predictor.predict_batch(tiles, decoding="argmax"), nearest_level(tiles, terrain_only=False)
    )


def test_a_missing_network_is_said_to_be_missing(tmp_path):
    with pytest.raises(NotFoundError, match="no exported network"):
        load_predictor(tmp_path / "model.onnx")


def test_a_damaged_network_is_refused_quietly(brightness_network, capfd):
    path: Path = brightness_network()
    whole = path.read_bytes()
    for content in (b"", b"not a network", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(MarsSegError, match=r"model\.onnx") as caught:
            load_predictor(path)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "metadata", [{}, {"std": "0"}, {"std": "nan"}, {"mean": "dark"}, {"multiple": "0"}, {"multiple": "8.5"}]
)
def test_a_network_without_its_facts_is_refused(tmp_path, metadata):
    merged = METADATA | metadata if metadata else {}
    path = write_network(tmp_path / "other.onnx", *brightness_weights(), merged)
    with pytest.raises(MarsSegError, match="exported by this lab"):
        load_predictor(path)


def test_a_network_for_something_else_is_refused(tmp_path):
    path = write_network(tmp_path / "other.onnx", np.ones((3, 1, 1, 1)), np.zeros(3))
    with pytest.raises(MarsSegError, match="five terrain classes"):
        load_predictor(path)


@pytest.mark.parametrize(
    "image", [np.zeros((8, 8)), np.zeros((8, 8, 3), np.uint8), np.zeros((0, 8), np.uint8)]
)
def test_what_is_no_gray_image_is_refused(brightness_network, image):
    with pytest.raises(MarsSegError, match="decode_gray"):
        load_predictor(brightness_network()).segment(image)


def test_impossible_frames_are_refused(brightness_network):
    with pytest.raises(MarsSegError, match="try 256 or 512"):
        load_predictor(brightness_network()).segment(noise(16, 16), frame_size=0)


def test_memory_follows_the_tile_and_not_the_image(brightness_network):
    predictor = load_predictor(brightness_network())
    predictor.segment(np.zeros((64, 64), np.uint8))
    image = np.full((1500, 6000), 130, np.uint8)
    memory = PeakMemory()
    result = predictor.segment(image, pixels_at_once=400_000)
    # Logits and probabilities of the whole image would take 340 MiB; mask and confidence take 43.
    assert memory.mebibytes() < 240
    assert (result.mask == 2).all()


@pytest.mark.real_data
def test_real_uploads_are_segmented_in_their_own_size(real_data_dir, brightness_network):
    predictor = load_predictor(brightness_network(frame_size="256x256"))
    for path in (real_data_dir / "uploads").iterdir():
        image = decode_gray(path.read_bytes(), 50_000_000)
        result = predictor.segment(image)
        assert result.mask.shape == image.shape
        assert min(result.working_size) == 256
        assert np.isin(result.mask, [1, 2, 3, 4]).all()
