"""The loss part of a run configuration: terms, their parameters, and class weights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from marsseg.config.fields import Section, Ui, When, refuse

NonNegative = Annotated[float, Field(ge=0, le=1000)]
"""Far above any use, and far below what makes a sum of them infinite."""
TERMS = (
    *("cross_entropy", "focal", "dice", "generalized_dice", "tversky", "focal_tversky"),
    *("lovasz", "boundary", "top_k"),
)
"""The fields that hold the weight of a term."""
WEIGHTED_TERMS = ("cross_entropy", "focal", "top_k")
"""Those that class weights scale pixel by pixel; to the others a weight above 0 says labelled, no more."""
Weights5 = tuple[NonNegative, NonNegative, NonNegative, NonNegative, NonNegative]


class ClassWeightConfig(Section):
    """How much each class counts in the terms that add up pixel by pixel (`WEIGHTED_TERMS`)."""

    mode: Annotated[
        Literal["none", "inverse_frequency", "effective_number", "manual"],
        Ui("Class weights", "inverse_frequency: 1 / pixel count; effective_number: Cui 2019; manual: "
           "your five numbers. The mean over labelled training pixels is always 1, except manual.",
           short="weights"),
    ] = "none"  # fmt: skip
    background: Annotated[
        float,
        Field(ge=0, le=100),
        Ui("Background weight", "0 leaves unlabelled pixels out of the loss.", short="background",
           step=0.1, when=When("mode", ("none", "inverse_frequency", "effective_number"))),
    ] = 0.0  # fmt: skip
    effective_beta: Annotated[
        float,
        Field(ge=0, lt=1),
        Ui("Beta", "0 weighs all classes alike; towards 1 it becomes inverse frequency.", short="β",
           step=0.000001, number_format="%.7f", when=When("mode", ("effective_number",))),
    ] = 0.999999  # fmt: skip
    cap: Annotated[
        float | None,
        Field(gt=0, le=100_000),
        Ui("Cap", "No class weighs more than this; empty for no cap. Big rock can otherwise weigh "
           "hundreds of times more than soil.", short="cap", step=1.0,
           when=When("mode", ("inverse_frequency", "effective_number"))),
    ] = None  # fmt: skip
    manual: Annotated[
        Weights5,
        Ui("Weights", "Background, soil, bedrock, sand, big rock.", short="weights",
           when=When("mode", ("manual",)), step=0.1),
    ] = (0.0, 1.0, 1.0, 1.0, 1.0)  # fmt: skip

    @property
    def background_counts(self) -> bool:
        """Whether pixels of background have a say in the loss."""
        return bool(self.manual[0] if self.mode == "manual" else self.background)

    @model_validator(mode="after")
    def _some_class_counts(self) -> ClassWeightConfig:
        if self.mode == "manual" and not any(self.manual):
            refuse({"manual": "All five weights are 0, so nothing would be learned; raise one."})
        return self


class LossConfig(Section):
    """The loss: Σ weight · term; a weight of 0 switches a term off."""

    cross_entropy: Annotated[
        NonNegative,
        Ui("Cross-entropy", "Weight of the cross-entropy term; 0 switches it off.", short="CE",
           step=0.25),
    ] = 1.0  # fmt: skip
    label_smoothing: Annotated[
        float,
        Field(ge=0, lt=1),
        Ui("Label smoothing", "Share of the target spread over all five classes.",
           short="smoothing", step=0.05, when=When("cross_entropy")),
    ] = 0.0  # fmt: skip
    focal: Annotated[
        NonNegative,
        Ui("Focal", "Weight of the focal term: cross-entropy that turns down easy pixels "
           "(Lin 2017); 0 switches it off.", short="focal", step=0.25),
    ] = 0.0  # fmt: skip
    focal_gamma: Annotated[
        float,
        Field(ge=0, le=10),
        Ui("Focal gamma", "0 is cross-entropy; 2 is usual. The report prints 0.25, its notebooks "
           "use 2.0.", short="γ", step=0.25, when=When("focal")),
    ] = 2.0  # fmt: skip
    focal_alpha: Annotated[
        float,
        Field(gt=0, le=10),
        Ui("Focal alpha", "Scales the whole term; balance between classes comes from the class "
           "weights.", short="α", step=0.05, when=When("focal")),
    ] = 0.25  # fmt: skip
    dice: Annotated[
        NonNegative,
        Ui("Dice", "Weight of the Dice term: overlap per class, alike for rare and common ones; 0 "
           "switches it off.", short="Dice", step=0.25),
    ] = 0.0  # fmt: skip
    generalized_dice: Annotated[
        NonNegative,
        Ui("Generalised Dice", "Weight of the Dice term that counts each class by 1 / its squared size in "
           "the batch (Sudre 2017); 0 switches it off.", short="GDice", step=0.25, is_later=True),
    ] = 0.0  # fmt: skip
    tversky: Annotated[
        NonNegative,
        Ui("Tversky", "Weight of the Tversky term: Dice with a price for each kind of error; 0 "
           "switches it off.", short="Tversky", step=0.25),
    ] = 0.0  # fmt: skip
    focal_tversky: Annotated[
        NonNegative,
        Ui("Focal Tversky", "Weight of the Tversky term that bends each class's part by gamma (Abraham "
           "2019); 0 switches it off.", short="focal Tversky", step=0.25, is_later=True),
    ] = 0.0  # fmt: skip
    focal_tversky_gamma: Annotated[
        float,
        Field(ge=0.5, le=5),
        Ui("Focal Tversky gamma", "Each class's (1 − index) is raised to 1 / gamma. Above 1, classes done "
           "well pull harder; below 1, those done badly; 4/3 in the paper, 1 is plain Tversky.",
           short="focal Tversky γ", step=0.1, when=When("focal_tversky"), is_later=True),
    ] = 4 / 3  # fmt: skip
    tversky_alpha: Annotated[
        NonNegative,
        Ui("Tversky alpha", "Price of a false positive.", short="Tversky α", step=0.1,
           when=(When("tversky"), When("focal_tversky"))),
    ] = 0.3  # fmt: skip
    tversky_beta: Annotated[
        NonNegative,
        Ui("Tversky beta", "Price of a false negative.", short="Tversky β", step=0.1,
           when=(When("tversky"), When("focal_tversky"))),
    ] = 0.7  # fmt: skip
    lovasz: Annotated[
        NonNegative,
        Ui("Lovász-softmax", "Weight of the term that follows IoU itself (Berman 2018); 0 switches it off.",
           short="Lovász", step=0.25, is_later=True),
    ] = 0.0  # fmt: skip
    boundary: Annotated[
        NonNegative,
        Ui("Boundary", "Weight of the term that compares the outlines of classes (Bokhovkin 2019); 0 "
           "switches it off.", short="boundary", step=0.25, is_later=True),
    ] = 0.0  # fmt: skip
    boundary_tolerance: Annotated[
        int,
        Field(ge=1, le=15),
        Ui("Boundary tolerance", "How far apart two outlines may be and still match.", unit="pixels",
           short="tolerance", when=When("boundary"), is_later=True),
    ] = 2  # fmt: skip
    top_k: Annotated[
        NonNegative,
        Ui("Hard pixels", "Weight of cross-entropy over the hardest pixels alone (top-k, Wu 2016); 0 "
           "switches it off.", short="top-k", step=0.25, is_later=True),
    ] = 0.0  # fmt: skip
    top_k_share: Annotated[
        float,
        Field(gt=0, le=1),
        Ui("Share of hard pixels", "How many of the labelled pixels of a batch count as hard. The term is "
           "a mean over these, not over all pixels as cross-entropy is.", short="k", step=0.05,
           when=When("top_k"), is_later=True),
    ] = 0.2  # fmt: skip
    class_weights: ClassWeightConfig = ClassWeightConfig()

    @model_validator(mode="after")
    def _some_term_counts(self) -> LossConfig:
        if not any(getattr(self, term) for term in TERMS):
            refuse({"cross_entropy": "All loss weights are 0, so nothing would be learned; raise one."})
        if (self.tversky or self.focal_tversky) and not (self.tversky_alpha or self.tversky_beta):
            refuse({"tversky_beta": "Tversky alpha and beta are both 0; raise one of them."})
        return self
