"""`db`: is the database sound, copy it, give space back, bring it up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marsseg.cli.asking import confirm
from marsseg.cli.options import JsonOption, YesOption
from marsseg.cli.output import inform, print_facts, print_json, printable
from marsseg.cli.text import UNKNOWN, size

if TYPE_CHECKING:
    from marsseg.services.care import LabHealth, Stray

FOUND_PROBLEMS = 1

app = typer.Typer(no_args_is_help=True, help="Look after the database and its files.")


@app.command("check")
def check(
    remove_strays: Annotated[
        bool,
        typer.Option("--remove-strays", help="Delete files that nobody will use again, after a question."),
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read the whole database and compare it with the files; exits with 1 when something is wrong."""
    from marsseg.services import care
    from marsseg.settings import load_settings

    settings = load_settings()
    health = care.check_lab(settings)
    gone: tuple[Stray, ...] = ()
    if remove_strays and health.strays:
        confirm(f"These will be deleted:\n{_listed(health.strays)}", yes=yes)
        gone = care.remove_strays(settings)
        health = care.check_lab(settings)
    if as_json:
        print_json({**_document(health), "removed": [_stray(stray) for stray in gone]})
    else:
        _print(health, gone)
    if health.problems:
        raise typer.Exit(FOUND_PROBLEMS)


@app.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; it must not exist yet.")],
    as_json: JsonOption = False,
) -> None:
    """Copy the database to a new file, whole as at one moment, while others go on writing."""
    from marsseg.services import care
    from marsseg.settings import load_settings

    copied = care.back_up_store(load_settings(), file)
    if as_json:
        print_json({"file": str(file), "bytes": copied})
    else:
        print_facts({"Copied to": str(file), "Size": size(copied)})


@app.command("vacuum")
def vacuum(as_json: JsonOption = False) -> None:
    """Give the space of what was deleted back to the disk."""
    from marsseg.services import care
    from marsseg.settings import load_settings

    before, after = care.vacuum_store(load_settings())
    if as_json:
        print_json({"bytes_before": before, "bytes_after": after})
    else:
        print_facts({"Before": _size(before), "After": _size(after)})


@app.command("migrate")
def migrate(as_json: JsonOption = False) -> None:
    """Bring the database up to date, with a copy from before beside it; any start of the lab does so too."""
    from marsseg.services import care
    from marsseg.settings import load_settings

    upgrade = care.migrate_store(load_settings())
    backup_file = None if upgrade.backup is None else str(upgrade.backup)
    if as_json:
        print_json({"before": upgrade.before, "after": upgrade.after, "backup": backup_file})
    elif upgrade.before == upgrade.after:
        print_facts({"Revision": f"{upgrade.after}, up to date already"})
    else:
        print_facts(
            {
                "Revision": f"{upgrade.before or 'none'} → {upgrade.after}",
                "Copy from before": backup_file or UNKNOWN,
            }
        )


def _print(health: LabHealth, gone: tuple[Stray, ...]) -> None:
    store = health.store
    due = "" if store.revision == store.head else f", an upgrade to {store.head} is due"
    print_facts(
        {
            "Database": store.where,
            "Revision": f"{store.revision or 'none'}{due}",
            "Size": _size(store.size_bytes),
            "Rows": ", ".join(f"{count:,} {table}" for table, count in store.rows.items()) or UNKNOWN,
            "Problems": str(len(health.problems)) if health.problems else "none",
        }
    )
    for problem in health.problems:
        typer.echo(f"  {printable(problem)}")
    if gone:
        inform(f"Deleted, {_total(gone)}:\n{_listed(gone)}")
    if health.strays:
        inform(
            f"Not needed by anybody, {_total(health.strays)} (--remove-strays deletes them):\n"
            f"{_listed(health.strays)}"
        )


def _listed(strays: tuple[Stray, ...]) -> str:
    return "\n".join(f"  {stray.path} ({size(stray.bytes)})" for stray in strays)


def _total(strays: tuple[Stray, ...]) -> str:
    return size(sum(stray.bytes for stray in strays))


def _stray(stray: Stray) -> dict[str, object]:
    return {"path": str(stray.path), "bytes": stray.bytes}


def _document(health: LabHealth) -> dict[str, object]:
    store = health.store
    return {
        "database": store.where,
        "revision": store.revision,
        "head": store.head,
        "bytes": store.size_bytes,
        "rows": store.rows,
        "problems": list(health.problems),
        "strays": [_stray(stray) for stray in health.strays],
    }


def _size(count: int | None) -> str:
    return UNKNOWN if count is None else size(count)
