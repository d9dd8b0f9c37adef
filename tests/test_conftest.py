"""What the shared fixtures promise: no test is skipped in silence where the real data must be there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from marsseg.settings import PROJECT_ROOT, load_settings

NEEDS_REAL_DATA = "tests/cli/test_datasets.py::test_the_real_tiles_report_their_outliers"


@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_missing_real_data_skip_by_hand_and_fail_in_ci(tmp_path: Path, ci: str, outcome: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", NEEDS_REAL_DATA, "-p", "no:cacheprovider"],
        cwd=PROJECT_ROOT,
        env={**os.environ, "CI": ci, "MARSSEG_REAL_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in done.stdout
    assert f"needs the real Mars tiles in {tmp_path}" in done.stdout


def test_tests_never_see_the_real_home() -> None:
    assert load_settings().home != PROJECT_ROOT


def test_what_needs_no_training_is_tested_without_tensorflow(request: pytest.FixtureRequest) -> None:
    """One import of it, also while collecting, makes every simulated page several times slower."""
    if "not training" not in request.config.option.markexpr:
        pytest.skip('only without training: -m "not training"')
    assert not {"keras", "tensorflow"} & set(sys.modules)
