"""What docs/service offers to copy fits the lab as it is."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import subprocess
import sys

from marsseg.settings import PROJECT_ROOT, Settings

FOLDER = PROJECT_ROOT / "docs" / "service"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()


def test_the_systemd_unit_starts_a_command_that_exists_and_spares_the_workers(settings: Settings) -> None:
    unit = configparser.RawConfigParser()
    unit.optionxform = str
    unit.read(FOLDER / "marsseg-scheduler.service")
    interpreter, *arguments = shlex.split(unit["Service"]["ExecStart"])

    assert interpreter.endswith("/.venv/bin/python")
    assert unit["Service"]["KillMode"] == "process"
    assert "--wait" in arguments
    ended = subprocess.run(
        [sys.executable, *arguments, "--idle-seconds", "0"],
        cwd=PROJECT_ROOT,
        env={**os.environ, **settings.environment()},
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0


def test_the_image_copies_what_is_there_and_all_that_the_pages_need() -> None:
    copies = re.findall(r"^COPY (.*)$", DOCKERFILE, re.MULTILINE)
    copied = {source for line in copies for source in line.split()[:-1]}

    assert all((PROJECT_ROOT / source).exists() for source in copied)
    assert copied >= {"app.py", "pages", "marsseg", ".streamlit", "requirements.lock"}


def test_the_image_s_command_lines_are_well_formed() -> None:
    lines = re.findall(r"(?:CMD|ENTRYPOINT) (\[.*\])$", DOCKERFILE, re.MULTILINE)
    health, entry, command = map(json.loads, lines)

    compile(health[2], "health check", "exec")
    assert entry[0] == "tini"
    assert (PROJECT_ROOT / command[4]).is_file()
    assert "USER marsseg" in DOCKERFILE
