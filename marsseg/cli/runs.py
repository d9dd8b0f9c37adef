"""`runs`: what is queued, active and finished; one run, its log, its story, and how to make it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from marsseg.cli import run_actions
from marsseg.cli.describing import FOLD_COLUMNS, fold_cells, print_run
from marsseg.cli.options import JsonOption, RunId
from marsseg.cli.output import inform, print_json, print_table, printable
from marsseg.cli.text import UNKNOWN, duration, moment, second

if TYPE_CHECKING:
    from marsseg.store.records import RunRecord, RunStatus

_BYTES_A_LINE = 500

app = typer.Typer(no_args_is_help=True, help="What is queued, active and finished.")


@app.command("list")
def list_runs(
    *,
    status: Annotated[list[str] | None, typer.Option(help="Only runs in this state; repeatable.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only runs with this tag; repeatable.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Only runs that were archived.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Archived runs too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first; those that were archived only on demand."""
    from marsseg import services

    statuses = [_status(word) for word in status] if status else None
    lab = services.open_lab()
    services.revive(lab)
    shown = None if everything else archived
    runs = services.list_runs(lab, statuses=statuses, tags=tag or (), archived=shown)
    if as_json:
        print_json([services.run_summary(run) for run in runs])
        return
    done = services.epochs_done(lab)
    folds = fold_cells(runs)
    rows = [
        [
            r.id,
            r.name,
            *cells,
            str(r.status),
            _epochs(r, done.get(r.id, 0)),
            r.dataset_name,
            moment(r.created_at),
            duration(r.train_seconds),
            ", ".join(r.tags),
        ]
        for r, cells in zip(runs, folds, strict=True)
    ]
    place = FOLD_COLUMNS if any(folds) else []
    columns = ["ID", "Name", *place, "Status", "Epoch", "Dataset", "Created", "Time", "Tags"]
    print_table(columns, rows, right=[*FOLD_COLUMNS, "Epoch", "Time"])


@app.command("show")
def show(run_id: RunId, as_json: JsonOption = False) -> None:
    """Show one run: status, epochs and scores."""
    from marsseg import services

    lab = services.open_lab()
    services.revive(lab)
    document = services.run_document(lab, run_id)
    if as_json:
        print_json(document)
    else:
        print_run(document)


@app.command("log")
def log(
    run_id: RunId,
    lines: Annotated[int, typer.Option(min=1, help="How many of the last lines to print.")] = 200,
    as_json: JsonOption = False,
) -> None:
    """Print the last lines of what the run's process wrote."""
    from marsseg import services

    lab = services.open_lab()
    run = services.get_run(lab, run_id)
    text = services.read_log(lab, run.id, tail_bytes=lines * _BYTES_A_LINE)
    tail = "".join(text.splitlines(keepends=True)[-lines:])
    if as_json:
        print_json({"id": run.id, "log": tail})
    elif services.log_size(lab, run.id):
        typer.echo("\n".join(map(printable, tail.splitlines())))
    else:
        inform("The run has not written a log.")


@app.command("timeline")
def timeline(run_id: RunId, as_json: JsonOption = False) -> None:
    """Print what happened to a run, when and why, oldest first."""
    from marsseg import services

    events = services.timeline(services.open_lab(), run_id)
    if as_json:
        print_json(events)
    else:
        rows = [[second(event["at"]), event["kind"], event["message"]] for event in events]
        print_table(["Time", "What", "Cause"], rows)


@app.command("reproduce")
def reproduce(run_id: RunId, as_json: JsonOption = False) -> None:
    """Print the command that makes a run again; what else has to be as it was goes to stderr."""
    from marsseg import services

    lab = services.open_lab()
    again = services.reproduce(lab, run_id)
    if as_json:
        print_json(
            {
                "id": services.get_run(lab, run_id).id,
                "command": again.command,
                "git_commit": again.commit,
                "git_dirty": again.dirty,
                "dataset_sha256": again.dataset_sha256,
                "notes": list(again.notes),
            }
        )
        return
    typer.echo(again.command)
    if again.commit:
        inform(f"Made with commit {again.commit}.")
    for note in again.notes:
        inform(note)


app.command("stop")(run_actions.stop)
app.command("resume")(run_actions.resume)
app.command("extend")(run_actions.extend)
app.command("clone")(run_actions.clone)
app.command("delete")(run_actions.delete)
app.command("archive")(run_actions.archive)
app.command("rename")(run_actions.rename)
app.command("note")(run_actions.note)
app.command("tag")(run_actions.tag)


def _status(word: str) -> RunStatus:
    from marsseg.errors import NotFoundError
    from marsseg.store.records import RunStatus

    try:
        return RunStatus(word)
    except ValueError as error:
        known = ", ".join(status.value for status in RunStatus)
        raise NotFoundError(f"There is no state {word!r}; choose one of {known}.") from error


def _epochs(run: RunRecord, done: int) -> str:
    """The epoch that a run is in; of one that does not run, how many it has completed."""
    if run.config.combine.is_on or (run.launches == 0 and not run.status.is_active):
        return UNKNOWN
    at = run.progress.epoch if run.progress and run.status.is_active else 0
    return f"{max(at, done)}/{run.config.train.epochs}"
