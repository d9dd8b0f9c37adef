"""The training part of a run configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from marsseg.config.fields import Section, Ui, When, refuse
from marsseg.wording import counted


class TrainConfig(Section):
    """The optimisation: AdamW, a schedule of its rate, early stopping on validation terrain mean IoU."""

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
    clip_norm: Annotated[
        float,
        Field(ge=0, le=1000),
        Ui("Gradient clipping", "Longest gradient of all weights together; longer ones are shortened. 0 "
           "switches it off.", short="clip", step=0.5, is_later=True),
    ] = 0.0  # fmt: skip
    schedule: Annotated[
        Literal["plateau", "cosine", "constant"],
        Ui("Schedule", "How the learning rate falls. plateau: when validation stalls; cosine: along half a "
           "wave over all epochs (Loshchilov 2017); constant: never.", short="schedule", is_later=True),
    ] = "plateau"  # fmt: skip
    plateau_factor: Annotated[
        float,
        Field(gt=0, le=1),
        Ui("Plateau factor", "The learning rate is multiplied by this when validation stalls; "
           "1 switches the rule off.", short="plateau ×", step=0.1, when=When("schedule", ("plateau",))),
    ] = 0.5  # fmt: skip
    plateau_patience: Annotated[
        int,
        Field(ge=1, le=10_000),
        Ui("Plateau patience", "Epochs without a better validation score before the rate drops.",
           unit="epochs", short="plateau", when=When("plateau_factor", unless=(1.0,))),
    ] = 10  # fmt: skip
    cosine_floor: Annotated[
        float,
        Field(ge=0, le=1),
        Ui("Cosine floor", "Share of the learning rate that is left at the end.", short="floor", step=0.01,
           number_format="%.3f", when=When("schedule", ("cosine",)), is_later=True),
    ] = 0.01  # fmt: skip
    warmup_epochs: Annotated[
        int,
        Field(ge=0, le=1000),
        Ui("Warm-up", "Epochs over which the learning rate rises from 0, step by step; 0 for none.",
           unit="epochs", short="warm-up", is_later=True),
    ] = 0  # fmt: skip
    ema: Annotated[
        bool,
        Ui("Averaged weights", "Validates, keeps and exports an exponential moving average of the weights.",
           short="EMA", is_later=True),
    ] = False  # fmt: skip
    ema_decay: Annotated[
        float,
        Field(ge=0, lt=1),
        Ui("Averaging decay", "Share of the average that is kept at each step; 0.99 averages over about 100 "
           "steps.", short="EMA decay", step=0.001, number_format="%.4f", when=When("ema"), is_later=True),
    ] = 0.99  # fmt: skip
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
    mixed_precision: Annotated[
        bool,
        Ui("Mixed precision", "Computes in half precision where that is safe. On a GPU only: a CPU has "
           "nothing to gain.", short="mixed precision", is_later=True),
    ] = False  # fmt: skip
    xla: Annotated[
        bool,
        Ui("XLA", "Compiles the training step. The first step takes minutes on a CPU, later ones may be "
           "faster; it rules determinism out.", short="XLA", is_later=True),
    ] = False  # fmt: skip

    @model_validator(mode="after")
    def _fits_together(self) -> TrainConfig:
        problems = {}
        if self.xla and self.deterministic:
            problems["xla"] = "XLA cannot promise the same numbers again; switch Deterministic off, or XLA."
        if self.schedule == "cosine" and self.warmup_epochs >= self.epochs:
            length = counted(self.warmup_epochs, "epoch")
            problems["warmup_epochs"] = (
                f"A warm-up of {length} leaves the cosine none of {self.epochs}; lower it."
            )
        refuse(problems)
        return self
