"""The leaderboard as text: CSV, JSON, Markdown and LaTeX from one table of plain cells."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Collection, Sequence
from typing import Any, Literal, get_args

from marsseg.classes import CLASS_NAMES
from marsseg.config.describe import FIELDS, format_value
from marsseg.errors import NotFoundError
from marsseg.services.leaderboard import Leaderboard, LeaderboardRow
from marsseg.services.pooling import FoldState
from marsseg.services.unknowns import none_if_unknown

BoardFormat = Literal["json", "csv", "md", "latex"]
_FORMULA = re.compile(r"[=@\t\r]|[+-](?=\d|.*[|!(='\"])")
_LATEX = {
    "\\": r"\textbackslash{}",
    "−": "$-$",
    "γ": r"$\gamma$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "×": r"$\times$",
    "Δ": r"$\Delta$",
    "±": r"$\pm$",
    "–": "--",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def leaderboard_text(board: Leaderboard, form: str) -> str:
    """Write the board as text, ending in a newline.

    Raises:
        NotFoundError: `form` is none of json, csv, md, latex.
    """
    writers = {"json": _json, "csv": _csv, "md": _markdown, "latex": _latex}
    if form not in writers:
        raise NotFoundError(f"There is no format {form!r}; choose one of {', '.join(get_args(BoardFormat))}.")
    return writers[form](board)


def board_columns(board: Leaderboard) -> list[str]:
    """Column titles of the text table."""
    toggles = [FIELDS[path].ui.label for path in board.toggles]
    classes = [f"IoU {name}" for name in CLASS_NAMES]
    basis = ["Scored over"] if board.has_folds else []
    shared = ["Δ tiles"] if board.has_other_tiles else []
    scores = ["Mean IoU", "sd", "n", *basis, "Δ", "Δ low", "Δ high", *shared, *classes]
    return ["Rank", "What differs", *scores, *toggles, "Parameters", "Seconds", "Runs"]


def board_context(board: Leaderboard) -> dict[str, str]:
    """What all rows have in common, without which a score means nothing; by column title."""
    query = board.query
    return {
        "Dataset": board.dataset or "",
        "Split": query.split,
        "Lens": query.lens,
        "Decoding": query.decoding,
        "Baseline": next((row.name for row in board.rows if row.is_baseline), ""),
    }


def _sentence(board: Leaderboard) -> str:
    """The context as a line below a table."""
    return " · ".join(f"{title.lower()}: {value}" for title, value in board_context(board).items() if value)


def board_cells(board: Leaderboard) -> list[list[str]]:
    """Rows of the text table; an unknown value is empty."""
    has_folds, has_other_tiles = board.has_folds, board.has_other_tiles  # each looks at all rows
    return [
        _cells(rank, row, board.toggles, basis=has_folds, shared=has_other_tiles)
        for rank, row in enumerate(board.rows, start=1)
    ]


def _cells(rank: int, row: LeaderboardRow, toggles: Sequence[str], *, basis: bool, shared: bool) -> list[str]:
    delta = row.delta
    return [
        str(rank),
        row.name,
        _number(row.score),
        _number(row.sd),
        str(row.n),
        *([row.basis] if basis else []),
        _number(delta.value if delta else None, "+.4f"),
        _number(delta.low if delta else None, "+.4f"),
        _number(delta.high if delta else None, "+.4f"),
        *([_number(delta.shared_tiles if delta else None, "d")] if shared else []),
        *(_number(iou) for iou in row.class_iou),
        *("" if row.values.get(path) is None else format_value(row.values[path]) for path in toggles),
        "" if row.parameters is None else str(row.parameters),
        _number(row.seconds, ".1f"),
        " ".join(row.run_ids),
    ]


def _number(value: float | None, form: str = ".4f") -> str:
    return "" if value is None or math.isnan(value) else format(value, form)


def _csv(board: Leaderboard) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    context = board_context(board)
    writer.writerow([*board_columns(board), *context])
    writer.writerows([[_inert(cell) for cell in (*row, *context.values())] for row in board_cells(board)])
    return text.getvalue()


def _inert(cell: str) -> str:
    """Keep a spreadsheet from taking a name for a formula; numbers and names like "+SE" stay as they are."""
    try:
        float(cell)
    except ValueError:
        return f"'{cell}" if _FORMULA.match(cell) else cell
    return cell


def _json(board: Leaderboard) -> str:
    document = {
        "lens": board.query.lens,
        "decoding": board.query.decoding,
        "split": board.query.split,
        "dataset": board.dataset,
        "baseline": board.baseline,
        "toggles": list(board.toggles),
        "rows": [_document(rank, row, board.toggles) for rank, row in enumerate(board.rows, start=1)],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _document(rank: int, row: LeaderboardRow, toggles: tuple[str, ...]) -> dict[str, Any]:
    delta = row.delta
    return {
        "rank": rank,
        "name": row.name,
        "fingerprint": row.fingerprint,
        "runs": list(row.run_ids),
        "n": row.n,
        "scored_over": row.basis,
        "folds": row.folds and _folds(row.folds),
        "is_baseline": row.is_baseline,
        "stopped_early": row.is_partial,
        "mean_iou": none_if_unknown(row.score),
        "sd": none_if_unknown(row.sd),
        "class_iou": [none_if_unknown(iou) for iou in row.class_iou],
        "delta": delta
        and {
            **{name: none_if_unknown(getattr(delta, name)) for name in ("value", "low", "high")},
            "shared_tiles": delta.shared_tiles,
        },
        "toggles": {path: row.values.get(path) for path in toggles},
        "parameters": row.parameters,
        "seconds": none_if_unknown(row.seconds),
    }


def _folds(folds: FoldState) -> dict[str, Any]:
    return {
        "planned": folds.planned,
        "done": folds.done,
        "pooled": folds.pooled,
        "seeds": folds.seeds,
        "complete": folds.is_complete,
    }


def _markdown(board: Leaderboard) -> str:
    table = markdown_table(board_columns(board), board_cells(board))
    return f"{table}\n\n{markdown_cell(_sentence(board))}\n"


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str] = ()
) -> str:
    """A table of plain cells, which stay as they are whatever they hold.

    Args:
        right: titles of the columns that are aligned to the right.
    """
    lines = [[markdown_cell(cell) for cell in line] for line in (header, *rows)]
    titles, *body = ["| " + " | ".join(line) + " |" for line in lines]
    rule = "|" + "".join(" ---: |" if title in right else " --- |" for title in header)
    return "\n".join([titles, rule, *body])


def markdown_cell(cell: str) -> str:
    """Text on one line that Markdown shows letter by letter."""
    flat = " ".join(cell.split())
    return "".join(f"\\{character}" if character in r"\|*_`<[$" else character for character in flat)


def _latex(board: Leaderboard) -> str:
    header = board_columns(board)
    body = [" & ".join(_latex_cell(cell) for cell in row) + r" \\" for row in board_cells(board)]
    lines = [
        f"\\begin{{tabular}}{{rl{'r' * (len(header) - 2)}}}",
        r"\hline",
        " & ".join(_latex_cell(title) for title in header) + r" \\",
        r"\hline",
        *body,
        r"\hline",
        r"\end{tabular}",
        f"% {' '.join(_sentence(board).split())}",
    ]
    return "\n".join(lines) + "\n"


def _latex_cell(cell: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(cell.split()))
