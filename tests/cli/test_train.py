from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from marsseg.config import parse_values
from marsseg.presets import PRESETS
from marsseg.services import Lab
from tests.cli.conftest import Command, queue_run

TINY = [
    *("--set", "model.filters=4", "--set", "model.depth=2", "--set", "train.epochs=1"),
    *("--set", "train.batch_size=8", "--dataset", "crater"),
]


def test_presets_are_listed_with_their_source(marsseg: Command) -> None:
    listed = {preset["key"]: preset for preset in marsseg("presets", "list", "--json").document}
    assert set(listed) == set(PRESETS)
    assert all(preset["source"] and preset["title"] for preset in listed.values())
    assert listed["quick"]["config"]["model"]["depth"] == PRESETS["quick"].config.model.depth
    assert "quick" in marsseg("presets", "list").out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--preset NAME"),
        (["--preset", "quick", "--config", "x.json"], "--preset NAME"),
        (["--preset", "nothing"], "There is no preset called 'nothing'"),
        (["--config", "missing.json"], "missing.json cannot be read"),
        (["--preset", "quick", "--dataset", "nowhere"], "nowhere"),
        (["--preset", "quick", "--set", "model.depth"], "write path=value"),
        (["--preset", "quick", "--set", "model.dept=3"], "did you mean model.depth?"),
        (
            ["--preset", "quick", "--set", "train.learning_rate=-1"],
            "train.learning_rate: must be more than 0",
        ),
        (["--preset", "quick", "--seed", "-1"], "train.seed: must be at least 0; got -1."),
        (["--preset", "quick", "--dataset", ""], "data.dataset"),
        (["--preset", "quick", "--set", "combine.flips=true"], "combine.flips: runs are not combined by"),
        (["--preset", "quick", "--set", 'combine.members=["a"]'], "combine.members: runs are not combined"),
        (["--preset", "quick", "--two-stages", "--set", "combine.flips=true"], "combine.flips: runs are not"),
        (
            [
                "--preset",
                "quick",
                "--two-stages",
                "--set",
                "data.target=background",
                "--set",
                "loss.class_weights.background=1",
            ],
            "data.target: each of the two stages has its own",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_starts_nothing(marsseg: Command, lab: Lab, arguments: list[str], says: str) -> None:
    answer = marsseg("train", *arguments, "--json")
    assert answer.status == 2
    assert answer.out == ""
    assert says in answer.err
    assert lab.store.list_runs() == []


def test_each_mistake_gets_its_own_line(marsseg: Command) -> None:
    answer = marsseg("train", "--preset", "quick", "--set", "model.depth=0", "--set", "train.epochs=0")
    assert [line.split(":")[1].strip() for line in answer.err.splitlines()] == ["model.depth", "train.epochs"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "not valid JSON"),
        ("[]", "config"),
        ('{"model": {"layers": 3}}', "model.layers: is not a field"),
        ('{"train": {"epochs": "many"}}', 'train.epochs: must be a whole number; got "many".'),
    ],
)
def test_a_wrong_config_file_is_refused(marsseg: Command, tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(content)
    answer = marsseg("train", "--config", path)
    assert answer.status == 2
    assert says in answer.err


def test_a_refusal_of_two_stages_is_all_that_is_said(marsseg: Command) -> None:
    background = ("--set", "data.target=background", "--set", "loss.class_weights.background=1")
    answer = marsseg("train", "--preset", "quick", "--two-stages", "--dataset", "crater", *background)
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("schedule", ["plateau", "constant"])
def test_a_warm_up_longer_than_the_run_starts_with_a_warning(marsseg: Command, schedule: str) -> None:
    tiny = ("train", "--preset", "quick", *TINY, "--set", f"train.schedule={schedule}")
    late = "Warning: The run ends before the learning rate has risen to its full height."
    answer = marsseg(*tiny, "--set", "train.warmup_epochs=100")
    assert (answer.status, late in answer.err.splitlines()) == (0, True)
    assert late not in marsseg(*tiny).err
    staged = marsseg(*tiny, "--two-stages", "--set", "train.warmup_epochs=100")
    assert staged.err.splitlines().count(late) == 1


@pytest.mark.training
def test_the_whole_path_in_the_terminal(
    terminal: Command, home: Path, tmp_path: Path, no_leftover_processes: None
) -> None:
    """Queue and watch a run from a config file, then use it; scores and files are real."""
    file = tmp_path / "run.json"
    file.write_text(parse_values({"model.residual": True}).to_json())
    trained = terminal("train", "--config", file, *TINY, "--seed", "3", "--name", "tiny", "--wait", "--json")
    assert trained.status == 0, trained.err
    run = trained.document
    assert (run["status"], run["name"], run["seed"]) == ("completed", "tiny", 3)
    assert run["config"]["model"]["residual"] is True
    assert len(run["epochs"]) == 1
    assert 0 <= run["scores"]["test"]["terrain"]["terrain_only"]["mean_iou"] <= 1
    assert terminal("runs", "show", run["id"], "--json").document == run
    board = terminal("leaderboard", "--json").document
    assert [row["runs"] for row in board["rows"]] == [[run["id"]]]
    submission = tmp_path / "submission.csv"
    assert terminal("submission", "--run", run["id"], "--out", submission).status == 0
    assert len(submission.read_text().splitlines()) == 4
    assert terminal("runs", "log", run["id"]).out.strip()


@pytest.mark.training
def test_a_run_that_fails_exits_with_1(terminal: Command, lab: Lab, no_leftover_processes: None) -> None:
    """The dataset's files vanish between queueing and training."""
    run = queue_run(lab)
    assert terminal("runs", "stop", run.id).status == 0
    shutil.rmtree(lab.settings.datasets_dir / lab.store.get_dataset("crater").sha256)
    answer = terminal("runs", "resume", run.id, "--wait", "--json")
    assert answer.status == 1
    assert answer.document["status"] == "failed"
    assert answer.document["reason"] in answer.err
    assert answer.err.startswith(f"Run {run.id}, ")  # at once, also without a terminal for a bar


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([], "Quick"),
        (["--seed", "7"], "Quick"),
        (["--set", "train.epochs=2"], "epochs 2"),
        (["--name", "first try"], "first try"),
    ],
)
def test_a_preset_names_the_runs_that_do_what_it_says(
    marsseg: Command, lab: Lab, arguments: list[str], name: str
) -> None:
    marsseg("train", "--preset", "quick", "--dataset", "crater", *arguments)
    assert [run.name for run in lab.store.list_runs()] == [name]


def test_a_setting_without_a_say_is_told(marsseg: Command, tmp_path: Path) -> None:
    told = "Warning: model.drop_path=0.2 has no say without model.residual=true or model.encoder=resnet."
    dropped = (*TINY, "--set", "model.drop_path=0.2")
    for plan in ((), ("--two-stages",)):
        answer = marsseg("train", "--preset", "quick", *plan, *dropped)
        assert (answer.status, answer.err.splitlines().count(told)) == (0, 1)
    file = tmp_path / "run.json"
    file.write_text(parse_values({"model.drop_path": 0.2}).to_json())
    assert told in marsseg("train", "--config", file, *TINY).err
    assert told not in marsseg("train", "--preset", "quick", *dropped, "--set", "model.residual=true").err


def test_what_a_preset_brings_was_set_by_no_one(marsseg: Command) -> None:
    answer = marsseg("train", "--preset", "quick", *TINY, "--set", "train.schedule=cosine")
    assert (answer.status, "no say" in answer.err) == (0, False)
