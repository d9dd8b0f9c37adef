"""`results`: write up what a study found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marsseg.cli.output import JsonOption, inform, print_json
from marsseg.errors import ConfigError
from marsseg.wording import counted


def results(
    *,
    study: Annotated[str, typer.Option(metavar="ID", help="The study: its number or its name.")],
    candidate: Annotated[
        str | None,
        typer.Option(help="What is compared with --against: a preset, a run or a fingerprint."),
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="What it is compared with: a preset, a run or a fingerprint.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page here instead of on stdout.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write what a study found as a page of Markdown, from stored scores; nothing is trained."""
    from marsseg import services

    if candidate is not None and against is None:
        raise ConfigError({"--candidate": "needs --against; say what it is compared with."})
    found = services.study_results(services.open_lab(), study, candidate=candidate, against=against)
    text = services.results_text(found, str(out or "docs/results.md"))
    if out is not None:
        out.write_text(text, encoding="utf-8")
        inform(f"Written: {out}.")
    if as_json:
        print_json(services.results_document(found))
    elif out is None:
        typer.echo(text, nl=False)
    if gaps := services.find_gaps(found):
        inform(f"The page says what is missing and how to get it: {counted(len(gaps), 'thing')}.")
