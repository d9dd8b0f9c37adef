"""`datasets`: add one, list them, show what cleaning found and overrule it, rename, remove."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marsseg.classes import CLASS_NAMES
from marsseg.cli.asking import confirm
from marsseg.cli.options import NewName, YesOption
from marsseg.cli.output import (
    JsonOption,
    inform,
    print_facts,
    print_json,
    print_table,
    printable,
    progress_bar,
)
from marsseg.cli.text import percent, size, whole
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.services import LeakReport, Removal
    from marsseg.store.records import DatasetRecord

app = typer.Typer(no_args_is_help=True, help="The tiles to learn from.")

DatasetName = Annotated[str, typer.Argument(help="A dataset's name, or the beginning of its sha256.")]


@app.command("add")
def add(
    path: Annotated[
        Path | None, typer.Argument(help="An .npz in the course format, or an AI4Mars folder.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call it; the file's name by default.")] = None,
    frame_size: Annotated[
        int | None, typer.Option(help="Side in pixels of the frames that the tiles are or were cut from.")
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="The built-in demo terrain, anew if its files are gone.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Import a dataset; the original file is only read."""
    from marsseg import services
    from marsseg.errors import NotFoundError

    if demo != (path is None):
        raise NotFoundError("Give the PATH of a dataset, or --demo alone for the built-in one.")
    lab = services.open_lab()
    with progress_bar() as progress:
        if path is None:
            added = services.add_demo(lab, progress)
        else:
            added = services.add_dataset(lab, path, name=name, frame_size=frame_size, progress=progress)
    drawn_now = path is None and lab.is_new
    if drawn_now:
        inform("This is a new lab, and its first start has drawn the demo terrain.")
    elif added.restored:
        inform(f"The files of {added.record.name} were missing or damaged and have been restored.")
    elif added.already_there:
        inform(f"These tiles are here already, as {added.record.name}; nothing was added.")
    document = services.dataset_document(lab, added.record.name)
    if as_json:
        print_json({**document, "already_there": added.already_there and not drawn_now})
    else:
        _print_dataset(document)


@app.command("list")
def list_datasets(as_json: JsonOption = False) -> None:
    """List all datasets."""
    from marsseg import services

    records = services.list_datasets(services.open_lab())
    if as_json:
        print_json([_summary(record) for record in records])
        return
    rows = [
        [
            r.name,
            whole(_kept(r)),
            whole(r.meta["pairs"]),
            whole(r.meta["test_images"]),
            r.sha256[:12],
            r.source,
        ]
        for r in records
    ]
    columns = ["Name", "Kept", "Pairs", "Test images", "sha256", "Source"]
    print_table(columns, rows, right=["Kept", "Pairs", "Test images"])


@app.command("show")
def show(name: DatasetName, as_json: JsonOption = False) -> None:
    """Show counts, class shares and what cleaning found."""
    from marsseg import services

    _show(services.dataset_document(services.open_lab(), name), as_json=as_json)


