"""The one file that speaks to TensorFlow itself: threads, devices, determinism, seeds, compiled functions."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from marsseg.errors import ConfigError
from marsseg.settings import usable_cores

THREADS_VARIABLE = "MARSSEG_THREADS"

TrainingStep = Callable[[np.ndarray, np.ndarray], float]
EvaluationStep = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, float]]


def read_threads(environ: Mapping[str, str]) -> int | None:
    """Read how many CPU threads a worker may use from `MARSSEG_THREADS`; None leaves it to TensorFlow.

    Raises:
        ConfigError: the value is no whole number of at least 1.
    """
    text = environ.get(THREADS_VARIABLE, "").strip()
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(
            {THREADS_VARIABLE: f"must be a whole number of at least 1; got {text!r}. Unset it for all cores."}
        )
    return int(text)


def configure_devices(threads: int | None) -> None:
    """Limit CPU threads and let GPU memory grow with need; call it before anything is computed.

    Raises:
        RuntimeError: TensorFlow has computed something already.
    """
    if threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def seed_everything(seed: int, *, deterministic: bool) -> None:
    """Seed Python, NumPy and Keras; with `deterministic`, make TensorFlow choose repeatable kernels.

    Determinism stays on for the rest of the process: TensorFlow has no way back.
    """
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def count_gpus() -> int:
    """How many GPUs TensorFlow can compute on in this process."""
    return len(tf.config.list_physical_devices("GPU"))


def build_training_step(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    loss: keras.losses.Loss,
    output_weights: Sequence[float] = (1.0,),
    *,
    xla: bool = False,
) -> TrainingStep:
    """Compile one step of training on Σ output weight · loss(output); XLA is used where asked for.

    The returned function takes standardised images (B, H, W, 1) float32 and masks (B, H, W) uint8, which
    all outputs are to match, changes the weights, and returns the loss from before the change.
    """
    outputs = len(output_weights)
    if outputs == 1:
        model.compile(optimizer=optimizer, loss=loss, jit_compile=xla)
    else:
        losses, weights = [loss] * outputs, list(output_weights)
        model.compile(optimizer=optimizer, loss=losses, loss_weights=weights, jit_compile=xla)

    def train(images: np.ndarray, masks: np.ndarray) -> float:
        truth = masks if outputs == 1 else [masks] * outputs
        return float(model.train_on_batch(images, truth, return_dict=True)["loss"])

    return train


def compile_action(action: Callable[[], None]) -> Callable[[], None]:
    """Make one graph of a function that changes variables and returns nothing."""
    return tf.function(action, autograph=False)


def build_evaluation_step(model: keras.Model, loss: keras.losses.Loss) -> EvaluationStep:
    """Compile one forward pass in inference mode that returns both decodings and the loss.

    The returned function takes standardised images (B, H, W, 1) float32 and masks (B, H, W) uint8 and returns
    argmax masks and terrain-only masks, each (B, H, W) uint8, and the batch's loss. It is traced once for
    all batch sizes, and each call reads the model's current weights.
    """
    signature = [
        tf.TensorSpec((None, None, None, 1), tf.float32),
        tf.TensorSpec((None, None, None), tf.uint8),
    ]

    @tf.function(input_signature=signature, autograph=False)
    def step(images: Any, masks: Any) -> tuple[Any, Any, Any]:
        logits = model(images, training=False)
        value = loss(tf.cast(masks, tf.int32), logits)
        return (
            tf.cast(tf.argmax(logits, axis=-1), tf.uint8),
            tf.cast(tf.argmax(logits[..., 1:], axis=-1) + 1, tf.uint8),
            value,
        )

    def evaluate(images: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        argmax, terrain_only, value = step(images, masks)
        return argmax.numpy(), terrain_only.numpy(), float(value)

    return evaluate


def resize_bilinear(images: Any, like: Any) -> Any:
    """Interpolate (B, h, w, C) to the height and width of another tensor, known only when the graph runs.

    `keras.ops.image.resize` wants numbers for a size. Products with matrices of weights, which Keras can
    express, gave the same but took up to 1.2 times as long for a training step of a UNet 3+.
    """
    return tf.image.resize(images, tf.shape(like)[1:3])


def describe_devices() -> dict[str, Any]:
    """What TensorFlow computes on, and how: the machine's part of a run's provenance, all JSON values.

    `deterministic` and the numbers of threads are what TensorFlow says of this process, whatever was asked.
    """
    from tensorflow.python.framework.config import is_op_determinism_enabled  # public only to switch it on

    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    build = tf.sysconfig.get_build_info()
    return {
        "device": ", ".join(names) or _cpu_name(),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "gpus": names,
        "gpu_driver": _gpu_driver() if names else None,
        "cuda": build.get("cuda_version"),
        "cudnn": build.get("cudnn_version"),
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count(),
        "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads() or os.cpu_count(),
        "deterministic": is_op_determinism_enabled(),
    }


def _gpu_driver() -> str | None:
    """Version of the NVIDIA driver; None when it does not tell."""
    import pynvml

    try:
        pynvml.nvmlInit()
        version = pynvml.nvmlSystemGetDriverVersion()
        pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return None
    return str(version)


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
