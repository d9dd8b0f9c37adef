"""The report's ladder in a small lab, with made-up predictions, and its results as a page."""

from __future__ import annotations

from marsseg import services
from marsseg.config import RunConfig
from marsseg.services.lab import Lab
from marsseg.store.records import RunRecord
from tests.support.labs import DATASET, finish_queued

BUDGET = {"data.dataset": DATASET, "train.epochs": 3, "train.batch_size": 4, "train.learning_rate": 1e-3}
RATES = (0.40, 0.32, 0.36, 0.20, 0.15, 0.10)
"""Share of wrong pixels by row: the report's second and third row change places."""


def at_budget(run: RunConfig) -> RunConfig:
    return run.with_values(BUDGET)


def queue_ladder(lab: Lab, repeats: int = 3, name: str = "Report ladder") -> list[RunRecord]:
    planned = services.plan_ladder(at_budget, repeats)
    return services.submit_study(lab, name, planned[0].config, planned, services.Wishes(threads=2))[1]


def finish_ladder(lab: Lab, repeats: int = 3) -> list[RunRecord]:
    runs = queue_ladder(lab, repeats)
    return [
        finish_queued(lab, run, error_rate=RATES[place % 6] + 0.01 * run.seed)
        for place, run in enumerate(runs)
    ]


def text_of(lab: Lab, study: str = "Report ladder", **asked: str) -> str:
    return services.results_text(services.study_results(lab, study, **asked))


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n")[1].split("\n## ", maxsplit=1)[0]
