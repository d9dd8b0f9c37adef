"""Networks of earlier versions are built as they were: stored runs resume from variables in their order."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from marsseg.config import ModelConfig
from marsseg.training.networks import build_network

pytestmark = pytest.mark.training

EARLIER = [
    ({}, "9d7bd7b8d96e1d31", [-1.8794, -0.0189, -0.5193, -0.4973, 0.1406]),
    (
        {
            "squeeze_excite": True,
            "residual": True,
            "skip_gate": "gated",
            "dropout": 0.2,
            "activation": "leaky_relu",
        },
        "db65c59db93c7439",
        [-1.6972, -1.2795, -2.4328, 3.2847, 0.7674],
    ),
    (
        {"normalization": "group", "skip_gate": "attention", "residual": True, "activation": "gelu"},
        "ae0c839fa44591eb",
        [1.4799, -0.3233, 0.3715, 1.1824, -1.0611],
    ),
    (
        {
            "normalization": "none",
            "skip_gate": "sigmoid_only",
            "squeeze_excite": True,
            "se_ratio": 2,
            "dropout": 0.1,
        },
        "4763e1e15f300af3",
        [-0.0598, 0.3215, -0.0669, -0.157, -0.2735],
    ),
]
"""Fields, digest of names and shapes, logits of one pixel: from before there were other architectures."""


def name_of(variable):
    """Its path; seed generators are numbered through all networks of a process."""
    return "seed" if "seed_generator" in variable.path else variable.path


@pytest.mark.parametrize(
    ("fields", "digest", "logits"), EARLIER, ids=["plain", "gated", "attention", "sigmoid"]
)
def test_an_earlier_network_has_its_layers_variables_and_numbers(fields, digest, logits):
    model = build_network(ModelConfig(depth=2, filters=8, **fields), seed=3)
    lines = [layer.name for layer in model.layers]
    lines += [f"{name_of(variable)} {tuple(variable.shape)}" for variable in model.variables]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] == digest
    ramp = np.linspace(-2, 2, 16 * 16, dtype="float32").reshape(1, 16, 16, 1)
    np.testing.assert_allclose(np.asarray(model(ramp, training=False))[0, 5, 7], logits, atol=2e-4)
