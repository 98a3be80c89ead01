"""The row below the chart that hands over chart, table and Python."""

from __future__ import annotations

import html
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from tpanalytics.errors import TpAnalyticsError
from tpanalytics.explorers.download_widget import Download

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TABLES", "Files"]

_CHARTS = {"PNG": "png", "SVG": "svg", "PDF": "pdf", "web page": "html", "Vega-Lite": "json"}
#: Suffix of each kind of table.
TABLES = {"Excel": "xlsx", "CSV": "csv", "Parquet": "parquet"}


class Files(widgets.Box):
    """Buttons that hand files to the browser, and one that shows the Python, which stands in `python`.

    Parameters
    ----------
    save
        Writes a file; its suffix says which.
    named
        Gives the name of the file that is made next.
    say
        Says what went wrong.
    """

    def __init__(self, save: Callable[[Path], Path], named: Callable[[], str], say: Callable[[str], None]) -> None:
        self._save, self._named, self._say = save, named, say
        row: list[Any] = []
        for kind, suffixes in (("chart", _CHARTS), ("table", TABLES)):
            choice = widgets.Dropdown(description=f"{kind.capitalize()} as", options=suffixes, layout={"width": "auto"})
            choice.style.description_width = "initial"
            choice.add_class(f"tpa-{kind}-as")
            button = Download(partial(self._made, choice), label=f"Download {kind}")
            button.add_class(f"tpa-download-{kind}")
            row += [choice, button]
        code = widgets.ToggleButton(description="Show the Python", layout={"width": "auto"})
        code.add_class("tpa-code")
        super().__init__([*row, code], layout={"flex_flow": "row wrap"})
        self.add_class("tpa-files")
        self.python = widgets.HTML(layout={"display": "none"})
        code.observe(self._show, "value")

    def print(self, code: str) -> None:
        """Say what the Python is."""
        self.python.value = f'<pre class="tpa-python">{html.escape(code)}</pre>'

    def _made(self, choice: Any) -> tuple[str, bytes] | None:
        """Write a file for the browser, and give its name and bytes, or None where that went wrong."""
        with tempfile.TemporaryDirectory(prefix="tpanalytics-") as folder:
            try:
                path = self._save(Path(folder) / f"{self._named()}.{choice.value}")
            except TpAnalyticsError as error:
                self._say(str(error))
                return None
            return path.name, path.read_bytes()

    def _show(self, change: dict[str, Any]) -> None:
        self.python.layout.display = "" if change["new"] else "none"
