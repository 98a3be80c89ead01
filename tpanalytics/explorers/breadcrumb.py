"""Breadcrumb navigation from all groups to a single job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

if TYPE_CHECKING:
    from collections.abc import Callable

    from tpanalytics.explorers.options import Facts
    from tpanalytics.explorers.state import State

__all__ = ["Breadcrumb"]


class Breadcrumb(widgets.Box):
    """Current group and job, with buttons to go back up."""

    def __init__(self, change_state: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(layout={"flex_flow": "row wrap", "align_items": "center"})
        self.add_class("tpa-breadcrumb")
        self._change_state = change_state

    def show(self, state: State, facts: Facts) -> None:
        """Update the breadcrumb from a state, or hide it at the top level."""
        group, job, by = state["group"], state["job"], facts.grouping.by
        is_below = state["view"] == "tasks" and (group is not None or job is not None)
        self.layout.display = "" if is_below else "none"
        if not is_below:
            return
        top = f"All {facts.grouping.nouns}" if by else "All jobs"
        ancestors: list[tuple[str, dict[str, Any]]] = [(top, {"group": None, "job": None})]
        current = group
        if job is not None:
            ancestors += [(group, {"job": None})] if by else []
            current = next((name for name, other in facts.visible_jobs(group, state["states"]) if other == job), job)
        children = []
        for name, change in ancestors:
            button = widgets.Button(description=name, tooltip=f"Back to {name}", layout={"width": "auto"})
            button.on_click(lambda _, change=change: self._change_state(change))
            children += [button, widgets.Label("\u203a")]
        self.children = [*children, widgets.Label(current)]
