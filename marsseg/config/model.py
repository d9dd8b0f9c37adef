"""The network part of a run configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from marsseg.classes import TILE_HEIGHT
from marsseg.config.fields import Section, Ui, When, refuse


class ModelConfig(Section):
    """The network: an architecture, an encoder, and toggles that all of them share."""

    architecture: Annotated[
        Literal["unet", "unet3plus", "deeplabv3plus"],
        Ui("Architecture", "U-Net: a decoder level for each encoder level (Ronneberger 2015); UNet 3+: each "
           "decoder level sees all scales, slower (Huang 2020); DeepLabV3+: an atrous pyramid and one finer "
           "level, quicker (Chen 2018).", short="arch", is_later=True),
    ] = "unet"  # fmt: skip
    encoder: Annotated[
        Literal["plain", "resnet", "densenet"],
        Ui("Encoder", "plain: two convolutions a level; ResNet: two pre-activation residual units a level "
           "(He 2016); DenseNet: four layers a level, each of which sees those before it (Huang 2017). All "
           "train from scratch.",
           short="enc", is_later=True),
    ] = "plain"  # fmt: skip

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
    se_kind: Annotated[
        Literal["channel", "spatial", "both"],
        Ui("Squeeze kind", "channel: one weight a channel (Hu 2018); spatial: one weight a pixel; both: the "
           "larger of the two (scSE, Roy 2018).", short="SE kind", when=When("squeeze_excite"),
           is_later=True),
    ] = "channel"  # fmt: skip
    se_placement: Annotated[
        Literal["all", "bottleneck"],
        Ui("Squeeze placement", "all: in every block; bottleneck: in the deepest block only.",
           short="SE at", when=When("squeeze_excite"), is_later=True),
    ] = "all"  # fmt: skip
    se_ratio: Annotated[
        int,
        Field(ge=1, le=64),
        Ui("Squeeze ratio", "The squeeze layer has channels / ratio units.", short="SE ratio",
           when=When("se_kind", ("channel", "both"))),
    ] = 8  # fmt: skip
    residual: Annotated[
        bool,
        Ui("Residual connections", "Adds each block's input to its output; a 1×1 convolution fits "
           "the channels. Encoders other than plain have their own connections.", short="residual"),
    ] = False  # fmt: skip
    drop_path: Annotated[
        float,
        Field(ge=0, le=0.9),
        Ui("Drop path", "How often the deepest block's branch is left out while training, for each tile "
           "anew; earlier blocks in proportion (Huang 2016).", short="drop path", step=0.05,
           when=(When("residual"), When("encoder", ("resnet",))), is_later=True),
    ] = 0.0  # fmt: skip
    skip_gate: Annotated[
        Literal["none", "gated", "attention", "sigmoid_only"],
        Ui("Skip gate", "What happens to encoder features on their way to the decoder. gated: sum "
           "and gate (Jiang 2021); attention: decoder-guided (Oktay 2018); sigmoid_only: the gate's "
           "map alone, as the report's authors ran it.", short="skip"),
    ] = "none"  # fmt: skip
    bottleneck: Annotated[
        Literal["none", "aspp", "pyramid_pooling"],
        Ui("Bottleneck", "What the deepest level adds. ASPP: atrous convolutions of several rates (Chen "
           "2018); pyramid pooling: averages over windows of several sizes (Zhao 2017). DeepLabV3+ always "
           "has its atrous pyramid there.", short="bottleneck",
           when=When("architecture", ("unet", "unet3plus")), is_later=True),
    ] = "none"  # fmt: skip
    deep_supervision: Annotated[
        bool,
        Ui("Deep supervision", "Coarser decoder levels predict masks too while training (Lee 2015); the "
           "finished network has one output. A U-Net of depth 1 has no coarser level.",
           short="deep supervision", is_later=True),
    ] = False  # fmt: skip
    supervision_decay: Annotated[
        float,
        Field(gt=0, le=1),
        Ui("Supervision decay", "Weight of each coarser prediction's loss, relative to the next finer one.",
           short="decay", step=0.1, when=When("deep_supervision"), is_later=True),
    ] = 0.5  # fmt: skip
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
        problems = {}
        if TILE_HEIGHT % 2**self.depth:
            problems["depth"] = (
                f"{TILE_HEIGHT} rows cannot be halved {self.depth} times; use 6 levels or fewer."
            )
        if self.normalization == "group" and self.filters % self.groups:
            problems["groups"] = (
                f"{self.filters} filters cannot be split into {self.groups} equal groups; "
                "choose a divisor of the filters."
            )
        refuse(problems)
        return self
