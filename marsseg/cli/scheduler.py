"""`scheduler`: start and watch runs in the foreground, for service managers."""

from __future__ import annotations

import math
from typing import Annotated

import typer


def scheduler(
    idle_seconds: Annotated[
        float | None, typer.Option(min=0, help="End when nothing was queued or active for so long.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stand by while another scheduler serves the store.")
    ] = False,
) -> None:
    """Start queued runs and watch active ones, in the foreground.

    Pages and commands start a scheduler themselves when there is work; a service manager may keep this one
    instead. SIGTERM and SIGINT end it and leave the runs alone: the next scheduler goes on with them.
    """
    from marsseg.execution.scheduler import ServeOptions, serve
    from marsseg.settings import load_settings

    idle = math.inf if idle_seconds is None else idle_seconds
    serve(load_settings(), ServeOptions(idle_seconds=idle, wait=wait, to_stderr=True))
