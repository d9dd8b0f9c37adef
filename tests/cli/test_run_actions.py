"""`runs …` that change a run, and what a new one may be told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marsseg import services
from marsseg.services import Lab
from marsseg.settings import Settings
from marsseg.store import RunStore
from marsseg.store.records import RunRecord, RunStatus
from tests.cli.conftest import Command, finish_run, queue_run


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


@pytest.fixture
def extendable(lab: Lab, scored_run: str) -> str:
    """A completed run of one epoch that has its checkpoint."""
    folder = services.checkpoints_dir(lab, scored_run)
    folder.mkdir()
    with lab.store._database.write() as session:
        session.connection().exec_driver_sql("UPDATE epochs SET checkpoint = 'epoch-0001-abc.npz'")
    np.savez(folder / "epoch-0001-abc.npz", weights=np.zeros(3))
    return scored_run


def test_extending_queues_with_more_epochs(marsseg: Command, lab: Lab, extendable: str) -> None:
    assert marsseg("runs", "extend", extendable, "--epochs", 5, "--json").document["status"] == "queued"
    assert services.get_run(lab, extendable).config.train.epochs == 6


def test_extending_with_a_damaged_checkpoint_is_refused(marsseg: Command, lab: Lab, extendable: str) -> None:
    (services.checkpoints_dir(lab, extendable) / "epoch-0001-abc.npz").write_bytes(b"")
    answer = marsseg("runs", "extend", extendable, "--epochs", 5)
    assert answer.status == 2
    assert "or it is damaged" in answer.err


def test_whoever_waits_for_an_extension_that_does_not_come_about_is_told(
    marsseg: Command, lab: Lab, extendable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_no_room(settings: Settings, *, store: RunStore) -> None:
        if claimed := store.claim_next(1):
            store.finish(extendable, claimed[1], RunStatus.FAILED, "No room for its log.")

    before = marsseg("runs", "show", extendable, "--json").document["config"]
    monkeypatch.setattr("marsseg.services.lab.ensure_scheduler", find_no_room)
    answer = marsseg("runs", "extend", extendable, "--epochs", 5, "--wait", "--json")
    assert answer.status == 1
    assert "Not extended after all; it is as before. No room for its log." in answer.err
    assert (answer.document["status"], answer.document["config"]) == ("completed", before)


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


def test_deleting_says_what_is_made_of_it(marsseg: Command, lab: Lab, scored_run: str) -> None:
    assert "combination" not in marsseg("runs", "delete", scored_run).err
    made = services.combine(lab, [scored_run], flips=True)
    services.stop(lab, made.id)
    said = marsseg("runs", "delete", scored_run).err
    assert "1 combination is made of it and cannot be made again" in said
    assert f"{made.id}  scored, flipped (stopped)" in said


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


def test_a_new_run_takes_wishes_along(marsseg: Command, lab: Lab) -> None:
    run_id = marsseg(
        "train", "--preset", "quick", "--dataset", "crater", "--threads", 3, "--priority", -2,
        "--tag", "night", "--tag", "rock", "--note", "try", "--json",
    ).document["id"]  # fmt: skip
    run = services.get_run(lab, run_id)
    assert (run.threads, run.priority, run.tags, run.notes) == (3, -2, ("night", "rock"), "try")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--priority", "5000"], "priority: must be from -1000 to 1000; got 5000."),
        (["--threads", "100000"], "threads: must be from 1 to 1024; got 100000."),
        (["--threads", "0"], "--threads"),
        (["--tag", "a,b"], "tags: a tag is 1 to 40 characters without a comma; got 'a,b'."),
        (["--note", "x" * 10_001], "notes: at most 10000 characters; got 10001."),
    ],
)
def test_wishes_that_cannot_be_start_nothing(
    marsseg: Command, lab: Lab, arguments: list[str], says: str
) -> None:
    answer = marsseg("train", "--preset", "quick", "--dataset", "crater", *arguments)
    assert answer.status == 2
    assert says in answer.err
    assert lab.store.list_runs() == []


def test_notes_may_come_from_another_command(marsseg: Command, scored_run: str) -> None:
    first = marsseg("runs", "note", scored_run, "-", "--json", stdin="two\nlines 火星 \n".encode())
    assert first.document["notes"] == "two\nlines 火星"
    second = marsseg("runs", "note", scored_run, "-", "--json", stdin=b"no \xff text")
    assert second.document["notes"] == "no \ufffd text"


def test_a_tag_that_is_not_there_cannot_be_taken_away(marsseg: Command, lab: Lab, scored_run: str) -> None:
    marsseg("runs", "tag", scored_run, "rock")
    answer = marsseg("runs", "tag", scored_run, "new", "--remove", "rok")
    assert answer.status == 2
    assert f"Run {scored_run} has no tag 'rok' to remove; its tags: rock." in answer.err
    assert services.get_run(lab, scored_run).tags == ("rock",)


def test_extending_needs_an_epoch(marsseg: Command, scored_run: str) -> None:
    assert marsseg("runs", "extend", scored_run, "--epochs", 0).status == 2
    assert marsseg("runs", "extend", scored_run).status == 2


def test_a_clone_that_changes_nothing_is_called_as_the_run(marsseg: Command, scored_run: str) -> None:
    assert marsseg("runs", "clone", scored_run, "--json").document["name"] == "scored"
    assert marsseg("runs", "clone", scored_run, "--name", "mine", "--json").document["name"] == "mine"


def test_a_run_named_twice_is_deleted_once(marsseg: Command, scored_run: str) -> None:
    document = marsseg("runs", "delete", scored_run, "scored", "--yes", "--json").document
    assert (document["deleted"], document["scored"]) == ([scored_run], 1)


def test_a_run_made_long_ago_is_shown_without_what_it_did_not_record(
    marsseg: Command, lab: Lab, scored_run: str
) -> None:
    with lab.store._database.write() as session:
        session.connection().exec_driver_sql("""UPDATE runs SET provenance = '{"git_commit": null}'""")
    text = marsseg("runs", "show", scored_run).out
    assert "unknown" in text
    assert "None" not in text


def test_a_run_that_waits_says_for_what(marsseg: Command, running: RunRecord, tmp_path: Path) -> None:
    answer = marsseg("train", "--preset", "quick", "--dataset", "crater")
    assert "the only slot is taken by “busy”" in answer.err
