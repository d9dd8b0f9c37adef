from __future__ import annotations

import pytest

from marsseg.config import RunConfig
from marsseg.config.machine import find_gpu_problems, require_gpu
from marsseg.errors import ConfigError

SENTENCE = "works on a GPU only, and this machine shows none; switch it off."


def test_mixed_precision_needs_a_gpu():
    wish = RunConfig().with_values({"train.mixed_precision": True})
    with pytest.raises(ConfigError) as refused:
        require_gpu(wish, gpus=0)
    assert refused.value.problems == {"train.mixed_precision": SENTENCE}
    require_gpu(wish, gpus=1)


def test_it_is_named_also_where_other_values_cannot_work():
    wish = {"train.mixed_precision": True, "train.epochs": None}
    assert find_gpu_problems(wish, gpus=0) == {"train.mixed_precision": SENTENCE}
    assert find_gpu_problems(wish, gpus=1) == {}


def test_all_else_needs_none():
    require_gpu(RunConfig(), gpus=0)
