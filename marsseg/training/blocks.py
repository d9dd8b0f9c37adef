"""The parts a network is put together from: each toggle is a factory that returns the identity when off.

A `Part` maps one symbolic tensor (B, H, W, C) to another, a `Gate` maps encoder features `e` and decoder
features `d`, both (B, H, W, C), to what the skip connection passes on. All names given to layers start
with the level they belong to, as `encoder_1_conv_2`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TypeAlias

import keras
from keras import layers, ops

from marsseg.config import ModelConfig

Tensor: TypeAlias = keras.KerasTensor
Part = Callable[[Tensor], Tensor]
Gate = Callable[[Tensor, Tensor], Tensor]

BATCH_NORM_MOMENTUM = 0.9


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


class Blocks:
    """Builds the parts that a `ModelConfig` asks for.

    Args:
        config: the toggles.
        seed: draws every initial weight and dropout mask; None leaves that to `keras.utils.set_random_seed`.
    """

    def __init__(self, config: ModelConfig, seed: int | None = None) -> None:
        self.config = config
        self._random = None if seed is None else random.Random(seed)

    def conv(self, filters: int, size: int, name: str, *, bias: bool = True) -> Part:
        """A convolution that keeps height and width, with He initialisation (He 2015)."""
        return layers.Conv2D(
            filters,
            size,
            padding="same",
            use_bias=bias,
            kernel_initializer=keras.initializers.HeNormal(self._draw_seed()),
            name=name,
        )

    def upsample(self, filters: int, name: str) -> Part:
        """A 2×2 transposed convolution of stride 2 (the "up-convolution" of Ronneberger 2015).

        A quarter of the cost of upsampling before a 3×3 convolution, and open to any height and width,
        which Keras' `UpSampling2D` is not. It starts as nearest-neighbour upsampling of a 1×1 convolution:
        four unrelated kernels would print a checkerboard on the masks of the first epochs.
        """
        return layers.Conv2DTranspose(
            filters, 2, strides=2, kernel_initializer=NearestLecunNormal(self._draw_seed()), name=name
        )

    def normalize(self, name: str) -> Part:
        """Batch normalisation (Ioffe 2015), group normalisation (Wu 2018), or the identity."""
        if self.config.normalization == "batch":
            return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=name)
        if self.config.normalization == "group":
            return GroupNormalization(self.config.groups, name=name)
        return identity

    def activate(self, name: str) -> Part:
        """The nonlinearity; a leaky one has the configured slope, never a default of Keras."""
        if self.config.activation == "leaky_relu":
            return layers.LeakyReLU(negative_slope=self.config.leaky_slope, name=name)
        function = gelu if self.config.activation == "gelu" else self.config.activation
        return layers.Activation(function, name=name)

    def squeeze_excite(self, channels: int, name: str) -> Part:
        """Squeeze-and-Excitation, x · σ(W₂ ReLU(W₁ GAP(x))) with channels / ratio squeeze units (Hu 2018)."""
        if not self.config.squeeze_excite:
            return identity
        units = max(1, channels // self.config.se_ratio)
        squeeze = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")
        reduce = self._dense(units, "relu", f"{name}_reduce")
        expand = self._dense(channels, "sigmoid", f"{name}_expand")
        # Broadcast as it is: of five ways to multiply, this had the cheapest gradient on a CPU. A training
        # step takes 1.07 times as long as without, 1.48 times by einsum (benchmarks/squeeze_excite.py).
        scale = layers.Multiply(name=f"{name}_scale")
        return lambda x: scale([x, expand(reduce(squeeze(x)))])

    def drop(self, name: str) -> Part:
        """Dropout of whole channels (Tompson 2015): a lone pixel could be guessed from its neighbours."""
        if not self.config.dropout:
            return identity
        return layers.SpatialDropout2D(self.config.dropout, seed=self._draw_seed(), name=name)

    def double_conv(self, filters: int, name: str) -> Part:
        """Two 3×3 convolutions, with Squeeze-and-Excitation, shortcut and dropout where switched on.

        (B, H, W, C) becomes (B, H, W, filters). Order as in SE-ResNet: the excitation comes after the second
        normalisation and before the shortcut is added and the last nonlinearity applied.
        """

        def block(x: Tensor) -> Tensor:
            shortcut = self._shortcut(filters, name)
            y = self._conv_norm(filters, 3, f"{name}_conv_1")(x)
            y = self.activate(f"{name}_act_1")(y)
            y = self._conv_norm(filters, 3, f"{name}_conv_2")(y)
            y = self.squeeze_excite(filters, f"{name}_se")(y)
            y = shortcut(x, y)
            y = self.activate(f"{name}_act_2")(y)
            return self.drop(f"{name}_dropout")(y)

        return block

    def gate(self, name: str) -> Gate:
        """What a skip connection passes on, given encoder features e and decoder features d.

        Both gates that add e and d need equal channels; where they differ, a 1×1 convolution fits d to e.
        In the U-Net the up-convolution has done so already, and nothing is added.

        - none: e
        - gated: a + g ⊙ e with a = e + d, g = σ(conv₁ₓ₁(a)) (after Jiang 2021)
        - attention: α ⊙ e with α = σ(ψ(ReLU(θ(e) + φ(d)))), one α a pixel (Oktay 2018)
        - sigmoid_only: g alone, as the origin report's authors ran it
        """
        gates: dict[str, Gate] = {
            "none": lambda e, d: e,  # noqa: ARG005
            "gated": lambda e, d: self._sum_gate(e, d, name),
            "attention": lambda e, d: self._attention_gate(e, d, name),
            "sigmoid_only": lambda e, d: self._sigmoid_map(self._sum(e, d, name), name),
        }
        return gates[self.config.skip_gate]

    def _sum_gate(self, e: Tensor, d: Tensor, name: str) -> Tensor:
        total = self._sum(e, d, name)
        passed = layers.Multiply(name=f"{name}_pass")([self._sigmoid_map(total, name), e])
        return layers.Add(name=f"{name}_add")([total, passed])

    def _attention_gate(self, e: Tensor, d: Tensor, name: str) -> Tensor:
        inner = max(1, e.shape[-1] // 2)
        theta = self.conv(inner, 1, f"{name}_theta", bias=False)(e)
        phi = self.conv(inner, 1, f"{name}_phi")(d)
        both = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_sum")([theta, phi]))
        psi = self.conv(1, 1, f"{name}_psi")(both)
        alpha = layers.Activation("sigmoid", name=f"{name}_alpha")(psi)  # (B, H, W, 1)
        return layers.Multiply(name=f"{name}_pass")([e, alpha])

    def _sigmoid_map(self, total: Tensor, name: str) -> Tensor:
        scores = self.conv(total.shape[-1], 1, f"{name}_conv")(total)
        return layers.Activation("sigmoid", name=f"{name}_sigmoid")(scores)

    def _sum(self, e: Tensor, d: Tensor, name: str) -> Tensor:
        if d.shape[-1] != e.shape[-1]:
            d = self.conv(e.shape[-1], 1, f"{name}_fit")(d)
        return layers.Add(name=f"{name}_sum")([e, d])

    def _shortcut(self, filters: int, name: str) -> Gate:
        """The residual connection (He 2016): x + y, x fitted by a normalised 1×1 convolution if it must."""
        if not self.config.residual:
            return lambda x, y: y  # noqa: ARG005

        def add(x: Tensor, y: Tensor) -> Tensor:
            if x.shape[-1] != filters:
                x = self._conv_norm(filters, 1, f"{name}_shortcut")(x)
            return layers.Add(name=f"{name}_residual")([x, y])

        return add

    def _conv_norm(self, filters: int, size: int, name: str) -> Part:
        # A bias in front of a normalisation would be taken out again by its mean.
        conv = self.conv(filters, size, name, bias=self.config.normalization == "none")
        normalize = self.normalize(f"{name}_norm")
        return lambda x: normalize(conv(x))

    def _dense(self, units: int, activation: str, name: str) -> Part:
        initializer = keras.initializers.HeNormal(self._draw_seed())
        return layers.Dense(units, activation, kernel_initializer=initializer, name=name)

    def _draw_seed(self) -> int | None:
        return self._random.randrange(2**31) if self._random else None


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
def gelu(x: Tensor) -> Tensor:
    """Exact GELU, x · Φ(x) (Hendrycks 2016); Keras' own uses an operation that ONNX does not have."""
    return 0.5 * x * (1.0 + ops.erf(x * math.sqrt(0.5)))


def identity(x: Tensor) -> Tensor:
    """What a factory returns when its toggle is off."""
    return x
