"""`runs reproduce`: the command that it prints is taken by the terminal and makes the same run."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import Any

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marsseg import services
from marsseg.cli import app
from marsseg.cli.train import changed, starting_point
from marsseg.config import RunConfig
from marsseg.services import Lab
from marsseg.store.records import NewRun, RunRecord
from tests.cli.conftest import Command, queue_run
from tests.config.strategies import configs


def options_of(command: str) -> dict[str, Any]:
    """What the terminal makes of a command, after a shell took it apart."""
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "marsseg", "train"]
    train = typer.main.get_command(app).commands["train"]
    options: dict[str, Any] = train.make_context("train", words[4:]).params
    return options


def config_of(options: dict[str, Any]) -> RunConfig:
    """The configuration that these options of `train` stand for."""
    start, _ = starting_point(options["preset"], options["config"])
    return changed(start, list(options["assignments"] or []), options["dataset"], options["seed"])


def add_run(lab: Lab, config: RunConfig, **values: Any) -> RunRecord:
    dataset = lab.store.get_dataset("crater")
    fingerprint = config.fingerprint(dataset.identity)
    return lab.store.add_run(NewRun(config, "any", fingerprint, dataset.id, dataset.dropped_rows, **values))


@settings(
    max_examples=60,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
    ],
)
@given(config=configs, threads=st.none() | st.integers(1, 1024))
def test_the_command_stands_for_the_run(lab: Lab, config: RunConfig, threads: int | None) -> None:
    run = add_run(lab, config, threads=threads)
    options = options_of(services.reproduce(lab, run.id).command)
    again = config_of(options)
    assert lab.store.get_dataset(again.data.dataset).id == run.dataset_id
    assert again.with_values({"name": config.name, "data.dataset": config.data.dataset}) == config
    assert (options["threads"], options["seed"], options["wait"]) == (threads, run.seed, True)


def test_the_command_makes_a_repeat_of_the_run(marsseg: Command, lab: Lab) -> None:
    run = queue_run(lab, **{"model.residual": True, "loss.class_weights.cap": 5.0, "train.seed": 9})
    words = shlex.split(services.reproduce(lab, run.id).command)[3:]
    words.remove("--wait")
    again = services.get_run(lab, marsseg(*words, "--json").document["id"])
    assert again.config == run.config
    assert (again.fingerprint, again.dropped_rows) == (run.fingerprint, run.dropped_rows)


def test_a_renamed_dataset_is_found_by_its_checksum(lab: Lab) -> None:
    run = queue_run(lab)
    services.rename_dataset(lab, "crater", "crater of old")
    options = options_of(services.reproduce(lab, run.id).command)
    assert lab.store.get_dataset(options["dataset"]).name == "crater of old"


def test_the_command_alone_goes_to_stdout(marsseg: Command, scored_run: str, lab: Lab) -> None:
    with lab.store._database.write() as session:
        session.connection().exec_driver_sql(
            """UPDATE runs SET provenance = '{"git_commit": "abc123", "git_dirty": true}', launches = 2"""
        )
    answer = marsseg("runs", "reproduce", scored_run)
    again = services.reproduce(lab, scored_run)
    assert answer.out == f"{again.command}\n"
    assert answer.err.splitlines() == ["Made with commit abc123.", *again.notes]
    assert "nobody recorded" in answer.err
    assert "2 launches" in answer.err
    assert marsseg("runs", "reproduce", scored_run, "--json").document == {
        "id": scored_run,
        "command": again.command,
        "git_commit": "abc123",
        "git_dirty": True,
        "dataset_sha256": lab.store.get_dataset("crater").sha256,
        "notes": list(again.notes),
    }


def test_decisions_on_outliers_that_changed_since_are_said(lab: Lab) -> None:
    run = queue_run(lab)
    assert services.reproduce(lab, run.id).notes == ()
    group = services.dataset_report(lab, "crater").groups[0]
    services.keep_group(lab, "crater", group.id, keep=True)
    (note,) = services.reproduce(lab, run.id).notes
    assert f"left out {len(run.dropped_rows)} tiles as outliers; the dataset now leaves out 0" in note


def test_a_run_that_ended_early_is_told_from_what_the_command_makes(lab: Lab) -> None:
    run = queue_run(lab, **{"train.epochs": 40})
    lab.store.request_stop(run.id)
    (note,) = services.reproduce(lab, run.id).notes
    assert "is stopped after 0 of 40 epochs; the command trains all of them" in note


def test_a_combination_says_that_a_member_is_gone(marsseg: Command, lab: Lab, scored_run: str) -> None:
    made = services.combine(lab, [scored_run], flips=True)
    services.stop(lab, made.id)
    assert services.reproduce(lab, made.id).notes == ()
    services.delete(lab, [scored_run])
    answer = marsseg("runs", "reproduce", made.id)
    assert f"marsseg combine {scored_run} --rule mean --flips" in answer.out
    assert f"Run {scored_run}, which this one is made of, was deleted" in answer.err


def test_what_keeps_numbers_from_being_the_same_is_said(lab: Lab) -> None:
    run = add_run(lab, RunConfig().with_values({"train.deterministic": False}))
    assert "last digits will differ" in services.reproduce(lab, run.id).notes[0]


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_shells_take_the_command_apart_as_meant(lab: Lab, shell: str) -> None:
    run = add_run(lab, RunConfig().with_values({"loss.class_weights.manual": [0.0, 1.5, 1e-7, 1.0, 900.0]}))
    command = services.reproduce(lab, run.id).command
    script = command.replace("python -m marsseg", f"{sys.executable} -c 'import sys; print(sys.argv[1:])'", 1)
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == repr(shlex.split(command)[3:])
