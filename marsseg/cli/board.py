"""`leaderboard`: what helped."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from marsseg.classes import CLASS_NAMES
from marsseg.cli.output import JsonOption, inform, print_table
from marsseg.cli.text import UNKNOWN, duration, score, whole
from marsseg.errors import ConfigError
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.services import Delta, Leaderboard, LeaderboardRow


def leaderboard(
    *,
    lens: Annotated[str, typer.Option(help="terrain, course or strict.")] = "terrain",
    decoding: Annotated[str, typer.Option(help="argmax or terrain_only.")] = "terrain_only",
    split: Annotated[str, typer.Option(help="validation or test.")] = "test",
    dataset: Annotated[
        str | None, typer.Option(help="The dataset; by default that of the latest scored run.")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Run or fingerprint to compare with; the oldest by default."),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="table, json, csv, md or latex.")] = "table",
    as_json: JsonOption = False,
) -> None:
    """Rank configurations by score, each with its difference to a baseline."""
    from marsseg import services

    query = services.make_query(lens, decoding, split, dataset=dataset, baseline=baseline)
    board = services.leaderboard(services.open_lab(), query)
    if as_json and form not in {"table", "json"}:
        raise ConfigError({"--format": f"{form} and --json exclude each other; give one of them."})
    form = "json" if as_json else form
    if form != "table":
        typer.echo(services.leaderboard_text(board, form), nl=False)
    elif board.rows:
        _print_board(board)
    else:
        where = f" on {board.dataset}" if board.dataset else ""
        chosen = f" --dataset {shlex.quote(board.dataset)}" if board.dataset else ""
        start = f"python -m marsseg train --preset quick{chosen}"
        inform(f"No run{where} has been scored yet; start one with `{start}`.")


def _print_board(board: Leaderboard) -> None:
    from marsseg.services import board_context

    inform(" · ".join(f"{title.lower()} {value}" for title, value in board_context(board).items()))
    numbers = ["#", "Mean IoU", "n", "Δ points", *CLASS_NAMES, "Parameters", "Time"]
    basis = ["Scored over"] if board.has_folds else []
    columns = ["#", "What differs", *numbers[1:], *basis, "ID"]
    rows = [_cells(rank, row, basis=board.has_folds) for rank, row in enumerate(board.rows, start=1)]
    print_table(columns, rows, right=numbers)
    if board.caveat:
        inform(board.caveat)
    if board.has_other_tiles:
        inform("Where another split was used, Δ is over the tiles that the row shares with the baseline.")


def _cells(rank: int, row: LeaderboardRow, *, basis: bool) -> list[str]:
    spread = "" if row.sd is None else f" ± {row.sd:.3f}"
    return [
        str(rank),
        row.name,
        f"{score(row.score)}{spread}",
        str(row.n),
        "baseline" if row.is_baseline else _points(row.delta),
        *map(score, row.class_iou),
        whole(row.parameters),
        duration(row.seconds),
        *([row.basis] if basis else []),
        row.run_ids[-1],
    ]


def _points(delta: Delta | None) -> str:
    """A difference in points (hundredths of IoU), with its interval if there is one."""
    if delta is None:
        return UNKNOWN
    interval = (
        ""
        if delta.low is None or delta.high is None
        else f" [{100 * delta.low:+.1f}, {100 * delta.high:+.1f}]"
    )
    shared = "" if delta.shared_tiles is None else f" on {counted(delta.shared_tiles, 'tile')}"
    return f"{100 * delta.value:+.1f}{interval}{shared}"
