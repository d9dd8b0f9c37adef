"""The question before something is lost, at a real terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from marsseg import services
from marsseg.services import Lab
from marsseg.settings import PROJECT_ROOT
from tests.cli.conftest import Outcome

Answer = Callable[..., Outcome]


@pytest.fixture
def answered(home: Path) -> Answer:
    """Call a command whose stdin is a terminal at which a person types `answer`."""

    def call(answer: str, *arguments: str) -> Outcome:
        person, terminal = pty.openpty()
        try:
            os.write(person, answer.encode())
            done = subprocess.run(
                [sys.executable, "-m", "marsseg", *arguments],
                cwd=PROJECT_ROOT,
                env={**os.environ, "MARSSEG_HOME": str(home)},
                stdin=terminal,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        finally:
            os.close(terminal)
            os.close(person)
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


@pytest.mark.parametrize("typed", ["n\n", "\n", "maybe\n"])
def test_anything_but_a_yes_keeps_everything(answered: Answer, lab: Lab, scored_run: str, typed: str) -> None:
    answer = answered(typed, "runs", "delete", scored_run)
    assert answer.status == 1
    assert answer.out == ""
    assert f"{scored_run}  scored (completed)" in answer.err
    assert "1 of them with scores" in answer.err
    assert "Nothing was changed." in answer.err
    assert services.find_run(lab, scored_run)
    assert (lab.settings.run_dir(scored_run) / "model.onnx").exists()


def test_a_yes_deletes_and_leaves_stdout_to_the_document(answered: Answer, lab: Lab, scored_run: str) -> None:
    answer = answered("y\n", "runs", "delete", scored_run, "--json")
    assert answer.status == 0
    assert json.loads(answer.out)["deleted"] == [scored_run]
    assert answer.out.startswith("{")
    assert "Go ahead?" in answer.err
    assert services.find_run(lab, scored_run) is None


def test_what_is_refused_anyway_is_not_asked_about(answered: Answer, lab: Lab, scored_run: str) -> None:
    lab.store.add_run(services.submitting.prepare_run(lab, services.clone_config(lab, scored_run), "waits"))
    answer = answered("y\n", "runs", "delete", scored_run, "waits")
    assert answer.status == 2
    assert "Go ahead?" not in answer.err
    assert "is queued and cannot be deleted" in answer.err
    assert services.find_run(lab, scored_run)


def test_strays_are_asked_about(answered: Answer, lab: Lab) -> None:
    stray = lab.settings.run_dir("r-00000000")
    stray.mkdir()
    os.utime(stray, (10**9, 10**9))
    assert answered("n\n", "db", "check", "--remove-strays").status == 1
    assert stray.exists()
    assert answered("y\n", "db", "check", "--remove-strays").status == 0
    assert not stray.exists()
