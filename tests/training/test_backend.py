from __future__ import annotations

import re

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
def test_devices_have_a_name():
    from marsseg.training.backend import describe_devices

    devices = describe_devices()
    assert devices["device"]
    assert devices["intra_op_threads"] >= 1


def test_tensorflow_itself_is_named_in_one_file_only():
    room = PROJECT_ROOT / "marsseg" / "training"
    mentions = {
        path.name
        for path in room.glob("*.py")
        if re.search(r"^\s*(import tensorflow|from tensorflow)|\btf\.", path.read_text(), re.MULTILINE)
    }
    assert mentions == {"backend.py"}
