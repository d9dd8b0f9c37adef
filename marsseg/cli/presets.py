"""`presets`: the configurations to start from."""

from __future__ import annotations

import json

import typer

from marsseg.cli.output import JsonOption, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Configurations to start from.")


@app.command("list")
def list_presets(as_json: JsonOption = False) -> None:
    """List the presets, each with where it comes from."""
    from marsseg.presets import PRESETS

    if as_json:
        print_json([_document(key) for key in PRESETS])
        return
    rows = [[preset.key, preset.title, preset.note, preset.source] for preset in PRESETS.values()]
    print_table(["Preset", "Title", "Note", "Source"], rows)


def _document(key: str) -> dict[str, object]:
    from marsseg.presets import PRESETS

    preset = PRESETS[key]
    return {
        "key": preset.key,
        "title": preset.title,
        "source": preset.source,
        "note": preset.note,
        "config": json.loads(preset.config.to_json()),
    }
