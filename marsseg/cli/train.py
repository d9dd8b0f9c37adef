"""`train`: put one run together, queue it, and wait for it if asked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marsseg.cli.options import Assignments, JsonOption, Name, Seed, WaitOption
from marsseg.cli.output import inform
from marsseg.cli.watching import started, warn_of_leaks

if TYPE_CHECKING:
    from marsseg.config import RunConfig
    from marsseg.services.lab import Lab


def train(
    *,
    preset: Annotated[
        str | None, typer.Option(help="Start from this preset; `presets list` names them.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Start from a configuration in JSON.")
    ] = None,
    assignments: Assignments = None,
    dataset: Annotated[
        str | None, typer.Option(help="Train on this dataset: its name, or the first digits of its checksum.")
    ] = None,
    seed: Seed = None,
    name: Name = None,
    note: Annotated[str, typer.Option(help="What there is to say about it.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="A word to find it by; may be repeated.")] = None,
    priority: Annotated[int, typer.Option(help="Higher starts first; 0 is usual.")] = 0,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads; by default its share of the cores.")
    ] = None,
    two_stages: Annotated[
        bool,
        typer.Option(
            "--two-stages",
            help="Train background against terrain, then the terrain classes, and combine both.",
        ),
    ] = False,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Start a run in the background.

    Runs go on when the terminal is closed. With --wait the exit status is 1 if the run failed.
    """
    from marsseg import services

    start, title = starting_point(preset, config)
    chosen = changed(start, assignments or [], dataset, seed)
    lab = services.open_lab()
    warn_of_leaks(lab, chosen)
    wishes = services.Wishes(priority, threads, note, tuple(tag or ()))
    if two_stages:
        stages = services.submit_two_stages(lab, chosen, name=name or title or "", wishes=wishes)
        _warn(lab, [stages.background.config, stages.terrain.config])
        warn_of_idle(chosen, start if title else None)
        inform(services.TWO_STAGES_UNSEEN)
        if note := services.weighs_background_once(chosen):
            inform(note)
        started(lab, stages.combined, wait=wait, as_json=as_json)
        return
    _warn(lab, [chosen])
    warn_of_idle(chosen, start if title else None)
    run = services.submit(
        lab,
        chosen,
        name=name,
        baseline=start if title else None,
        baseline_name=title or "",
        wishes=wishes,
    )
    started(lab, run, wait=wait, as_json=as_json)


def starting_point(preset: str | None, file: Path | None) -> tuple[RunConfig, str | None]:
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


def changed(start: RunConfig, assignments: list[str], dataset: str | None, seed: int | None) -> RunConfig:
    """The configuration with what the options say."""
    from marsseg.config import apply_overrides

    config = apply_overrides(start, assignments)
    options = {"data.dataset": dataset, "train.seed": seed}
    given = {path: value for path, value in options.items() if value is not None}
    return config.with_values(given) if given else config


def _warn(lab: Lab, configs: Iterable[RunConfig]) -> None:
    """Each warning of the preview, once."""
    from marsseg import services

    warnings = (line for config in configs for line in services.preview(lab, config).warnings)
    for line in dict.fromkeys(warnings):
        inform(f"Warning: {line}")


def warn_of_idle(config: RunConfig, start: RunConfig | None, others: Iterable[RunConfig] = ()) -> None:
    """Name the settings that have no say, see `idle_settings`; the form hides their fields instead.

    Args:
        start: the preset that `config` was made from; None if all of its values were chosen.
    """
    from marsseg.config import idle_settings

    for sentence in idle_settings(config, start, others):
        inform(f"Warning: {sentence}")
