from __future__ import annotations

import json
import os

import pytest

from marsseg.execution.launch import (
    last_log_line,
    launch_worker,
    leave_worker,
    log_path,
    worker_environment,
)
from marsseg.identity import TOKEN_VARIABLE
from marsseg.settings import PROJECT_ROOT, Settings

TELLTALE = "tests.execution.telltale_worker"


def test_the_log_receives_stdout_and_stderr_and_is_appended_to(settings: Settings) -> None:
    for token in ("first", "second"):
        assert launch_worker(settings, "run1", token, threads=1, module=TELLTALE).wait(60) == 3

    text = log_path(settings, "run1").read_text()
    assert text.count("said on stdout") == 2
    assert text.count("said on stderr") == 2


def test_more_output_than_a_pipe_holds_blocks_nothing(settings: Settings) -> None:
    assert launch_worker(settings, "chatty", "token", threads=1, module=TELLTALE).wait(60) == 3

    assert log_path(settings, "chatty").stat().st_size > 1_000_000


def test_the_worker_leads_its_own_session_in_the_project_without_input(settings: Settings) -> None:
    process = launch_worker(settings, "run1", "token", threads=1, module=TELLTALE)
    process.wait(60)

    told = _told(settings)
    assert told["session"] == told["group"] == process.pid
    assert told["session"] != os.getsid(0)
    assert told["cwd"] == str(PROJECT_ROOT)
    assert told["stdin"] == ""


def test_the_worker_reads_the_same_settings_and_its_token(settings: Settings) -> None:
    launch_worker(settings, "run1", "the token", threads=1, module=TELLTALE).wait(60)

    environment = _told(settings)["environment"]
    assert environment["MARSSEG_HOME"] == str(settings.home)
    assert environment["MARSSEG_DATABASE_URL"] == settings.database_url
    assert environment["MARSSEG_LAUNCH_TOKEN"] == "the token"
    assert environment["PYTHONUNBUFFERED"] == "1"
    assert environment["TF_CPP_MIN_LOG_LEVEL"]


def test_the_worker_is_told_its_threads_in_every_library_s_words(settings: Settings) -> None:
    launch_worker(settings, "run1", "token", threads=3, module=TELLTALE).wait(60)

    environment = _told(settings)["environment"]
    for library in ("MARSSEG", "OMP_NUM", "OPENBLAS_NUM", "MKL_NUM"):
        assert environment[f"{library}_THREADS"] == "3"


def test_a_worker_sees_the_gpu_that_it_was_given(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    launch_worker(settings, "run1", "token", threads=1, gpu="GPU-b", module=TELLTALE).wait(60)

    assert _told(settings)["environment"]["CUDA_VISIBLE_DEVICES"] == "GPU-b"


@pytest.mark.parametrize("outside", [None, "0", ""])
def test_without_a_gpu_of_its_own_a_worker_finds_that_variable_untouched(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, outside: str | None
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if outside is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", outside)
    launch_worker(settings, "run1", "token", threads=1, module=TELLTALE).wait(60)

    assert _told(settings)["environment"].get("CUDA_VISIBLE_DEVICES") == outside


def test_a_scheduler_that_a_worker_started_gets_the_whole_machine_again(settings: Settings) -> None:
    outside = {"CUDA_VISIBLE_DEVICES": "0,1", "OMP_NUM_THREADS": "16", "HOME": "/root"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in outside.items():
            patch.setenv(name, value)
        patch.delenv("MARSSEG_THREADS", raising=False)
        before = dict(os.environ)
        inside = worker_environment(settings, "token", threads=2, gpu="GPU-b")

    leave_worker(inside)

    for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "HOME", "MARSSEG_THREADS", TOKEN_VARIABLE):
        assert inside.get(name) == before.get(name)


def test_leaving_is_nothing_to_one_who_was_no_worker() -> None:
    environment = {"CUDA_VISIBLE_DEVICES": "0"}

    leave_worker(environment)

    assert environment == {"CUDA_VISIBLE_DEVICES": "0"}


def test_the_last_log_line_skips_blank_lines(settings: Settings) -> None:
    assert not last_log_line(settings, "run1")
    log_path(settings, "run1").parent.mkdir(parents=True)
    log_path(settings, "run1").write_text("x" * 10_000 + "\nValueError: too deep\n\n")

    assert last_log_line(settings, "run1") == "ValueError: too deep"


def _told(settings: Settings) -> dict:
    return json.loads((settings.run_dir("run1") / "told.json").read_text())
