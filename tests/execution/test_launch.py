from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from marsseg.execution.launch import last_log_line, launch_worker, log_path
from marsseg.settings import PROJECT_ROOT, Settings, usable_cores

TELLTALE = "tests.execution.telltale_worker"


def test_the_log_receives_stdout_and_stderr_and_is_appended_to(settings: Settings) -> None:
    for token in ("first", "second"):
        assert launch_worker(settings, "run1", token, module=TELLTALE).wait(60) == 3

    text = log_path(settings, "run1").read_text()
    assert text.count("said on stdout") == 2
    assert text.count("said on stderr") == 2


def test_more_output_than_a_pipe_holds_blocks_nothing(settings: Settings) -> None:
    assert launch_worker(settings, "chatty", "token", module=TELLTALE).wait(60) == 3

    assert log_path(settings, "chatty").stat().st_size > 1_000_000


def test_the_worker_leads_its_own_session_in_the_project_without_input(settings: Settings) -> None:
    process = launch_worker(settings, "run1", "token", module=TELLTALE)
    process.wait(60)

    told = _told(settings)
    assert told["session"] == told["group"] == process.pid
    assert told["session"] != os.getsid(0)
    assert told["cwd"] == str(PROJECT_ROOT)
    assert told["stdin"] == ""


def test_the_worker_reads_the_same_settings_and_its_token(settings: Settings) -> None:
    launch_worker(settings, "run1", "the token", module=TELLTALE).wait(60)

    environment = _told(settings)["environment"]
    assert environment["MARSSEG_HOME"] == str(settings.home)
    assert environment["MARSSEG_DATABASE_URL"] == settings.database_url
    assert environment["MARSSEG_LAUNCH_TOKEN"] == "the token"
    assert environment["PYTHONUNBUFFERED"] == "1"
    assert environment["TF_CPP_MIN_LOG_LEVEL"]


@pytest.mark.parametrize(("slots", "threads"), [(1, usable_cores()), (10_000, 1)])
def test_the_cores_are_divided_between_the_slots(settings: Settings, slots: int, threads: int) -> None:
    settings = replace(settings, slots=slots)
    launch_worker(settings, "run1", "token", module=TELLTALE).wait(60)

    assert _told(settings)["environment"]["MARSSEG_THREADS"] == str(threads)


def test_the_last_log_line_skips_blank_lines(settings: Settings) -> None:
    assert not last_log_line(settings, "run1")
    log_path(settings, "run1").parent.mkdir(parents=True)
    log_path(settings, "run1").write_text("x" * 10_000 + "\nValueError: too deep\n\n")

    assert last_log_line(settings, "run1") == "ValueError: too deep"


def _told(settings: Settings) -> dict:
    return json.loads((settings.run_dir("run1") / "told.json").read_text())
