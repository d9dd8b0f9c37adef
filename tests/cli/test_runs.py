from __future__ import annotations

import re

import pytest

from marsseg.identity import own_identity
from marsseg.services import Lab
from marsseg.store.records import Phase, Progress, RunStatus
from tests.cli.conftest import Command, finish_run, queue_run


def test_looking_at_runs_that_wait_replaces_a_scheduler_that_died(
    marsseg: Command, lab: Lab, woken: list[str]
) -> None:
    marsseg("runs", "list")
    assert not woken
    run = queue_run(lab)
    marsseg("runs", "list")
    marsseg("runs", "show", run.id)
    assert len(woken) == 2


def test_no_runs_are_an_empty_list(marsseg: Command) -> None:
    assert marsseg("runs", "list", "--json").document == []


def test_runs_are_listed_newest_first(marsseg: Command, lab: Lab) -> None:
    ids = [queue_run(lab, name=name).id for name in ("first", "second")]
    listed = marsseg("runs", "list", "--json").document
    assert [run["id"] for run in listed] == ids[::-1]
    assert [run["status"] for run in listed] == ["queued", "queued"]
    text = marsseg("runs", "list").out
    assert text.index("second") < text.index("first")
    assert all(run_id in text for run_id in ids)


def test_folds_of_one_name_are_told_apart(marsseg: Command, lab: Lab) -> None:
    assert "Fold" not in marsseg("runs", "list").out
    plain = queue_run(lab, name="plain")
    assert "Fold" not in marsseg("runs", "list").out + marsseg("queue", "list").out
    folds = {queue_run(lab, name="k", **{"data.folds": 2, "data.fold": fold}).id: fold for fold in (0, 1)}
    for document in (marsseg("runs", "list", "--json").document, queued(marsseg)):
        assert {run["id"]: run["fold"] for run in document} == {plain.id: None, **folds}
    for command in ("runs", "queue"):
        lines = marsseg(command, "list").out.splitlines()
        rows = [line.split() for line in lines if " k " in line]
        told = {row[row.index("k") - 1]: row[row.index("k") + 1 :][:2] for row in rows}
        assert told == {run_id: ["0", str(fold)] for run_id, fold in folds.items()}
    last = list(folds)[1]
    assert re.search(r"^Fold +1$", marsseg("runs", "show", last).out, re.MULTILINE)
    assert "Fold" not in marsseg("runs", "show", plain.id).out


def queued(marsseg: Command) -> list[dict[str, object]]:
    return list(marsseg("queue", "list", "--json").document["queued"])


def test_show_holds_what_was_promised(marsseg: Command, scored_run: str) -> None:
    document = marsseg("runs", "show", scored_run, "--json").document
    assert document["id"] == scored_run
    assert (document["name"], document["status"], document["seed"]) == ("scored", "completed", 0)
    assert document["parameters"] == 1234
    assert document["config"]["data"]["dataset"] == "crater"
    (epoch,) = document["epochs"]
    assert epoch["epoch"] == 1
    assert epoch["val_loss"] is None, "JSON knows no NaN"
    assert {"loss", "val_terrain_miou", "learning_rate", "seconds"} <= set(epoch)
    for split in ("validation", "test"):
        for lens in ("terrain", "course", "strict"):
            for decoding in ("argmax", "terrain_only"):
                score = document["scores"][split][lens][decoding]
                assert len(score["class_iou"]) == 5
    assert document["scores"]["test"]["terrain"]["argmax"]["mean_iou"] == 1.0
    assert document["scores"]["test"]["terrain"]["argmax"]["class_iou"][0] is None


def test_show_for_people_has_epochs_and_scores(marsseg: Command, scored_run: str) -> None:
    text = marsseg("runs", "show", scored_run).out
    assert "completed" in text
    assert "1,234" in text
    assert "terrain_only" in text
    assert "nan" not in text


def test_an_unambiguous_beginning_of_an_id_will_do(marsseg: Command, scored_run: str) -> None:
    assert marsseg("runs", "show", scored_run[:-2], "--json").document["id"] == scored_run


@pytest.mark.parametrize("command", ["show", "stop", "resume", "log"])
def test_an_unknown_run_is_bad_input(marsseg: Command, command: str) -> None:
    answer = marsseg("runs", command, "nobody", "--json")
    assert answer.status == 2
    assert answer.out == ""
    assert "nobody" in answer.err


