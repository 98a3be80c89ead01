"""Control widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.helpers.explorer_widget import chart_spec, control, weight_slider

if TYPE_CHECKING:
    import tpanalytics as tpa


def test_each_control_changes_the_state_and_the_chart(explorer: tpa.Explorer) -> None:
    changes = [
        ("weight", "tasks"),
        ("states", ("validated",)),
        ("groups", ("Finance", "Sales")),
        ("show", "weights"),
        ("view", "hours"),
        ("view", "tasks"),
        ("search", "invoice"),
        ("group", "Finance"),
        ("view", "compare"),
        ("change", "moves"),
        ("counted", "hours"),
        ("change", "groups"),
        ("value", "exposure"),
        ("change", "bridge"),
        ("level", "H2"),
    ]
    for name, value in changes:
        before = chart_spec(explorer)
        control(explorer, name).value = value
        assert chart_spec(explorer) != before, name
        assert explorer.state[name] == (list(value) if isinstance(value, tuple) else value)
    explorer.state = {"view": "impact", "show": "weights"}
    before = chart_spec(explorer)
    weight_slider(explorer, "H4").value = 0.2
    assert explorer.state["level_weights"] == {"H1": 1.0, "H2": 0.5, "H3": 0.0, "H4": 0.2}
    assert chart_spec(explorer) != before


def test_search_is_only_shown_for_all_families(explorer: tpa.Explorer) -> None:
    explorer.state = {"view": "tasks"}
    assert control(explorer, "search") in explorer._control_bar.children
    explorer.state = {"group": "Finance"}
    assert control(explorer, "search") not in explorer._control_bar.children
