"""`runs`: what is queued, active and finished; stop one, resume one, read its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from marsseg.cli.describing import print_run
from marsseg.cli.output import JsonOption, print_facts, print_json, print_table, printable
from marsseg.cli.text import UNKNOWN, duration, moment
from marsseg.cli.watching import watch

if TYPE_CHECKING:
    from marsseg.store.records import RunRecord

_BYTES_A_LINE = 500

app = typer.Typer(no_args_is_help=True, help="What is queued, active and finished.")
RunId = Annotated[str, typer.Argument(metavar="ID", help="A run's id, or an unambiguous beginning of it.")]


@app.command("list")
def list_runs(as_json: JsonOption = False) -> None:
    """List all runs, newest first."""
    from marsseg import services

    lab = services.open_lab()
    services.revive(lab)
    runs = services.list_runs(lab)
    if as_json:
        print_json([services.run_summary(run) for run in runs])
        return
    rows = [
        [
            r.id,
            r.name,
            str(r.status),
            _epochs(r),
            r.dataset_name,
            moment(r.created_at),
            duration(r.train_seconds),
        ]
        for r in runs
    ]
    print_table(
        ["ID", "Name", "Status", "Epoch", "Dataset", "Created", "Time"], rows, right=["Epoch", "Time"]
    )


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


@app.command("stop")
def stop(run_id: RunId, as_json: JsonOption = False) -> None:
    """Ask a run to end at its next batch; it still evaluates and exports its best weights."""
    from marsseg import services

    _print_state(services.stop(services.open_lab(), run_id), as_json=as_json)


@app.command("resume")
def resume(
    run_id: RunId,
    wait: Annotated[bool, typer.Option("--wait", help="Return when the run has ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Go on with a stopped, failed or lost run from its last checkpoint."""
    from marsseg import services

    lab = services.open_lab()
    run = services.resume(lab, run_id)
    if wait:
        watch(lab, run.id, as_json=as_json)
    else:
        _print_state(run, as_json=as_json)


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
    else:
        typer.echo("\n".join(map(printable, tail.splitlines())))


def _print_state(run: RunRecord, *, as_json: bool) -> None:
    from marsseg import services

    if as_json:
        print_json(services.run_summary(run))
    else:
        state = f"{run.status}, stop requested" if run.stop_requested else str(run.status)
        print_facts({"Run": run.id, "Name": run.name, "Status": state})


def _epochs(run: RunRecord) -> str:
    return f"{run.progress.epoch}/{run.progress.epochs}" if run.progress else UNKNOWN
