"""Reporting how far a long read has come."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[float, str], None]
"""Takes the share done, 0-1, and what is being done."""


def ignore_progress(share: float, what: str) -> None:
    """Take a report and do nothing with it."""


def part(report: Report, start: float, end: float) -> Report:
    """Map the shares 0-1 of one step of the work onto `start`-`end` of the whole."""

    def report_part(share: float, what: str) -> None:
        report(start + (end - start) * min(1.0, max(0.0, share)), what)

    return report_part
