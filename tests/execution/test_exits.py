"""What an exit code tells a person."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from marsseg.execution.watch import describe_exit
from marsseg.ui.run_words import remedy

CUT_SHORT = """
import sys
import numpy as np
path = sys.argv[1]
np.save(path, np.zeros(1_000_000))
array = np.load(path, mmap_mode="r")
open(path, "r+").truncate(4096)
print(array.sum())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems end such a process in other ways")
def test_a_dataset_that_is_cut_short_under_a_worker_is_suspected(tmp_path: Path) -> None:
    code = subprocess.run([sys.executable, "-c", CUT_SHORT, tmp_path / "tiles.npy"], check=False).returncode

    sentence = describe_exit(code, "")

    assert sentence.startswith(
        "The worker was killed by signal 7 (SIGBUS), as happens when a file of its dataset"
    )
    assert "db check" in sentence
    assert "Add the dataset again" in remedy(sentence).sentence


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (-9, "The worker was killed by signal 9 (SIGKILL), often because memory ran out."),
        (-11, "The worker was killed by signal 11 (SIGSEGV)."),
        (-99, "The worker was killed by signal 99."),
        (3, "The worker ended with exit code 3 and without a last word: out of luck"),
    ],
)
def test_other_codes_are_called_what_they_are(code: int, sentence: str) -> None:
    assert describe_exit(code, "out of luck") == sentence
