"""A run as people read it in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from marsseg.classes import CLASS_NAMES
from marsseg.cli.output import print_facts, print_table
from marsseg.cli.text import duration, moment, score, whole
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.store.records import RunRecord

FOLD_COLUMNS = ["Seed", "Fold"]
_EPOCH_COLUMNS = ["Epoch", "Loss", "Val loss", "Val terrain mIoU", "Learning rate", "Time"]


def print_run(document: Mapping[str, Any]) -> None:
    """Print facts, epochs and scores of a run document (see `services.run_document`)."""
    print_facts(
        {
            "Run": document["id"],
            "Name": document["name"],
            "Status": _status(document),
            **_halted(document),
            "Dataset": document["dataset"],
            "Seed": str(document["seed"]),
            **({} if document["fold"] is None else {"Fold": str(document["fold"])}),
            "Fingerprint": document["fingerprint"],
            "Parameters": whole(document["parameters"]),
            "Created": moment(document["created_at"]),
            "Trained for": duration(document["train_seconds"]),
            "Best epoch": whole(document["best_epoch"]),
            **_said(document),
            **_made_with(document),
        }
    )
    if document["epochs"]:
        print_table(_EPOCH_COLUMNS, [_epoch_row(e) for e in document["epochs"]], right=_EPOCH_COLUMNS)
    if document["scores"]:
        numbers = ["Mean IoU", *CLASS_NAMES]
        print_table(["Split", "Lens", "Decoding", *numbers], _score_rows(document["scores"]), right=numbers)


def fold_cells(runs: Sequence[RunRecord]) -> list[list[str]]:
    """Cells for `FOLD_COLUMNS` of each run; none at all where no run has a fold."""
    folds = [run.config.own_fold for run in runs]
    has_folds = any(fold is not None for fold in folds)
    return [[str(run.seed), whole(fold)] if has_folds else [] for run, fold in zip(runs, folds, strict=True)]


def _halted(document: Mapping[str, Any]) -> dict[str, str]:
    """That its process is there and does nothing, as one that is suspended."""
    silence = document["silent_seconds"]
    said = f"for {duration(silence)}; its process is suspended or stuck"
    return {"No sign of life": said} if silence else {}


def _said(document: Mapping[str, Any]) -> dict[str, str]:
    """What people said about it, and how often it was started; only what there is."""
    facts = {
        "Launches": str(document["launches"]) if document["launches"] > 1 else "",
        "Tags": ", ".join(document["tags"]),
        "Notes": document["notes"],
        "Archived": "yes" if document["archived"] else "",
    }
    return {label: words for label, words in facts.items() if words}


def _made_with(document: Mapping[str, Any]) -> dict[str, str]:
    known = document["provenance"]
    if not known:
        return {}
    commit = known.get("git_commit")
    code = f"commit {commit[:12]}{', changed' if known.get('git_dirty') else ''}" if commit else "unknown"
    packages = known.get("packages") or {}
    threads = known.get("intra_op_threads")
    share = counted(threads, "CPU thread") if threads else ""
    facts = {
        "Code": code,
        "Packages": ", ".join(f"{name} {version}" for name, version in packages.items() if version),
        "Machine": ", ".join(filter(None, [known.get("device"), share])),
    }
    return {label: words for label, words in facts.items() if words}


def _status(document: Mapping[str, Any]) -> str:
    return f"{document['status']}: {document['reason']}" if document["reason"] else str(document["status"])


def _epoch_row(epoch: Mapping[str, Any]) -> list[str]:
    return [
        str(epoch["epoch"]),
        score(epoch["loss"], ".4f"),
        score(epoch["val_loss"], ".4f"),
        score(epoch["val_terrain_miou"]),
        f"{epoch['learning_rate']:g}",
        duration(epoch["seconds"]),
    ]


def _score_rows(scores: Mapping[str, Any]) -> list[list[str]]:
    return [
        [split, lens, decoding, score(values["mean_iou"]), *map(score, values["class_iou"])]
        for split, lenses in scores.items()
        for lens, decodings in lenses.items()
        for decoding, values in decodings.items()
    ]
