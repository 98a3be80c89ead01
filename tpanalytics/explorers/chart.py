"""The one chart of an explorer: specifications are swapped in it, and clicks on its marks come back."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import altair as alt
from altair.jupyter.jupyter_chart import Selections
from altair.utils.selection import PointSelection

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PICKED", "Drawn", "pickable", "steady"]

#: Name of the selection that a click on a mark makes.
PICKED = "picked"
_MENU = {"export": True, "source": False, "compiled": False, "editor": False}


class Drawn(alt.JupyterChart):
    """An Altair widget that works without network and is handed finished specifications.

    A specification set as `chart` would be validated once more, which takes longer than all the rest of a change.
    """

    def __init__(self, on_pick: Callable[[list[str]], None], on_param: Callable[[str, Any], None]) -> None:
        self.enable_offline()
        super().__init__(None, embed_options={"renderer": "svg", "actions": _MENU})  # type: ignore[arg-type]  # may be None
        self._on_pick, self._on_param = on_pick, on_param
        self.observe(self._picked, "_vl_selections")
        self.observe(self._moved, "_js_to_py_updates")

    def swap(self, spec: dict[str, Any]) -> None:
        """Show another specification; its parameters and selection begin as it says.

        Parameters are watched as signals: as Altair's own `params` each chart that was ever shown would go on listening
        to them, and those that do not have them fail.
        """
        params = spec.get("params", [])
        pickable = any(param["name"] == PICKED for param in params)
        moving = [param["name"] for param in params if "select" not in param]
        with self.hold_sync():
            none = PointSelection.from_vega(PICKED, None, [])  # type: ignore[arg-type]  # a store is a list
            self.selections = Selections({PICKED: none} if pickable else {})  # type: ignore[no-untyped-call]
            self._selection_types = {PICKED: "point"} if pickable else {}
            self._vl_selections = {PICKED: {"value": None, "store": []}} if pickable else {}
            self._js_to_py_updates = []
            self._js_watch_plan = [{"namespace": "signal", "name": name, "scope": []} for name in moving]
            self.spec = spec

    def _picked(self, change: dict[str, Any]) -> None:
        if PICKED in change["new"] and change["new"][PICKED]["value"] is not None:
            self._on_pick([str(row["values"][0]) for row in change["new"][PICKED]["store"] or []])

    def _moved(self, change: dict[str, Any]) -> None:
        for update in change["new"] or []:
            self._on_param(update["name"], update["value"])


def pickable(spec: dict[str, Any], column: str | None, picked: list[str]) -> dict[str, Any]:
    """Let a click on a mark pick the row it stands for; what is not picked steps back.

    Parameters
    ----------
    spec
        Of a chart in layers; it is not changed.
    column
        Field of its data that is picked.
    picked
        Values that are picked to begin with.
    """
    layers = spec.get("layer", [])
    data = spec.get("datasets", {})
    whose = [
        number
        for number, layer in enumerate(layers)
        if column in next(iter(data.get(layer.get("data", {}).get("name"), [])), {}) and _kind(layer) in _MARKS
    ]
    if not whose:
        return spec
    spec = {**spec, "layer": [*layers]}
    for number in whose:
        layer = copy.copy(layers[number])
        faint = {"condition": {"param": PICKED, "value": 1}, "value": 0.6}
        layer["encoding"] = {"opacity": faint, **layer["encoding"]}
        spec["layer"][number] = layer
    spec["layer"][whose[0]]["name"] = "marks"
    param: dict[str, Any] = {
        "name": PICKED,
        "select": {"type": "point", "fields": [column], "toggle": "event.shiftKey || event.ctrlKey || event.metaKey"},
        "views": ["marks"],
    }
    if picked:
        param["value"] = [{column: value} for value in picked]
    spec["params"] = [*spec.get("params", []), param]
    return spec


def steady(spec: dict[str, Any]) -> dict[str, Any]:
    """Leave below a title of one line the room of the second, so that marks stay where they are when one comes."""
    title = spec.get("title", {})
    if len(title.get("text", ())) != 1:
        return spec
    usual = spec["config"]["title"]
    return {**spec, "title": {**title, "offset": usual["offset"] + usual["fontSize"] + _LEADING}}


#: What Vega puts between two lines of a title, in pixels.
_LEADING = 2
#: Marks that stand for figures; text does not.
_MARKS = {"bar", "point", "circle", "rule"}


def _kind(layer: dict[str, Any]) -> str:
    mark = layer.get("mark", "")
    return str(mark["type"] if isinstance(mark, dict) else mark)
