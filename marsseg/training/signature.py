"""What exported networks call their input and output, and what they must know about themselves."""

from __future__ import annotations

INPUT_NAME = "image"
"""float32 (B, H, W, 1), standardised."""
OUTPUT_NAME = "logits"
"""float32 (B, H, W, 5)."""
OPEN_SIDES = ("batch", "height", "width")


def export_metadata(
    run_id: str, *, mean: float, std: float, frame_size: list[int] | None, multiple: int
) -> dict[str, str]:
    """The facts of a network as text: numbers in full precision, JSON lists.

    Args:
        mean, std: of the training pixels, on a 0–1 scale.
        frame_size: [H, W] of the frames that the tiles were cut from; None when unknown.
        multiple: both sides of an input must be multiples of this.
    """
    return {
        "mean": repr(mean),
        "std": repr(std),
        "frame_size": "null" if frame_size is None else f"[{frame_size[0]}, {frame_size[1]}]",
        "multiple": str(multiple),
        "run_id": run_id,
    }
