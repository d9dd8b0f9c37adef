"""Where things are kept and how much may run at once: read once from the environment, passed in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from marsseg.errors import ConfigError

PROJECT_ROOT = Path(__file__).resolve().parent.parent


MAX_SLOTS = 1024
_RELATIVE_FILE = re.compile(r"(?!.*[?&]mode=memory)(sqlite(?:\+\w+)?:///(?:file:)?+)(?!:memory:|[/?])(.+)")
"""Read by ourselves: inference, which reads settings too, does without SQLAlchemy."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds that keep one bad input from taking the machine down. Sizes in bytes."""

    unpacked_bytes: int = 8 * 1024**3
    image_pixels: int = 50_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the store and the files live.

    Args:
        home: folder of `runs.db` and `artifacts/`.
        database_url: SQLAlchemy URL; SQLite in `home` unless told otherwise.
        slots: how many runs may train at once; None for one a GPU, or one without any.
        limits: upper bounds on what a person may hand in.
    """

    home: Path
    database_url: str
    slots: int | None = None
    limits: Limits = field(default_factory=Limits)

    @property
    def artifacts(self) -> Path:
        """Folder of everything too large for the database."""
        return self.home / "artifacts"

    @property
    def datasets_dir(self) -> Path:
        """Folder of imported datasets, one folder each, named by sha256."""
        return self.artifacts / "datasets"

    @property
    def runs_dir(self) -> Path:
        """Folder of run files, one folder each, named by run id."""
        return self.artifacts / "runs"

    def run_dir(self, run_id: str) -> Path:
        """Folder of one run: log, checkpoints, predictions, exported model."""
        return self.runs_dir / run_id

    def environment(self) -> dict[str, str]:
        """The variables that make a child process read the same settings."""
        return {
            "MARSSEG_HOME": str(self.home),
            "MARSSEG_DATABASE_URL": self.database_url,
            "MARSSEG_SLOTS": str(self.slots or ""),
        }


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read `MARSSEG_HOME` (default: the project's root), `MARSSEG_DATABASE_URL` and `MARSSEG_SLOTS`.

    Relative paths count from the folder of this process, not from that of the processes it starts.

    Raises:
        ConfigError: `MARSSEG_SLOTS` is no whole number from 1 to `MAX_SLOTS`.
    """
    env = os.environ if environ is None else environ
    home = Path(env.get("MARSSEG_HOME") or PROJECT_ROOT).expanduser().resolve()
    url = _absolute(env.get("MARSSEG_DATABASE_URL") or "") or f"sqlite:///{home / 'runs.db'}"
    return Settings(home=home, database_url=url, slots=_slots(env.get("MARSSEG_SLOTS") or ""))


def _absolute(url: str) -> str:
    """A SQLite file's URL with its whole path; what names no relative file is left as it is."""
    relative = _RELATIVE_FILE.fullmatch(url)
    if relative is None:
        return url
    before, path = relative.groups()
    folder = str(Path.cwd()).rstrip("/").replace("%", "%25").replace("?", "%3F")
    return f"{before}{folder}/{path}"


def _slots(text: str) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdecimal() or not 1 <= int(text) <= MAX_SLOTS:
        raise ConfigError(
            {
                "MARSSEG_SLOTS": f"must be a whole number from 1 to {MAX_SLOTS}; got {text!r}. Unset it for "
                "one run a GPU, or one at a time without any."
            }
        )
    return int(text)


def usable_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
