"""A real server, a real browser, and a visitor whose console and requests are watched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    WebSocket,
    expect,
    sync_playwright,
)

from marsseg.settings import Settings
from scripts.browser import find_chromium
from tests.support.serving import Server

# Headless, as root in a container, and silent: what Chromium itself would fetch is switched off.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MILLISECONDS = 90_000
"""How long anything on a page may take to appear: machines that run these tests are often busy."""
HERE = {"localhost", "127.0.0.1"}

expect.set_options(timeout=PATIENCE_MILLISECONDS)


# Of a module, not of the session: Playwright's event loop would be in the way of other tests'.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.fail("There is no Chromium; `make browser` finds or installs one.")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield started
        started.close()


class Lab:
    """Serves the lab from one home; `serve()` again after a kill is a restart."""

    def __init__(self, settings: Settings, folder: Path, stack: ExitStack) -> None:
        self.settings = settings
        self._log = folder / "server.log"
        self._stack = stack

    def serve(self) -> Server:
        """Start a server and return when it answers."""
        return self._stack.enter_context(Server(self.settings.environment(), self._log))


@pytest.fixture
def lab_server(settings: Settings, tmp_path: Path, no_leftover_processes: None) -> Iterator[Lab]:
    with ExitStack() as stack:
        yield Lab(settings, tmp_path, stack)


class Visitor:
    """A person with one browser: opens pages and remembers what went wrong behind them.

    Args:
        problems: errors in the consoles of the pages.
        strangers: addresses outside this machine that a page asked for.
    """

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self.problems: list[str] = []
        self.strangers: list[str] = []
        self._sent: Counter[Page] = Counter()
        context.on("request", lambda request: self._look_at_address(request.url))
        context.on("console", self._look_at_message)
        context.on("weberror", lambda error: self.problems.append(str(error.error)))

    def open(self, address: str) -> Page:
        """Open a page of its own at an address."""
        page = self._context.new_page()
        page.on("websocket", lambda socket: self._look_at_socket(page, socket))
        page.goto(address)
        return page

    def messages_sent(self, page: Page) -> int:
        """How many messages a page has sent to its server; each rerun of a script begins with one."""
        return self._sent[page]

    def assert_all_went_well(self) -> None:
        """Fail if a page wrote an error to its console or asked for anything outside this machine."""
        assert self.strangers == []
        assert self.problems == []

    def _look_at_socket(self, page: Page, socket: WebSocket) -> None:
        self._look_at_address(socket.url)
        socket.on("framesent", lambda _: self._sent.update([page]))

    def _look_at_address(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"data", "blob"} and parts.hostname not in HERE:
            self.strangers.append(address)

    def _look_at_message(self, message: ConsoleMessage) -> None:
        address = message.location["url"]
        # A deep link makes Streamlit's client ask below the page's path first to find where the app begins.
        is_probe = "404" in message.text and "/_stcore/" in urlsplit(address).path
        if message.type == "error" and not is_probe:
            self.problems.append(f"{message.text} ({address})")


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    yield Visitor(context)
    context.close()
