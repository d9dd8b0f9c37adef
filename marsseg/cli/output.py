"""What commands print: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]

_WIDTH_OF_A_PIPE = 200


def complain(sentence: str) -> None:
    """Say on stderr what was wrong."""
    typer.echo(f"Error: {printable(sentence)}", err=True)


def inform(sentence: str) -> None:
    """Say on stderr what a person may like to know beside the result."""
    typer.echo(printable(sentence), err=True)


def print_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print a table on stdout; columns named in `right` are right-aligned. Cells are text, never markup."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(
            Text(column), justify="right" if column in right else "left", no_wrap=column in {"ID", *right}
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    _console().print(table)


def print_facts(facts: Mapping[str, str]) -> None:
    """Print labelled values on stdout, one a line."""
    width = max(map(len, facts))
    for label, value in facts.items():
        typer.echo(f"{label:<{width}}  {printable(value)}")


def printable(text: str) -> str:
    """The text without control characters: a name must not be able to steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


@contextmanager
def progress_bar() -> Iterator[Callable[[float, str], None]]:
    """Show a bar on stderr while the block runs; yields what to call with (fraction 0 to 1, what is done)."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0)

        def report(fraction: float, what: str) -> None:
            bar.update(task, completed=fraction, description=escape(printable(what)))

        yield report


def _console() -> Any:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE, highlight=False)
