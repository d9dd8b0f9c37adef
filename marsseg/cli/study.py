"""`study`: a baseline and runs that each change one thing, on one split or on all folds."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marsseg.cli.options import Assignments, JsonOption, Name
from marsseg.cli.output import inform, print_json, print_table
from marsseg.cli.text import UNKNOWN, duration, whole
from marsseg.cli.train import changed, starting_point
from marsseg.cli.watching import warn_of_leaks

if TYPE_CHECKING:
    from marsseg.services import PlannedRun
    from marsseg.store.records import RunRecord


def study(
    *,
    preset: Annotated[
        str | None, typer.Option(help="The baseline: this preset; `presets list` names them.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The baseline: a configuration in JSON.")
    ] = None,
    assignments: Assignments = None,
    dataset: Annotated[str | None, typer.Option(help="Train on this dataset.")] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(help="Try this change alone, such as 'residual connections'; may be repeated."),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Run each configuration with this many seeds.")] = 1,
    folds: Annotated[
        int | None, typer.Option(help="Run each configuration on this many folds; 0 for a single split.")
    ] = None,
    name: Name = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only show the runs; queue nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Queue a baseline and changed baselines, with repeats and folds, as one study."""
    from marsseg import services

    start, title = starting_point(preset, config)
    toggles = [services.find_toggle(label) for label in change or []]
    baseline = changed(start, assignments or [], dataset, None)
    planned = services.plan_ablation(baseline, toggles, repeats, folds)
    lab = services.open_lab()
    warn_of_leaks(lab, planned[0].config)
    seconds = services.plan_seconds(lab, planned)
    queued: list[RunRecord] = []
    if not plan:
        called = name or f"Ablation of {title or 'a configuration'}"
        queued = services.submit_study(lab, called, planned[0].config, planned)[1]
    runs = [_document(run, record) for run, record in itertools.zip_longest(planned, queued)]
    if as_json:
        print_json({"queued": not plan, "seconds": seconds, "runs": runs})
        return
    rows = [[run["id"] or UNKNOWN, run["name"], str(run["seed"]), whole(run["fold"])] for run in runs]
    print_table(["ID", "Name", "Seed", "Fold"], rows, right=["Seed", "Fold"])
    state = "would be queued" if plan else "are queued"
    inform(f"{len(rows)} runs {state}; about {duration(seconds)}, one after the other.")


def _document(run: PlannedRun, queued: RunRecord | None) -> dict[str, Any]:
    return {
        "id": queued and queued.id,
        "name": run.name if queued is None else queued.name,
        "seed": run.config.train.seed,
        "fold": run.config.data.fold if run.config.data.folds else None,
    }
