"""Widget that displays Vega-Lite specifications and reports clicks."""

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

#: Name of the Vega-Lite selection parameter.
PICKED = "picked"


class ChartWidget(anywidget.AnyWidget):
    """Offline chart that reports clicks and slider changes in `params`."""

    spec = traitlets.Dict().tag(sync=True)
    #: Incremented whenever the specification changes, so late clicks on the previous chart can be ignored.
    revision = traitlets.Int(0).tag(sync=True)
    #: Parameters changed in the browser since a revision, as ``{"revision": ..., "values": {name: value}}``.
    params = traitlets.Dict().tag(sync=True)

    def __init__(self, on_pick: Callable[[list[str]], None], on_param: Callable[[str, Any], None]) -> None:
        super().__init__(_esm=_module())
        self._on_pick, self._on_param = on_pick, on_param
        self.observe(self._report, "params")

    def swap(self, spec: dict[str, Any]) -> None:
        """Show a different specification and reset the parameters and selection."""
        if spec != self.spec or self.params.get("revision") == self.revision:
            with self.hold_sync():
                self.spec, self.revision = spec, self.revision + 1

    def _report(self, change: dict[str, Any]) -> None:
        new, old = change["new"], change["old"]
        if new.get("revision") != self.revision:
            return
        previous = old["values"] if old.get("revision") == self.revision else {}
        for name, value in new["values"].items():
            if name in previous and previous[name] == value:
                continue
            if name == PICKED:
                self._on_pick([str(next(iter(mark.values()))) for mark in value])
            else:
                self._on_param(name, value)


@cache
def _module() -> str:
    """Return the widget script, bundled with Vega. It's about 1 MB and isn't stored in notebooks."""
    import vl_convert

    script = (Path(__file__).parent / "assets" / "chart.js").read_text(encoding="utf-8")
    bundled: str = vl_convert.javascript_bundle(script)
    return bundled


def add_selection(spec: dict[str, Any], column: str | None, picked: list[str]) -> dict[str, Any]:
    """Return a copy of a layered specification where clicking a mark selects it and fades the others."""
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
        opacity = {"condition": {"param": PICKED, "value": 1}, "value": 0.6}
        layer["encoding"] = {"opacity": opacity, **layer["encoding"]}
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
    """Reserve space for a second title line, so marks don't move when a title wraps."""
    title = spec.get("title", {})
    if len(title.get("text", ())) != 1:
        return spec
    style = spec["config"]["title"]
    return {**spec, "title": {**title, "offset": style["offset"] + style["fontSize"] + _LEADING}}


#: Space that Vega adds between title lines, in pixels.
_LEADING = 2
#: Mark types that can be selected by clicking.
_MARKS = {"bar", "point", "circle", "rule"}


def _kind(layer: dict[str, Any]) -> str:
    mark = layer.get("mark", "")
    return str(mark["type"] if isinstance(mark, dict) else mark)
