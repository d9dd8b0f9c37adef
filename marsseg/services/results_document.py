"""Results of a study as `results --json` prints them."""

from __future__ import annotations

from typing import Any

from marsseg.metrics import LENSES, SPLITS
from marsseg.services.result_gaps import find_gaps
from marsseg.services.result_rows import Comparison, ResultRow
from marsseg.services.results import StudyResults
from marsseg.services.unknowns import none_if_unknown


def results_document(results: StudyResults) -> dict[str, Any]:
    """One plain document; scores are lists, a number for each seed."""
    duel = results.duel
    return {
        "study": results.study.id,
        "name": results.study.name,
        "dataset": results.dataset.name,
        "is_ladder": results.rungs is not None,
        "shared": dict(results.rungs.shared) if results.rungs else {},
        "rows": [_row(row) for row in results.rows],
        "steps": [_comparison(step) for step in results.steps],
        "upside_down": [_comparison(pair) for pair in results.upside_down],
        "against": duel
        and {"names": list(duel.names), "differences": [_comparison(c) for c in duel.comparisons]},
        "missing": [{"what": gap.sentence, "command": gap.command} for gap in find_gaps(results)],
    }


def _row(row: ResultRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "preset": row.preset and row.preset.key,
        "runs": [run.id for run in row.runs],
        "parameters": row.parameters,
        "seconds": list(row.seconds),
        "scores": {
            split: {lens: [none_if_unknown(score) for score in row.scores(lens, split)] for lens in LENSES}
            for split in SPLITS
        },
    }


def _comparison(pair: Comparison) -> dict[str, Any]:
    delta = pair.delta
    return {
        "ours": pair.ours.name,
        "theirs": pair.theirs.name,
        "lens": pair.lens,
        "split": pair.split,
        "delta": delta and none_if_unknown(delta.value),
        "over_images": delta and [none_if_unknown(delta.low), none_if_unknown(delta.high)],
        "over_seeds": pair.seeds and list(pair.seeds),
        "beyond_noise": pair.is_beyond_noise,
    }
