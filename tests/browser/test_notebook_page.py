"""Report pages created from notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.notebooks import FOLDER
from tpanalytics.share.run_notebook import run_notebook

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning")
def test_family_report_works_offline_and_fits_a_phone(browser: Browser, tmp_path: Path) -> None:
    report = run_notebook(FOLDER / "09_family_report.ipynb", tmp_path / "sales.html", {"family": "Sales"})
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900})
    page = context.new_page()
    requested: list[str] = []
    console: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: console.append(message.text))
    page.goto(report.as_uri())
    assert page.locator("h2").first.text_content() == "Sales"
    pictures = page.get_by_role("img").all()
    assert len(pictures) == 3
    assert all(len(picture.get_attribute("alt") or "") > 40 for picture in pictures)
    assert all((picture.bounding_box() or {"width": 0})["width"] > 600 for picture in pictures)
    code = page.locator("details pre").first
    assert not code.is_visible()
    page.get_by_text("Code").first.click()
    assert code.is_visible()
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert [url for url in requested if not url.startswith(("file:", "data:"))] == []
    assert console == []
    context.close()
