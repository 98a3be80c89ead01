"""Access to the widgets of an explorer, and the messages that a browser sends to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tpanalytics as tpa

__all__ = ["chart_spec", "click", "control", "move_chart_slider", "weight_slider"]


def control(explorer: tpa.Explorer, name: str) -> Any:
    """Return the widget of a control."""
    return explorer._control_bar.controls[name].widget


def weight_slider(explorer: tpa.Explorer, level: str) -> Any:
    """Return the slider for the weight of a level."""
    return explorer._control_bar.controls["level_weights"]._sliders[level]  # type: ignore[attr-defined]


def chart_spec(explorer: tpa.Explorer) -> dict[str, Any]:
    """Return the Vega-Lite specification of the chart."""
    spec: dict[str, Any] = explorer._chart.spec
    return spec


def click(explorer: tpa.Explorer, column: str, *values: str) -> None:
    """Select marks as a browser does."""
    _set_param(explorer, "picked", [{column: value} for value in values])


def move_chart_slider(explorer: tpa.Explorer, weight: float) -> None:
    """Move the slider in the chart as a browser does."""
    _set_param(explorer, "weight_of_h2", weight)


def _set_param(explorer: tpa.Explorer, name: str, value: Any) -> None:
    chart = explorer._chart
    values = chart.params["values"] if chart.params.get("revision") == chart.revision else {}
    chart.params = {"revision": chart.revision, "values": {**values, name: value}}
