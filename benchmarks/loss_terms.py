"""Terms of the loss: cost of one forward and backward pass of each over that of cross-entropy.

    python benchmarks/loss_terms.py [--rounds 15]

The truth lies in patches, a third of it unlabelled, and the logits are those of a network that is often
right. All terms are timed in turn in one process, so that a busy machine slows each of them alike; printed is
the median of the ratios round by round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import tensorflow as tf

from marsseg.config import LossConfig
from marsseg.config.loss import TERMS
from marsseg.training.losses import build_loss

BATCH, HEIGHT, WIDTH, PATCH = 16, 64, 128, 8
WEIGHTS = (0, 1, 1, 1, 1)


def batch() -> tuple[tf.Tensor, tf.Tensor]:
    """Masks (B, H, W) in square patches and logits (B, H, W, 5) that lean towards the truth."""
    rng = np.random.default_rng(0)
    patches = rng.choice(5, (BATCH, HEIGHT // PATCH, WIDTH // PATCH), p=[0.33, 0.3, 0.2, 0.16, 0.01])
    masks = patches.repeat(PATCH, axis=1).repeat(PATCH, axis=2)
    logits = 2 * rng.normal(size=(*masks.shape, 5)) + 4 * np.eye(5)[masks]
    return tf.constant(masks), tf.constant(logits.astype("float32"))


def build_step(config: LossConfig) -> Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """A compiled function of masks and logits that gives the loss and its gradient in the logits."""
    loss = build_loss(config, WEIGHTS)

    @tf.function
    def step(masks, logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(masks, logits)
        return value, tape.gradient(value, logits)

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds

    configs = {term: LossConfig.model_validate({"cross_entropy": 0.0, term: 1.0}) for term in TERMS}
    configs["boundary, tolerance 15"] = LossConfig(cross_entropy=0.0, boundary=1.0, boundary_tolerance=15)
    configs["all nine"] = LossConfig.model_validate(dict.fromkeys(TERMS, 1.0))
    steps = {name: build_step(config) for name, config in configs.items()}
    masks, logits = batch()
    for step in steps.values():
        step(masks, logits)

    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            step(masks, logits)[1].numpy()
            seconds[name].append(time.perf_counter() - start)

    print(f"{'term':<24} {'ms':>8} {'ratio to cross_entropy':>24}")
    for name, times in seconds.items():
        pairs = zip(times, seconds["cross_entropy"], strict=True)
        ratio = statistics.median(t / reference for t, reference in pairs)
        print(f"{name:<24} {1000 * statistics.median(times):>8.1f} {ratio:>24.2f}")


if __name__ == "__main__":
    main()
