"""`queue`: what waits, in which order, and whether it may start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from marsseg.cli.describing import FOLD_COLUMNS, fold_cells
from marsseg.cli.options import JsonOption, RunId
from marsseg.cli.output import inform, print_json, print_table
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.services import Lab

app = typer.Typer(no_args_is_help=True, help="What waits, in which order, and whether it may start.")


@app.command("list")
def list_queue(as_json: JsonOption = False) -> None:
    """List waiting runs in the order in which they will start, and what they wait for."""
    from marsseg import services

    lab = services.open_lab()
    services.revive(lab)
    _print_queue(lab, as_json=as_json)


@app.command("move")
def move(
    run_id: RunId,
    where: Annotated[Literal["up", "down", "top"], typer.Argument(help="Where to.")],
    as_json: JsonOption = False,
) -> None:
    """Move a waiting run up, down, or to the top; past a run of another priority it takes that priority."""
    from marsseg import services

    lab = services.open_lab()
    services.move_in_queue(lab, run_id, where)
    _print_queue(lab, as_json=as_json)


@app.command("priority", context_settings={"ignore_unknown_options": True})  # -1 is a number, no option
def priority(
    run_id: RunId,
    value: Annotated[int, typer.Argument(metavar="N", help="Higher starts first; 0 is usual.")],
    as_json: JsonOption = False,
) -> None:
    """Give a waiting run another priority; it goes behind those that have the same."""
    from marsseg import services

    lab = services.open_lab()
    services.set_priority(lab, run_id, value)
    _print_queue(lab, as_json=as_json)


@app.command("pause")
def pause(as_json: JsonOption = False) -> None:
    """Let nothing more start until the queue continues; active runs go on."""
    from marsseg import services

    lab = services.open_lab()
    services.pause_queue(lab)
    _print_queue(lab, as_json=as_json)


@app.command("continue")
def continue_(as_json: JsonOption = False) -> None:
    """Let waiting runs start again."""
    from marsseg import services

    lab = services.open_lab()
    services.pause_queue(lab, paused=False)
    _print_queue(lab, as_json=as_json)


def _print_queue(lab: Lab, *, as_json: bool) -> None:
    """The queue as it is now, which is what every command here is about."""
    if as_json:
        print_json(_document(lab))
        return
    from marsseg import services

    runs, waits = services.queue(lab), services.waiting(lab)
    folds = fold_cells(runs)
    rows = [
        [str(place), run.id, run.name, *cells, str(run.priority)]
        for place, (run, cells) in enumerate(zip(runs, folds, strict=True), start=1)
    ]
    if rows:
        columns = ["Place", "ID", "Name", *(FOLD_COLUMNS if any(folds) else []), "Priority"]
        print_table(columns, rows, right=["Place", *FOLD_COLUMNS, "Priority"])
    else:
        inform("Nothing waits.")
    inform(_slots(waits.slots, [run.name for run in waits.active]))
    if waits.wished != waits.slots:
        inform(
            f"The scheduler that serves now was started with {waits.slots}; yours, {waits.wished}, "
            "counts from its next start. It ends by itself when nothing is left to do."
        )
    if waits.paused:
        inform("The queue is paused; `python -m marsseg queue continue` lets it go on.")


def _slots(slots: int, busy: list[str]) -> str:
    taken = f": {', '.join(busy)}" if busy else ""
    return f"{len(busy)} of {counted(slots, 'slot')} taken{taken}."


def _document(lab: Lab) -> dict[str, Any]:
    from marsseg import services

    waits = services.waiting(lab)
    return {
        "paused": waits.paused,
        "slots": waits.slots,
        "active": [run.id for run in waits.active],
        "queued": [{**services.run_summary(run), "priority": run.priority} for run in services.queue(lab)],
    }
