"""What Keras lacks: layers, an initialiser and an activation that save, load and export like its own."""

from __future__ import annotations

import math
from typing import TypeAlias

import keras
from keras import layers, ops

from marsseg.training.backend import resize_bilinear

Tensor: TypeAlias = keras.KerasTensor


@keras.saving.register_keras_serializable(package="marsseg")
class NearestLecunNormal(keras.initializers.Initializer):
    """LeCun initialisation of a transposed convolution, alike at every position of the kernel.

    With equal kernel and stride the layer then starts as nearest-neighbour upsampling of a 1×1 convolution
    ("initialisation to convolution, nearest-neighbour resize", Aitken 2017), without a checkerboard. LeCun's
    variance and not He's, because no rectifier follows that would take half of it away again.

    Args:
        seed: draws the numbers; None leaves that to `keras.utils.set_random_seed`.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        """Draw a kernel of shape (height, width, channels out, channels in)."""
        height, width, out, channels = shape
        kernel = keras.initializers.LecunNormal(self.seed)((1, 1, channels, out), dtype=dtype)
        return ops.tile(ops.transpose(kernel, (0, 1, 3, 2)), (height, width, 1, 1))

    def get_config(self) -> dict[str, int | None]:
        """The seed, from which Keras makes the initialiser anew."""
        return {"seed": self.seed}


@keras.saving.register_keras_serializable(package="marsseg")
class GroupNormalization(layers.GroupNormalization):
    """Keras' group normalisation of (B, H, W, C), with the mean taken one axis after the other.

    ONNX Runtime adds up a reduction over several axes number by number in float32: over the 131,072 values
    of a group, 1.7e-4 in the logits of a 256×256 image. Axis by axis, sums stay short, and the mean of each
    channel comes first, so that nothing large is reshaped: a training step takes a fifth less time.
    """

    def call(self, inputs: Tensor) -> Tensor:
        """Normalise each group of channels of each image, then scale and shift."""
        # squares of half-precision numbers overflow
        x = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        centred = x - self._mean_of_groups(x)
        variance = self._mean_of_groups(ops.square(centred))
        scale = self.gamma * ops.rsqrt(variance + self.epsilon)
        return ops.cast(centred * scale + self.beta, self.compute_dtype)

    def _mean_of_groups(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to (B, 1, 1, C): every channel holds the mean of its group."""
        members = x.shape[-1] // self.groups
        means = ops.mean(ops.mean(x, axis=2), axis=1)  # (B, C)
        means = ops.mean(ops.reshape(means, (-1, self.groups, members)), axis=-1, keepdims=True)
        return ops.reshape(ops.tile(means, (1, 1, members)), (-1, 1, 1, x.shape[-1]))


@keras.saving.register_keras_serializable(package="marsseg")
class ResizeLike(layers.Layer):
    """Bilinear interpolation to the height and width of another tensor, pixels as areas, edges repeated.

    Keras' `UpSampling2D` writes the size of the image that it was traced with into the ONNX file.
    """

    def call(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        """(B, h, w, C) and (B, H, W, any) to (B, H, W, C)."""
        x, like = inputs
        return ops.cast(resize_bilinear(x, like), self.compute_dtype)  # half precision comes back as single

    def compute_output_shape(self, shapes: tuple[tuple[int | None, ...], ...]) -> tuple[int | None, ...]:
        """The other tensor's height and width, this one's channels."""
        (batch, _, _, channels), (_, rows, columns, _) = shapes
        return (batch, rows, columns, channels)


@keras.saving.register_keras_serializable(package="marsseg")
def gelu(x: Tensor) -> Tensor:
    """Exact GELU, x · Φ(x) (Hendrycks 2016); Keras' own uses an operation that ONNX does not have."""
    return 0.5 * x * (1.0 + ops.erf(x * math.sqrt(0.5)))
