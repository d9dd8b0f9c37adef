"""The lab from a terminal: the same use cases as the pages, through the same door.

Commands import `marsseg.services` when they run, not before, so that `--help` answers at once.
"""

from marsseg.cli.app import app, main

__all__ = ["app", "main"]
