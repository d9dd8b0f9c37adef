"""What a run was made with: code, packages, machine, command."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from importlib import metadata
from typing import Any

from marsseg.settings import PROJECT_ROOT

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "tf2onnx", "onnx", "onnxruntime")
"""Those that decide numbers."""
GIT_SECONDS = 5


def collect_provenance() -> dict[str, Any]:
    """Gather versions, platform, command and commit, all as JSON values; what cannot be known is None."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "command": shlex.join([sys.executable, *sys.orig_argv[1:]]),
        **_code(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _code() -> dict[str, Any]:
    """The commit that is checked out, and whether tracked files differ from it."""
    commit = _git("rev-parse", "HEAD")
    changed = None if commit is None else _git("status", "--porcelain", "--untracked-files=no")
    return {"git_commit": commit, "git_dirty": None if changed is None else bool(changed)}


def _git(*arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", *arguments],
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
