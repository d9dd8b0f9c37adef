"""Squeeze-and-Excitation: features weighed by what the whole tile contains, or place by place."""

from __future__ import annotations

from keras import layers

from marsseg.training.custom_layers import Tensor
from marsseg.training.parts import Part, Parts


def excite(parts: Parts, channels: int, name: str) -> Part:
    """The kind that the configuration asks for; "both" takes the larger of the two (scSE, Roy 2018)."""
    kinds = {
        "channel": lambda: excite_channels(parts, channels, name),
        "spatial": lambda: excite_places(parts, name),
        "both": lambda: _larger(excite_channels(parts, channels, name), excite_places(parts, name), name),
    }
    return kinds[parts.config.se_kind]()


def excite_channels(parts: Parts, channels: int, name: str) -> Part:
    """Channel weights: x · σ(W₂ ReLU(W₁ GAP(x))), with channels / ratio squeeze units (Hu 2018)."""
    units = max(1, channels // parts.config.se_ratio)
    squeeze = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")
    reduce = parts.dense(units, "relu", f"{name}_reduce")
    expand = parts.dense(channels, "sigmoid", f"{name}_expand")
    # Broadcast as it is: of five ways to multiply, this had the cheapest gradient on a CPU. A training
    # step takes 1.07 times as long as without, 1.48 times by einsum (benchmarks/squeeze_excite.py).
    scale = layers.Multiply(name=f"{name}_scale")
    return lambda x: scale([x, expand(reduce(squeeze(x)))])


def excite_places(parts: Parts, name: str) -> Part:
    """Pixel weights: x · σ(w · x), one weight a pixel (sSE, Roy 2018)."""
    project = parts.conv(1, 1, f"{name}_project")
    weigh = layers.Activation("sigmoid", name=f"{name}_map")
    scale = layers.Multiply(name=f"{name}_spatial_scale")
    return lambda x: scale([x, weigh(project(x))])


def _larger(channels: Part, places: Part, name: str) -> Part:
    maximum = layers.Maximum(name=f"{name}_larger")

    def both(x: Tensor) -> Tensor:
        return maximum([channels(x), places(x)])

    return both
