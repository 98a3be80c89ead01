"""Download buttons for the chart and table, and a toggle for the Python code."""

from __future__ import annotations

import html
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets as widgets
import traitlets

from tpanalytics.errors import TpAnalyticsError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TABLE_SUFFIXES", "DownloadBar"]

_CHART_SUFFIXES = {"PNG": "png", "SVG": "svg", "PDF": "pdf", "web page": "html", "Vega-Lite": "json"}
TABLE_SUFFIXES = {"Excel": "xlsx", "CSV": "csv", "Parquet": "parquet"}
_MIME_TYPES = {
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".pdf": "application/pdf",
    ".html": "text/html",
    ".json": "application/json",
    ".csv": "text/csv",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".parquet": "application/vnd.apache.parquet",
}


class _DownloadButton(anywidget.AnyWidget):
    """Button that sends the file from `make` to the browser. `make` returns None on error."""

    _esm = (Path(__file__).parent / "assets" / "download.js").read_text(encoding="utf-8")
    label = traitlets.Unicode("Download").tag(sync=True)

    def __init__(self, make: Callable[[], tuple[str, bytes] | None], label: str) -> None:
        super().__init__(label=label)
        self._make = make
        self.on_msg(self._send_file)

    def _send_file(self, *_: Any) -> None:
        file = None
        try:
            file = self._make()
        finally:
            if file is None:
                self.send({})  # re-enable the button
        if file is not None:
            name, content = file
            self.send({"name": name, "mime": _MIME_TYPES[Path(name).suffix]}, buffers=[content])


class DownloadBar(widgets.Box):
    """Download buttons for files written by `save`, and a toggle for the code in `python`."""

    def __init__(self, save: Callable[[Path], Path], stem: Callable[[], str], report: Callable[[str], None]) -> None:
        self._save, self._stem, self._report = save, stem, report
        row: list[Any] = []
        for kind, suffixes in (("chart", _CHART_SUFFIXES), ("table", TABLE_SUFFIXES)):
            choice = widgets.Dropdown(description=f"{kind.capitalize()} as", options=suffixes, layout={"width": "auto"})
            choice.style.description_width = "initial"
            choice.add_class(f"tpa-{kind}-as")
            button = _DownloadButton(partial(self._file, choice), f"Download {kind}")
            button.add_class(f"tpa-download-{kind}")
            row += [choice, button]
        toggle = widgets.ToggleButton(description="Show Python code", layout={"width": "auto"})
        toggle.add_class("tpa-code")
        super().__init__([*row, toggle], layout={"flex_flow": "row wrap"})
        self.add_class("tpa-files")
        self.python = widgets.HTML(layout={"display": "none"})
        toggle.observe(self._toggle_python, "value")

    def set_python(self, code: str) -> None:
        """Set the Python code to display."""
        self.python.value = f'<pre class="tpa-python">{html.escape(code)}</pre>'

    def _file(self, choice: Any) -> tuple[str, bytes] | None:
        with tempfile.TemporaryDirectory(prefix="tpanalytics-") as folder:
            try:
                path = self._save(Path(folder) / f"{self._stem()}.{choice.value}")
            except TpAnalyticsError as error:
                self._report(str(error))
                return None
            return path.name, path.read_bytes()

    def _toggle_python(self, change: dict[str, Any]) -> None:
        self.python.layout.display = "" if change["new"] else "none"
