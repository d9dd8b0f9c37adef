"""The control groups of a process: where Linux counts who was killed for memory, and says who is frozen.

Both versions are read: version 1 has a tree for each controller, version 2 one for all of them, whose
controller is called "" here as in `/proc/PID/cgroup`. Elsewhere than on Linux nothing is ever found.
What cannot be read or understood counts as not found: the scheduler asks, and must not end of an answer.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_UNIFIED = ""
_MOUNTS = Path("/proc/self/mountinfo")


def oom_counter(pid: int) -> Path | None:
    """The file that counts kills for memory in the process's group; None where there is none."""
    return _find_file(pid, "memory", "memory.oom_control") or _find_file(pid, _UNIFIED, "memory.events")


def read_entry(file: Path, key: str) -> int | None:
    """The number behind a key in a file of "key number" lines; None if it is not there."""
    for line in _lines(file):
        name, _, number = line.partition(" ")
        if name == key and number.isdecimal():
            return int(number)
    return None


def is_frozen(pid: int) -> bool:
    """Whether the process's group, or one above it, is frozen, as a paused container is."""
    events = _find_file(pid, _UNIFIED, "cgroup.events")
    if events and read_entry(events, "frozen"):
        return True
    state = _find_file(pid, "freezer", "freezer.state")
    return state is not None and not {"FROZEN", "FREEZING"}.isdisjoint(_lines(state))


def _find_file(pid: int, controller: str, name: str) -> Path | None:
    group, mount = _groups(pid).get(controller), _mounts().get(controller)
    if group is None or mount is None:
        return None
    root, point = mount
    if not group.is_relative_to(root):  # seen from inside a container that the mount reaches beyond
        return None
    file = point / group.relative_to(root) / name
    try:
        return file if file.is_file() else None
    except OSError:  # a folder on the way may not be entered
        return None


def _groups(pid: int) -> dict[str, Path]:
    """The process's group in each tree, by controller."""
    fields = [line.split(":", 2) for line in _lines(Path(f"/proc/{pid}/cgroup"))]
    return {name: Path(parts[2]) for parts in fields if len(parts) == 3 for name in parts[1].split(",")}


@cache
def _mounts() -> dict[str, tuple[Path, Path]]:
    """By controller: which group is mounted, and where."""
    mounts: dict[str, tuple[Path, Path]] = {}
    for line in _lines(_MOUNTS):
        place, _, source = line.partition(" - ")
        places, sources = place.split(" "), source.split(" ", 2)  # a source may be empty
        if len(places) < 5 or len(sources) < 3:
            continue
        kind, _, options = sources
        names = {"cgroup": options.split(","), "cgroup2": [_UNIFIED]}.get(kind, [])
        mounts |= dict.fromkeys(names, (Path(places[3]), Path(places[4])))
    return mounts


def _lines(file: Path) -> list[str]:
    """The lines of a file, none if it cannot be read; names of files in it may hold any bytes."""
    try:
        return file.read_text(errors="surrogateescape").rstrip("\n").split("\n")
    except OSError:
        return []
