"""What only a GPU can do is refused before it waits in the queue."""

from __future__ import annotations

import pytest

from marsseg import services
from marsseg.errors import ConfigError
from marsseg.execution.devices import Gpu
from marsseg.services.lab import Lab
from tests.support.labs import config

SENTENCE = "works on a GPU only, and this machine shows none; switch it off."


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """Give the machine so many GPUs."""

    def give(count: int) -> None:
        gpus = tuple(Gpu(f"GPU-{number}", "H100", 80 * 1024**3) for number in range(count))
        for module in ("submitting", "previewing"):
            monkeypatch.setattr(f"marsseg.services.{module}.list_gpus", lambda: gpus)

    return give


def test_without_a_gpu_mixed_precision_is_refused_with_a_sentence(lab: Lab, machine) -> None:
    machine(0)
    wish = config(train__mixed_precision=True)
    for use in (services.submit, services.preview):
        with pytest.raises(ConfigError) as refused:
            use(lab, wish)
        assert refused.value.problems == {"train.mixed_precision": SENTENCE}
    with pytest.raises(ConfigError, match=SENTENCE):
        services.submit_repeats(lab, wish, [1, 2])
    assert lab.store.list_runs() == []


def test_with_a_gpu_it_is_queued(lab: Lab, machine) -> None:
    machine(1)
    wish = config(train__mixed_precision=True)
    assert services.preview(lab, wish).split
    assert services.submit(lab, wish).config.train.mixed_precision
