"""How counts read in a sentence."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """A count with its noun, which takes an s unless there is exactly one: "1 run", "1,200 runs"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
