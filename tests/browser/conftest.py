"""A real browser without a network, servers on this machine, and the list of what pages asked of others."""

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
#: How long a page may take on a machine that is busy with other tests.
PATIENCE_MS = 120_000
#: Environment variable with a folder for what the pages looked like.
PICTURES = "BROWSER_PICTURES"


def skip(reason: str) -> None:
    """Skip, but never in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must not skip the browser: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium; without one the test is skipped, but never in CI."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        skip("no Chromium on this machine (Debian and Ubuntu: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run JupyterLab over an empty folder."""
    yield from _served("jupyterlab", tmp_path_factory)


@pytest.fixture(scope="session")
def voila(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run Voilà over an empty folder."""
    yield from _served("voila", tmp_path_factory)


def _served(kind: str, folders: pytest.TempPathFactory) -> Iterator[Server]:
    if importlib.util.find_spec(kind) is None:
        skip(f"{kind} is not installed (extra test)")
    with running(kind, folders.mktemp(kind)) as server:
        yield server


@pytest.fixture(scope="module")
def opened(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Give a function that opens an empty page; `page.asked` lists what left this machine, `page.failed` errors."""
    contexts = []

    def open_page(**how: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 1300}, **how})
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.asked, page.failed = [], []  # type: ignore[attr-defined]
        page.on("pageerror", lambda error: page.failed.append(str(error)))  # type: ignore[attr-defined]
        page.on("request", lambda request: _note(page, request.url))
        page.on("websocket", lambda socket: _note(page, socket.url))
        # What the page's own policy forbids is named as a request, but is never sent.
        page.on("requestfailed", lambda failed: failed.failure == "csp" and page.asked.remove(failed.url))  # type: ignore[attr-defined]
        return page

    yield open_page
    for context in contexts:
        context.close()


def _note(page: Any, url: str) -> None:
    here = ("http://127.0.0.1:", "ws://127.0.0.1:", "blob:http://127.0.0.1:", "data:", "about:")
    if not url.startswith(here):
        page.asked.append(url)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder for what the pages looked like, to be looked at."""
    folder = os.environ.get(PICTURES)
    if folder is None:
        return tmp_path_factory.mktemp("pictures")
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)
