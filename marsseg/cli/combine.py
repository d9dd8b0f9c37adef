"""`combine`: put finished runs together, and judge the result like any other run."""

from __future__ import annotations

from typing import Annotated

import typer

from marsseg.cli.options import JsonOption, Name, WaitOption
from marsseg.cli.watching import started


def combine(
    *,
    runs: Annotated[list[str], typer.Argument(metavar="RUN…", help="Ids of the runs; background first.")],
    rule: Annotated[
        str,
        typer.Option(
            help="mean: average their probabilities; two_stage: the first tells background from terrain, the "
            "second the terrain classes apart."
        ),
    ] = "mean",
    flips: Annotated[
        bool, typer.Option("--flips", help="Average over each image and its mirror image, too.")
    ] = False,
    name: Name = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Combine runs into one: an ensemble, mirror images at inference, or two stages.

    It trains nothing and takes a few seconds; runs that have not ended yet are waited for.
    """
    from marsseg import services

    lab = services.open_lab()
    run = services.combine(lab, runs, rule=rule, flips=flips, name=name or "")
    started(lab, run, wait=wait, as_json=as_json)
