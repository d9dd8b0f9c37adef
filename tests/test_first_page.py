"""What the first page of a new server may make a person wait for: only what it uses."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from marsseg.settings import PROJECT_ROOT, Settings
from tests.support import labs

NEEDS_A_REASON = {"alembic", "onnxruntime", "pandas", "plotly", "scipy", "tifffile"}
"""Packages that take long to import, and what the first page of a prepared lab has no use for."""

OPEN_THE_FIRST_PAGE = """
import json, sys
from streamlit.testing.v1 import AppTest
before = set(sys.modules)  # what Streamlit's test tool needs itself
app = AppTest.from_file("app.py", default_timeout=120).run()
loaded = sorted(set(sys.modules) - before)
said = [error.message for error in app.exception]
print(json.dumps({"errors": said, "title": app.title[0].value, "modules": loaded}))
"""


@pytest.fixture
def prepared(settings: Settings) -> Settings:
    """A home that was opened before; nothing has been trained yet."""
    labs.make_lab(settings.home).store.close()
    return settings


def test_the_first_page_imports_only_what_it_uses(prepared: Settings) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPEN_THE_FIRST_PAGE],
        cwd=PROJECT_ROOT,
        env={**os.environ, **prepared.environment()},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert (seen["errors"], seen["title"]) == ([], "Leaderboard")
    assert "marsseg.services" in seen["modules"]
    assert not {name.partition(".")[0] for name in seen["modules"]} & NEEDS_A_REASON
