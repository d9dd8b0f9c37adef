"""Merged networks against what their members say, put together in NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from scipy.special import softmax

from marsseg.errors import MarsSegError
from marsseg.training.files import list_unfinished
from marsseg.training.merging import Member, merge_networks, read_member
from tests.training.lopsided import lopsided

FIRST, SECOND, THIRD = (0.2, 0.1), (0.5, 0.3), (0.35, 0.05)
"""Mean and standard deviation of what members were trained on."""


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def probabilities(
    member: Member, gray: np.ndarray, *, flips: bool, classes: slice = slice(None)
) -> np.ndarray:
    """What a member says of gray levels 0–1, as its own standardisation has it."""
    session = onnxruntime.InferenceSession(member.model.SerializeToString())

    def say(image: np.ndarray) -> np.ndarray:
        (logits,) = session.run(None, {"image": ((image - member.mean) / member.std).astype(np.float32)})
        return softmax(logits[..., classes].astype(np.float64), axis=-1)

    upright = say(gray)
    return (upright + say(gray[:, :, ::-1])[:, :, ::-1]) / 2 if flips else upright


def say_together(members: list[Member], path: Path, gray: np.ndarray, **how: object) -> np.ndarray:
    """Probabilities of the merged network, whose input is standardised as the first member's."""
    merge_networks(members, path, {"run_id": "r-merged"}, **how)
    first = members[0]
    session = onnxruntime.InferenceSession(path)
    (logits,) = session.run(None, {"image": ((gray - first.mean) / first.std).astype(np.float32)})
    np.testing.assert_allclose(np.exp(logits).sum(axis=-1), 1, rtol=1e-5)
    return np.exp(logits)


@pytest.mark.parametrize("flips", [False, True])
@pytest.mark.parametrize("size", [(3, 8, 16), (1, 5, 7)])
def test_mean_is_the_mean_of_the_members_probabilities(rng, tmp_path, flips, size):
    members = [lopsided(rng, *levels) for levels in (FIRST, SECOND, THIRD)]
    gray = rng.random((*size, 1))
    expected = np.mean([probabilities(member, gray, flips=flips) for member in members], axis=0)
    found = say_together(members, tmp_path / "m.onnx", gray, rule="mean", flips=flips)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_flips_alone_are_a_combination(rng, tmp_path):
    member, gray = lopsided(rng, *FIRST), rng.random((2, 4, 6, 1))
    found = say_together([member], tmp_path / "m.onnx", gray, rule="mean", flips=True)
    np.testing.assert_allclose(found, probabilities(member, gray, flips=True), atol=1e-6)
    assert not np.allclose(found, probabilities(member, gray, flips=False), atol=1e-3)
    np.testing.assert_allclose(
        found,
        say_together([member], tmp_path / "m.onnx", gray[:, :, ::-1], rule="mean", flips=True)[:, :, ::-1],
        atol=1e-6,
    )


@pytest.mark.parametrize("flips", [False, True])
def test_two_stages_share_out_what_is_not_background(rng, tmp_path, flips):
    background, terrain = lopsided(rng, *FIRST), lopsided(rng, *SECOND)
    gray = rng.random((2, 8, 8, 1))
    first = probabilities(background, gray, flips=flips)[..., :1]
    rest = probabilities(terrain, gray, flips=flips, classes=slice(1, None))
    found = say_together([background, terrain], tmp_path / "m.onnx", gray, rule="two_stage", flips=flips)
    np.testing.assert_allclose(found[..., :1], first, atol=1e-6)
    np.testing.assert_allclose(found[..., 1:], (1 - first) * rest, atol=1e-6)
    chosen = found[..., 1:].argmax(axis=-1)
    np.testing.assert_array_equal(chosen, rest.argmax(axis=-1), "stage one has no say among terrain classes")


def test_hopeless_classes_stay_finite(rng, tmp_path):
    member = lopsided(rng, *FIRST)
    gray = rng.random((1, 4, 4, 1)) * 1e4
    merge_networks([member, lopsided(rng, *FIRST)], tmp_path / "m.onnx", {}, rule="two_stage")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    assert np.isfinite(session.run(None, {"image": gray.astype(np.float32)})[0]).all()


def test_a_merged_network_can_be_a_member(rng, tmp_path):
    members = [lopsided(rng, *FIRST), lopsided(rng, *SECOND)]
    facts = {"mean": repr(FIRST[0]), "std": repr(FIRST[1]), "multiple": "4"}
    merge_networks(members, tmp_path / "inner.onnx", facts, rule="mean")
    third, gray = lopsided(rng, *THIRD), rng.random((1, 4, 6, 1))
    found = say_together(
        [read_member(tmp_path / "inner.onnx"), third], tmp_path / "m.onnx", gray, rule="mean"
    )
    inner = np.mean([probabilities(member, gray, flips=False) for member in members], axis=0)
    np.testing.assert_allclose(found, (inner + probabilities(third, gray, flips=False)) / 2, atol=1e-6)


def test_facts_stand_in_the_file_and_come_back(rng, tmp_path):
    member = lopsided(rng, 0.25, 0.125, multiple=8)
    onnx.save(member.model, tmp_path / "one.onnx")
    again = read_member(tmp_path / "one.onnx")
    assert (again.mean, again.std, again.multiple) == (0.25, 0.125, 8)
    merge_networks([again], tmp_path / "m.onnx", {"run_id": "r-1", "mean": "0.25"}, rule="mean", flips=True)
    properties = {entry.key: entry.value for entry in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert properties == {"run_id": "r-1", "mean": "0.25"}


@pytest.mark.parametrize("content", [None, b"", b"no network", b"half"])
def test_a_file_that_is_no_network_is_named(rng, tmp_path, content):
    path = tmp_path / "model.onnx"
    whole = lopsided(rng, *FIRST).model.SerializeToString()
    if content is not None:
        path.write_bytes(whole[: len(whole) // 2] if content == b"half" else content)
    with pytest.raises(MarsSegError, match=r"model\.onnx .*resume that run to export"):
        read_member(path)


def test_an_earlier_file_survives_a_failure(rng, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"earlier")
    broken = lopsided(rng, *FIRST)
    broken.model.graph.node[0].op_type = "NoSuchOperation"
    with pytest.raises(onnx.checker.ValidationError):
        merge_networks([broken], path, {}, rule="mean", flips=True)
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_kill_while_writing_leaves_is_known_as_unfinished(tmp_path, rng, monkeypatch):
    found: list[Path] = []

    def look(temporary: Path, _path: Path) -> None:
        assert list_unfinished(tmp_path) == [temporary.parent]
        found.append(temporary)

    monkeypatch.setattr("marsseg.training.merging.move_whole", look)
    merge_networks([lopsided(rng, *FIRST)], tmp_path / "model.onnx", {}, rule="mean")
    assert len(found) == 1
