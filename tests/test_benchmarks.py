"""Benchmarks are run by hand and rarely; a module that moves must not break them unnoticed."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from marsseg.settings import PROJECT_ROOT


def _cases() -> list[Any]:
    """All benchmarks; those that load TensorFlow wait for the tests that have loaded it anyway."""
    files = sorted((PROJECT_ROOT / "benchmarks").glob("*.py"))
    paths = [path for path in files if "__main__" in path.read_text("utf-8")]  # others are imported
    heavy = [any(name in path.read_text("utf-8") for name in ("keras", "marsseg.training")) for path in paths]
    return [
        pytest.param(path, id=path.name, marks=[pytest.mark.training] if is_heavy else [])
        for path, is_heavy in zip(paths, heavy, strict=True)
    ]


@pytest.mark.parametrize("path", _cases())
def test_a_benchmark_finds_all_that_it_imports(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert "main" in runpy.run_path(str(path), run_name="imported")
