"""Results of a study as a page of Markdown: the same store gives the same text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from marsseg.classes import CLASS_NAMES
from marsseg.config.describe import FIELDS, format_value
from marsseg.metrics import SPLITS, Lens, Split
from marsseg.presets import LADDER
from marsseg.services.board_formats import markdown_cell, markdown_table
from marsseg.services.caveats import TWO_STAGES_UNSEEN
from marsseg.services.ladder import changes
from marsseg.services.result_commands import repetition, results_command
from marsseg.services.result_gaps import find_gaps
from marsseg.services.result_rows import HEADLINE, Comparison, ResultRow
from marsseg.services.result_setting import setting
from marsseg.services.results import Duel, StudyResults
from marsseg.statistics import mean_and_sd
from marsseg.wording import counted

UNKNOWN = "–"


def results_text(results: StudyResults, out: str = "docs/results.md") -> str:
    """Write the page, ending in a newline.

    Args:
        out: where the page lies, as the commands on it say.
    """
    parts = [
        f"# Results: {markdown_cell(results.study.name)}",
        f"*Written from stored runs by* `{results_command(results, out)}`",
        "## What was run",
        *setting(results),
        "## Scores",
        " ".join(_how_to_read(results.rows)),
        _scores(results.rows),
        *([TWO_STAGES_UNSEEN] if results.has_stages else []),
        "The other two lenses let the networks answer background too (argmax over all five classes). Course: "
        "labelled pixels, where an answer of background adds a fifth class of IoU 0; strict: all pixels, all "
        "five classes.",
        _other_lenses(results.rows),
        "IoU of each class on the test split, terrain lens:",
        _classes(results.rows),
        *(_order(results) if results.rungs else []),
        f"## {_steps_title(results)}",
        _steps(results.steps),
        *(_duel(results.duel) if results.duel else []),
        *_missing(results),
        *_repeat(results, out),
    ]
    return "\n\n".join(parts) + "\n"


def _how_to_read(rows: Sequence[ResultRow]) -> Iterator[str]:
    yield (
        "Mean IoU, 0 to 1, as mean ± standard deviation over *n* seeds, of the epoch that scored best on the "
        "validation split. This table is in the terrain lens: labelled pixels, mean over the terrain classes "
        "present, answers from the four terrain classes."
    )
    if any(row.config.data.folds for row in rows):
        yield (
            "The folds of a seed make one score: on the validation split their confusion matrices are summed "
            "(out of fold), on the test split the mean over folds counts."
        )
    if not all(row.config.data.tells_terrain for row in rows):
        yield "A first stage tells no terrain classes apart, and has no score by itself."


def _scores(rows: Sequence[ResultRow]) -> str:
    lens, split = HEADLINE
    cells = [
        [
            row.name,
            UNKNOWN if row.parameters is None else f"{row.parameters:,}",
            _minutes(row),
            str(len(row.scores(lens, split))),
            _score(row, lens, "validation"),
            _score(row, lens, split),
        ]
        for row in rows
    ]
    return _table(["Row", "Parameters", "Minutes a run", "n", "Validation", "Test"], cells)


def _other_lenses(rows: Sequence[ResultRow]) -> str:
    others: tuple[Lens, ...] = ("course", "strict")
    sides = [(lens, split) for lens in others for split in SPLITS]
    titles = [f"{lens.capitalize()}, {split}" for lens, split in sides]
    cells = [[row.name, *(_score(row, lens, split) for lens, split in sides)] for row in rows]
    return _table(["Row", *titles], cells)


def _classes(rows: Sequence[ResultRow]) -> str:
    cells = [[row.name, *map(_number, row.class_iou(*HEADLINE)[1:])] for row in rows]
    return _table(["Row", *(name.capitalize() for name in CLASS_NAMES[1:])], cells)


def _order(results: StudyResults) -> list[str]:
    """Where the order of rows differs from the report's, and whether that could be luck."""
    rows = [row for row in results.rows if not math.isnan(row.mean(*HEADLINE))]
    here = ", ".join(_place(row) for row in sorted(rows, key=lambda row: row.mean(*HEADLINE)))
    there = ", ".join(_place(row) for row in rows)
    unscored = [row.name for row in results.rows if row not in rows]
    sentences = [
        f"In the report every row scores higher than the one before it: {there}. Here, by the test score "
        f"above, they rise in the order **{here}**."
        + (f" Without a test score: {', '.join(map(markdown_cell, unscored))}." if unscored else "")
    ]
    if results.upside_down:
        sentences.append("Where the two orders differ:")
        sentences.append("\n".join(f"- {_upside_down(pair)}" for pair in results.upside_down))
    else:
        sentences.append("The order is the report's.")
    sentences.append(
        "The report's own number for its final row, 0.701, cannot be set beside these: it is of other test "
        "images, after a training of up to 200 epochs."
    )
    return ["## The order of the rows", *sentences]


def _place(row: ResultRow) -> str:
    return str(LADDER.index(row.preset) + 1) if row.preset else row.name


def _upside_down(pair: Comparison) -> str:
    fall = pair.theirs.mean(*HEADLINE) - pair.ours.mean(*HEADLINE)
    return (
        f"**{markdown_cell(pair.ours.name)}** scored {100 * fall:.1f} points below "
        f"**{markdown_cell(pair.theirs.name)}** ({_intervals(pair)}): {_noise(pair)}."
    )


def _intervals(pair: Comparison) -> str:
    images, seeds = _interval(pair.images), _interval(pair.seeds)
    return f"over images {images}" + (f", over seeds {seeds}" if pair.seeds else "")


