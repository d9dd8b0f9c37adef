from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from marsseg import services
from marsseg.errors import DatasetError, MarsSegError, NotFoundError, RunFailedError, StateError
from marsseg.services.lab import Lab
from marsseg.store.records import RunStatus
from tests.support.labs import DATASET, config, finish_run, queue_run, start_run


def test_submitting_queues_names_and_wakes_the_scheduler(lab: Lab, woken: list[str]) -> None:
    run = services.submit(lab, config(model__residual=True), baseline=config())
    assert run.status is RunStatus.QUEUED
    assert run.name == "+residual"
    assert run.dropped_rows == tuple(range(60, 66))
    assert woken == [str(lab.settings.home)]


def test_repeats_share_a_fingerprint_and_differ_in_seed(lab: Lab) -> None:
    runs = services.submit_repeats(lab, config(), seeds=(1, 2, 3))
    assert len({run.fingerprint for run in runs}) == 1
    assert [run.seed for run in runs] == [1, 2, 3]


def test_a_group_kept_later_makes_another_fingerprint(lab: Lab) -> None:
    first = services.submit(lab, config())
    group = services.dataset_report(lab, DATASET).groups[0]
    services.keep_group(lab, DATASET, group.id, keep=True)
    second = services.submit(lab, config())
    assert first.fingerprint != second.fingerprint
    assert services.get_run(lab, first.id).dropped_rows


def test_an_unknown_dataset_is_refused_before_anything_is_queued(lab: Lab) -> None:
    with pytest.raises(NotFoundError):
        services.submit(lab, config(data__dataset="nowhere"))
    assert not services.list_runs(lab)


def test_a_dataset_gone_from_disk_is_refused_with_a_sentence(lab: Lab) -> None:
    services.submit(lab, config())
    record = services.list_datasets(lab)[0]
    shutil.rmtree(lab.settings.datasets_dir / record.sha256)
    with pytest.raises(DatasetError):
        services.submit(lab, config())


def test_more_tiles_a_batch_than_training_tiles_is_refused(lab: Lab) -> None:
    with pytest.raises(DatasetError, match="fewer than one batch"):
        services.submit(lab, config(train__batch_size=64))


def test_a_typed_name_goes_with_the_configuration(lab: Lab) -> None:
    run = services.submit(lab, config(), name="  mine ")
    assert (run.name, run.config.name) == ("mine", "mine")
    assert run.fingerprint == services.submit(lab, config()).fingerprint


def test_tiles_without_labelled_terrain_are_refused(lab: Lab, tmp_path: Path) -> None:
    pairs = np.zeros((30, 2, 64, 128))
    pairs[:, 0] = np.random.default_rng(0).integers(0, 256, (30, 64, 128))
    np.savez(tmp_path / "dark.npz", training_set=pairs)
    services.add_dataset(lab, tmp_path / "dark.npz")
    with pytest.raises(DatasetError, match="No terrain is labelled"):
        services.submit(lab, config(data__dataset="dark"))


def test_stopping_a_queued_run_takes_it_out_of_the_queue(lab: Lab) -> None:
    run = queue_run(lab, config())
    assert services.stop(lab, run.id).status is RunStatus.STOPPED
    assert not services.queue(lab)


def test_a_description_longer_than_a_name_may_be_is_cut(lab: Lab) -> None:
    everything = {
        "model__depth": 2, "model__filters": 24, "model__squeeze_excite": True, "model__se_ratio": 8,
        "model__residual": True, "model__skip_gate": "attention", "model__activation": "leaky_relu",
        "model__leaky_slope": 0.05, "model__normalization": "none", "model__dropout": 0.25,
        "loss__cross_entropy": 0.5, "loss__focal": 0.5, "loss__focal_gamma": 1.5, "loss__dice": 0.25,
        "loss__tversky": 0.75, "loss__label_smoothing": 0.05,
        "loss__class_weights__mode": "inverse_frequency", "loss__class_weights__cap": 8.0,
        "data__flip_horizontal": False, "train__epochs": 7,
        "train__learning_rate": 0.003, "train__weight_decay": 0.02, "train__plateau_factor": 0.25,
    }  # fmt: skip
    name = services.submit(lab, config(**everything)).name
    assert len(name) <= 200
    assert name.startswith("+SE +residual")
    assert name.endswith("…")


