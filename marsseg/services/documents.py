"""What the terminal prints with `--json`: plain documents of runs and datasets."""

from __future__ import annotations

import json
import time
from typing import Any

from marsseg.metrics import DECODINGS, LENSES, SPLITS, class_iou
from marsseg.services.comparing import known_iou, score_of
from marsseg.services.datasets import dataset_report
from marsseg.services.lab import Lab
from marsseg.services.runs import get_run
from marsseg.services.unknowns import none_if_unknown
from marsseg.store.records import EpochRecord, RunRecord

_ALL_EVENTS = 100_000


def dataset_document(lab: Lab, name: str) -> dict[str, Any]:
    """One dataset as `datasets show --json` prints it; shares are after cleaning."""
    report = dataset_report(lab, name)
    record, meta = report.record, report.record.meta
    return {
        "id": record.id,
        "name": record.name,
        "sha256": record.sha256,
        "source": record.source,
        "format": meta["format"],
        "known_as": meta["known_as"],
        "pairs": report.pairs,
        "kept": report.kept,
        "outliers": list(record.dropped_rows),
        "outlier_groups": [
            {"id": group.id, "rows": list(group.rows), "kept": group.kept} for group in report.groups
        ],
        "test_images": report.test_images,
        "with_big_rock": report.with_big_rock,
        "class_share": list(report.share_after),
        "class_share_before": list(report.share_before),
        "tile": meta["tile"],
        "frame_size": meta["frame_size"],
        "mean": meta["mean"],
        "std": meta["std"],
    }


def run_summary(run: RunRecord) -> dict[str, Any]:
    """One run in a list."""
    return {
        "id": run.id,
        "name": run.name,
        "status": str(run.status),
        "reason": run.reason,
        "fingerprint": run.fingerprint,
        "seed": run.seed,
        "fold": run.config.own_fold,
        "dataset": run.dataset_name,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "tags": list(run.tags),
        "archived": run.archived,
    }


def run_document(lab: Lab, run_id: str) -> dict[str, Any]:
    """One run as `runs show --json` prints it, with epochs, all scores and its story, oldest event first."""
    run = get_run(lab, run_id)
    return {
        **run_summary(run),
        "config": json.loads(run.config.model_dump_json()),
        "parameters": run.parameters,
        "class_weights": None if run.class_weights is None else list(run.class_weights),
        "best_epoch": run.best_epoch,
        "silent_seconds": run.silence(time.time()),
        "train_seconds": run.train_seconds,
        "epochs": [_epoch(epoch) for epoch in lab.store.list_epochs(run.id)],
        "scores": _scores(lab, run),
        "provenance": dict(run.provenance),
        "notes": run.notes,
        "launches": run.launches,
        "threads": run.threads,
        "gpu": run.gpu,
        "priority": run.priority,
        "events": timeline(lab, run.id),
    }


def timeline(lab: Lab, run_id: str) -> list[dict[str, Any]]:
    """All that happened to a run, oldest first: when, what kind of change, and why."""
    events = lab.store.list_events(get_run(lab, run_id).id, limit=_ALL_EVENTS)
    return [{"at": event.at, "kind": event.kind, "message": event.message} for event in reversed(events)]


def _epoch(epoch: EpochRecord) -> dict[str, Any]:
    return {
        "epoch": epoch.epoch,
        "loss": none_if_unknown(epoch.loss),
        "val_loss": none_if_unknown(epoch.val_loss),
        "val_terrain_miou": none_if_unknown(epoch.val_terrain_miou),
        "val_class_iou": [none_if_unknown(iou) for iou in epoch.val_class_iou],
        "learning_rate": epoch.learning_rate,
        "seconds": epoch.seconds,
        "images_per_second": epoch.images_per_second,
    }


def _scores(lab: Lab, run: RunRecord) -> dict[str, Any]:
    """Scores by split, lens and decoding, as boards have them; a split without an evaluation is left out."""
    scores: dict[str, Any] = {}
    for split in SPLITS:
        for decoding in DECODINGS:
            for record in lab.store.list_evaluations([run.id], split, decoding):
                total = record.confusions.sum(axis=0)
                for lens in LENSES:
                    scores.setdefault(split, {}).setdefault(lens, {})[decoding] = {
                        "mean_iou": none_if_unknown(score_of(run.config, total, lens)),
                        "class_iou": [
                            none_if_unknown(iou) for iou in known_iou(run.config, class_iou(total, lens))
                        ],
                    }
    return scores
