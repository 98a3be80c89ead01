"""The widgets that change a state; each has a label, and each can be reached by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from tpanalytics.explorers.state import START, WEIGHT_STEPS, controls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tpanalytics.explorers.options import Facts
    from tpanalytics.explorers.state import State

__all__ = ["ControlBar"]

_STYLE = {"description_width": "initial"}
#: Position of a slider whose level has no weight; None is not a position.
_LEFT_OUT = -1.0


class Control:
    """One entry of the state and its widget."""

    def __init__(self, name: str, widget: Any) -> None:
        self.name, self.widget = name, widget
        widget.add_class(f"tpa-{name}")

    def read(self) -> Any:
        """Return the value of the widget in a form that JSON can hold."""
        value = self.widget.value
        return list(value) if isinstance(value, tuple) else value

    def write(self, state: State, facts: Facts) -> None:  # noqa: ARG002  the options may depend on the facts
        """Set the widget to the value in the state."""
        value = state[self.name]
        self.widget.value = tuple(value) if isinstance(value, list) else value

    def watch(self, on_change: Callable[[str], None]) -> None:
        """Call a function with the name of the control whenever its value changes."""
        self.widget.observe(lambda _: on_change(self.name), "value")


class _States(Control):
    """Which validation states count; another choice than the usual two is offered once a state contains it."""

    def __init__(self, choices: Sequence[tuple[str, Any]]) -> None:
        hashable = [(label, tuple(states)) for label, states in choices]
        super().__init__("states", _dropdown("Tasks that count", hashable))

    def write(self, state: State, facts: Facts) -> None:
        states = tuple(state["states"])
        if states not in {value for _, value in self.widget.options}:
            self.widget.options = [*self.widget.options, (", ".join(states), states)]
        super().write(state, facts)


class _Job(Control):
    """Which job of the family is shown."""

    def __init__(self) -> None:
        super().__init__("job", _dropdown("Job", [("all jobs", None)]))

    def write(self, state: State, facts: Facts) -> None:
        _set_options(self.widget, [("all jobs", None), *facts.visible_jobs(state["family"], state["states"])])
        super().write(state, facts)


class _Choice(Control):
    """A choice whose options depend on the validation states that count."""

    def write(self, state: State, facts: Facts) -> None:
        if self.name in controls(state) or state[self.name] not in [value for _, value in self.widget.options]:
            _set_options(self.widget, facts.options(state["states"])[self.name])  # not elsewhere: it reads the tasks
        super().write(state, facts)


class _Weights(Control):
    """The weight of each level; that of H2 is moved in the chart itself."""

    def __init__(self, levels: Sequence[str]) -> None:
        steps = [("left out", _LEFT_OUT), *((f"{step:.2f}", step) for step in WEIGHT_STEPS)]
        self._sliders = {
            level: widgets.SelectionSlider(
                description=f"{level} counts",
                options=steps,
                value=_LEFT_OUT,
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
        """Return the weights of the levels that have one; a slider that was not moved keeps the exact weight."""
        for level, slider in self._sliders.items():
            if slider.value != self._nearest(level):
                self._weights.pop(level, None)
                if slider.value != _LEFT_OUT:
                    self._weights[level] = slider.value
        return dict(sorted(self._weights.items()))

    def write(self, state: State, facts: Facts) -> None:  # noqa: ARG002
        self._weights = dict(state["level_weights"])
        for level, slider in self._sliders.items():
            slider.value = self._nearest(level)

    def _nearest(self, level: str) -> float:
        weight = self._weights.get(level)
        return _LEFT_OUT if weight is None else min(WEIGHT_STEPS, key=lambda step: abs(step - weight))

    def watch(self, on_change: Callable[[str], None]) -> None:
        """Call a function with the name of the control whenever its value changes."""
        for slider in self._sliders.values():
            slider.observe(lambda _: on_change(self.name), "value")


class ControlBar(widgets.Box):
    """The controls that have an effect in a state; those of the views are all in `controls`, by name."""

    def __init__(self, facts: Facts, on_change: Callable[[str], None]) -> None:
        super().__init__(layout={"flex_flow": "row wrap"})
        self.add_class("tpa-controls")
        self._facts = facts
        #: Whether `show` is changing the controls, and not the user.
        self.updating = False
        self.controls = _controls(facts)
        for control in self.controls.values():
            control.watch(on_change)

    def show(self, state: State) -> None:
        """Set the controls to a state, and show those that have an effect in it."""
        self.updating = True
        try:
            for control in self.controls.values():
                control.write(state, self._facts)
            self.children = [self.controls[name].widget for name in controls(state)]
        finally:
            self.updating = False


def _controls(facts: Facts) -> dict[str, Control]:
    """Build the controls of all views."""
    options = facts.options(START["states"])

    def buttons(name: str, label: str, kind: type[Control] = Control) -> Control:
        style = {**_STYLE, "button_width": "auto"}
        return kind(name, widgets.ToggleButtons(description=label, options=options[name], style=style))

    families = widgets.SelectMultiple(
        description="Job families (Ctrl: several; none: all)",
        options=list(facts.families),
        rows=min(max(len(facts.families), 2), 4),
        style=_STYLE,
        layout={"width": "auto"},
    )
    search = widgets.Text(
        description="Find tasks", placeholder="all words must be in the task", continuous_update=False, style=_STYLE
    )
    rationales = widgets.Checkbox(description="show rationales", indent=False, layout={"width": "auto"})
    all_controls = [
        buttons("view", "View"),
        buttons("show", "Show"),
        buttons("weight", "Weighed by"),
        _Weights(facts.levels),
        _States(options["states"]),
        Control("families", families),
        Control("search", search),
        _Choice("family", _dropdown("Job family", options["family"])),
        _Job(),
        Control("rationales", rationales),
        buttons("change", "Show", _Choice),
        Control("level", _dropdown("Hours rated", options["level"])),
        buttons("counted", "Counted in"),
        buttons("value", "Change of"),
    ]
    return {control.name: control for control in all_controls}


def _set_options(widget: Any, choices: Sequence[tuple[str, Any]]) -> None:
    """Set the options of a widget, without a message to the browser if they are the same."""
    if list(widget.options) != list(choices):
        widget.options = list(choices)


def _dropdown(label: str, choices: Sequence[tuple[str, Any]]) -> Any:
    return widgets.Dropdown(description=label, options=list(choices), style=_STYLE, layout={"width": "auto"})