def _noise(pair: Comparison) -> str:
    if pair.delta is None:
        return "they share no images, so nobody can say how much is luck"
    if pair.seeds is None:
        return "with a single seed on a side, nobody can say whether that is seed noise"
    if pair.is_beyond_noise:
        return "that is more than seed noise"
    if _holds_zero(pair.seeds):
        return "that is within seed noise"
    if pair.images is not None and _holds_zero(pair.images):
        return "that may be luck of the images"
    return "that may be luck of images and seeds together"


def _holds_zero(interval: tuple[float, float]) -> bool:
    low, high = interval
    return low <= 0 <= high


def _steps_title(results: StudyResults) -> str:
    if results.has_stages:
        return "Both stages against the second alone"
    return "Each row against the one below it" if results.rungs else "Each row against the first"


def _steps(steps: Sequence[Comparison]) -> str:
    cells = [
        [
            step.ours.name,
            _delta(step),
            _interval(step.images),
            _interval(step.seeds),
            _verdict(step),
        ]
        for step in steps
    ]
    table = _table(["Row", "Δ test, points", "Over images", "Over seeds", "Beyond noise"], cells)
    return f"{_how_to_read_steps(steps[0].lens)}\n\n{table}" if steps else "There is only one row."


def _how_to_read_steps(lens: Lens) -> str:
    return (
        f"Differences of the test score, {lens} lens, in points (hundredths of IoU), with 95 % intervals. "
        "Over images: a paired bootstrap of the tiles that both were judged on, whole frames where the "
        "dataset knows them. Over seeds: Welch's interval of the two means. A difference is beyond noise if "
        "it is larger than both kinds of luck together, the root of their squares. Each is judged by itself: "
        "of twenty differences that are nothing, about one would be beyond noise."
    )


def _verdict(pair: Comparison) -> str:
    return {None: UNKNOWN, True: "yes", False: "no"}[pair.is_beyond_noise]


def _duel(duel: Duel) -> list[str]:
    title = "## {} against {}".format(*map(markdown_cell, duel.names))
    if duel.ours is None or duel.theirs is None:
        return [title, "Not compared yet: see what is missing below."]
    sides = [f"- {_side(name, row)}" for name, row in zip(duel.names, (duel.ours, duel.theirs), strict=True)]
    epochs = {row.config.train.epochs for row in (duel.ours, duel.theirs)}
    unequal = ["They were **not** trained for the same number of epochs."] if len(epochs) > 1 else []
    cells = [
        [
            f"{pair.lens.capitalize()}, {pair.split}",
            _score(pair.ours, pair.lens, pair.split),
            _score(pair.theirs, pair.lens, pair.split),
            _delta(pair),
            _interval(pair.images),
            _interval(pair.seeds),
            _verdict(pair),
        ]
        for pair in duel.comparisons
    ]
    columns = ["Lens, split", *duel.names, "Δ, points", "Over images", "Over seeds", "Beyond noise"]
    return [title, "\n".join(sides), *unequal, *_other_tiles(duel.comparisons), _table(columns, cells)]


def _other_tiles(comparisons: Sequence[Comparison]) -> list[str]:
    shared = {pair.split: pair.delta.shared_tiles for pair in comparisons if pair.delta}
    few = [counted(tiles, f"{split} tile") for split, tiles in shared.items() if tiles is not None]
    if not few:
        return []
    return [
        f"They have **different splits**: Δ is over the {' and '.join(few)} that both were judged on, and is "
        "not the difference of the scores beside it."
    ]


def _side(name: str, row: ResultRow) -> str:
    train = row.config.train
    parameters = UNKNOWN if row.parameters is None else f"{row.parameters:,}"
    facts = (
        f"**{markdown_cell(name)}**: {parameters} parameters, {_minutes(row)} minutes a run, "
        f"{counted(train.epochs, 'epoch')}, batches of {train.batch_size}, learning rate "
        f"{format_value(train.learning_rate)}"
    )
    changed = changes(row.config, row.preset.config) if row.preset else {}
    words = [f"{FIELDS[path].ui.label.lower()} {format_value(value)}" for path, value in changed.items()]
    return f"{facts}; not as in the preset: {', '.join(words)}." if words else f"{facts}."


def _missing(results: StudyResults) -> list[str]:
    gaps = find_gaps(results)
    if not gaps:
        return []
    lines = [f"- {markdown_cell(gap.sentence)}\n  `{gap.command}`" for gap in gaps]
    return ["## What is missing", "\n".join(lines)]


def _repeat(results: StudyResults, out: str) -> list[str]:
    again = repetition(results, out)
    block = "\n".join(["```", *again.commands, "```"])
    return ["## How to repeat it", *([again.note] if again.note else []), block]


def _table(header: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """The first column names the row, the others hold numbers."""
    return markdown_table(header, cells, right=header[1:])


def _score(row: ResultRow, lens: Lens, split: Split) -> str:
    mean, deviation = mean_and_sd(row.scores(lens, split))
    spread = "" if deviation is None else f" ± {deviation:.3f}"
    return f"{_number(mean)}{spread}"


def _minutes(row: ResultRow) -> str:
    return f"{sum(row.seconds) / len(row.seconds) / 60:.1f}" if row.seconds else UNKNOWN


def _number(value: float) -> str:
    return UNKNOWN if math.isnan(value) else f"{value:.3f}"


def _delta(pair: Comparison) -> str:
    return UNKNOWN if pair.delta is None else _points(pair.delta.value)


def _interval(ends: tuple[float, float] | None) -> str:
    return UNKNOWN if ends is None else " to ".join(map(_points, ends))


def _points(difference: float) -> str:
    """A difference of scores in signed hundredths."""
    return f"{100 * difference:+.1f}".replace("-", "−")
