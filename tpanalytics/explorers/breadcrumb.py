"""The way from all families down to a job, and back up."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

if TYPE_CHECKING:
    from collections.abc import Callable

    from tpanalytics.explorers.options import Facts
    from tpanalytics.explorers.state import State

__all__ = ["Way"]


class Way(widgets.Box):
    """Says where one is among the tasks; each step above is a button that leads there."""

    def __init__(self, go: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(layout={"flex_flow": "row wrap", "align_items": "center"})
        self.add_class("tpa-way")
        self._go = go

    def show(self, state: State, facts: Facts) -> None:
        """Give the steps to where a state is; at the top there is nothing to say."""
        family, job = state["family"], state["job"]
        self.layout.display = "" if state["view"] == "tasks" and family is not None else "none"
        if self.layout.display:
            return
        steps: list[tuple[str, dict[str, Any]]] = [("All job families", {"family": None, "job": None})]
        here = family
        if job is not None:
            steps.append((family, {"job": None}))
            here = next((name for name, one in facts.jobs_of(family, state["states"]) if one == job), job)
        children = []
        for name, change in steps:
            button = widgets.Button(description=name, tooltip=f"Back to {name}", layout={"width": "auto"})
            button.on_click(partial(self._clicked, change))
            children += [button, widgets.Label("\u203a")]
        self.children = [*children, widgets.Label(here)]

    def _clicked(self, change: dict[str, Any], _: Any) -> None:
        self._go(change)
