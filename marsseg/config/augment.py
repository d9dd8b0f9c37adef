"""What training tiles are put through: each change has a probability and a strength."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from marsseg.config.fields import Section, Ui, When

Probability = Annotated[float, Field(ge=0, le=1)]


def _chance(label: str, what: str, *, short: str) -> Ui:
    """How the probability of a change is shown."""
    return Ui(
        label,
        f"{what} Probability for each tile, anew each epoch; 0 switches it off.",
        short=short,
        step=0.1,
        is_later=True,
    )


class AugmentConfig(Section):
    """Changes to training tiles beside the flips; images and masks move together."""

    brightness: Annotated[
        Probability,
        _chance("Brightness", "Shifts all gray levels of a tile.", short="brightness"),
    ] = 0.0
    brightness_strength: Annotated[
        float,
        Field(gt=0, le=1),
        Ui("Brightness strength", "Largest shift, up or down, as a share of the gray range; all shifts up "
           "to it are equally likely.", short="brightness ±", step=0.05, when=When("brightness"),
           is_later=True),
    ] = 0.2  # fmt: skip
    contrast: Annotated[
        Probability,
        _chance("Contrast", "Spreads or squeezes gray levels around the tile's mean.", short="contrast"),
    ] = 0.0
    contrast_strength: Annotated[
        float,
        Field(gt=0, lt=1),
        Ui("Contrast strength", "Deviations from the mean are multiplied by 1 − this to 1 + this, equally "
           "likely.", short="contrast ±", step=0.05, when=When("contrast"), is_later=True),
    ] = 0.2  # fmt: skip
    auto_contrast: Annotated[
        Probability,
        _chance(
            "Auto-contrast", "Stretches a tile's gray levels over the whole range.", short="auto-contrast"
        ),
    ] = 0.0
    auto_contrast_cutoff: Annotated[
        float,
        Field(ge=0, le=0.2),
        Ui("Auto-contrast cut-off", "Share of the darkest and of the brightest pixels that may go to pure "
           "black and white.", short="cut-off", step=0.005, number_format="%.3f", when=When("auto_contrast"),
           is_later=True),
    ] = 0.0  # fmt: skip
    gamma: Annotated[
        Probability,
        _chance(
            "Gamma", "Bends the gray levels: shadows open or close, black and white stay.", short="gamma"
        ),
    ] = 0.0
    gamma_strength: Annotated[
        float,
        Field(gt=0, le=2),
        Ui("Gamma strength", "The exponent is drawn between e^−s and e^s, its logarithm evenly.",
           short="gamma ±", step=0.1, when=When("gamma"), is_later=True),
    ] = 0.3  # fmt: skip
    grid_mask: Annotated[
        Probability,
        _chance(
            "Grid mask",
            "Covers a grid of squares with the mean gray (Chen 2020); the mask to learn stays.",
            short="grid mask",
        ),
    ] = 0.0
    grid_mask_ratio: Annotated[
        float,
        Field(gt=0, lt=1),
        Ui("Grid mask ratio", "Side of a covered square relative to the distance of the squares, which is "
           "drawn between 1/4 and all of the tile's height.", short="grid ratio", step=0.05,
           when=When("grid_mask"), is_later=True),
    ] = 0.4  # fmt: skip
    grid_shuffle: Annotated[
        Probability,
        _chance(
            "Grid shuffle", "Cuts a tile into cells and deals them anew (Chen 2019).", short="grid shuffle"
        ),
    ] = 0.0
    grid_shuffle_cells: Annotated[
        int,
        Field(ge=2, le=8),
        Ui("Grid shuffle cells", "Cells along each side.", short="cells", when=When("grid_shuffle"),
           is_later=True),
    ] = 2  # fmt: skip
    cutmix: Annotated[
        Probability,
        _chance(
            "CutMix",
            "Pastes a rectangle of another tile of the batch, with its mask (Yun 2019).",
            short="CutMix",
        ),
    ] = 0.0
    cutmix_area: Annotated[
        float,
        Field(gt=0, le=1),
        Ui("CutMix area", "Largest share of the tile that is replaced; all shares up to it are equally "
           "likely.", short="CutMix area", step=0.05, when=When("cutmix"), is_later=True),
    ] = 0.5  # fmt: skip
    crop_resize: Annotated[
        Probability,
        _chance("Crop and resize", "Enlarges a part of the tile to its full size.", short="crop"),
    ] = 0.0
    crop_smallest: Annotated[
        float,
        Field(ge=0.1, lt=1),
        Ui("Smallest crop", "Smallest side of the part, as a share of the tile's; all sides from it to 1 "
           "are equally likely.", short="crop ≥", step=0.05, when=When("crop_resize"), is_later=True),
    ] = 0.5  # fmt: skip
    elastic: Annotated[
        Probability,
        _chance("Elastic", "Bends the tile like rubber (Simard 2003).", short="elastic"),
    ] = 0.0
    elastic_pixels: Annotated[
        float,
        Field(gt=0, le=16),
        Ui("Elastic strength", "How far the farthest pixel of a tile moves along each axis.", unit="pixels",
           short="elastic ±", step=0.5, when=When("elastic"), is_later=True),
    ] = 3.0  # fmt: skip
    rock_oversampling: Annotated[
        float,
        Field(ge=1, le=50),
        Ui("Oversample big rock", "How many times as often tiles with big rock are drawn; an epoch keeps its "
           "number of tiles. 1 draws each tile once.", unit="times", short="rock ×", step=0.5, is_later=True),
    ] = 1.0  # fmt: skip
    rock_paste: Annotated[
        Probability,
        _chance("Paste big rocks", "Pastes big rocks cut from training tiles.", short="paste rocks"),
    ] = 0.0
    rock_paste_most: Annotated[
        int,
        Field(ge=1, le=8),
        Ui("Most rocks pasted", "Rocks a tile, drawn between 1 and this.", unit="rocks", short="rocks ≤",
           when=When("rock_paste"), is_later=True),
    ] = 3  # fmt: skip