@app.command("keep")
def keep(
    name: DatasetName,
    group: Annotated[str, typer.Argument(help="A suspected outlier group, as `datasets show` names it.")],
    undo: Annotated[bool, typer.Option("--undo", help="Leave it out again.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Keep the tiles of a suspected outlier group; runs that are queued already stay as they are."""
    from marsseg import services

    lab = services.open_lab()
    services.keep_group(lab, name, group, keep=not undo)
    _show(services.dataset_document(lab, name), as_json=as_json)


@app.command("rename")
def rename(
    name: DatasetName,
    new_name: NewName,
    as_json: JsonOption = False,
) -> None:
    """Give a dataset another name; runs keep pointing at it."""
    from marsseg import services

    record = services.rename_dataset(services.open_lab(), name, new_name)
    if as_json:
        print_json(_summary(record))
    else:
        print_facts({"Name": record.name, "sha256": record.sha256})


@app.command("remove")
def remove(name: DatasetName, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Remove a dataset that no run uses, with its imported copy; what it was imported from stays."""
    from marsseg import services

    lab = services.open_lab()
    plan = services.plan_removal(lab, name)
    if plan.is_possible:  # else it is refused below, with the reason
        confirm(_what_goes(plan), yes=yes)
    services.remove_dataset(lab, name)
    if as_json:
        print_json({"removed": plan.record.name, "files": plan.files, "bytes": plan.bytes})
    else:
        typer.echo(f"Removed {printable(plan.record.name)}, {size(plan.bytes)}.")


def _show(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        _print_dataset(document)


def _what_goes(plan: Removal) -> str:
    meta = plan.record.meta
    tiles = f"{counted(meta['pairs'], 'pair')}, {counted(meta['test_images'], 'test image')}"
    return (
        f"  {plan.record.name} ({tiles})\nIts imported copy goes: {counted(plan.files, 'file')}, "
        f"{size(plan.bytes)}. What it was imported from is not touched."
    )


@app.command("leaks")
def leaks(
    *,
    name: DatasetName,
    validation: Annotated[float, typer.Option(help="Validation share, as `data.validation_fraction`.")] = 0.1,
    test: Annotated[float, typer.Option(help="Test share, as `data.test_fraction`.")] = 0.1,
    split_seed: Annotated[int, typer.Option(help="Draws the split, as `data.split_seed`.")] = 0,
    folds: Annotated[int, typer.Option(help="0, or the number of folds, as `data.folds`.")] = 0,
    fold: Annotated[
        int | None, typer.Option(help="Which of the folds validates, from 0; all of them by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show near-duplicate tiles and source images that a split divides between its parts."""
    from marsseg import services
    from marsseg.config import parse_values
    from marsseg.errors import ConfigError

    if fold is not None and not folds:
        raise ConfigError({"--fold": "needs --folds; say how many there are."})
    wanted = {"dataset": name, "validation_fraction": validation, "test_fraction": test}
    wanted |= {"split_seed": split_seed, "folds": folds, "fold": fold or 0}
    config = parse_values({f"data.{field}": value for field, value in wanted.items()})
    every = [fold] if fold is not None else range(folds or 1)
    configs = [config.with_values({"data.fold": number}) for number in every]
    with progress_bar() as progress:
        report = services.find_leaks(services.open_lab(), *configs, progress=progress)
    if as_json:
        print_json({**asdict(report), "warning": report.warning})
    else:
        _print_leaks(report)


def _print_leaks(report: LeakReport) -> None:
    rows = [
        [f"{pair.similarity:.3f}", pair.mirrored or "no"]
        + [f"{row} ({part})" for row, part in zip(pair.rows, pair.parts, strict=True)]
        for pair in report.pairs
    ]
    if rows:
        print_table(["Similarity", "Mirrored", "Tile", "And tile"], rows, right=["Similarity"])
    torn = [[str(torn.group), ", ".join(f"{n} {part}" for part, n in torn.tiles)] for torn in report.groups]
    if torn:
        print_table(["Source image", "Tiles"], torn)
    where = f" in any of {report.folds} folds" if report.folds > 1 else ""
    clean = f"Nothing leaks: no near-duplicate and no source image is divided between parts{where}."
    inform(report.warning or clean)
    if not report.knows_sources:
        inform("The source does not say which tiles were cut from one image, so these may be divided.")


def _kept(record: DatasetRecord) -> int:
    return int(record.meta["pairs"]) - len(record.dropped_rows)


def _summary(record: DatasetRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "sha256": record.sha256,
        "source": record.source,
        "created_at": record.created_at,
        "pairs": record.meta["pairs"],
        "kept": _kept(record),
        "test_images": record.meta["test_images"],
    }


def _print_dataset(document: dict[str, Any]) -> None:
    groups = document["outlier_groups"]
    dropped = sum(not group["kept"] for group in groups)
    facts = {
        "Name": document["name"],
        "Source": document["source"],
        "Format": document["format"],
        "sha256": document["sha256"],
        "Pairs": f"{whole(document['pairs'])}, of which {whole(document['kept'])} kept",
        "Outliers": f"{whole(len(document['outliers']))} in {dropped} of {len(groups)} suspected groups",
        "Big rock": f"in {whole(document['with_big_rock'])} kept tiles",
        "Test images": f"{whole(document['test_images'])} without masks",
    }
    if document["known_as"]:
        facts["Known as"] = document["known_as"]
    print_facts(facts)
    if groups:
        decided = [
            [group["id"], whole(len(group["rows"])), "kept" if group["kept"] else "left out"]
            for group in groups
        ]
        print_table(["Suspected group", "Tiles", "Decision"], decided, right=["Tiles"])
    shares = zip(CLASS_NAMES, document["class_share_before"], document["class_share"], strict=True)
    rows = [[name, percent(before), percent(after)] for name, before, after in shares]
    print_table(["Class", "All tiles", "Kept tiles"], rows, right=["All tiles", "Kept tiles"])
