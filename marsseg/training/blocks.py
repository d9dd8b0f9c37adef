"""The parts a network is put together from: each toggle is a factory that returns the identity when off.

A `Part` maps one symbolic tensor (B, H, W, C) to another. All names given to layers start with the level
they belong to, as `encoder_1_conv_2`. Levels count from 1, the finest, to depth + 1, the deepest.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import keras
from keras import layers

from marsseg.config import ModelConfig
from marsseg.training.excitation import excite
from marsseg.training.keras_layers import GroupNormalization, NearestLecunNormal, ResizeTo, Tensor, gelu

Part = Callable[[Tensor], Tensor]

BATCH_NORM_MOMENTUM = 0.9


class Blocks:
    """Builds the parts that a `ModelConfig` asks for.

    Args:
        config: the toggles.
        seed: draws every initial weight and dropout mask; None leaves that to `keras.utils.set_random_seed`.
    """

    def __init__(self, config: ModelConfig, seed: int | None = None) -> None:
        self.config = config
        self._random = None if seed is None else random.Random(seed)

    # Layers

    def conv(self, filters: int, size: int, name: str, *, bias: bool = True, dilation: int = 1) -> Part:
        """A convolution that keeps height and width, with He initialisation (He 2015)."""
        return layers.Conv2D(
            filters,
            size,
            padding="same",
            use_bias=bias,
            dilation_rate=dilation,
            kernel_initializer=keras.initializers.HeNormal(self._draw_seed()),
            name=name,
        )

    def dense(self, units: int, activation: str, name: str) -> Part:
        """A dense layer over the channels, with He initialisation."""
        initializer = keras.initializers.HeNormal(self._draw_seed())
        return layers.Dense(units, activation, kernel_initializer=initializer, name=name)

    def upsample(self, filters: int, name: str) -> Part:
        """A 2×2 transposed convolution of stride 2 (the "up-convolution" of Ronneberger 2015).

        A quarter of the cost of upsampling before a 3×3 convolution, and open to any height and width,
        which Keras' `UpSampling2D` is not. It starts as nearest-neighbour upsampling of a 1×1 convolution:
        four unrelated kernels would print a checkerboard on the masks of the first epochs.
        """
        return layers.Conv2DTranspose(
            filters, 2, strides=2, kernel_initializer=NearestLecunNormal(self._draw_seed()), name=name
        )

    def resize(self, x: Tensor, reference: Tensor, name: str) -> Tensor:
        """Bilinear resizing to the height and width of `reference`."""
        return ResizeTo(name=name)([x, reference])

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

    def drop(self, name: str) -> Part:
        """Dropout of whole channels (Tompson 2015): a lone pixel could be guessed from its neighbours."""
        if not self.config.dropout:
            return identity
        return layers.SpatialDropout2D(self.config.dropout, seed=self._draw_seed(), name=name)

    def drop_path(self, name: str, level: int) -> Part:
        """Stochastic depth (Huang 2016): leaves a branch out for whole tiles, scaled up for the others.

        The deepest level has the configured rate, level l of L the share l / L of it.
        """
        rate = self.config.drop_path * level / (self.config.depth + 1)
        if not rate:
            return identity
        return layers.Dropout(rate, noise_shape=(None, 1, 1, 1), seed=self._draw_seed(), name=name)

    # Layers in a row

    def conv_norm(self, filters: int, size: int, name: str, *, dilation: int = 1) -> Part:
        """A convolution and its normalisation."""
        # A bias in front of a normalisation would be taken out again by its mean.
        bias = self.config.normalization == "none"
        conv = self.conv(filters, size, name, bias=bias, dilation=dilation)
        normalize = self.normalize(f"{name}_norm")
        return lambda x: normalize(conv(x))

    def conv_norm_act(self, filters: int, size: int, name: str, *, dilation: int = 1) -> Part:
        """A convolution, its normalisation and the nonlinearity."""
        conv_norm = self.conv_norm(filters, size, name, dilation=dilation)
        activate = self.activate(f"{name}_act")
        return lambda x: activate(conv_norm(x))

    def squeeze_excite(self, channels: int, name: str, level: int) -> Part:
        """Squeeze-and-Excitation of the kind and at the levels that the configuration names."""
        deepest = level == self.config.depth + 1
        if not self.config.squeeze_excite or (self.config.se_placement == "bottleneck" and not deepest):
            return identity
        return excite(self, channels, name)

    def double_conv(self, filters: int, name: str, level: int) -> Part:
        """Two 3×3 convolutions, with Squeeze-and-Excitation, shortcut and dropout where switched on.

        (B, H, W, C) becomes (B, H, W, filters). Order as in SE-ResNet: the excitation comes after the second
        normalisation and before the shortcut is added and the last nonlinearity applied.
        """

        def block(x: Tensor) -> Tensor:
            y = self.conv_norm(filters, 3, f"{name}_conv_1")(x)
            y = self.activate(f"{name}_act_1")(y)
            y = self.conv_norm(filters, 3, f"{name}_conv_2")(y)
            y = self.squeeze_excite(filters, f"{name}_se", level)(y)
            if self.config.residual:
                y = self.add(x, y, name, level)
            y = self.activate(f"{name}_act_2")(y)
            return self.drop(f"{name}_dropout")(y)

        return block

    def add(self, x: Tensor, y: Tensor, name: str, level: int) -> Tensor:
        """The residual connection (He 2016): x + y, x fitted by a normalised 1×1 convolution if it must.

        Drop path leaves out y.
        """
        if x.shape[-1] != y.shape[-1]:
            x = self.conv_norm(y.shape[-1], 1, f"{name}_shortcut")(x)
        y = self.drop_path(f"{name}_drop_path", level)(y)
        return layers.Add(name=f"{name}_residual")([x, y])

    def _draw_seed(self) -> int | None:
        return self._random.randrange(2**31) if self._random else None


def identity(x: Tensor) -> Tensor:
    """What a factory returns when its toggle is off."""
    return x
