"""The chart of an explorer: a widget that shows Vega-Lite specifications, and what the explorer adds to them."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PICKED", "ChartWidget", "add_selection", "reserve_title_space"]

#: Name of the selection that a click on a mark makes.
PICKED = "picked"


class ChartWidget(anywidget.AnyWidget):
    """Shows a specification without network access; clicks on marks and moved sliders come back in `params`."""

    spec = traitlets.Dict().tag(sync=True)
    #: Counts the specifications, so that a click on the previous chart is not taken for one on the new chart.
    revision = traitlets.Int(0).tag(sync=True)
    #: ``{"revision": ..., "values": {name: value}}``: what was moved in the chart since that specification was shown.
    params = traitlets.Dict().tag(sync=True)

    def __init__(self, on_pick: Callable[[list[str]], None], on_param: Callable[[str, Any], None]) -> None:
        super().__init__(_esm=_module())
        self._on_pick, self._on_param = on_pick, on_param
        self.observe(self._report, "params")

    def swap(self, spec: dict[str, Any]) -> None:
        """Show another specification; its parameters and selection start as it states."""
        if spec != self.spec or self.params.get("revision") == self.revision:
            with self.hold_sync():
                self.spec, self.revision = spec, self.revision + 1

    def _report(self, change: dict[str, Any]) -> None:
        new, old = change["new"], change["old"]
        if new.get("revision") != self.revision:
            return
        known = old["values"] if old.get("revision") == self.revision else {}
        for name, value in new["values"].items():
            if name in known and known[name] == value:
                continue
            if name == PICKED:
                self._on_pick([str(next(iter(mark.values()))) for mark in value])
            else:
                self._on_param(name, value)


@cache
def _module() -> str:
    """Return the script of the widget with Vega bundled into it, about 1 MB; saved notebooks do not hold it."""
    import vl_convert

    script = (Path(__file__).parent / "assets" / "chart.js").read_text(encoding="utf-8")
    bundled: str = vl_convert.javascript_bundle(script)
    return bundled


def add_selection(spec: dict[str, Any], column: str | None, picked: list[str]) -> dict[str, Any]:
    """Return a copy of a layered specification in which a click on a mark selects its row, and others fade."""
    layers = spec.get("layer", [])
    data = spec.get("datasets", {})
    selectable = [
        number
        for number, layer in enumerate(layers)
        if column in next(iter(data.get(layer.get("data", {}).get("name"), [])), {}) and _kind(layer) in _MARKS
    ]
    if not selectable:
        return spec
    spec = {**spec, "layer": [*layers]}
    for number in selectable:
        layer = copy.copy(layers[number])
        faint = {"condition": {"param": PICKED, "value": 1}, "value": 0.6}
        layer["encoding"] = {"opacity": faint, **layer["encoding"]}
        spec["layer"][number] = layer
    spec["layer"][selectable[0]]["name"] = "marks"
    param: dict[str, Any] = {
        "name": PICKED,
        "select": {"type": "point", "fields": [column], "toggle": "event.shiftKey || event.ctrlKey || event.metaKey"},
        "views": ["marks"],
    }
    if picked:
        param["value"] = [{column: value} for value in picked]
    spec["params"] = [*spec.get("params", []), param]
    return spec


def reserve_title_space(spec: dict[str, Any]) -> dict[str, Any]:
    """Reserve space for a second title line, so that marks do not move when the next title has one."""
    title = spec.get("title", {})
    if len(title.get("text", ())) != 1:
        return spec
    style = spec["config"]["title"]
    return {**spec, "title": {**title, "offset": style["offset"] + style["fontSize"] + _LEADING}}


#: What Vega puts between two lines of a title, in pixels.
_LEADING = 2
#: Marks that represent figures; text does not.
_MARKS = {"bar", "point", "circle", "rule"}


def _kind(layer: dict[str, Any]) -> str:
    mark = layer.get("mark", "")
    return str(mark["type"] if isinstance(mark, dict) else mark)
