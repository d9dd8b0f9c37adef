"""Which tiles a run sees, and how they are divided."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from marsseg.config.fields import Section, Ui, When, refuse


class DataConfig(Section):
    """Which tiles the run sees and how they are divided."""

    dataset: Annotated[
        str,
        Field(min_length=1, max_length=200),
        Ui("Dataset", "The tiles to learn from; add more on the data page.", names_run=False),
    ] = "demo"
    target: Annotated[
        Literal["terrain", "background"],
        Ui("Target", "terrain: which of the classes a pixel is, as usual; background: only whether it is "
           "background or terrain, the first of two stages.", short="target", is_later=True),
    ] = "terrain"  # fmt: skip
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

    @property
    def tells_terrain(self) -> bool:
        """Whether terrain classes are told apart, and not only background from the rest."""
        return self.target == "terrain"

    @model_validator(mode="after")
    def _leaves_training_tiles(self) -> DataConfig:
        if not self.folds and self.validation_fraction + self.test_fraction > 0.9:
            refuse(
                {"test_fraction": "Validation and test together take more than 90 % of the tiles; lower one."}
            )
        if self.folds == 1:
            refuse({"folds": "One fold would leave nothing to train on; use 0, or 2 and more."})
        if self.folds and self.fold >= self.folds:
            refuse({"fold": f"With {self.folds} folds, the last one is {self.folds - 1}."})
        return self
