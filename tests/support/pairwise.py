"""A small set of combinations in which any two values of different fields meet (all-pairs testing)."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]


def pairs_of(row: Row) -> set[Any]:
    """Every two values of a row, with their fields."""
    return set(itertools.combinations(sorted(row.items()), 2))


def pairwise(fields: Mapping[str, Sequence[Any]], seed: int = 0) -> list[Row]:
    """Draw rows until all pairs have met, each time the one of many that brings most new pairs."""
    generator = random.Random(seed)
    missing = {
        ((first, a), (second, b))
        for first, second in itertools.combinations(sorted(fields), 2)
        for a, b in itertools.product(fields[first], fields[second])
    }
    rows: list[Row] = []
    while missing:
        wanted = dict(min(missing, key=repr))
        drawn = [
            {name: generator.choice(list(values)) for name, values in fields.items()} | wanted
            for _ in range(200)
        ]
        rows.append(max(drawn, key=lambda row: len(pairs_of(row) & missing)))
        missing -= pairs_of(rows[-1])
    return rows
