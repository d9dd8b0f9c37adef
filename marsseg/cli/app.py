"""The command tree, and how errors leave it: one sentence on stderr and an exit status."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from marsseg import __version__
from marsseg.cli import (
    board,
    combine,
    datasets,
    db,
    presets,
    queue,
    results,
    runs,
    scheduler,
    study,
    train,
    use,
)
from marsseg.cli.output import complain
from marsseg.errors import ConfigError, MarsSegError

BAD_INPUT = 2
INTERRUPTED = 130


class LabGroup(TyperGroup):
    """Turns what the lab raises on purpose into sentences."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; exit with 2 for bad input, 1 for a failed run."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            for path, sentence in error.problems.items():
                complain(f"{path}: {sentence}")
            raise typer.Exit(error.exit_status) from error
        except MarsSegError as error:
            complain(str(error))
            raise typer.Exit(error.exit_status) from error
        except BrokenPipeError:
            raise  # whoever read our output went away; nothing to say
        except OSError as error:
            if error.filename is None and error.errno == errno.ENOSPC:
                complain("The output cannot be written: there is no space left where it goes.")
                raise typer.Exit(BAD_INPUT) from error
            if error.filename is None:
                raise
            complain(f"{error.filename} cannot be used: {error.strerror}.")
            raise typer.Exit(BAD_INPUT) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    name="marsseg",
    cls=LabGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train small segmentation networks on Mars terrain and learn which change helped.",
)
app.add_typer(datasets.app, name="datasets")
app.command("train")(train.train)
app.command("combine")(combine.combine)
app.command("study")(study.study)
app.add_typer(runs.app, name="runs")
app.add_typer(queue.app, name="queue")
app.command("leaderboard")(board.leaderboard)
app.command("results")(results.results)
app.command("segment")(use.segment)
app.command("submission")(use.submission)
app.add_typer(presets.app, name="presets")
app.command("scheduler")(scheduler.scheduler)
app.add_typer(db.app, name="db")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"marsseg {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which version this is."),
    ] = False,
) -> None:
    pass


def _open_what_is_closed() -> None:
    """Give the streams that a shell closed (`>&-`) nobody to speak to; Python leaves them None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 - open until the process ends


def main() -> None:
    """Run the command line and exit."""
    _open_what_is_closed()
    app(prog_name="python -m marsseg")