def test_looking_at_a_lab_with_work_to_do_replaces_a_scheduler_that_died(lab: Lab, woken: list[str]) -> None:
    services.activity(lab)
    assert not woken
    run = queue_run(lab, config())
    assert services.activity(lab).queued == 1
    assert len(woken) == 1
    services.look_after(lab, run.id)
    assert len(woken) == 2
    services.stop(lab, run.id)
    services.look_after(lab, run.id)
    assert len(woken) == 2


def test_a_lab_whose_scheduler_cannot_be_started_still_shows_itself(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise MarsSegError("no process left")

    monkeypatch.setattr("marsseg.services.lab.ensure_scheduler", refuse)
    queue_run(lab, config())
    assert services.activity(lab).queued == 1
    with pytest.raises(MarsSegError, match="no process left"):
        services.submit(lab, config())


def test_stopping_a_running_run_asks_its_worker(lab: Lab) -> None:
    run, token = start_run(lab, queue_run(lab, config()).id)
    stopping = services.stop(lab, run.id)
    assert stopping.status is RunStatus.STOPPING
    assert lab.store.heartbeat(run.id, token) is True


def test_only_runs_that_ended_early_resume(lab: Lab) -> None:
    done = finish_run(lab, config())
    with pytest.raises(StateError):
        services.resume(lab, done.id)
    stopped = finish_run(lab, config(train__seed=5), status=RunStatus.STOPPED)
    assert services.resume(lab, stopped.id).status is RunStatus.QUEUED


def test_details_hold_epochs_and_the_story_of_the_run(lab: Lab) -> None:
    run = finish_run(lab, config())
    details = services.run_details(lab, run.id)
    assert [epoch.epoch for epoch in details.epochs] == [1, 2, 3]
    assert len(details.events) >= 3
    assert not details.has_model


def test_previews_line_up_tiles_truth_and_masks_by_epoch(lab: Lab) -> None:
    run = finish_run(lab, config())
    previews = services.read_previews(lab, run)
    assert previews is not None
    assert previews.epochs == (0, 1, 2, 3)
    assert previews.masks.shape == (4, *previews.truth.shape)


def test_the_log_shows_its_tail_from_a_whole_line(lab: Lab) -> None:
    run = queue_run(lab, config())
    assert services.read_log(lab, run.id) == ""
    path = services.log_path(lab, run.id)
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"line {n}\n" for n in range(10_000)))
    tail = services.read_log(lab, run.id, tail_bytes=100)
    assert tail.startswith("line ")
    assert tail.endswith("line 9999\n")
    assert len(tail) <= 100


def test_deleting_needs_an_ended_run_and_takes_its_files(lab: Lab) -> None:
    active, _ = start_run(lab, queue_run(lab, config(train__seed=1)).id)
    with pytest.raises(StateError):
        services.delete(lab, [active.id])
    run = finish_run(lab, config())
    services.delete(lab, [run.id])
    assert not lab.settings.run_dir(run.id).exists()
    with pytest.raises(NotFoundError):
        services.get_run(lab, run.id)


def test_waiting_for_a_failed_run_says_its_reason(lab: Lab) -> None:
    run = finish_run(lab, config(), status=RunStatus.FAILED)
    with pytest.raises(RunFailedError, match="3 epochs"):
        services.wait(lab, run.id)


def test_using_a_run_without_a_network_is_refused(lab: Lab) -> None:
    failed = finish_run(lab, config(), status=RunStatus.FAILED)
    with pytest.raises(StateError, match="no exported network: it is failed"):
        services.require_model(lab, failed.id)
    for status, says in (
        (RunStatus.COMPLETED, r"has lost its network model\.onnx; extend it"),
        (RunStatus.STOPPED, r"has no network model\.onnx; resume it"),
    ):
        bare = finish_run(lab, config(), status=status)
        with pytest.raises(StateError, match=says):
            services.require_model(lab, bare.id)


def test_a_run_that_changes_nothing_is_called_what_its_preset_is_called(lab: Lab) -> None:
    preset = config(model__filters=8, model__depth=2)
    same = services.submit(lab, preset, baseline=preset, baseline_name="Quick")
    other_seed = preset.with_values({"train.seed": 4})
    repeat = services.submit(lab, other_seed, baseline=preset, baseline_name="Quick")
    changed = preset.with_values({"train.epochs": 2})
    other = services.submit_repeats(lab, changed, (1, 2), baseline=preset, baseline_name="Quick")
    typed = services.submit(lab, preset, name=" mine ", baseline=preset, baseline_name="Quick")
    names = [run.name for run in (same, repeat, *other, typed)]
    assert names == ["Quick", "Quick", "epochs 2", "epochs 2", "mine"]
