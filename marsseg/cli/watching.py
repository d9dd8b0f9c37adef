"""Wait for a run in the terminal, with a bar on stderr, and say how it ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from marsseg.cli.describing import print_run
from marsseg.cli.output import inform, print_facts, print_json, progress_bar
from marsseg.cli.text import duration

if TYPE_CHECKING:
    from marsseg.config import RunConfig
    from marsseg.services import Lab
    from marsseg.store.records import Progress, RunRecord

_POLL_SECONDS = 0.5


def warn_of_leaks(lab: Lab, *configs: RunConfig) -> None:
    """Say on stderr what the splits divide that belongs together; nothing if they divide nothing."""
    from marsseg import services

    with progress_bar() as progress:
        report = services.find_leaks(lab, *configs, progress=progress)
    if report.warning:
        inform(f"Warning: {report.warning}")


def started(lab: Lab, run: RunRecord, *, wait: bool, as_json: bool) -> None:
    """Say that a run is queued and what it waits for, or wait for its end."""
    from marsseg import services

    if wait:
        watch(lab, run.id, as_json=as_json)
    elif as_json:
        print_json(services.run_document(lab, run.id))
    else:
        print_facts({"Run": run.id, "Name": run.name, "Status": str(run.status)})
        if wait_for := services.waiting_for(lab, run.id):
            inform(wait_for)
        what = (
            "combines its runs in the background, once they have ended"
            if run.config.combine.is_on
            else "trains in the background"
        )
        inform(f"It {what}; see `python -m marsseg runs show {run.id}`.")


def watch(lab: Lab, run_id: str, *, as_json: bool) -> None:
    """Return when the run has ended, having printed it; its id and where it stands go to stderr at once.

    Raises:
        RunFailedError: it ended as failed or lost; what is known of it was printed all the same.
    """
    from marsseg import services

    run = services.get_run(lab, run_id)
    inform(f"Run {run.id}, {run.name}: {run.status}. {services.waiting_for(lab, run.id)}".rstrip())
    try:
        _follow(lab, run_id)
    except KeyboardInterrupt:
        inform(
            f"Run {run_id} goes on in the background; stop it with `python -m marsseg runs stop {run_id}`."
        )
        raise
    document = services.run_document(lab, run_id)
    if as_json:
        print_json(document)
    else:
        print_run(document)
    services.wait(lab, run_id)


def _follow(lab: Lab, run_id: str) -> None:
    from marsseg import services

    with progress_bar() as report:
        while not (run := services.look_after(lab, run_id)).status.is_finished:
            report(_fraction(run.progress), _sentence(run))
            time.sleep(_POLL_SECONDS)


def _fraction(progress: Progress | None) -> float:
    """Share of the epochs that are done, the current one counted by its steps."""
    if progress is None or not progress.epochs:
        return 0.0
    within = progress.step / progress.steps if progress.steps else 0.0
    return min(1.0, (max(0, progress.epoch - 1) + within) / progress.epochs)


def _sentence(run: RunRecord) -> str:
    progress = run.progress
    if progress is None:
        return str(run.status)
    if silence := run.silence(time.time()):
        return f"{progress.phase}, no sign of life for {duration(silence)}"
    parts = [str(progress.phase)]
    if progress.epoch:
        parts.append(f"epoch {progress.epoch}/{progress.epochs}")
    if progress.images_per_second:
        parts.append(f"{progress.images_per_second:.0f} images/s")
    if progress.seconds_left:
        parts.append(f"about {duration(progress.seconds_left)} left")
    return ", ".join(parts)
