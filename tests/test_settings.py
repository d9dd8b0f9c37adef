from __future__ import annotations

from pathlib import Path

import pytest

from marsseg.errors import ConfigError
from marsseg.settings import PROJECT_ROOT, Settings, load_settings


def test_without_variables_everything_lives_in_the_project() -> None:
    settings = load_settings({})
    assert settings.home == PROJECT_ROOT
    assert settings.database_url == f"sqlite:///{PROJECT_ROOT / 'runs.db'}"
    assert settings.slots is None
    assert (PROJECT_ROOT / "pyproject.toml").is_file()


def test_the_home_moves_database_and_files_together(tmp_path: Path) -> None:
    settings = load_settings({"MARSSEG_HOME": str(tmp_path)})
    assert settings.database_url == f"sqlite:///{tmp_path / 'runs.db'}"
    assert settings.datasets_dir == tmp_path / "artifacts" / "datasets"
    assert settings.run_dir("abc") == tmp_path / "artifacts" / "runs" / "abc"


def test_a_home_may_be_relative_or_start_with_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings({"MARSSEG_HOME": "lab"}).home == tmp_path / "lab"
    assert load_settings({"MARSSEG_HOME": "~/lab"}).home == tmp_path / "lab"


def test_a_database_url_is_taken_as_it_is(tmp_path: Path) -> None:
    url = "postgresql+psycopg://lab@db/marsseg"
    settings = load_settings({"MARSSEG_HOME": str(tmp_path), "MARSSEG_DATABASE_URL": url})
    assert settings.database_url == url
    assert settings.artifacts == tmp_path / "artifacts"


def test_empty_variables_count_as_absent() -> None:
    empty = dict.fromkeys(["MARSSEG_HOME", "MARSSEG_DATABASE_URL", "MARSSEG_SLOTS"], "")
    assert load_settings(empty) == load_settings({})


def test_slots_are_read() -> None:
    assert load_settings({"MARSSEG_SLOTS": "3"}).slots == 3


def test_the_process_environment_is_read_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARSSEG_HOME", str(tmp_path))
    assert load_settings().home == tmp_path


def test_a_child_process_reads_the_same_settings(settings: Settings) -> None:
    assert load_settings(settings.environment()) == settings


@pytest.mark.parametrize("text", ["many", "0", "-1", "1.5", "1025"])
def test_slots_that_are_no_positive_whole_number_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match="from 1 to 1024"):
        load_settings({"MARSSEG_SLOTS": text})
