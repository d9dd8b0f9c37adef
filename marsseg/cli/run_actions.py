"""`runs …` that change a run: stop, resume, extend, clone, delete, archive, rename, note, tag."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from marsseg.cli.asking import confirm
from marsseg.cli.options import (
    Assignments,
    JsonOption,
    Name,
    NewName,
    RunId,
    RunIds,
    Seed,
    WaitOption,
    YesOption,
)
from marsseg.cli.output import print_facts, print_json
from marsseg.cli.text import size
from marsseg.cli.watching import started, watch
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.services import Deletion, Lab
    from marsseg.store.records import RunRecord


def stop(
    run_id: RunId,
    now: Annotated[
        bool, typer.Option("--now", help="Without evaluation and export; by force after half a minute.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask a run to end at its next batch; it still evaluates and exports its best weights."""
    from marsseg import services

    print_state(services.stop(services.open_lab(), run_id, now=now), as_json=as_json)


def resume(run_id: RunId, wait: WaitOption = False, as_json: JsonOption = False) -> None:
    """Go on with a stopped, failed or lost run from its last checkpoint."""
    from marsseg import services

    lab = services.open_lab()
    _go_on(lab, services.resume(lab, run_id), wait=wait, as_json=as_json)


def extend(
    run_id: RunId,
    epochs: Annotated[int, typer.Option(min=1, help="How many more to train, from its end.")],
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a completed run for more epochs; its scores are measured anew at its new end."""
    from marsseg import services

    lab = services.open_lab()
    extended = services.extend(lab, run_id, epochs)
    _go_on(lab, extended, wait=wait, as_json=as_json)
    if wait:
        _require_extended(lab, extended)


def clone(
    *,
    run_id: RunId,
    assignments: Assignments = None,
    seed: Seed = None,
    name: Name = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Start a new run with the configuration of another one, changed by --set and --seed."""
    from marsseg import services
    from marsseg.config import apply_overrides

    lab = services.open_lab()
    original = services.get_run(lab, run_id)
    config = apply_overrides(services.clone_config(lab, run_id), assignments or [])
    if seed is not None:
        config = config.with_values({"train.seed": seed})
    run = services.submit(lab, config, name=name, baseline=original.config, baseline_name=original.name)
    started(lab, run, wait=wait, as_json=as_json)


def delete(run_ids: RunIds, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Delete runs that have ended, with their scores and files; all of them or, if one is refused, none."""
    from marsseg import services

    lab = services.open_lab()
    plan = services.plan_deletion(lab, run_ids)
    if plan.is_possible:  # else it is refused below, with the reason
        confirm(_what_goes(plan), yes=yes)
    services.delete(lab, run_ids)
    if as_json:
        ids = [run.id for run in plan.runs]
        print_json({"deleted": ids, "scored": plan.scored, "files": plan.files, "bytes": plan.bytes})
    else:
        typer.echo(f"Deleted {_count(plan)}, {size(plan.bytes)}.")


def archive(
    run_ids: RunIds,
    undo: Annotated[bool, typer.Option("--undo", help="Bring them back.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put runs that have ended out of sight, here and on the leaderboard; nothing is deleted."""
    from marsseg import services

    lab = services.open_lab()
    services.archive(lab, run_ids, archived=not undo)
    runs = [services.get_run(lab, run_id) for run_id in run_ids]
    if as_json:
        print_json([services.run_summary(run) for run in runs])
    else:
        what = "brought back" if undo else "archived"
        typer.echo("\n".join(f"{run.id}  {what}" for run in runs))


def rename(
    run_id: RunId,
    new_name: NewName,
    as_json: JsonOption = False,
) -> None:
    """Give a run another name, here and on the leaderboard."""
    from marsseg import services

    run = services.rename(services.open_lab(), run_id, new_name)
    if as_json:
        print_json({"id": run.id, "name": run.name})
    else:
        print_facts({"Run": run.id, "Name": run.name})


def note(
    run_id: RunId,
    text: Annotated[str, typer.Argument(help="What to write; - reads it from stdin, nothing removes it.")],
    as_json: JsonOption = False,
) -> None:
    """Replace what is written about a run."""
    from marsseg import services

    notes = sys.stdin.buffer.read().decode(errors="replace") if text == "-" else text
    run = services.set_notes(services.open_lab(), run_id, notes)
    if as_json:
        print_json({"id": run.id, "notes": run.notes})
    else:
        print_facts({"Run": run.id, "Notes": run.notes or "none"})


def tag(
    run_id: RunId,
    tags: Annotated[list[str] | None, typer.Argument(metavar="[TAG]…", help="Tags to add.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="A tag to take away.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Add tags to a run, take some away, or, given neither, show them."""
    from marsseg import services

    run = services.change_tags(services.open_lab(), run_id, add=tags or (), remove=remove or ())
    if as_json:
        print_json({"id": run.id, "tags": list(run.tags)})
    else:
        print_facts({"Run": run.id, "Tags": ", ".join(run.tags) or "none"})


def print_state(run: RunRecord, *, as_json: bool) -> None:
    """A run and where it stands."""
    from marsseg import services

    if as_json:
        print_json(services.run_summary(run))
    else:
        state = f"{run.status}, stop requested" if run.stop_requested else str(run.status)
        print_facts({"Run": run.id, "Name": run.name, "Status": state})


def _go_on(lab: Lab, run: RunRecord, *, wait: bool, as_json: bool) -> None:
    if wait:
        watch(lab, run.id, as_json=as_json)
    else:
        print_state(run, as_json=as_json)


def _require_extended(lab: Lab, extended: RunRecord) -> None:
    """Tell whoever has waited for an extension that the run is what it was before, as no worker began."""
    from marsseg import services
    from marsseg.errors import RunFailedError

    run = services.get_run(lab, extended.id)
    if run.fingerprint != extended.fingerprint:
        ends = [line["message"] for line in services.timeline(lab, run.id) if line["kind"] == run.status]
        raise RunFailedError(f"Run {run.id} ({run.name}): {ends[-1]}")


def _what_goes(plan: Deletion) -> str:
    scores = f"{plan.scored} of them with scores" if plan.scored else "none of them with scores"
    files = counted(plan.files, "file")
    lines = [
        *_named(plan.runs),
        f"{_count(plan)}, {scores}, {files}, {size(plan.bytes)}. This cannot be undone.",
    ]
    if plan.combinations:
        lines += [plan.consequence, *_named(plan.combinations)]
    return "\n".join(lines)


def _named(runs: Sequence[RunRecord]) -> list[str]:
    return [f"  {run.id}  {run.name} ({run.status})" for run in runs]


def _count(plan: Deletion) -> str:
    return counted(len(plan.runs), "run")
