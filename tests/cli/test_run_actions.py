"""`runs …` that change a run, and the command that makes it again."""

from __future__ import annotations

import itertools
import json
import shlex
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from marsseg import services
from marsseg.config import RunConfig, apply_overrides
from marsseg.presets import get_preset
from marsseg.services import Lab
from marsseg.services.reproducing import _changes
from marsseg.store.records import NewRun, RunRecord, RunStatus
from tests.cli.conftest import Command, finish_run, queue_run
from tests.config.strategies import configs


def options(command: str) -> dict[str, list[str]]:
    """The options of a printed command, each with its values."""
    words = shlex.split(command)
    found: dict[str, list[str]] = {}
    for word, value in itertools.pairwise(words):
        if word.startswith("--"):
            found.setdefault(word, []).append(value)
    return found


@pytest.fixture
def running(lab: Lab) -> RunRecord:
    run = queue_run(lab, name="busy")
    lab.store.claim_next(1)
    return run


def test_stop_now_leaves_out_evaluation(marsseg: Command, lab: Lab, running: RunRecord) -> None:
    assert marsseg("runs", "stop", running.id, "--now", "--json").document["status"] == "stopping"
    assert services.get_run(lab, running.id).stop_now


def test_extending_without_a_checkpoint_is_refused(marsseg: Command, scored_run: str) -> None:
    answer = marsseg("runs", "extend", scored_run, "--epochs", 5)
    assert answer.status == 2
    assert "no checkpoint" in answer.err


def test_extending_queues_with_more_epochs(marsseg: Command, lab: Lab, scored_run: str) -> None:
    folder = services.checkpoints_dir(lab, scored_run)
    folder.mkdir()
    with lab.store._database.write() as session:
        session.connection().exec_driver_sql("UPDATE epochs SET checkpoint = 'epoch-0001-abc.npz'")
    (folder / "epoch-0001-abc.npz").touch()

    assert marsseg("runs", "extend", scored_run, "--epochs", 5, "--json").document["status"] == "queued"

    assert services.get_run(lab, scored_run).config.train.epochs == 6


def test_a_clone_differs_in_what_was_asked_and_is_named_by_it(
    marsseg: Command, lab: Lab, scored_run: str
) -> None:
    document = marsseg(
        "runs", "clone", scored_run, "--set", "model.residual=true", "--seed", 7, "--json"
    ).document
    original = services.get_run(lab, scored_run)
    assert document["id"] != scored_run
    assert document["name"] == "+residual"
    assert document["seed"] == 7
    assert document["config"]["model"]["residual"] is True
    assert document["config"]["train"]["batch_size"] == original.config.train.batch_size
    assert services.get_run(lab, scored_run) == original


def test_deleting_asks_and_without_a_terminal_refuses(marsseg: Command, lab: Lab, scored_run: str) -> None:
    answer = marsseg("runs", "delete", scored_run)
    assert answer.status == 2
    assert answer.out == ""
    for word in (scored_run, "scored", "1 of them with scores", "files", "cannot be undone", "--yes"):
        assert word in answer.err
    assert services.find_run(lab, scored_run)


def test_deleting_takes_rows_and_files(marsseg: Command, lab: Lab, scored_run: str) -> None:
    other = finish_run(lab, queue_run(lab, name="other"), RunStatus.FAILED)
    document = marsseg("runs", "delete", scored_run, other, "--yes", "--json").document
    assert document["deleted"] == [scored_run, other]
    assert document["bytes"] > 0
    assert services.list_runs(lab) == []
    assert not list(lab.settings.runs_dir.iterdir())


def test_of_several_that_cannot_all_be_deleted_none_is(
    marsseg: Command, lab: Lab, scored_run: str, running: RunRecord
) -> None:
    answer = marsseg("runs", "delete", scored_run, running.id, "--yes")
    assert answer.status == 2
    assert running.id in answer.err
    assert services.find_run(lab, scored_run)


