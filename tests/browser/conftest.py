"""Offline browser, Jupyter servers, and pages that record their requests."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.jupyter_servers import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from tests.helpers.jupyter_servers import Server

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
]
#: Timeout of pages, long enough for a busy machine.
PATIENCE_MS = 120_000
#: Environment variable with the folder for screenshots.
PICTURES = "BROWSER_PICTURES"


def skip(reason: str) -> None:
    """Skip the test, but fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"Browser tests must not be skipped in CI: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="module")  # the event loop of a running browser breaks asyncio in other tests
def browser() -> Iterator[Browser]:
    """Start the installed Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        skip("Chromium is not installed (Debian and Ubuntu: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run JupyterLab in an empty folder."""
    yield from _served("jupyterlab", tmp_path_factory)


@pytest.fixture(scope="session")
def voila(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run Voilà in an empty folder."""
    yield from _served("voila", tmp_path_factory)


def _served(kind: str, folders: pytest.TempPathFactory) -> Iterator[Server]:
    if importlib.util.find_spec(kind) is None:
        skip(f"{kind} is not installed (extra test)")
    with running(kind, folders.mktemp(kind)) as server:
        yield server


@pytest.fixture(scope="module")
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page and records external requests and errors in its attributes."""
    contexts = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 1300}, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.requested, page.errors = [], []  # type: ignore[attr-defined]
        page.on("pageerror", lambda error: page.errors.append(str(error)))  # type: ignore[attr-defined]
        page.on("request", lambda request: _record(page, request.url))
        page.on("websocket", lambda socket: _record(page, socket.url))
        # Requests blocked by the page's content security policy are reported, but never sent.
        page.on("requestfailed", lambda failed: failed.failure == "csp" and page.requested.remove(failed.url))  # type: ignore[attr-defined]
        return page

    yield open_page
    for context in contexts:
        context.close()


def _record(page: Any, url: str) -> None:
    local = ("http://127.0.0.1:", "ws://127.0.0.1:", "blob:http://127.0.0.1:", "data:", "about:")
    if not url.startswith(local):
        page.requested.append(url)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder for screenshots."""
    folder = os.environ.get(PICTURES)
    if folder is None:
        return tmp_path_factory.mktemp("pictures")
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)
