"""Greyscale versions of charts for printing."""

from __future__ import annotations

import re
from typing import Any, TypeVar, cast

import altair as alt

from tpanalytics.charts._core.theme import ACCENT, INK, LEVEL_COLOURS, MUTED, OUTLINE, SHADE
from tpanalytics.errors import ShareError

__all__ = ["for_print"]

#: Thin text and lines are black, since printers rasterise grey. The greys preserve the order of the levels.
_ON_PAPER = {INK: "#000000", MUTED: "#000000", OUTLINE: "#000000", SHADE: "#D9D9D9", ACCENT: "#3A3A3A"}
_LEVELS = {
    LEVEL_COLOURS[level]: grey
    for level, grey in {"H1": "#000000", "H2": "#6B6B6B", "H3": "#D4D4D4", "H4": "#EBEBEB", "H5": "#F8F8F8"}.items()
}
_COLOUR = re.compile("#[0-9A-Fa-f]{6}")
_Any = TypeVar("_Any", bound=alt.TopLevelMixin)


def for_print(chart: _Any) -> _Any:
    """Return a greyscale version of a chart for printing, with no background and no controls.

    The data is unchanged. Controls, such as the slider in `plot_weight_sensitivity`, are fixed at their initial value.

    Parameters
    ----------
    chart
        A chart returned by one of the ``plot_…`` functions.

    Returns
    -------
    alt.TopLevelMixin
        A chart of the same class. Use `save` to write it as a ``.pdf`` or ``.svg`` file.

    Raises
    ------
    ShareError
        If `chart` is not an Altair chart.

    Examples
    --------
    >>> from tpanalytics import load_sample, plot_impact
    >>> printed = for_print(plot_impact(load_sample()))
    >>> "#21787F" in str(printed.to_dict())
    False
    """
    if not isinstance(chart, alt.TopLevelMixin):
        raise ShareError(f"`chart` must be a chart returned by a plot_ function, not {type(chart).__name__}.")
    spec = _printed(chart.to_dict())
    spec["config"] = {**spec.get("config", {}), "background": "transparent"}
    kind: Any = type(chart)
    return cast("_Any", kind.from_dict(spec))


def _printed(value: Any) -> Any:
    if isinstance(value, dict):
        # Skip the data, since a family name could look like a colour. Make translucent marks opaque. Renderers turn
        # them grey if there is no background.
        return {
            key: part if key == "datasets" else _opaque(part) if key == "opacity" else _printed(part)
            for key, part in value.items()
            if key != "bind"
        }
    if isinstance(value, list):
        return [_printed(part) for part in value]
    if not isinstance(value, str):
        return value
    return {**_ON_PAPER, **_LEVELS}.get(value) or (_grey(value) if _COLOUR.fullmatch(value) else value)


def _opaque(opacity: Any) -> Any:
    return 1 if isinstance(opacity, float) and opacity else _printed(opacity)


def _grey(colour: str) -> str:
    """Return the grey with the same luma (ITU-R BT.601)."""
    red, green, blue = bytes.fromhex(colour[1:])
    return "#" + f"{round(0.299 * red + 0.587 * green + 0.114 * blue):02X}" * 3
