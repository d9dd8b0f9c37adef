from __future__ import annotations

from types import SimpleNamespace

import pytest

from marsseg.config import RunConfig
from marsseg.execution.devices import Gpu
from marsseg.services import RunShare
from marsseg.store.records import Phase, Progress, RunStatus
from marsseg.ui import run_words


def run(status=RunStatus.RUNNING, progress=None, **values):
    usual = {"stop_now": False, "gpu": None, "threads": None, "launches": 1, "provenance": {}}
    usual["silence"] = lambda _now: 0.0
    return SimpleNamespace(status=status, progress=progress, **{**usual, **values})


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_words_and_a_share(phase):
    progress = Progress(phase, 3, 8, 5, 10)
    assert run_words.phase_text(run(progress=progress))
    assert 0 <= run_words.progress_share(progress) <= 1


@pytest.mark.parametrize(
    ("progress", "text", "share"),
    [
        (None, "starting the worker", 0),
        (Progress(Phase.LOADING), "loading the dataset", 0),
        (Progress(Phase.TRAINING, 3, 8, 5, 10), "epoch 3/8, step 5/10", 2.5 / 8),
        (Progress(Phase.VALIDATING, 3, 8, 10, 10), "epoch 3/8, validating", 3 / 8),
        (Progress(Phase.SAVING, 3, 8, 10, 10), "epoch 3/8, saving a checkpoint", 3 / 8),
        (Progress(Phase.EXPORTING, 3, 8), "exporting the network", 1),
    ],
)
def test_a_phase_says_what_is_done_and_how_much_is(progress, text, share):
    assert run_words.phase_text(run(progress=progress)) == text
    assert run_words.progress_share(progress) == pytest.approx(share)


def test_a_worker_that_is_silent_for_long_is_not_called_running_and_no_more():
    halted = run(progress=Progress(Phase.TRAINING, 3, 8, 5, 10), silence=lambda _now: 190.0)
    assert run_words.phase_text(halted) == "epoch 3/8, step 5/10 · no sign of life for 3 min 10 s"


@pytest.mark.parametrize(("now", "text"), [(False, "stopping: "), (True, "stopping at once: ")])
def test_a_run_that_stops_says_so(now, text):
    progress = Progress(Phase.TRAINING, 3, 8, 5, 10)
    words = run_words.phase_text(run(RunStatus.STOPPING, progress, stop_now=now))
    assert words == f"{text}epoch 3/8, step 5/10"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, ""),
        ({"threads": 1}, "1 thread"),
        ({"gpu": "GPU-5f0c8a5e-1111", "launches": 3}, "GPU 5f0c8a5e · attempt 3"),
        ({"gpu": "GPU-5f0c8a5e", "threads": 8, "provenance": {"gpus": ["H100"]}}, "H100 · 8 threads"),
    ],
)
def test_resources_in_small_print(values, text):
    assert run_words.resources_text(run(**values)) == text


@pytest.mark.parametrize(
    ("values", "fold"),
    [
        ({}, ""),
        ({"data.folds": 5}, "fold 0 of 0–4"),
        ({"data.folds": 5, "data.fold": 4}, "fold 4 of 0–4"),
        ({"data.folds": 2, "combine.rule": "mean", "combine.members": ["r-a", "r-b"]}, ""),
        ({"data.folds": 2, "combine.rule": "mean", "combine.members": ["r-a"], "combine.flips": True},
         "fold 0 of 0–1"),
        ({"data.folds": 2, "combine.rule": "two_stage", "combine.members": ["r-a", "r-b"]}, "fold 0 of 0–1"),
    ],
)  # fmt: skip
def test_folds_are_counted_as_their_field_is_and_tell_runs_of_one_name_apart(values, fold):
    one = run(name="a long name", id="r-1", seed=7, config=RunConfig().with_values(values))
    assert run_words.fold(one) == fold
    between = f" · {fold}" if fold else ""
    assert run_words.which(one) == f"seed 7{between} · id r-1"
    assert run_words.name_with_fold(one, 40) == f"a long name{between}"


@pytest.mark.parametrize(
    ("reason", "help_", "word"),
    [
        ("Loss became NaN in epoch 3, step 41.", "clone", "learning rate"),
        ("The loss is not finite.", "clone", "learning rate"),
        ("Out of memory: the kernel killed the worker.", "resume", "smaller batch"),
        ("Killed by signal 9, often out of memory.", "resume", "smaller batch"),
        ("disk full while saving: 3 MB are free.", "resume", "Delete runs"),
        ("The file of dataset 'bands' is missing.", "clone", "dataset"),
        ("The machine was restarted.", "resume", "Nothing is wrong"),
        ("No progress for 10 minutes while training.", "resume", "last checkpoint"),
        ("The worker ended with exit code 3: finances.", "resume", "last checkpoint"),
        ("", "resume", "last checkpoint"),
    ],
)
def test_each_reason_has_a_remedy(reason, help_, word):
    remedy = run_words.remedy(reason)
    assert remedy.button == help_
    assert word in remedy.sentence


@pytest.mark.parametrize(
    ("slots", "gpus", "text"),
    [
        (1, (), "Trains on 4 of 8 CPU cores; 1 run at a time."),
        (2, (), "Trains on 4 of 8 CPU cores; 2 runs at a time."),
        (1, ("H100",), "Trains on the GPU, H100 (80.0 GB); 1 run at a time."),
        (2, ("H100", "A40"), "Trains on one of 2 GPUs: H100 (80.0 GB), A40 (80.0 GB); 2 runs at a time."),
    ],
)
def test_a_share_of_the_machine_in_words(slots, gpus, text):
    share = RunShare(slots, 8, 4, tuple(Gpu(name, name, 80_000_000_000) for name in gpus))
    assert run_words.share_words(share) == text
