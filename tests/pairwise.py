"""A small sample of all combinations of choices, in which every two values of two choices still meet."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Pair = frozenset[tuple[str, Any]]


def pairs_of(row: Iterable[tuple[str, Any]]) -> set[Pair]:
    """All pairs of (choice, value) that meet in a row."""
    return {frozenset(pair) for pair in itertools.combinations(row, 2)}


def all_pairs(choices: Mapping[str, Sequence[Any]]) -> set[Pair]:
    """Every pair of values of two different choices."""
    return {
        frozenset({(first, a), (second, b)})
        for first, second in itertools.combinations(choices, 2)
        for a, b in itertools.product(choices[first], choices[second])
    }


def pairwise(choices: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Rows that meet every pair: each starts from a pair that is missing and takes up what it can besides."""
    missing, rows = all_pairs(choices), []
    while missing:
        row = dict(min(missing, key=lambda pair: sorted(map(str, pair))))
        for name, values in choices.items():
            if name not in row:
                start = len(rows) % len(values)  # of equally good values, take turns
                row[name] = _most_useful(name, [*values[start:], *values[:start]], row, missing)
        missing -= pairs_of(row.items())
        rows.append({name: row[name] for name in choices})
    return rows


def _most_useful(name: str, values: Sequence[Any], row: Mapping[str, Any], missing: set[Pair]) -> Any:
    return max(values, key=lambda value: len(pairs_of([*row.items(), (name, value)]) & missing))
