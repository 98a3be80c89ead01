"""Files that an explorer writes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa

if TYPE_CHECKING:
    from pathlib import Path


def test_save_writes_the_same_files_as_the_function(explorer: tpa.Explorer, tmp_path: Path) -> None:
    explorer.state = {"groups": ["Finance"]}
    chart = tpa.save(explorer._view.chart.of(explorer._source), tmp_path / "function.svg")
    assert explorer.save(tmp_path / "method.svg").read_text() == chart.read_text()
    assert pl.read_csv(explorer.save(tmp_path / "method.csv"))["job_family"].unique().to_list() == ["Finance"]
    with pytest.raises(tpa.ShareError, match=r"cannot be saved as \.docx"):
        explorer.save(tmp_path / "method.docx")


@pytest.mark.parametrize("name", ["~chart.svg", "~$chart.csv"])
def test_save_accepts_names_that_start_with_a_tilde(
    explorer: tpa.Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert explorer.save(name).name == name
    assert (tmp_path / name).stat().st_size


@pytest.mark.parametrize("path", [None, 3, b"x.html", ["x.html"], "", "a\0b.html"])
def test_invalid_path_raises(explorer: tpa.Explorer, path: Any) -> None:
    for write in (explorer.save, explorer.freeze):
        with pytest.raises(tpa.ShareError, match="`path` must be a file path"):
            write(path)


def test_buttons_send_files_to_the_browser(explorer: tpa.Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    chart_as, chart, table_as, table, _ = explorer._downloads.children
    sent: list[tuple[dict[str, Any], Any]] = []
    for button in (chart, table):
        monkeypatch.setattr(button, "send", lambda message, buffers=None: sent.append((message, buffers)))
    for choice, button in ((chart_as, chart), (table_as, table)):
        for suffix in dict(choice.options).values():
            choice.value = suffix
            button._send_file()
    names = [message["name"] for message, _ in sent]
    assert names == [f"impact.{kind}" for kind in ("png", "svg", "pdf", "html", "json", "xlsx", "csv", "parquet")]
    assert all(len(buffers[0]) > 500 for _, buffers in sent)
    assert all(re.fullmatch(r"[a-z]+/[-+.a-z]+", message["mime"]) for message, _ in sent)
