"""Find a Chromium for the browser tests, or install one; prints its path.

python scripts/browser.py

`MARSSEG_CHROMIUM` names one; else the PATH is searched, then what Playwright has installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NONE_FOUND = (
    "No Chromium was found and none could be installed. Install Chromium or Google Chrome, or say where "
    "one is: MARSSEG_CHROMIUM=/path/to/chromium make test"
)


def find_chromium() -> str | None:
    """Path of a Chromium that is already here, or None."""
    named = os.environ.get("MARSSEG_CHROMIUM")
    if named:
        return shutil.which(named)
    on_path = next(filter(None, map(shutil.which, NAMES)), None)
    return on_path or _playwright_chromium()


def install_chromium() -> str | None:
    """Try each way to get a Chromium until one works; path, or None."""
    for attempt in (_install_with_playwright, _install_with_apt):
        attempt()
        found = find_chromium()
        if found:
            return found
    return None


def _playwright_chromium() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def _install_with_playwright() -> None:
    _run(sys.executable, "-m", "playwright", "install", "chromium")


def _install_with_apt() -> None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _run("apt-get", "update")
        _run("apt-get", "install", "--yes", "--no-install-recommends", "chromium")


def _run(*command: str) -> None:
    print("No Chromium yet, trying:", *command, file=sys.stderr)
    subprocess.run(command, check=False, stdout=sys.stderr)


def main(find: Callable[[], str | None] = find_chromium) -> int:
    """Print the path of a Chromium; a missing one that was named by hand is not replaced in silence."""
    named = os.environ.get("MARSSEG_CHROMIUM")
    path = find()
    if path is None and named:
        print(f"MARSSEG_CHROMIUM={named} is no program; correct the path or unset it.", file=sys.stderr)
        return 1
    path = path or install_chromium()
    print(path or NONE_FOUND, file=sys.stdout if path else sys.stderr)
    return 0 if path else 1


if __name__ == "__main__":
    sys.exit(main())
