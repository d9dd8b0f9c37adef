"""What lies in a folder beside a database that is open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SAY = "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read())"


def contents(folder: Path) -> dict[str, bytes]:
    """All files but SQLite's index of the log; read by other processes, as this one may hold locks."""
    names = [path.name for path in folder.iterdir() if path.is_file() and not path.name.endswith("-shm")]
    return {name: _read(folder / name) for name in names}


def _read(file: Path) -> bytes:
    return subprocess.run([sys.executable, "-c", _SAY, str(file)], capture_output=True, check=True).stdout
