"""The network part of a run configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from marsseg.classes import TILE_HEIGHT
from marsseg.config.fields import Section, Ui, When, refuse


class ModelConfig(Section):
    """The network: a U-Net with toggles."""

    depth: Annotated[
        int,
        Field(ge=1, le=8),
        Ui("Depth", "How often the encoder halves the image. Each level doubles the filters.",
           unit="levels", short="depth"),
    ] = 3  # fmt: skip
    filters: Annotated[
        int,
        Field(ge=2, le=128),
        Ui("Filters", "Channels of the first level; parameters grow with the square.",
           unit="channels", short="filters", step=4),
    ] = 16  # fmt: skip
    squeeze_excite: Annotated[
        bool,
        Ui("Squeeze-and-Excitation", "Reweights the channels of every block by what the whole tile "
           "contains (Hu 2018).", short="SE"),
    ] = False  # fmt: skip
    se_ratio: Annotated[
        int,
        Field(ge=1, le=64),
        Ui("Squeeze ratio", "The squeeze layer has channels / ratio units.", short="SE ratio",
           when=When("squeeze_excite")),
    ] = 8  # fmt: skip
    residual: Annotated[
        bool,
        Ui("Residual connections", "Adds each block's input to its output; a 1×1 convolution fits "
           "the channels.", short="residual"),
    ] = False  # fmt: skip
    skip_gate: Annotated[
        Literal["none", "gated", "attention", "sigmoid_only"],
        Ui("Skip gate", "What happens to encoder features on their way to the decoder. gated: sum "
           "and gate (Jiang 2021); attention: decoder-guided (Oktay 2018); sigmoid_only: the gate's "
           "map alone, as the report's authors ran it.", short="skip"),
    ] = "none"  # fmt: skip
    activation: Annotated[
        Literal["relu", "leaky_relu", "elu", "gelu", "silu"],
        Ui("Activation", "The nonlinearity after every convolution.", short="act"),
    ] = "relu"
    leaky_slope: Annotated[
        float,
        Field(ge=0, le=1),
        Ui("Leaky slope", "Slope for negative inputs. Keras uses 0.2 by name and 0.3 in its layer; "
           "here it is always this number.", short="slope", step=0.05,
           when=When("activation", ("leaky_relu",))),
    ] = 0.1  # fmt: skip
    normalization: Annotated[
        Literal["batch", "group", "none"],
        Ui("Normalisation", "batch uses statistics of the batch (momentum 0.9), group those of each "
           "image.", short="norm"),
    ] = "batch"  # fmt: skip
    groups: Annotated[
        int,
        Field(ge=1, le=64),
        Ui("Groups", "Channels are normalised in this many groups; must divide the filters.",
           short="groups", when=When("normalization", ("group",))),
    ] = 8  # fmt: skip
    dropout: Annotated[
        float,
        Field(ge=0, le=0.9),
        Ui("Dropout", "Share of channels dropped at the end of each block while training.",
           short="dropout", step=0.05),
    ] = 0.0  # fmt: skip

    @model_validator(mode="after")
    def _fits_the_tiles(self) -> ModelConfig:
        if TILE_HEIGHT % 2**self.depth:
            raise refuse(
                "depth",
                f"{TILE_HEIGHT} rows cannot be halved {self.depth} times; use 6 levels or fewer.",
            )
        if self.normalization == "group" and self.filters % self.groups:
            raise refuse(
                "groups",
                f"{self.filters} filters cannot be split into {self.groups} equal groups; "
                "choose a divisor of the filters.",
            )
        return self