def test_stopping_a_queued_run_takes_it_out_of_the_queue(marsseg: Command, lab: Lab) -> None:
    run = queue_run(lab)
    assert marsseg("runs", "stop", run.id, "--json").document["status"] == "stopped"
    assert lab.store.queue() == []


@pytest.mark.parametrize("command", ["stop", "resume"])
def test_a_completed_run_can_be_neither_stopped_nor_resumed(
    marsseg: Command, scored_run: str, command: str
) -> None:
    answer = marsseg("runs", command, scored_run)
    assert answer.status == 2
    assert "completed" in answer.err


def test_a_run_that_loads_has_done_none_of_its_epochs(marsseg: Command, lab: Lab) -> None:
    queue_run(lab, **{"train.epochs": 12})
    run, token = lab.store.claim_next(1)
    lab.store.worker_started(run.id, token, own_identity(token))
    lab.store.report_progress(run.id, token, Progress(Phase.LOADING))
    assert "0/12" in marsseg("runs", "list").out


def test_a_run_that_has_ended_is_listed_with_the_epochs_that_it_completed(marsseg: Command, lab: Lab) -> None:
    queue_run(lab, **{"train.epochs": 6})
    run, token = lab.store.claim_next(1)
    lab.store.worker_started(run.id, token, own_identity(token))
    lab.store.report_progress(run.id, token, Progress(Phase.TRAINING, 1, 6, 2, 5))
    assert "1/6" in marsseg("runs", "list").out
    lab.store.finish(run.id, token, RunStatus.STOPPED, "Asked to.")
    assert "0/6" in marsseg("runs", "list").out


def test_a_worker_that_is_silent_for_long_is_told(marsseg: Command, lab: Lab) -> None:
    queue_run(lab)
    run, token = lab.store.claim_next(1)
    lab.store.worker_started(run.id, token, own_identity(token))
    assert "No sign of life" not in marsseg("runs", "show", run.id).out
    with lab.store._database.write() as session:
        session.connection().exec_driver_sql("UPDATE runs SET heartbeat_at = heartbeat_at - 190")
    told = marsseg("runs", "show", run.id).out
    assert re.search(r"for 3 min [1-5]\d s; its process is suspended or stuck", told)


def test_a_log_is_printed_from_its_end(marsseg: Command, scored_run: str) -> None:
    assert marsseg("runs", "log", scored_run, "--lines", "2").out == "line 499\nline 500\n"
    assert marsseg("runs", "log", scored_run).out.startswith("line 301\n")
    document = marsseg("runs", "log", scored_run, "--lines", "1", "--json").document
    assert document == {"id": scored_run, "log": "line 500\n"}


@pytest.mark.parametrize("ending", ["", "\n"])
def test_of_a_line_too_long_to_read_whole_the_end_is_printed(
    marsseg: Command, lab: Lab, scored_run: str, ending: str
) -> None:
    path = lab.settings.run_dir(scored_run) / "log.txt"
    path.write_text(f"first\n{'x' * 3_000} the end{ending}")
    answer = marsseg("runs", "log", scored_run, "--lines", 1)
    assert answer.out.endswith("x the end\n")
    assert answer.err == ""
    assert marsseg("runs", "log", scored_run, "--lines", 1, "--json").document["log"].endswith(f"end{ending}")


def test_a_run_without_a_log_prints_none(marsseg: Command, lab: Lab) -> None:
    run = queue_run(lab)
    said = marsseg("runs", "log", run.id)
    assert (said.status, said.out, said.err) == (0, "", "The run has not written a log.\n")


def test_a_name_is_text_and_steers_neither_markup_nor_terminal(marsseg: Command, lab: Lab) -> None:
    queue_run(lab, name="[bold red]loud[/] \x1b[31mred")
    text = marsseg("runs", "list").out
    assert "[bold red]loud[/]" in text
    assert "\x1b" not in text


def test_a_failed_run_tells_its_reason(marsseg: Command, lab: Lab) -> None:
    run_id = finish_run(lab, queue_run(lab), RunStatus.FAILED, reason="The disk is full.")
    assert "failed: The disk is full." in marsseg("runs", "show", run_id).out
