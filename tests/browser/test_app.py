"""`tpanalytics app` in a browser: token, isolation and shutdown."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

import tpanalytics as tpa
from tests.helpers.explorer_page import changed, press, wait_until_drawn
from tests.helpers.jupyter_servers import end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    pytest.importorskip("voila")
    tpa.write_profiles(tpa.load_sample(), tmp_path / "before")
    tpa.write_profiles(tpa.load_sample("2026-11"), tmp_path / "after")
    variables = {"TMPDIR": str(tmp_path), "JUPYTER_CONFIG_DIR": "none", "IPYTHONDIR": str(tmp_path / "ipython")}
    variables |= {"PYTHONPATH": str(REPOSITORY), "JUPYTER_DATA_DIR": str(tmp_path / "data")}
    process = subprocess.Popen(
        [*(sys.executable, "-m", "tpanalytics", "app", "after", "--before", "before", "--no-browser")],
        cwd=tmp_path,
        env={**os.environ, **variables, "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    )
    try:
        yield process
    finally:
        end(process)  # type: ignore[arg-type]
        if process.stdout:
            process.stdout.close()


def address_of(process: subprocess.Popen[str]) -> str:
    output = ""
    for line in process.stdout or ():
        output += line
        if match := re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", output):
            return match[0]
    raise AssertionError(output)


def get(address: str, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    port = urlsplit(address).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Host": f"{host}:{port}"})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


def test_app_is_local_needs_the_token_and_stops_when_interrupted(
    app: subprocess.Popen[str], open_page: Callable[..., Page], pictures: Path, tmp_path: Path
) -> None:
    address = address_of(app)
    page = open_page(viewport={"width": 1280, "height": 1000})
    page.goto(address)
    wait_until_drawn(page)
    page.screenshot(path=pictures / "app.png", full_page=True)
    text = page.locator("body").inner_text()
    assert page.title() == page.locator("h1").inner_text() == "AI impact and weekly hours per job family"
    assert "Figures of fewer than 3 jobs or 5 people are suppressed." in text
    assert "import" not in text
    assert str(tmp_path) not in page.content()
    changed(page, press(page, "weight", "tasks"), "Share of tasks")
    changed(page, press(page, "view", "What changed"), "Hours at H1")
    assert page.requested == []  # type: ignore[attr-defined]

    token = urlsplit(address).query
    for path in ("/", "/?token=wrong", "/app.ipynb", "/voila/files/app.ipynb"):
        status, body = get(address, path)
        assert status in {302, 403}, path
        assert "explorer" not in body
    for path in ("/voila/files/app.ipynb", "/app.ipynb", "/voila/files/../open.html"):
        assert get(address, f"{path}?{token}")[0] in {302, 403, 404}, path
    assert get(address, f"/?{token}", host="elsewhere.example")[0] == 403, "protects against DNS rebinding"
    if os.name == "posix":
        folders = (*tmp_path.glob("tpanalytics-*"), *Path("/tmp").glob("tpanalytics-*"))
        (folder,) = (each for each in folders if (each / "page" / "app.ipynb").is_file())
        assert folder.stat().st_mode & 0o077 == 0
        assert '"transport": "ipc"' in next(folder.glob("voila_*/kernel-*.json")).read_text(encoding="utf-8")

    app.send_signal(signal.SIGINT)
    assert app.wait(30) == 0
    assert "Traceback" not in (app.stdout.read() if app.stdout else "")
    if os.name == "posix":
        assert not folder.exists()
    page.wait_for_function("url => fetch(url).then(() => false, () => true)", arg=address)
