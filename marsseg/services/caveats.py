"""What one must know to read the scores of a run that does not answer with all five classes alone."""

from __future__ import annotations

from marsseg.config import RunConfig

TWO_STAGES_UNSEEN = (
    "The terrain lens does not count background, so it cannot see stage one; the strict lens with all five "
    "classes can."
)
FIRST_STAGE_ALONE = (
    "A first stage only tells background from terrain, so it has no terrain score; it is chosen by the IoU "
    "of background."
)


def caveat(config: RunConfig) -> str:
    """The sentence for a stage, or for two of them combined; else empty."""
    if not config.data.tells_terrain:
        return FIRST_STAGE_ALONE
    return TWO_STAGES_UNSEEN if config.combine.rule == "two_stage" else ""
