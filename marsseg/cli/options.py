"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from marsseg.cli.output import JsonOption

__all__ = [
    "Assignments",
    "JsonOption",
    "Name",
    "NewName",
    "RunId",
    "RunIds",
    "Seed",
    "WaitOption",
    "YesOption",
]

RunId = Annotated[str, typer.Argument(metavar="ID", help="A run's id, or an unambiguous beginning of it.")]
RunIds = Annotated[
    list[str], typer.Argument(metavar="ID…", help="Ids of runs, or unambiguous beginnings of them.")
]
NewName = Annotated[str, typer.Argument(metavar="NEW", help="What to call it from now on.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Return when the run has ended.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change one field, such as model.residual=true."),
]
Seed = Annotated[int | None, typer.Option(help="Draws initial weights, tile order and flips.")]
Name = Annotated[str | None, typer.Option(help="What to call the run.")]
