"""Runs that combine finished ones, worked on by a worker, against NumPy on the members' own networks."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from scipy.special import softmax

from marsseg.config import RunConfig
from marsseg.data.arrays import open_arrays
from marsseg.data.cleaning import kept_rows
from marsseg.data.splits import make_split
from marsseg.identity import own_identity
from marsseg.metrics import confusion_matrices
from marsseg.store.records import Phase, RunRecord, RunStatus
from marsseg.training.inputs import fit_standardizer
from marsseg.training.reporting import StopFlag
from tests.training.lopsided import lopsided
from tests.training.small_lab import DROPPED, SmallLab
from tests.training.watching import at


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(9)


@pytest.fixture
def arrays(lab: SmallLab) -> Any:
    return open_arrays(lab.settings.datasets_dir / lab.dataset.sha256)


@pytest.fixture
def train(lab: SmallLab, tiny_config: Any, arrays: Any, rng: np.random.Generator) -> Any:
    """Leave what a completed run leaves; its network says what it likes."""

    def run(**values: Any) -> RunRecord:
        config = tiny_config({path.replace("__", "."): value for path, value in values.items()})
        split = make_split(arrays.has_rock, kept_rows(20, DROPPED), arrays.groups, config.data)
        levels = fit_standardizer(arrays.images, split.train)
        claimed, token = lab.claim(config)
        folder = lab.settings.run_dir(claimed.id)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "split.npz", train=split.train, validation=split.validation, test=split.test)
        network = lopsided(rng, levels.mean, levels.std, multiple=2**config.model.depth)
        onnx.save(network.model, folder / "model.onnx")
        lab.store.worker_started(claimed.id, token, own_identity(token))
        lab.store.record_facts(claimed.id, token, parameters=100)
        lab.store.finish(claimed.id, token, RunStatus.COMPLETED, "2 epochs", best_epoch=2)
        return lab.store.get_run(claimed.id)

    return run


def combine(lab: SmallLab, *members: RunRecord, rule: str = "mean", **how: Any) -> RunRecord:
    """Queue a combination and be its worker."""
    ids = [member.id for member in members]
    values = {"combine.rule": rule, "combine.members": ids, **{f"combine.{k}": v for k, v in how.items()}}
    run, token = lab.claim(members[0].config.with_values(values))
    lab.work(run, token)
    return lab.store.get_run(run.id)


def say(lab: SmallLab, run: RunRecord, gray: np.ndarray) -> np.ndarray:
    """Probabilities of a run's exported network of gray levels 0–1, (N, H, W)."""
    path = lab.settings.run_dir(run.id) / "model.onnx"
    facts = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    image = ((gray[..., None] - float(facts["mean"])) / float(facts["std"])).astype(np.float32)
    (logits,) = onnxruntime.InferenceSession(path).run(None, {"image": image})
    return softmax(logits.astype(np.float64), axis=-1)


def test_a_mean_is_judged_on_the_tiles_of_its_members(lab, train, arrays):
    first, second = train(train__seed=0), train(train__seed=1)
    run = combine(lab, first, second)

    assert (run.status, run.reason, run.best_epoch) == (RunStatus.COMPLETED, "combined 2 runs", None)
    assert run.parameters == 200
    assert run.provenance["members"] == {first.id: first.fingerprint, second.id: second.fingerprint}
    rows = np.load(lab.settings.run_dir(first.id) / "split.npz")
    for split in ("validation", "test"):
        tiles = rows[split]
        expected = (
            say(lab, first, arrays.images[tiles] / 255) + say(lab, second, arrays.images[tiles] / 255)
        ) / 2
        for decoding, masks in (
            ("argmax", expected.argmax(axis=-1)),
            ("terrain_only", expected[..., 1:].argmax(axis=-1) + 1),
        ):
            (stored,) = lab.store.list_evaluations([run.id], split, decoding)
            np.testing.assert_array_equal(stored.rows, tiles)
            np.testing.assert_array_equal(
                stored.confusions, confusion_matrices(arrays.masks[tiles], masks.astype(np.uint8))
            )
            kept = np.load(lab.settings.run_dir(run.id) / "predictions" / f"{split}_{decoding}.npy")
            np.testing.assert_array_equal(kept, masks)


def test_two_stages_are_combined_in_their_order(lab, train, arrays):
    background, terrain = train(train__seed=0), train(train__seed=1)
    run = combine(lab, background, terrain, rule="two_stage")
    gray = arrays.images[:3] / 255
    found, first, second = say(lab, run, gray), say(lab, background, gray), say(lab, terrain, gray)
    np.testing.assert_allclose(found[..., 0], first[..., 0], atol=1e-6)
    rest = second[..., 1:] / second[..., 1:].sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(found[..., 1:], (1 - first[..., :1]) * rest, atol=1e-6)


