"""`segment` and `submission`: use a trained network."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from marsseg.classes import CLASS_NAMES
from marsseg.cli.output import JsonOption, complain, inform, print_json, print_table, progress_bar
from marsseg.cli.text import percent
from marsseg.errors import ImageError
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.services import SegmentedImage

Classes = Literal["terrain_only", "argmax"]
"""As `marsseg.metrics.Decoding`, which would load NumPy before any command is chosen."""
RunOption = Annotated[str, typer.Option("--run", metavar="ID", help="The run whose network is used.")]


def segment(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="PNG, JPEG or TIFF files.")],
    run: RunOption,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the masks and overlays.")],
    frame_size: Annotated[
        int | None,
        typer.Option(help="Side in pixels that a frame had when the training tiles were cut from it."),
    ] = None,
    match_brightness: Annotated[
        bool | None,
        typer.Option(
            help="Give images the brightness and contrast of the training tiles first; "
            "by default only those that are far brighter or darker."
        ),
    ] = None,
    *,
    decoding: Annotated[
        Classes | None,
        typer.Option(
            help="terrain_only gives each pixel a terrain class, argmax may also say background; by default "
            "argmax for two combined stages, else terrain_only."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Segment images into STEM_mask.png (pixel value = class) and STEM_overlay.png."""
    from marsseg import services

    _refuse_equal_stems(images)
    lab = services.open_lab()
    services.require_model(lab, run)
    options = services.SegmentOptions(frame_size, match_brightness, decoding)
    done: list[dict[str, Any]] = []
    refused: list[ImageError] = []
    for image in images:
        try:
            result, mask, overlay = services.segment_file(lab, run, image, out, options)
        except ImageError as error:  # the other images are none the worse for it
            refused.append(error)
            complain(f"{image}: {error}")
        else:
            done.append(_document(image, mask, overlay, result))
    if as_json:
        print_json(done)
    elif done:
        rows = [[d["mask"], *map(percent, d["class_share"]), f"{d['seconds']:.2f} s"] for d in done]
        print_table(["Mask", *CLASS_NAMES, "Time"], rows, right=[*CLASS_NAMES, "Time"])
        _tell_of_matching(done)
    if refused:
        raise typer.Exit(ImageError.exit_status)


def submission(
    run: RunOption,
    out: Annotated[Path, typer.Option(metavar="FILE.csv", help="The file to write.")],
    dataset: Annotated[
        str | None, typer.Option(help="Dataset with test images; the run's own by default.")
    ] = None,
    decoding: Annotated[
        Classes,
        typer.Option(help="terrain_only, as the course scores it, or argmax, which may also say background."),
    ] = "terrain_only",
    as_json: JsonOption = False,
) -> None:
    """Write predictions of the unlabelled test tiles: id, then the class of each pixel, row by row."""
    from marsseg import services

    lab = services.open_lab()
    with progress_bar() as progress:
        rows = services.write_submission(lab, run, out, dataset=dataset, decoding=decoding, progress=progress)
    if as_json:
        print_json({"run": services.get_run(lab, run).id, "file": str(out), "rows": rows})
    else:
        inform(f"Wrote {counted(rows, 'row')} to {out}.")


def _tell_of_matching(done: list[dict[str, Any]]) -> None:
    matched = [document["image"] for document in done if document["brightness_matched"]]
    if matched:
        inform(f"Matched to the brightness and contrast of the training tiles: {', '.join(matched)}.")


def _refuse_equal_stems(images: list[Path]) -> None:
    stem, count = Counter(image.stem for image in images).most_common(1)[0]
    if count > 1:
        raise ImageError(
            f"{count} images are called {stem} and would overwrite each other's masks; segment them into "
            "different folders."
        )


def _document(image: Path, mask: Path, overlay: Path, result: SegmentedImage) -> dict[str, Any]:
    return {
        "image": str(image),
        "mask": str(mask),
        "overlay": str(overlay),
        "run": result.run.id,
        "class_share": list(result.shares),
        "seconds": result.seconds,
        "working_size": list(result.working_size),
        "brightness_matched": result.matched,
        "decoding": result.decoding,
    }
