"""Networks of all kinds pass the same checks: any two of their parts in the ordinary run."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from marsseg.config import ModelConfig
from tests.support.pairwise import pairs_of, pairwise
from tests.training.network_checks import trains_saves_loads_and_exports

pytestmark = [
    pytest.mark.training,
    pytest.mark.usefixtures("fresh_session"),
    pytest.mark.filterwarnings("error:Gradients do not exist"),
]

ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu")
FIELDS = {
    "architecture": ("unet", "unet3plus", "deeplabv3plus"),
    "encoder": ("plain", "resnet", "densenet"),
    "bottleneck": ("none", "aspp", "pyramid_pooling"),
    "squeeze": ("none", "channel", "spatial", "both"),
    "residual": (False, True),
    "deep_supervision": (False, True),
    "skip_gate": ("none", "gated", "attention", "sigmoid_only"),
    "normalization": ("batch", "group", "none"),
}
PARTS = ("architecture", "encoder", "bottleneck", "normalization")
TOGGLES = [name for name in FIELDS if name not in PARTS]
ALL_PAIRS = pairwise(FIELDS)
SAMPLE = [
    {**{name: FIELDS[name][place % len(FIELDS[name])] for name in TOGGLES}, **row}
    for place, row in enumerate(pairwise({name: FIELDS[name] for name in PARTS}))
]
CROSSED = ("architecture", "encoder", "bottleneck", "residual")
EVERY_ARCHITECTURE = [
    {**ALL_PAIRS[place % len(ALL_PAIRS)], **dict(zip(CROSSED, values, strict=True))}
    for place, values in enumerate(itertools.product(*(FIELDS[name] for name in CROSSED)))
    if values[0] != "deeplabv3plus" or values[2] == "none"  # it has a pyramid of its own
]
U_NET_TOGGLES = ("skip_gate", "squeeze_excite", "residual", "activation", "normalization")
EVERY_U_NET = list(
    itertools.product(FIELDS["skip_gate"], (False, True), (False, True), ACTIVATIONS, FIELDS["normalization"])
)


def config_of(row, place, **more):
    row = dict(row)
    squeeze = row.pop("squeeze")
    return ModelConfig(
        **row,
        **{"depth": 2, "filters": 4, "groups": 2, "se_ratio": 2, **more},
        squeeze_excite=squeeze != "none",
        se_kind="channel" if squeeze == "none" else squeeze,
        se_placement=("all", "bottleneck")[place % 2],
        activation=ACTIVATIONS[place % 5],
        drop_path=0.05 * (place % 2),
    )


def words(row):
    return "-".join(str(value) for value in (row.values() if isinstance(row, dict) else row))


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def pairs_between(names):
    return {
        ((first, a), (second, b))
        for first, second in itertools.combinations(sorted(names), 2)
        for a, b in itertools.product(FIELDS[first], FIELDS[second])
    }


def test_samples_have_the_pairs_that_they_claim_in_few_rows():
    assert set().union(*map(pairs_of, ALL_PAIRS)) == pairs_between(FIELDS)
    assert set().union(*map(pairs_of, SAMPLE)) >= pairs_between(PARTS)
    assert all({row[name] for row in SAMPLE} == set(FIELDS[name]) for name in TOGGLES)
    assert 16 <= len(ALL_PAIRS) <= 24
    assert 9 <= len(SAMPLE) <= 12


@pytest.mark.parametrize("place", range(len(SAMPLE)), ids=lambda place: words(SAMPLE[place]))
def test_networks_train_save_load_and_export(place, tmp_path, rng):
    config = config_of(SAMPLE[place], place, depth=1)
    trains_saves_loads_and_exports(config, tmp_path, rng, [(3, 64, 128), (1, 256, 256)])


@pytest.mark.long
@pytest.mark.parametrize("place", range(len(ALL_PAIRS)), ids=lambda place: words(ALL_PAIRS[place]))
def test_all_pairs_train_save_load_and_export(place, tmp_path, rng):
    config = config_of(ALL_PAIRS[place], place, depth=1 + place % 2)
    trains_saves_loads_and_exports(config, tmp_path, rng, [(3, 64, 128), (1, 256, 256)])


@pytest.mark.long
@pytest.mark.parametrize(
    "place", range(len(EVERY_ARCHITECTURE)), ids=lambda place: words(EVERY_ARCHITECTURE[place])
)
def test_every_architecture_trains_saves_loads_and_exports(place, tmp_path, rng):
    config = config_of(EVERY_ARCHITECTURE[place], place, depth=3 if place % 3 == 0 else 2, dropout=0.1)
    trains_saves_loads_and_exports(config, tmp_path, rng, [(2, 64, 128), (1, 256, 256)])


@pytest.mark.long
@pytest.mark.parametrize("values", EVERY_U_NET, ids=words)
def test_every_u_net_trains_saves_loads_and_exports(values, tmp_path, rng):
    toggles = dict(zip(U_NET_TOGGLES, values, strict=True))
    config = ModelConfig(depth=1, filters=4, groups=2, se_ratio=2, dropout=0.1, **toggles)
    trains_saves_loads_and_exports(config, tmp_path, rng, [(2, 64, 128)])
