"""What results were made of: dataset, split, budget, machine and code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from marsseg.config.describe import FIELDS, format_value
from marsseg.presets import LADDER
from marsseg.services.board_formats import markdown_table
from marsseg.services.results import StudyResults
from marsseg.store.records import RunRecord
from marsseg.wording import counted

_UNKNOWN = "not recorded"
_BUDGET = ("train.epochs", "train.batch_size", "train.learning_rate", "train.schedule")
_PACKAGES = {"python": "Python", "tensorflow": "TensorFlow", "keras": "Keras"}
_SHA_DIGITS = 12


def setting(results: StudyResults) -> list[str]:
    """A sentence and a table of facts, as paragraphs of Markdown."""
    runs = [run for row in results.rows for run in row.runs]
    facts = {
        "Dataset": _dataset(results),
        "Split": _split(results),
        "Budget": _budget(results),
        **_overrides(results),
        "Machine": _machine(runs),
        "Software": _told(runs, _software),
        "Code": _told(runs, _code),
        "Trained": _when(runs),
    }
    rows = [[title, fact] for title, fact in facts.items()]
    return [_sentence(results, runs), markdown_table(["", ""], rows)]


def _sentence(results: StudyResults, runs: list[RunRecord]) -> str:
    what = "The ladder of the origin report" if results.rungs else "A study"
    minutes = sum(run.train_seconds or 0 for run in runs) / 60
    rows, scored = counted(len(results.rows), "configuration"), counted(len(runs), "run")
    return f"{what}: {rows}, {scored} with scores, {minutes:.0f} min of training in all."


def _dataset(results: StudyResults) -> str:
    dataset = results.dataset
    pairs = dataset.meta["pairs"]
    kept = pairs - len(results.dropped_rows)
    checksum = f"SHA-256 {dataset.sha256[:_SHA_DIGITS]}…"
    return f"{dataset.name} ({checksum}): {pairs:,} pairs, {kept:,} of them kept by cleaning"


def _split(results: StudyResults) -> str:
    parts = [
        f"{part.name} {part.tiles:,} tiles ({part.with_big_rock:,} with big rock)" for part in results.split
    ]
    data = results.rows[0].config.data
    folds = f"; {data.folds} folds" if data.folds else ""
    return f"{', '.join(parts)}; split seed {data.split_seed}{folds}"


def _budget(results: StudyResults) -> str:
    """Of each field the value of all rows, or that it differs."""
    values = {path: {row.config.flat()[path] for row in results.rows} for path in _BUDGET}
    return ", ".join(
        f"{FIELDS[path].ui.label.lower()} {' or '.join(sorted(map(format_value, found)))}"
        for path, found in values.items()
    )


def _overrides(results: StudyResults) -> dict[str, str]:
    """What every row of a ladder does that the report's rows do not."""
    if results.rungs is None:
        return {}
    usual = LADDER[0].config.flat()
    words = [
        f"{FIELDS[path].ui.label.lower()} {format_value(usual[path])} → {format_value(value)}"
        for path, value in results.rungs.shared.items()
    ]
    return {"Not as in the report, in every row alike": ", ".join(words) or "nothing"}


def _machine(runs: list[RunRecord]) -> str:
    threads = sorted({run.threads for run in runs if run.threads is not None})
    gpus = sorted({run.gpu for run in runs if run.gpu is not None})
    noun = "CPU thread" if threads == [1] else "CPU threads"
    share = f"{' or '.join(map(str, threads))} {noun} a run" if threads else "CPU threads not recorded"
    return f"{_told(runs, _platform)}; {share}; {'GPU ' + ', '.join(gpus) if gpus else 'no GPU'}"


def _told(runs: Iterable[RunRecord], say: Callable[[RunRecord], str | None]) -> str:
    """What the runs say, each answer once."""
    said = dict.fromkeys(filter(None, map(say, runs)))
    return "; ".join(said) or _UNKNOWN


def _platform(run: RunRecord) -> str | None:
    platform: str | None = run.provenance.get("platform")
    return platform


def _software(run: RunRecord) -> str | None:
    versions = {"python": run.provenance.get("python"), **(run.provenance.get("packages") or {})}
    known = [f"{title} {versions[name]}" for name, title in _PACKAGES.items() if versions.get(name)]
    return ", ".join(known) or None


def _code(run: RunRecord) -> str | None:
    commit = run.provenance.get("git_commit")
    changed = ", changed since" if run.provenance.get("git_dirty") else ""
    return f"commit {commit[:_SHA_DIGITS]}{changed}" if commit else None


def _when(runs: Iterable[RunRecord]) -> str:
    days = sorted(_day(at) for run in runs for at in (run.finished_at,) if at is not None)
    if not days:
        return _UNKNOWN
    return days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))
