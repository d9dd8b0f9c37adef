"""Labs for the use cases; the scheduler stays asleep so that nothing trains behind a test's back."""

from __future__ import annotations

from pathlib import Path

import pytest

from marsseg.services.lab import Lab
from tests.support.labs import make_lab


@pytest.fixture
def lab(tmp_path: Path, woken: list[str]) -> Lab:
    return make_lab(tmp_path)