def test_folds_are_judged_on_the_test_tiles_alone(lab, train):
    folds = [train(data__folds=3, data__fold=fold) for fold in range(3)]
    run = combine(lab, *folds)
    assert run.status is RunStatus.COMPLETED
    assert run.reason == "combined 3 runs; its members were validated on different tiles"
    assert len(lab.store.list_evaluations([run.id], "test", "argmax")) == 1
    assert lab.store.list_evaluations([run.id], "validation", "argmax") == []
    with np.load(lab.settings.run_dir(run.id) / "split.npz") as rows:
        assert rows.files == ["test"]


def test_sides_fit_the_deepest_member(lab, train):
    run = combine(lab, train(model__depth=1), train(model__depth=3))
    facts = {e.key: e.value for e in onnx.load(lab.settings.run_dir(run.id) / "model.onnx").metadata_props}
    assert (facts["multiple"], facts["run_id"]) == ("8", run.id)


def test_members_that_were_tested_on_other_tiles_are_refused(lab, train):
    first, second = train(), train(data__split_seed=1)
    run = combine(lab, first, second)
    assert run.status is RunStatus.FAILED
    assert f"{first.id} and {second.id} were tested on different tiles" in run.reason
    assert lab.store.list_evaluations([run.id], "test", "argmax") == []


def test_a_member_that_failed_meanwhile_is_named(lab, train, tiny_config):
    first = train()
    second, token = lab.claim(tiny_config())
    lab.store.finish(second.id, token, RunStatus.FAILED, "Loss is NaN.")
    run = combine(lab, first, second)
    assert run.status is RunStatus.FAILED
    assert f"{second.id} (small run) is failed; train it to its end" in run.reason


def test_a_member_that_was_deleted_is_named(lab, train):
    first, second = train(), train(train__seed=1)
    lab.store.delete_runs([second.id])
    run = combine(lab, first, second)
    assert run.reason.startswith(f"run {second.id}, which is to be combined, is not in the lab any more")


def test_a_member_without_its_network_is_named(lab, train):
    first, second = train(), train(train__seed=1)
    (lab.settings.run_dir(second.id) / "model.onnx").unlink()
    run = combine(lab, first, second)
    assert run.status is RunStatus.FAILED
    assert "model.onnx is gone; resume that run" in run.reason


def test_a_stop_leaves_nothing_half_done(lab, train):
    first, second = train(), train(train__seed=1)
    config: RunConfig = first.config.with_values(
        {"combine.rule": "mean", "combine.members": [first.id, second.id]}
    )
    run, token = lab.claim(config)
    lab.store.request_stop(run.id)
    assert lab.work(run, token) == 0
    stopped = lab.store.get_run(run.id)
    assert (stopped.status, stopped.reason) == (RunStatus.STOPPED, "stopped, as asked; nothing was combined")
    assert lab.store.list_evaluations([run.id], "test", "argmax") == []
    lab.store.requeue(run.id)
    lab.work(*lab.claim_next())
    assert lab.store.get_run(run.id).status is RunStatus.COMPLETED


def test_what_a_killed_launch_was_writing_is_cleared_away(lab, train):
    first, second = train(), train(train__seed=1)
    how = {"combine.rule": "mean", "combine.members": [first.id, second.id]}
    run, token = lab.claim(first.config.with_values(how))
    half = lab.folder(run, ".model.onnx.ab12cd34.tmp")
    half.mkdir(parents=True)
    (half / "merged.onnx").write_bytes(b"half of it")
    assert lab.work(run, token) == 0
    left = {path.name for path in lab.folder(run, "").iterdir()}
    assert left == {"model.onnx", "predictions", "split.npz"}


@pytest.mark.parametrize(("cause", "by"), [("SIGTERM", "stopped by SIGTERM"), ("", "stopped, as asked")])
def test_a_stop_while_it_is_judged_keeps_nothing_and_says_whose_it_was(lab, train, monkeypatch, cause, by):
    first, second = train(), train(train__seed=1)
    how = {"combine.rule": "mean", "combine.members": [first.id, second.id]}
    run, token = lab.claim(first.config.with_values(how))
    stop = StopFlag()
    at(monkeypatch, Phase.EVALUATING, lambda _reporter: stop.set(cause))
    assert lab.work(run, token, stop) == 0
    stopped = lab.store.get_run(run.id)
    assert (stopped.status, stopped.reason) == (RunStatus.STOPPED, f"{by}; nothing was combined")
    assert lab.store.list_scored_splits(run.id) == []
    assert [path for path in lab.folder(run, "").rglob("*") if path.is_file()] == []


def test_scores_of_a_launch_that_was_killed_do_not_outlive_a_stop_of_the_next(lab, train, monkeypatch):
    whole = combine(lab, train(), train(train__seed=1))
    (evaluation,) = lab.store.list_evaluations([whole.id], "test", "argmax")
    run, token = lab.claim(whole.config)
    lab.store.add_evaluation(token, dataclasses.replace(evaluation, run_id=run.id))
    resumed, token = lab.claim_again(run)
    stop = StopFlag()
    at(monkeypatch, Phase.EVALUATING, lambda _reporter: stop.set())
    assert lab.work(resumed, token, stop) == 0
    assert lab.store.get_run(run.id).status is RunStatus.STOPPED
    assert lab.store.list_scored_splits(run.id) == []
