"""Design rules as tests. Who may import whom inside `marsseg` stands in .importlinter."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel

from marsseg.config import FieldView, RunConfig, iter_fields
from marsseg.settings import PROJECT_ROOT

PAGES = sorted((PROJECT_ROOT / "pages").glob("*.py"))
PAGE_LINES = 80
FILE_LINES = 300
ROOMS_OF_PAGES = {"ui", "services", "config", "presets", "classes", "errors"}
NOT_IN_THE_UI = ("tensorflow", "keras", "tf2onnx", "marsseg.training")

SEE_EVERY_PAGE = """
import json, sys
from streamlit.testing.v1 import AppTest

def errors(app):
    return [[error.message, *error.stack_trace[-3:]] for error in app.exception]

app = AppTest.from_file("app.py", default_timeout=120).run()
seen = {"app.py": errors(app)}
for page in sys.argv[1:]:
    app.switch_page(page).run()
    seen[page] = errors(app)
print(json.dumps({"errors": seen, "modules": sorted(sys.modules)}))
"""


@cache
def tracked_files() -> list[Path]:
    """Files in git; outside a checkout there is nothing to say about them."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    paths = (PROJECT_ROOT / name for name in listing.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def imported_modules(path: Path) -> set[str]:
    """Dotted names of everything a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory, first_home: Path) -> dict:
    """What came of loading every page once, in a process that has loaded nothing else."""
    home = shutil.copytree(first_home, tmp_path_factory.mktemp("visited") / "home")
    environment = {**os.environ, "MARSSEG_HOME": str(home)}
    pages = [path.relative_to(PROJECT_ROOT).as_posix() for path in PAGES]
    done = subprocess.run(
        [sys.executable, "-c", SEE_EVERY_PAGE, *pages],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_there_are_pages() -> None:
    assert PAGES


def test_every_page_draws_without_an_exception(visit: dict) -> None:
    assert set(visit["errors"]) == {"app.py", *(f"pages/{path.name}" for path in PAGES)}
    assert not {page: errors for page, errors in visit["errors"].items() if errors}


def test_loading_every_page_leaves_tensorflow_out(visit: dict) -> None:
    modules = set(visit["modules"])
    assert "streamlit" in modules
    assert not {name for name in modules if name.startswith(NOT_IN_THE_UI)}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_is_a_short_script(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").splitlines()) <= PAGE_LINES


@pytest.mark.parametrize("page", [*PAGES, PROJECT_ROOT / "app.py"], ids=lambda path: path.name)
def test_a_page_comes_in_by_the_door(page: Path) -> None:
    rooms = {name.split(".")[1] for name in imported_modules(page) if name.startswith("marsseg.")}
    assert rooms <= ROOMS_OF_PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_no_module_imports_a_page(page: Path) -> None:
    sources = [path for path in tracked_files() if path.suffix == ".py" and "marsseg" in path.parts]
    module = f"pages.{page.stem}"
    assert not [str(path) for path in sources if any(n.startswith(module) for n in imported_modules(path))]


def test_files_stay_short() -> None:
    sizes = {
        path.relative_to(PROJECT_ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in tracked_files()
        if path.suffix == ".py"
    }
    assert not {name: lines for name, lines in sizes.items() if lines > FILE_LINES}


@pytest.mark.parametrize("view", list(iter_fields()), ids=lambda view: view.path)
def test_every_field_says_how_it_is_shown(view: FieldView) -> None:
    assert view.ui.label.strip()
    assert view.ui.help.strip().endswith("."), "help is a sentence"
    assert view.ui.label[0].isupper()


def test_labels_within_a_section_are_distinct() -> None:
    labels = [(view.section, view.ui.label) for view in iter_fields()]
    assert len(labels) == len(set(labels))


def test_every_section_is_documented_and_every_field_has_a_default() -> None:
    assert RunConfig() == RunConfig.model_validate({})
    sections = {view.section for view in iter_fields()}
    assert all(issubclass(section, BaseModel) and section.__doc__ for section in sections)


# Written so that this file does not match itself.
NOT_OURS = {
    "a path on somebody's machine": re.compile(r"(?<![\w.])/(?:work|root|Users/\w+|home/\w+)/"),
    "a package registry": re.compile(r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.org|deb\.debian\.org)\b"),
}


def test_tracked_files_speak_of_the_project_alone() -> None:
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [f"{path.name}: {what}" for what, pattern in NOT_OURS.items() if pattern.search(text)]
    assert not found
