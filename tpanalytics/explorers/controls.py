"""The widgets that move a state; each has a label, and each can be reached by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from tpanalytics.explorers.state import START, WEIGHT_STEPS, options
from tpanalytics.explorers.views import controls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tpanalytics.explorers.options import Facts
    from tpanalytics.explorers.state import State

__all__ = ["Control", "controls_of"]

_STYLE = {"description_width": "initial"}
#: A slider cannot stand at None.
_NONE = -1.0


class Control:
    """One entry of the state, and the widget that says it."""

    def __init__(self, name: str, widget: Any) -> None:
        self.name, self.widget = name, widget
        widget.add_class(f"tpa-{name}")

    def read(self) -> Any:
        """Give what the widget says, as JSON can hold it."""
        value = self.widget.value
        return list(value) if isinstance(value, tuple) else value

    def write(self, state: State, facts: Facts) -> None:  # noqa: ARG002  what is offered may hang on the facts
        """Make the widget say what the state does."""
        value = state[self.name]
        self.widget.value = tuple(value) if isinstance(value, list) else value

    def watch(self, moved: Callable[[str], None]) -> None:
        """Tell of every change."""
        self.widget.observe(lambda _: moved(self.name), "value")


class _States(Control):
    """Which validation states count; others than the two usual choices are offered once a state names them."""

    def __init__(self, usual: Sequence[tuple[str, Any]]) -> None:
        hashable = [(label, tuple(states)) for label, states in usual]
        super().__init__("states", _dropdown("Tasks that count", hashable))

    def write(self, state: State, facts: Facts) -> None:
        """Offer what the state says, if it is not among the usual."""
        states = tuple(state["states"])
        if states not in {value for _, value in self.widget.options}:
            self.widget.options = [*self.widget.options, (", ".join(states), states)]
        super().write(state, facts)


class _Job(Control):
    """Which job of the family is looked at."""

    def __init__(self) -> None:
        super().__init__("job", _dropdown("Job", [("all jobs", None)]))

    def write(self, state: State, facts: Facts) -> None:
        """Offer the jobs of the family."""
        _offer(self.widget, [("all jobs", None), *facts.jobs_of(state["family"], state["states"])])
        super().write(state, facts)


class _Choice(Control):
    """A choice of which the states that count say what is offered."""

    def write(self, state: State, facts: Facts) -> None:
        """Offer what there is to choose from, where it matters: to find it out takes a look at the tasks."""
        if self.name in controls(state) or state[self.name] not in [value for _, value in self.widget.options]:
            _offer(self.widget, options(facts, state["states"])[self.name])
        super().write(state, facts)


class _Weights(Control):
    """How much each level counts; that of H2 is moved in the chart itself."""

    def __init__(self, levels: Sequence[str]) -> None:
        steps = [("left out", _NONE), *((f"{step:.2f}", step) for step in WEIGHT_STEPS)]
        self._scales = {
            level: widgets.SelectionSlider(
                description=f"{level} counts",
                options=steps,
                value=_NONE,
                continuous_update=False,
                style=_STYLE,
                layout={"width": "250px"},
            )
            for level in levels
            if level != "H2"
        }
        self._weights: dict[str, float] = {}
        super().__init__("weights", widgets.VBox(list(self._scales.values())))

    def read(self) -> Any:
        """Give the weights; a level that is left out is not among them, and one that was not moved stays as it was."""
        for level, scale in self._scales.items():
            if scale.value != self._nearest(level):
                self._weights.pop(level, None)
                if scale.value != _NONE:
                    self._weights[level] = scale.value
        return dict(sorted(self._weights.items()))

    def write(self, state: State, facts: Facts) -> None:  # noqa: ARG002
        """Move the sliders; a weight between two steps goes to the nearer."""
        self._weights = dict(state["weights"])
        for level, scale in self._scales.items():
            scale.value = self._nearest(level)

    def _nearest(self, level: str) -> float:
        weight = self._weights.get(level)
        return _NONE if weight is None else min(WEIGHT_STEPS, key=lambda step: abs(step - weight))

    def watch(self, moved: Callable[[str], None]) -> None:
        """Tell of every change."""
        for scale in self._scales.values():
            scale.observe(lambda _: moved(self.name), "value")


def controls_of(facts: Facts) -> dict[str, Control]:
    """Build every control, whichever view it belongs to."""
    offered = options(facts, START["states"])

    def buttons(name: str, label: str, kind: type[Control] = Control) -> Control:
        style = {**_STYLE, "button_width": "auto"}
        return kind(name, widgets.ToggleButtons(description=label, options=offered[name], style=style))

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
    why = widgets.Checkbox(description="show rationales", indent=False, layout={"width": "auto"})
    built = [
        buttons("view", "View"),
        buttons("show", "Show"),
        buttons("weight", "Weighed by"),
        _Weights(facts.levels),
        _States(offered["states"]),
        Control("families", families),
        Control("search", search),
        _Choice("family", _dropdown("Job family", offered["family"])),
        _Job(),
        Control("rationales", why),
        buttons("change", "Show", _Choice),
        Control("level", _dropdown("Hours rated", offered["level"])),
        buttons("counted", "Counted in"),
        buttons("value", "Change of"),
    ]
    return {control.name: control for control in built}


def _offer(widget: Any, choices: Sequence[tuple[str, Any]]) -> None:
    """Offer choices; where they are the same, nothing is sent to the browser."""
    if list(widget.options) != list(choices):
        widget.options = list(choices)


def _dropdown(label: str, offered: Sequence[tuple[str, Any]]) -> Any:
    return widgets.Dropdown(description=label, options=list(offered), style=_STYLE, layout={"width": "auto"})
