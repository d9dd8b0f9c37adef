from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from marsseg.errors import ConfigError
from marsseg.settings import PROJECT_ROOT


@pytest.mark.training
@pytest.mark.parametrize(("text", "threads"), [("", None), ("1", 1), (" 8 ", 8)])
def test_threads_come_from_the_environment(text, threads):
    from marsseg.training.backend import read_threads

    assert read_threads({"MARSSEG_THREADS": text}) == threads
    assert read_threads({}) is None


@pytest.mark.training
@pytest.mark.parametrize("text", ["0", "-2", "two", "1.5", "²"])
def test_nonsense_threads_are_refused(text):
    from marsseg.training.backend import read_threads

    with pytest.raises(ConfigError, match="MARSSEG_THREADS: must be a whole number of at least 1"):
        read_threads({"MARSSEG_THREADS": text})


@pytest.mark.training
def test_the_machine_is_described_as_plain_json():
    from marsseg.training.backend import describe_devices

    facts = describe_devices()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["device"]
    assert facts["cpu"]
    assert facts["cores"] >= facts["usable_cores"] >= 1
    assert facts["intra_op_threads"] >= 1
    assert (facts["gpu_driver"] is None) == (facts["gpus"] == [])


@pytest.mark.training
def test_threads_and_determinism_are_as_tensorflow_says():
    code = """
import json
from marsseg.training import backend
backend.configure_devices(3)
before = backend.describe_devices()["deterministic"]
backend.seed_everything(0, deterministic=True)
print(json.dumps([before, backend.describe_devices()]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, check=True)
    before, facts = json.loads(done.stdout)
    assert before is False
    assert facts["deterministic"] is True
    assert facts["intra_op_threads"] == facts["inter_op_threads"] == 3


def test_tensorflow_itself_is_named_in_one_file_only():
    room = PROJECT_ROOT / "marsseg" / "training"
    mentions = {
        path.name
        for path in room.glob("*.py")
        if re.search(r"^\s*(import tensorflow|from tensorflow)|\btf\.", path.read_text(), re.MULTILINE)
    }
    assert mentions == {"backend.py"}
