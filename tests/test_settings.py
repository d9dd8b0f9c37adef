from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import make_url

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


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("sqlite:///my.db", "sqlite:///{here}/my.db"),
        ("sqlite+pysqlite:///a folder/my.db", "sqlite+pysqlite:///{here}/a folder/my.db"),
        ("sqlite:///../my.db", "sqlite:///{here}/../my.db"),
        ("sqlite:///my.db?timeout=5", "sqlite:///{here}/my.db?timeout=5"),
        ("sqlite:///file:my.db?mode=ro&uri=true", "sqlite:///file:{here}/my.db?mode=ro&uri=true"),
    ],
)
def test_a_sqlite_file_is_sought_in_the_folder_of_whoever_named_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, absolute: str
) -> None:
    """Scheduler and workers get the address, too, and run in another folder."""
    here = tmp_path / "50 %41 für?"
    here.mkdir()
    monkeypatch.chdir(here)
    named = load_settings({"MARSSEG_DATABASE_URL": url})
    monkeypatch.chdir("/")
    inherited = load_settings(named.environment())
    expected = make_url(absolute.format(here=quote(str(here))))
    assert make_url(named.database_url) == make_url(inherited.database_url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////srv/lab/my.db?timeout=5",
        "sqlite:///file:/srv/lab/my.db?uri=true",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:shared?mode=memory&uri=true",
        "sqlite:///file::memory:?uri=true",
        "sqlite:my.db",
        "my.db",
        "postgresql+psycopg://lab:se%40cret@db:5433/marsseg?connect_timeout=5",
    ],
)
def test_what_names_no_relative_file_is_taken_as_it_is(url: str) -> None:
    assert load_settings({"MARSSEG_DATABASE_URL": url}).database_url == url


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
