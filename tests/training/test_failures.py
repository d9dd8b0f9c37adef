from __future__ import annotations

import errno

import pytest

from marsseg.errors import DatasetError, StoreError
from marsseg.training.failures import failure_sentence

MEMORY = "Lower the batch size, the filters or the number of slots, then start again."


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MemoryError(), f"out of memory. {MEMORY}"),
        (ValueError("two\nlines"), "ValueError: two (the log has the traceback)"),
        (KeyError(), "KeyError: no message (the log has the traceback)"),
        (DatasetError("dataset 'mars' is gone"), "dataset 'mars' is gone"),
        (StoreError("The database stayed busy."), "The database stayed busy."),
    ],
)
def test_what_went_wrong_and_what_to_do(error, sentence, tmp_path):
    assert failure_sentence(error, tmp_path) == sentence


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        StoreError("There is no space left for /mars/runs.db; free some and try again."),
    ],
)
def test_a_full_disk_says_what_is_free(error, tmp_path):
    sentence = failure_sentence(error, tmp_path / "not there yet")
    assert sentence.startswith("disk full while saving (")
    assert str(tmp_path) in sentence
    assert sentence.endswith("Make room, then resume the run.")


@pytest.mark.training
def test_tensorflow_running_out_of_memory_names_the_shape(tmp_path):
    import keras

    with pytest.raises(Exception, match="OOM when allocating") as caught:
        keras.ops.zeros((10**7, 10**7))  # more than an address space holds
    assert failure_sentence(caught.value, tmp_path) == (
        f"out of memory while making a tensor of shape [10000000,10000000]. {MEMORY}"
    )
