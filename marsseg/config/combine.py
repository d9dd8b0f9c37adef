"""Runs that train nothing, but put finished ones together."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from marsseg.config.fields import Section, Ui, When, refuse

MAX_MEMBERS = 20


class CombineConfig(Section):
    """What a run is made of that combines others; `none` for one that learns by itself."""

    rule: Annotated[
        Literal["none", "mean", "two_stage"],
        Ui("Combination", "mean: averages the class probabilities of its members; two_stage: the first "
           "member says how likely background is, the second shares out the rest.", short="combine",
           is_later=True, in_form=False),
    ] = "none"  # fmt: skip
    members: Annotated[
        tuple[str, ...],
        Field(max_length=MAX_MEMBERS),
        Ui("Members", "Ids of the runs that are combined.", short="members",
           when=When("rule", ("mean", "two_stage")), names_run=False, is_later=True, in_form=False),
    ] = ()  # fmt: skip
    flips: Annotated[
        bool,
        Ui("Flip at inference", "Averages what the network says of the image and of its mirror image "
           "(test-time augmentation). Takes twice the time.", short="TTA",
           when=When("rule", ("mean", "two_stage")), is_later=True, in_form=False),
    ] = False  # fmt: skip

    @property
    def is_on(self) -> bool:
        """Whether this run combines others instead of learning."""
        return self.rule != "none"

    @model_validator(mode="after")
    def _has_the_members_it_needs(self) -> CombineConfig:
        count = len(self.members)
        if self.rule == "mean" and not count:
            refuse({"members": "There is nothing to average; name one run or more."})
        if self.rule == "two_stage" and count != 2:
            refuse({"members": f"Two stages are two runs, background first; got {count}."})
        if self.rule == "mean" and count == 1 and not self.flips:
            refuse({"members": "The average of one run is that run; name more, or switch flips on."})
        if len(set(self.members)) < count:
            refuse({"members": "A run cannot be combined with itself; name each one once."})
        return self
