from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from marsseg import __version__
from marsseg.cli import app
from marsseg.settings import PROJECT_ROOT
from tests.cli.conftest import Command

PROMISED = {
    "datasets add",
    "datasets list",
    "datasets show",
    "train",
    "runs list",
    "runs show",
    "runs stop",
    "runs resume",
    "runs log",
    "scheduler",
    "db check",
    "db backup",
    "db vacuum",
    "db migrate",
    "leaderboard",
    "segment",
    "submission",
}


def tree() -> dict[str, Any]:
    """Every command that the terminal offers, by its words, such as "runs show"."""
    found: dict[str, Any] = {}
    for name, command in typer.main.get_command(app).commands.items():
        inner = getattr(command, "commands", {"": command})
        found |= {f"{name} {sub}".strip(): each for sub, each in inner.items()}
    return found


def commands() -> set[str]:
    return set(tree())


def options() -> set[str]:
    """Every option of every command, by its longest name."""
    found = {max(p.opts, key=len) for command in tree().values() for p in command.params}
    return {name for name in found if name.startswith("--")} - {"--help", "--install-completion"}


def documented() -> set[str]:
    """Every command that the README or a page under docs/ shows how to call."""
    pages = [PROJECT_ROOT / "README.md", *(PROJECT_ROOT / "docs").rglob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages if page.is_file())
    calls = re.findall(r"python -m marsseg ([a-z]+)(?: ([a-z]+))?", text)
    groups = {command.split()[0] for command in commands() if " " in command}
    return {f"{first} {second}".strip() if first in groups else first for first, second in calls}


def test_the_promised_commands_are_there() -> None:
    assert commands() >= PROMISED


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    assert documented() == commands()


def test_every_option_is_documented_and_every_documented_option_exists() -> None:
    page = (PROJECT_ROOT / "docs" / "terminal.md").read_text(encoding="utf-8")
    told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page))
    switched_off = {f"--no-{name[2:]}" for name in options()}
    assert options() <= told
    assert told <= options() | switched_off | {"--help"}


def test_every_command_speaks_json_but_the_one_that_serves() -> None:
    without = {name for name, c in tree().items() if not any("--json" in p.opts for p in c.params)}
    assert without == {"scheduler"}


def test_every_command_explains_itself(marsseg: Command) -> None:
    for command in commands():
        answer = marsseg(*command.split(), "--help")
        assert answer.status == 0
        assert "Usage:" in answer.out


def test_version(terminal: Command) -> None:
    answer = terminal("--version")
    assert (answer.status, answer.out, answer.err) == (0, f"marsseg {__version__}\n", "")


HEAVY = {"numpy", "sqlalchemy", "pandas", "tensorflow", "onnxruntime", "streamlit"}


def test_help_loads_neither_store_nor_numpy() -> None:
    code = (
        "import sys\n"
        "from marsseg.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    assert "typer" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["runs", "show"],
        ["train", "--nonsense"],
        ["segment", "x.png"],
        ["runs", "log", "a", "--lines", "x"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_says_so_on_stderr(marsseg: Command, arguments: list[str]) -> None:
    answer = marsseg(*arguments)
    assert answer.status == 2
    assert answer.out == ""
    assert answer.err.strip()


def test_a_home_that_cannot_be_made_gets_a_sentence(
    marsseg: Command, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MARSSEG_HOME", str(tmp_path / "file"))
    answer = marsseg("runs", "list", "--json")
    assert answer.status == 2
    assert answer.out == ""
    assert "MARSSEG_HOME" in answer.err


@pytest.mark.parametrize(("redirected", "status"), [(">&-", 0), ("<&-", 0), ("2>&-", 0), (">/dev/full", 2)])
def test_closed_and_full_streams_give_no_traceback(home: Path, redirected: str, status: int) -> None:
    command = f"{shlex.quote(sys.executable)} -m marsseg runs list {redirected}"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=PROJECT_ROOT,
        env={**os.environ, "MARSSEG_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == status, done.stderr
