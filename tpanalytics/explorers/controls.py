"""Control widgets for the explorer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from tpanalytics.charts._core.grouping import capitalized
from tpanalytics.explorers.state import WEIGHT_STEPS, controls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tpanalytics.explorers.options import Facts
    from tpanalytics.explorers.state import State

__all__ = ["ControlBar"]

_STYLE = {"description_width": "initial"}
#: Slider value for levels without a weight. Sliders don't accept None.
_EXCLUDED = -1.0


class Control:
    """Widget bound to a state entry."""

    def __init__(self, name: str, widget: Any) -> None:
        self.name, self.widget = name, widget
        widget.add_class(f"tpa-{name}")

    def read(self) -> Any:
        """Return the widget's value in JSON-compatible form."""
        value = self.widget.value
        return list(value) if isinstance(value, tuple) else value

    def write(self, state: State, facts: Facts) -> None:  # noqa: ARG002  subclasses use the facts
        """Update the widget from the state."""
        value = state[self.name]
        self.widget.value = tuple(value) if isinstance(value, list) else value

    def watch(self, on_change: Callable[[str], None]) -> None:
        """Call a function with the control's name whenever the value changes."""
        self.widget.observe(lambda _: on_change(self.name), "value")


class _States(Control):
    """Validation states to include. Custom combinations are added to the options when set."""

    def __init__(self, choices: Sequence[tuple[str, Any]]) -> None:
        hashable = [(label, tuple(states)) for label, states in choices]
        super().__init__("states", _dropdown("Validation states", hashable))

    def write(self, state: State, facts: Facts) -> None:
        states = tuple(state["states"])
        if states not in {value for _, value in self.widget.options}:
            self.widget.options = [*self.widget.options, (", ".join(states), states)]
        super().write(state, facts)


class _Job(Control):
    """Job to show from the current group."""

    def __init__(self) -> None:
        super().__init__("job", _dropdown("Job", [("all jobs", None)]))

    def write(self, state: State, facts: Facts) -> None:
        _set_options(self.widget, [("all jobs", None), *facts.visible_jobs(state["group"], state["states"])])
        super().write(state, facts)


class _Choice(Control):
    """A choice whose options depend on the selected validation states."""

    def write(self, state: State, facts: Facts) -> None:
        if self.name in controls(state, facts) or state[self.name] not in [value for _, value in self.widget.options]:
            # Only update the options if necessary. Computing them means reading the tasks.
            _set_options(self.widget, facts.options(state["states"])[self.name])
        super().write(state, facts)


class _Weights(Control):
    """Sliders for all level weights except H2, which has a slider in the chart."""

    def __init__(self, levels: Sequence[str]) -> None:
        steps = [("excluded", _EXCLUDED), *((f"{step:.2f}", step) for step in WEIGHT_STEPS)]
        self._sliders = {
            level: widgets.SelectionSlider(
                description=f"Weight of {level}",
                options=steps,
                value=_EXCLUDED,
                continuous_update=False,
                style=_STYLE,
                layout={"width": "250px"},
            )
            for level in levels
            if level != "H2"
        }
        self._weights: dict[str, float] = {}
        super().__init__("level_weights", widgets.VBox(list(self._sliders.values())))

    def read(self) -> Any:
        """Return the included levels' weights. Weights between slider steps are kept until the slider moves."""
        for level, slider in self._sliders.items():
            if slider.value != self._nearest(level):
                self._weights.pop(level, None)
                if slider.value != _EXCLUDED:
                    self._weights[level] = slider.value
        return dict(sorted(self._weights.items()))

    def write(self, state: State, facts: Facts) -> None:  # noqa: ARG002
        self._weights = dict(state["level_weights"])
        for level, slider in self._sliders.items():
            slider.value = self._nearest(level)

    def _nearest(self, level: str) -> float:
        weight = self._weights.get(level)
        return _EXCLUDED if weight is None else min(WEIGHT_STEPS, key=lambda step: abs(step - weight))

    def watch(self, on_change: Callable[[str], None]) -> None:
        """Call a function with the control's name whenever the value changes."""
        for slider in self._sliders.values():
            slider.observe(lambda _: on_change(self.name), "value")


class ControlBar(widgets.Box):
    """Controls for the current view. `controls` contains the controls for all views, by name."""

    def __init__(self, facts: Facts, on_change: Callable[[str], None]) -> None:
        super().__init__(layout={"flex_flow": "row wrap"})
        self.add_class("tpa-controls")
        self._facts = facts
        #: True while `show` updates the controls, so the updates aren't mistaken for user input.
        self.updating = False
        self.controls = _controls(facts)
        for control in self.controls.values():
            control.watch(on_change)

    def show(self, state: State) -> None:
        """Update the controls from a state and hide those that don't apply."""
        self.updating = True
        try:
            for control in self.controls.values():
                control.write(state, self._facts)
            self.children = [self.controls[name].widget for name in controls(state, self._facts)]
        finally:
            self.updating = False


def _controls(facts: Facts) -> dict[str, Control]:
    """Create the controls for all views."""
    options = facts.options(facts.default_states)

    def buttons(name: str, label: str, kind: type[Control] = Control) -> Control:
        style = {**_STYLE, "button_width": "auto"}
        return kind(name, widgets.ToggleButtons(description=label, options=options[name], style=style))

    groups = widgets.SelectMultiple(
        description=f"{capitalized(facts.grouping.nouns)} (Ctrl/Cmd-click to select several; select none for all)",
        options=list(facts.groups),
        rows=min(max(len(facts.groups), 2), 4),
        style=_STYLE,
        layout={"width": "auto"},
    )
    search = widgets.Text(
        description="Find tasks", placeholder="all words must match", continuous_update=False, style=_STYLE
    )
    rationales = widgets.Checkbox(description="show rationales", indent=False, layout={"width": "auto"})
    all_controls = [
        buttons("view", "View"),
        buttons("show", "Show"),
        buttons("weight", "Weighted by"),
        _Weights(facts.levels),
        _States(options["states"]),
        Control("groups", groups),
        Control("search", search),
        _Choice("group", _dropdown(capitalized(facts.grouping.noun), options["group"])),
        _Job(),
        Control("rationales", rationales),
        buttons("change", "Show", _Choice),
        Control("level", _dropdown("AI impact level", options["level"])),
        buttons("counted", "Weighted by"),
        buttons("value", "Change in"),
    ]
    return {control.name: control for control in all_controls}


def _set_options(widget: Any, choices: Sequence[tuple[str, Any]]) -> None:
    """Set a widget's options only if they changed, to avoid sending messages to the browser."""
    if list(widget.options) != list(choices):
        widget.options = list(choices)


def _dropdown(label: str, choices: Sequence[tuple[str, Any]]) -> Any:
    return widgets.Dropdown(description=label, options=list(choices), style=_STYLE, layout={"width": "auto"})
