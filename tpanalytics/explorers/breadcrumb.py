"""Breadcrumb navigation from all job families to a single job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

if TYPE_CHECKING:
    from collections.abc import Callable

    from tpanalytics.explorers.options import Facts
    from tpanalytics.explorers.state import State

__all__ = ["Breadcrumb"]


class Breadcrumb(widgets.Box):
    """Current family and job, with buttons to go back up."""

    def __init__(self, change_state: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(layout={"flex_flow": "row wrap", "align_items": "center"})
        self.add_class("tpa-breadcrumb")
        self._change_state = change_state

    def show(self, state: State, facts: Facts) -> None:
        """Update the breadcrumb from a state, or hide it at the top level."""
        family, job = state["family"], state["job"]
        self.layout.display = "" if state["view"] == "tasks" and family is not None else "none"
        if self.layout.display:
            return
        ancestors: list[tuple[str, dict[str, Any]]] = [("All job families", {"family": None, "job": None})]
        current = family
        if job is not None:
            ancestors.append((family, {"job": None}))
            current = next((name for name, other in facts.visible_jobs(family, state["states"]) if other == job), job)
        children = []
        for name, change in ancestors:
            button = widgets.Button(description=name, tooltip=f"Back to {name}", layout={"width": "auto"})
            button.on_click(lambda _, change=change: self._change_state(change))
            children += [button, widgets.Label("\u203a")]
        self.children = [*children, widgets.Label(current)]
