"""`queue`: what waits, in which order, and whether it may start."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from marsseg.cli.options import JsonOption, RunId
from marsseg.cli.output import inform, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="What waits, in which order, and whether it may start.")


@app.command("list")
def list_queue(as_json: JsonOption = False) -> None:
    """List waiting runs in the order in which they will start, and what they wait for."""
    from marsseg import services

    lab = services.open_lab()
    services.revive(lab)
    runs, waits = services.queue(lab), services.waiting(lab)
    if as_json:
        print_json(
            {
                "paused": waits.paused,
                "slots": waits.slots,
                "active": [run.id for run in waits.active],
                "queued": [{**services.run_summary(run), "priority": run.priority} for run in runs],
            }
        )
        return
    rows = [[str(place), r.id, r.name, str(r.priority)] for place, r in enumerate(runs, start=1)]
    print_table(["Place", "ID", "Name", "Priority"], rows, right=["Place", "Priority"])
    inform(waits.sentence() if runs or waits.paused else "Nothing waits.")


@app.command("move")
def move(run_id: RunId, where: Annotated[Literal["up", "down", "top"], typer.Argument()]) -> None:
    """Move a waiting run up, down, or to the top; past a run of another priority it takes that priority."""
    from marsseg import services

    services.move_in_queue(services.open_lab(), run_id, where)


@app.command("priority")
def priority(
    run_id: RunId,
    value: Annotated[int, typer.Argument(metavar="N", help="Higher starts first; 0 is usual.")],
) -> None:
    """Give a waiting run another priority; it goes behind those that have the same."""
    from marsseg import services

    services.set_priority(services.open_lab(), run_id, value)


@app.command("pause")
def pause() -> None:
    """Let nothing more start until the queue continues; active runs go on."""
    from marsseg import services

    services.pause_queue(services.open_lab())
    inform("The queue is paused; `python -m marsseg queue continue` lets it go on.")


@app.command("continue")
def continue_() -> None:
    """Let waiting runs start again."""
    from marsseg import services

    services.pause_queue(services.open_lab(), paused=False)
    inform("The queue goes on.")
