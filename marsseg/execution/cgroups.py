"""The control groups of a process: where Linux counts who was killed for memory, and says who is frozen.

Both versions are read: version 1 has a tree for each controller, version 2 one for all of them, whose
controller is called "" here as in `/proc/PID/cgroup`. Elsewhere than on Linux nothing is ever found.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_UNIFIED = ""


def oom_counter(pid: int) -> Path | None:
    """The file that counts kills for memory in the process's group; None where there is none."""
    return _find_file(pid, "memory", "memory.oom_control") or _find_file(pid, _UNIFIED, "memory.events")


def read_entry(file: Path, key: str) -> int | None:
    """The number behind a key in a file of "key number" lines; None if it is not there."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    values = dict(line.split(maxsplit=1) for line in lines if " " in line)
    return int(values[key]) if key in values else None


def is_frozen(pid: int) -> bool:
    """Whether the process's group, or one above it, is frozen, as a paused container is."""
    events = _find_file(pid, _UNIFIED, "cgroup.events")
    if events and read_entry(events, "frozen"):
        return True
    state = _find_file(pid, "freezer", "freezer.state")
    try:
        return state is not None and state.read_text().strip() != "THAWED"
    except OSError:
        return False


def _find_file(pid: int, controller: str, name: str) -> Path | None:
    group, mount = _groups(pid).get(controller), _mounts().get(controller)
    if group is None or mount is None:
        return None
    root, point = mount
    if not group.is_relative_to(root):  # seen from inside a container that the mount reaches beyond
        return None
    file = point / group.relative_to(root) / name
    return file if file.is_file() else None


def _groups(pid: int) -> dict[str, Path]:
    """The process's group in each tree, by controller."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return {}
    fields = [line.split(":", 2) for line in lines]
    return {name: Path(group) for _, names, group in fields for name in names.split(",")}


@cache
def _mounts() -> dict[str, tuple[Path, Path]]:
    """By controller: which group is mounted, and where."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return {}
    mounts: dict[str, tuple[Path, Path]] = {}
    for line in lines:
        place, _, source = line.partition(" - ")
        root, point = map(Path, place.split()[3:5])
        kind, _, options = source.split(maxsplit=2)
        names = {"cgroup": options.split(","), "cgroup2": [_UNIFIED]}.get(kind, [])
        mounts |= dict.fromkeys(names, (root, point))
    return mounts
