"""The blocks a network is put together from, made of `Parts`, with the toggles that act in each of them."""

from __future__ import annotations

from keras import layers

from marsseg.config.anatomy import drop_path_rate, excites
from marsseg.training.custom_layers import Tensor
from marsseg.training.excitation import excite
from marsseg.training.gates import build_gate
from marsseg.training.parts import Gate, Part, Parts, identity


class Blocks(Parts):
    """Builds the blocks that a `ModelConfig` asks for; levels are 1 … depth + 1, the last is the deepest."""

    def double_conv(self, filters: int, name: str, level: int) -> Part:
        """Two 3×3 convolutions, with Squeeze-and-Excitation, shortcut and dropout where switched on.

        (B, H, W, C) becomes (B, H, W, filters). Order as in SE-ResNet: the excitation comes after the second
        normalisation and before the shortcut is added and the last nonlinearity applied.
        """

        def block(x: Tensor) -> Tensor:
            shortcut = self._shortcut(filters, name, level)
            y = self.conv_norm(filters, 3, f"{name}_conv_1")(x)
            y = self.activate(f"{name}_act_1")(y)
            y = self.conv_norm(filters, 3, f"{name}_conv_2")(y)
            y = self.squeeze_excite(filters, f"{name}_se", level)(y)
            y = shortcut(x, y)
            y = self.activate(f"{name}_act_2")(y)
            return self.drop(f"{name}_dropout")(y)

        return block

    def squeeze_excite(self, channels: int, name: str, level: int) -> Part:
        """Squeeze-and-Excitation where the configuration wants it."""
        return excite(self, channels, name) if excites(self.config, level) else identity

    def drop_path(self, name: str, level: int) -> Part:
        """Stochastic depth (Huang 2016): leaves the branch out of a tile, and scales it up where it stays."""
        rate = drop_path_rate(self.config, level)
        if not rate:
            return identity
        return layers.Dropout(rate, noise_shape=(None, 1, 1, 1), seed=self.draw_seed(), name=name)

    def gate(self, name: str) -> Gate:
        """What a skip connection passes on."""
        return build_gate(self, name)

    def _shortcut(self, filters: int, name: str, level: int) -> Gate:
        """The residual connection (He 2016): x + y, x fitted by a normalised 1×1 convolution if it must."""
        if not self.config.residual:
            return lambda x, y: y  # noqa: ARG005

        def add(x: Tensor, y: Tensor) -> Tensor:
            y = self.drop_path(f"{name}_drop_path", level)(y)
            if x.shape[-1] != filters:
                x = self.conv_norm(filters, 1, f"{name}_shortcut")(x)
            return layers.Add(name=f"{name}_residual")([x, y])

        return add
