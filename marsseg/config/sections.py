"""Network, data and training parts of a run configuration. Each field declares itself once."""

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


class DataConfig(Section):
    """Which tiles the run sees and how they are divided."""

    dataset: Annotated[
        str,
        Field(min_length=1, max_length=200),
        Ui("Dataset", "The tiles to learn from; add more on the data page.", names_run=False),
    ] = "demo"
    validation_fraction: Annotated[
        float,
        Field(gt=0, lt=0.9),
        Ui("Validation share", "Part of the tiles that chooses the best epoch.", short="val",
           step=0.05, when=When("folds", (0,))),
    ] = 0.1  # fmt: skip
    test_fraction: Annotated[
        float,
        Field(gt=0, lt=0.9),
        Ui("Test share", "Part of the tiles kept for the final score.", short="test", step=0.05),
    ] = 0.1  # fmt: skip
    split_seed: Annotated[
        int,
        Field(ge=0, le=2**31 - 1),
        Ui("Split seed", "Same seed, same split: keep it when you compare runs.", short="split"),
    ] = 0
    folds: Annotated[
        int,
        Field(ge=0, le=20),
        Ui("Folds", "0 for a single split; k for k-fold cross-validation outside the test tiles.",
           short="folds"),
    ] = 0  # fmt: skip
    fold: Annotated[
        int,
        Field(ge=0, le=19),
        Ui("Fold", "Which fold validates this run, counted from 0.", short="fold",
           when=When("folds"), names_run=False),
    ] = 0  # fmt: skip
    flip_horizontal: Annotated[
        bool,
        Ui("Flip left-right", "Mirrors half of the training tiles, anew each epoch.",
           short="h-flip"),
    ] = True  # fmt: skip
    flip_vertical: Annotated[
        bool,
        Ui("Flip up-down", "Turns half of the training tiles upside down, anew each epoch. "
           "Shadows then point the wrong way.", short="v-flip"),
    ] = False  # fmt: skip

    @model_validator(mode="after")
    def _leaves_training_tiles(self) -> DataConfig:
        if not self.folds and self.validation_fraction + self.test_fraction > 0.9:
            raise refuse(
                "test_fraction",
                "Validation and test together take more than 90 % of the tiles; lower one.",
            )
        if self.folds == 1:
            raise refuse("folds", "One fold would leave nothing to train on; use 0, or 2 and more.")
        if self.folds and self.fold >= self.folds:
            raise refuse("fold", f"With {self.folds} folds, the last one is {self.folds - 1}.")
        return self


class TrainConfig(Section):
    """The optimisation: AdamW with a plateau rule and early stopping on validation terrain mean IoU."""

    epochs: Annotated[
        int,
        Field(ge=1, le=10_000),
        Ui("Epochs", "At most this many passes over the training tiles.", unit="passes",
           short="epochs", step=5),
    ] = 40  # fmt: skip
    batch_size: Annotated[
        int,
        Field(ge=1, le=1024),
        Ui("Batch size", "Tiles a step.", unit="tiles", short="batch"),
    ] = 16
    learning_rate: Annotated[
        float,
        Field(gt=0, le=1),
        Ui("Learning rate", "AdamW's first step size.", short="lr", step=0.0001,
           number_format="%.6f"),
    ] = 1e-4  # fmt: skip
    weight_decay: Annotated[
        float,
        Field(ge=0, le=1),
        Ui("Weight decay", "Pulls convolution weights towards 0; biases and normalisation are "
           "left alone.", short="decay", step=0.0005, number_format="%.5f"),
    ] = 1e-3  # fmt: skip
    plateau_factor: Annotated[
        float,
        Field(gt=0, le=1),
        Ui("Plateau factor", "The learning rate is multiplied by this when validation stalls; "
           "1 switches the rule off.", short="plateau ×", step=0.1),
    ] = 0.5  # fmt: skip
    plateau_patience: Annotated[
        int,
        Field(ge=1, le=10_000),
        Ui("Plateau patience", "Epochs without a better validation score before the rate drops.",
           unit="epochs", short="plateau", when=When("plateau_factor", unless=(1.0,))),
    ] = 10  # fmt: skip
    early_stop_patience: Annotated[
        int,
        Field(ge=1, le=10_000),
        Ui("Early stop", "Epochs without a better validation score before the run ends.",
           unit="epochs", short="patience", step=5),
    ] = 30  # fmt: skip
    seed: Annotated[
        int,
        Field(ge=0, le=2**31 - 1),
        Ui("Seed", "Draws initial weights, tile order and flips. Runs that differ in the seed alone "
           "are repeats of each other.", names_run=False),
    ] = 0  # fmt: skip
    deterministic: Annotated[
        bool,
        Ui("Deterministic", "Same machine, same seed, same numbers, to the last bit.",
           short="deterministic"),
    ] = True  # fmt: skip
