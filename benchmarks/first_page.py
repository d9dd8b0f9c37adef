"""First page of the lab against a bare Streamlit page: from the request until its title is on screen.

    python benchmarks/first_page.py [--rounds 9] [--cold-rounds 3] [--runs 6]

Both are served with the project's settings and opened in headless Chromium with an empty cache. The bare page
is one `st.title`. Rounds alternate, so that a busy machine slows both alike, and the ratio is that of the
medians. Warm: somebody has visited before. Cold: the first visit after the server has started, which pays for
the imports. "Complete" is when the script has ended and everything is drawn; it is told, but is no target.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import Browser, sync_playwright

from marsseg import services
from marsseg.settings import Settings
from scripts.browser import find_chromium
from tests.support import labs
from tests.support.serving import Server

TARGET = 1.5
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
BARE_PAGE = 'import streamlit as st\n\nst.title("Hello")\n'
TITLE, COMPLETE = "h1", '[data-testid="stApp"][data-test-script-state="notRunning"] h1'
TIMEOUT_MILLISECONDS = 120_000


@dataclass
class Site:
    """Something that is served, and the seconds that its visits took."""

    name: str
    environment: Mapping[str, str]
    log: Path
    script: Path | None = None
    titles: list[float] = field(default_factory=list)
    complete: list[float] = field(default_factory=list)

    def serve(self) -> Server:
        return Server(self.environment, self.log, self.script)

    def visit(self, browser: Browser, url: str) -> None:
        """One visit with an empty cache."""
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MILLISECONDS)
        start = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.locator(TITLE).wait_for()
        self.titles.append(time.perf_counter() - start)
        page.locator(COMPLETE).wait_for()
        self.complete.append(time.perf_counter() - start)
        context.close()

    def forget(self) -> None:
        self.titles.clear()
        self.complete.clear()


def prepared_home(folder: Path, runs: int) -> Settings:
    """A home with the demo dataset, or with a small one and some scored runs."""
    home = folder / "home"
    home.mkdir()
    if not runs:
        settings = Settings(home=home, database_url=f"sqlite:///{home / 'runs.db'}")
        services.open_lab(settings)
        return settings
    lab = labs.make_lab(home)
    for number in range(runs):
        labs.finish_run(lab, labs.config(model__filters=4 * (number + 1)), error_rate=0.1 + 0.05 * number)
    return lab.settings


def measure_warm(browser: Browser, sites: list[Site], rounds: int) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(site.serve()) for site in sites]
        pairs = list(zip(sites, servers, strict=True))
        for number in range(rounds + 1):
            for site, server in pairs if number % 2 else pairs[::-1]:
                site.visit(browser, server.url)
            if number == 0:
                forget(sites)


def measure_cold(browser: Browser, sites: list[Site], rounds: int) -> None:
    for number in range(rounds):
        for site in sites if number % 2 else sites[::-1]:
            with site.serve() as server:
                site.visit(browser, server.url)


def forget(sites: list[Site]) -> None:
    for site in sites:
        site.forget()


def report(title: str, bare: Site, lab: Site) -> float:
    """Print medians and their ratio; returns the ratio until the title is on screen."""
    ratios = []
    for what, of_bare, of_lab in (
        ("title", bare.titles, lab.titles),
        ("complete", bare.complete, lab.complete),
    ):
        a, b = statistics.median(of_bare), statistics.median(of_lab)
        ratios.append(b / a)
        spread = f"{min(of_lab):.2f}-{max(of_lab):.2f}"
        print(f"{title:5} {what:9} bare {a:.2f} s   lab {b:.2f} s ({spread})   ratio {b / a:.2f}")
    return ratios[0]


def main() -> int:
    """Measure, print, and exit with 1 when the warm ratio misses the target."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cold-rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=0, help="scored runs on the leaderboard")
    options = parser.parse_args()
    path = find_chromium()
    if path is None:
        print("There is no Chromium; `make browser` finds or installs one.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="marsseg-first-page-") as name, sync_playwright() as playwright:
        folder = Path(name)
        script = folder / "bare.py"
        script.write_text(BARE_PAGE)
        environment = prepared_home(folder, options.runs).environment()
        bare = Site("bare", {}, folder / "bare.log", script)
        lab = Site("lab", environment, folder / "lab.log")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        measure_cold(browser, [bare, lab], options.cold_rounds)
        cold = report("cold", bare, lab)
        forget([bare, lab])
        measure_warm(browser, [bare, lab], options.rounds)
        warm = report("warm", bare, lab)
        browser.close()
    print(f"target: at most {TARGET}, warm {warm:.2f}, cold {cold:.2f}")
    return int(warm > TARGET)


if __name__ == "__main__":
    sys.exit(main())
