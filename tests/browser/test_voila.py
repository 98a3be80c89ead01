"""Explorer in Voilà, offline."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.explorer_page import CELL, changed, choose, click_bar, marks, press, tour, wait_until_drawn
from tests.helpers.jupyter_servers import write_notebook

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.helpers.jupyter_servers import Server

pytestmark = pytest.mark.slow

#: Icons and MathJax that Voilà's template requests, but does not need.
VOILA_REQUESTS = re.compile(r"https://(cdn\.jsdelivr\.net/npm/@fortawesome/|cdnjs\.cloudflare\.com/ajax/libs/mathjax/)")


def test_explorer_works_without_showing_code(voila: Server, open_page: Callable[..., Page], pictures: Path) -> None:
    page = open_page(viewport={"width": 1280, "height": 1000})
    write_notebook(voila.folder / "explorer.ipynb", CELL)
    page.goto(f"{voila.url}/voila/render/explorer.ipynb?token={voila.token}")
    wait_until_drawn(page)
    page.screenshot(path=pictures / "voila-first.png")
    assert "import tpanalytics" not in page.locator("body").inner_text()
    first = marks(page)
    for number, (act, text, changes) in enumerate(tour(page)):
        changed(page, act, text)
        page.screenshot(path=pictures / f"voila-{number:02}-{'-'.join(changes)}.png")
    for act in (press(page, "view", "AI impact"), press(page, "show", "shares by level")):
        changed(page, act)
    assert changed(page, press(page, "weight", "hours")) == first

    page.get_by_role("button", name="Show Python code").click()
    click_bar(page, "Finance")
    page.screenshot(path=pictures / "voila-python.png", full_page=True)
    choose(page, "table-as", "CSV")()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download table").click()
    table = pl.read_csv(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert table.height == tpa.impact(tpa.load_sample("2026-11")).height
    assert [url for url in page.requested if not VOILA_REQUESTS.match(url)] == []  # type: ignore[attr-defined]
