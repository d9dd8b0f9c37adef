"""The question before something is lost."""

from __future__ import annotations

import sys

import typer

from marsseg.cli.output import complain, inform

BAD_INPUT = 2


def confirm(what_goes: str, *, yes: bool) -> None:
    """Say on stderr what goes, and ask; without a terminal nobody can answer, so `--yes` must be given.

    Raises:
        Exit: with status 2 when there is nobody to ask, 1 when the answer is no.
    """
    if yes:
        return
    inform(what_goes)
    if not sys.stdin.isatty():
        complain("Nobody is here to answer; add --yes to go ahead.")
        raise typer.Exit(BAD_INPUT)
    typer.echo("Go ahead? [y/N] ", nl=False, err=True)  # a prompt of `input` would go to stdout
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        inform("Nothing was changed.")
        raise typer.Exit(1)
