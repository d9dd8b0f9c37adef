"""Single layers as a `ModelConfig` wants them; a toggle that is off gives the identity.

A `Part` maps one symbolic tensor (B, H, W, C) to another, a `Gate` maps encoder features `e` and decoder
features `d`, both (B, H, W, C), to what the skip connection passes on. All names given to layers start
with the level they belong to, as `encoder_1_conv_2`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import keras
from keras import layers

from marsseg.config import ModelConfig
from marsseg.training.custom_layers import GroupNormalization, NearestLecunNormal, ResizeLike, Tensor, gelu

Part = Callable[[Tensor], Tensor]
Gate = Callable[[Tensor, Tensor], Tensor]

BATCH_NORM_MOMENTUM = 0.9


class Parts:
    """Makes the layers that a `ModelConfig` asks for.

    Args:
        config: the toggles.
        seed: draws every initial weight and dropout mask; None leaves that to `keras.utils.set_random_seed`.
    """

    def __init__(self, config: ModelConfig, seed: int | None = None) -> None:
        self.config = config
        self._random = None if seed is None else random.Random(seed)

    def conv(self, filters: int, size: int, name: str, *, bias: bool = True, rate: int = 1) -> Part:
        """A convolution that keeps height and width, with He initialisation (He 2015)."""
        return layers.Conv2D(
            filters,
            size,
            padding="same",
            dilation_rate=rate,
            use_bias=bias,
            kernel_initializer=keras.initializers.HeNormal(self.draw_seed()),
            name=name,
        )

    def conv_norm(self, filters: int, size: int, name: str, *, rate: int = 1) -> Part:
        """A convolution and its normalisation."""
        conv = self.conv(filters, size, name, bias=self.has_bias, rate=rate)
        normalize = self.normalize(f"{name}_norm")
        return lambda x: normalize(conv(x))

    def conv_norm_act(self, filters: int, size: int, name: str, *, rate: int = 1) -> Part:
        """A convolution, its normalisation and the nonlinearity."""
        conv_norm = self.conv_norm(filters, size, name, rate=rate)
        activate = self.activate(f"{name}_act")
        return lambda x: activate(conv_norm(x))

    @property
    def has_bias(self) -> bool:
        """A bias in front of a normalisation would be taken out again by its mean."""
        return self.config.normalization == "none"

    def upsample(self, filters: int, name: str) -> Part:
        """A 2×2 transposed convolution of stride 2 (the "up-convolution" of Ronneberger 2015).

        A quarter of the cost of upsampling before a 3×3 convolution, and open to any height and width,
        which Keras' `UpSampling2D` is not. It starts as nearest-neighbour upsampling of a 1×1 convolution:
        four unrelated kernels would print a checkerboard on the masks of the first epochs.
        """
        return layers.Conv2DTranspose(
            filters, 2, strides=2, kernel_initializer=NearestLecunNormal(self.draw_seed()), name=name
        )

    def resize(self, x: Tensor, like: Tensor, name: str, dtype: str | None = None) -> Tensor:
        """Interpolate `x` to the height and width of `like`, bilinearly."""
        return ResizeLike(name=name, dtype=dtype)((x, like))

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

    def dense(self, units: int, activation: str, name: str) -> Part:
        """A dense layer over channels, with He initialisation."""
        initializer = keras.initializers.HeNormal(self.draw_seed())
        return layers.Dense(units, activation, kernel_initializer=initializer, name=name)

    def drop(self, name: str) -> Part:
        """Dropout of whole channels (Tompson 2015): a lone pixel could be guessed from its neighbours."""
        if not self.config.dropout:
            return identity
        return layers.SpatialDropout2D(self.config.dropout, seed=self.draw_seed(), name=name)

    def draw_seed(self) -> int | None:
        """The next seed, or None where Keras shall draw it."""
        return self._random.randrange(2**31) if self._random else None


def identity(x: Tensor) -> Tensor:
    """What a factory returns when its toggle is off."""
    return x
