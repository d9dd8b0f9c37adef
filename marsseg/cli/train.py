"""`train`: put one run together, queue it, and wait for it if asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marsseg.cli.output import JsonOption, inform, print_facts, print_json
from marsseg.cli.watching import watch

if TYPE_CHECKING:
    from marsseg.config import RunConfig


def train(
    *,
    preset: Annotated[
        str | None, typer.Option(help="Start from this preset; `presets list` names them.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Start from a configuration in JSON.")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Change one field, such as model.residual=true."),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Train on this dataset.")] = None,
    seed: Annotated[int | None, typer.Option(help="Draws initial weights, tile order and flips.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call the run.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when the run has ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Start a run in the background.

    Runs go on when the terminal is closed. With --wait the exit status is 1 if the run failed.
    """
    from marsseg import services

    start, title = _starting_point(preset, config)
    chosen = _changed(start, assignments or [], dataset, seed)
    lab = services.open_lab()
    run = services.submit(
        lab, chosen, name=name, baseline=start if title else None, baseline_name=title or ""
    )
    if not wait:
        if as_json:
            print_json(services.run_document(lab, run.id))
        else:
            print_facts({"Run": run.id, "Name": run.name, "Status": str(run.status)})
            inform(f"It trains in the background; see `python -m marsseg runs show {run.id}`.")
        return
    watch(lab, run.id, as_json=as_json)


def _starting_point(preset: str | None, file: Path | None) -> tuple[RunConfig, str | None]:
    """The configuration to start from, and the preset's title if it is one."""
    from marsseg.config import parse_config
    from marsseg.errors import NotFoundError
    from marsseg.presets import get_preset

    if (preset is None) == (file is None):
        raise NotFoundError("Give one of --preset NAME and --config FILE; `presets list` names the presets.")
    if preset is not None:
        found = get_preset(preset)
        return found.config, found.title
    assert file is not None
    try:
        return parse_config(file.read_bytes()), None
    except OSError as error:
        raise NotFoundError(f"{file} cannot be read ({error.strerror}); check the path.") from error


def _changed(start: RunConfig, assignments: list[str], dataset: str | None, seed: int | None) -> RunConfig:
    from marsseg.config import apply_overrides

    config = apply_overrides(start, assignments)
    options = {"data.dataset": dataset, "train.seed": seed}
    given = {path: value for path, value in options.items() if value is not None}
    return config.with_values(given) if given else config