def test_archived_runs_are_listed_on_demand(marsseg: Command, lab: Lab, scored_run: str) -> None:
    queued = queue_run(lab, name="waits").id
    marsseg("runs", "archive", scored_run)

    def listed(*extra: str) -> list[str]:
        return [run["id"] for run in marsseg("runs", "list", "--json", *extra).document]

    assert listed() == [queued]
    assert listed("--archived") == [scored_run]
    assert listed("--all") == [queued, scored_run]
    assert marsseg("leaderboard", "--format", "json").document["rows"] == []
    marsseg("runs", "archive", scored_run, "--undo")
    assert listed("--status", "completed") == [scored_run]


def test_an_unknown_state_names_those_there_are(marsseg: Command) -> None:
    answer = marsseg("runs", "list", "--status", "sleeping")
    assert answer.status == 2
    assert "queued, starting, running" in answer.err


def test_notes_and_tags_are_kept_and_found(marsseg: Command, scored_run: str) -> None:
    marsseg("runs", "note", scored_run, "first with rock")
    marsseg("runs", "tag", scored_run, "paper", "rock")
    marsseg("runs", "tag", scored_run, "--remove", "rock")
    assert marsseg("runs", "tag", scored_run, "--json").document == {"id": scored_run, "tags": ["paper"]}
    document = marsseg("runs", "show", scored_run, "--json").document
    assert (document["notes"], document["tags"]) == ("first with rock", ["paper"])
    assert [run["id"] for run in marsseg("runs", "list", "--tag", "paper", "--json").document] == [scored_run]
    text = marsseg("runs", "show", scored_run).out
    assert "first with rock" in text
    assert "paper" in text
    assert marsseg("runs", "note", scored_run, "", "--json").document["notes"] == ""


def test_the_timeline_tells_when_and_why(marsseg: Command, scored_run: str) -> None:
    events = marsseg("runs", "timeline", scored_run, "--json").document
    assert [event["kind"] for event in events][:3] == ["queued", "starting", "running"]
    assert events[-1]["kind"] == "completed"
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert "completed" in marsseg("runs", "timeline", scored_run).out


def test_reproduce_prints_a_command_that_the_terminal_takes(
    marsseg: Command, lab: Lab, scored_run: str
) -> None:
    answer = marsseg("runs", "reproduce", scored_run)
    words = shlex.split(answer.out)
    assert words[:4] == ["python", "-m", "marsseg", "train"]

    again = marsseg(*(word for word in words[3:] if word != "--wait"), "--json").document

    original = services.get_run(lab, scored_run)
    assert again["fingerprint"] == original.fingerprint
    assert again["seed"] == original.seed
    assert options(answer.out)["--dataset"] == [lab.store.get_dataset("crater").sha256[:12]]


@given(config=configs)
@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_the_changes_that_are_printed_give_the_same_configuration(config: RunConfig) -> None:

    assignments = [f"{path}={json.dumps(value)}" for path, value in _changes(config).items()]
    again = apply_overrides(get_preset("default").config, assignments)
    own = {"name": config.name, "data.dataset": config.data.dataset, "train.seed": config.train.seed}
    assert again.with_values(own) == config


def test_threads_go_into_the_command_and_into_the_run(marsseg: Command, lab: Lab) -> None:
    run_id = marsseg(
        "train", "--preset", "quick", "--dataset", "crater", "--threads", 3, "--priority", 2,
        "--tag", "night", "--note", "try", "--json",
    ).document["id"]  # fmt: skip
    run = services.get_run(lab, run_id)
    assert (run.threads, run.priority, run.tags, run.notes) == (3, 2, ("night",), "try")
    assert options(services.reproduce(lab, run_id).command)["--threads"] == ["3"]


def test_decisions_on_outliers_that_changed_since_are_said(lab: Lab) -> None:
    dataset = lab.store.get_dataset("crater")
    config = queue_run(lab).config
    run = lab.store.add_run(NewRun(config, "other rows", "f" * 16, dataset.id, dropped_rows=(1,)))
    assert any("left out 1 tiles" in note for note in services.reproduce(lab, run.id).notes)


def test_a_run_that_waits_says_for_what(marsseg: Command, running: RunRecord, tmp_path: Path) -> None:
    answer = marsseg("train", "--preset", "quick", "--dataset", "crater")
    assert "the only slot is taken by “busy”" in answer.err
