"""`study`: many runs planned as one: single changes, the report's ladder, two stages."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marsseg.cli.options import Assignments, JsonOption
from marsseg.cli.output import inform, print_json, print_table
from marsseg.cli.text import UNKNOWN, duration, whole
from marsseg.cli.train import changed, starting_point, warn_of_idle
from marsseg.cli.watching import warn_of_leaks
from marsseg.errors import ConfigError
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.config import RunConfig
    from marsseg.services import PlannedRun
    from marsseg.store.records import RunRecord

_MOST_LINES = 20


def study(
    *,
    preset: Annotated[
        str | None, typer.Option(help="The baseline: this preset; `presets list` names them.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The baseline: a configuration in JSON.")
    ] = None,
    ladder: Annotated[
        bool, typer.Option("--ladder", help="Instead of a baseline: the rows of the origin report.")
    ] = False,
    two_stages: Annotated[
        bool,
        typer.Option("--two-stages", help="Background first, then the terrain classes, and both combined."),
    ] = False,
    assignments: Assignments = None,
    dataset: Annotated[str | None, typer.Option(help="Train on this dataset.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Train every run for so many epochs.")] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(help="Try this change alone, such as 'residual connections'; may be repeated."),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Run each configuration with this many seeds.")] = 1,
    folds: Annotated[
        int | None, typer.Option(help="Run each configuration on this many folds; 0 for a single split.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the study.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only show the runs; queue nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Queue many runs as one study: a baseline and single changes, the report's ladder, or two stages."""
    from marsseg import services
    from marsseg.presets import LADDER

    _refuse_together(ladder=ladder, two_stages=two_stages, baseline=preset or config, change=change)
    given = [*(assignments or []), *([] if epochs is None else [f"train.epochs={epochs}"])]
    given += [] if folds is None else [f"data.folds={folds}", "data.fold=0"]
    origin: RunConfig | None = None
    if ladder:
        called, planned = (
            "Report ladder",
            services.plan_ladder(lambda row: changed(row, given, dataset, None), repeats),
        )
        baseline, origin = planned[0].config, LADDER[0].config
    else:
        start, title = starting_point(preset, config)
        origin = start if title else None
        baseline = changed(start, given, dataset, None)
        if two_stages:
            called, planned = title or "Two stages", services.plan_two_stages(baseline, repeats)
        else:
            toggles = [services.find_toggle(label) for label in change or []]
            called = f"Ablation of {title or 'a configuration'}"
            planned = services.plan_ablation(baseline, toggles, repeats)
    warn_of_idle(baseline, origin, [run.config for run in planned])
    _submit(name or called, baseline, planned, only_show=plan, as_json=as_json)


def _refuse_together(
    *, ladder: bool, two_stages: bool, baseline: object, change: Sequence[str] | None
) -> None:
    """Options of one plan say nothing about another, so they are not silently passed over."""
    wrong = {
        "--ladder": ladder and (baseline or two_stages),
        "--change": change and (ladder or two_stages),
    }
    for option, is_wrong in wrong.items():
        if is_wrong:
            remedy = "give --ladder alone, --two-stages with a baseline, or --change with a baseline."
            raise ConfigError({option: f"Plans cannot be mixed; {remedy}"})


def _submit(
    name: str, baseline: RunConfig, planned: Sequence[PlannedRun], *, only_show: bool, as_json: bool
) -> None:
    from marsseg import services

    lab = services.open_lab()
    warn_of_leaks(lab, *(run.config for run in planned))
    seconds = services.plan_seconds(lab, planned)
    study, queued = (None, []) if only_show else services.submit_study(lab, name, baseline, planned)
    runs = [_document(run, record) for run, record in itertools.zip_longest(planned, queued)]
    if as_json:
        number = study and study.id
        print_json({"queued": not only_show, "study": number, "seconds": seconds, "runs": runs})
        return
    shows_each = study is not None and len(runs) <= _MOST_LINES
    (_print_runs if shows_each else _print_configurations)(runs)
    state = "would be queued" if study is None else f"went into the queue as study {study.id}"
    inform(f"{counted(len(runs), 'run')} {state}; about {duration(seconds)}, one after the other.")
    if any(run.combines for run in planned):
        inform(services.TWO_STAGES_UNSEEN)
        if note := services.weighs_background_once(baseline):
            inform(note)
    if study is not None:
        if not shows_each:
            inform("`python -m marsseg runs list` shows each of them.")
        inform(f"When they have ended, `python -m marsseg results --study {study.id}` writes them up.")


def _print_runs(runs: Sequence[dict[str, Any]]) -> None:
    rows = [[run["id"], run["name"], str(run["seed"]), whole(run["fold"])] for run in runs]
    print_table(["ID", "Name", "Seed", "Fold"], rows, right=["Seed", "Fold"])


def _print_configurations(runs: Sequence[dict[str, Any]]) -> None:
    """A line for each configuration, with the range of its seeds and folds."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        by_name.setdefault(run["name"], []).append(run)
    rows = [
        [name, *(_span([run[field] for run in same]) for field in ("seed", "fold"))]
        for name, same in by_name.items()
    ]
    print_table(["Name", "Seeds", "Folds"], rows, right=["Seeds", "Folds"])


def _span(numbers: Sequence[int | None]) -> str:
    """The first and the last of numbers in their order, such as "0–9"; one that all share stands alone."""
    first, last = numbers[0], numbers[-1]
    if first is None:
        return UNKNOWN
    return str(first) if first == last else f"{first}–{last}"


def _document(run: PlannedRun, queued: RunRecord | None) -> dict[str, Any]:
    return {
        "id": queued and queued.id,
        "name": run.name if queued is None else queued.name,
        "seed": run.config.train.seed,
        "fold": run.config.data.fold if run.config.data.folds else None,
    }
