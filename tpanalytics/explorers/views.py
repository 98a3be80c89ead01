"""Charts and tables for explorer states, as public function calls that can be printed as code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tpanalytics.errors import SchemaError
from tpanalytics.formatting import plural
from tpanalytics.share.calls import Call, Source, Table, call

if TYPE_CHECKING:
    import polars as pl

    from tpanalytics.explorers.options import Facts
    from tpanalytics.explorers.state import State

__all__ = ["View", "view_of"]


@dataclass(frozen=True)
class View:
    """Chart and table for a state."""

    chart: Call
    table: Table
    #: Column that identifies clicked marks, or None if marks can't be clicked.
    picks: str | None = None
    #: A message to show above the chart.
    note: str = ""

    def selected(self, source: Source, picked: list[str]) -> pl.DataFrame:
        """Return the rows for the picked marks, or all rows if none are picked."""
        return self._of(picked).of(source)

    def code(self, picked: list[str]) -> str:
        """Return Python code that reproduces the chart and table."""
        inputs = " and ".join(self.chart.snapshots)
        lines = [f"# {inputs}: as passed to tpa.explore"]
        lines += [f"chart = {self.chart}", f"table = {self._of(picked)}"]
        uses_polars = any("pl." in line for line in lines)
        return "\n".join([*["import polars as pl"] * uses_polars, "import tpanalytics as tpa", "", *lines])

    def check_picked(self, source: Source, picked: list[str]) -> None:
        """Raise a SchemaError if a picked mark is not in the chart."""
        if not picked:
            return
        marks = self.table.of(source).get_column(self.picks).unique().to_list() if self.picks else []
        for mark in picked:
            if mark not in marks:
                raise SchemaError(f"`picked` must contain only the {len(marks)} marks of this chart, not {mark!r}.")

    def _of(self, picked: list[str]) -> Table:
        if not picked or self.picks is None:
            return self.table
        return replace(self.table, filters={**self.table.filters, self.picks: tuple(picked)})


def view_of(state: State, facts: Facts) -> View:
    """Return the chart and table for a state."""
    return {"impact": _impact, "hours": _hours, "tasks": _tasks, "compare": _compare}[state["view"]](state, facts)


def _families(state: State) -> tuple[str, ...] | None:
    return tuple(state["families"]) or None


def _impact(state: State, facts: Facts) -> View:
    families, states = _families(state), tuple(state["states"])
    arguments: dict[str, Any] = {"states": states, "families": families, "privacy": facts.privacy}
    if state["show"] == "weights":
        chart = call("plot_weight_sensitivity", level_weights=state["level_weights"], **arguments)
        measure = call("exposure", level_weights=state["level_weights"], states=states)
    else:
        chart = call("plot_impact", weight=state["weight"], **arguments)
        measure = call("impact", weight=state["weight"], states=states)
    return View(chart, Table(measure, facts.privacy, {"job_family": families}), "job_family")


def _hours(state: State, facts: Facts) -> View:
    families, states = _families(state), tuple(state["states"])
    chart = call("plot_hours", states=states, families=families, privacy=facts.privacy)
    measure = call("hours", states=states)
    return View(chart, Table(measure, facts.privacy, {"job_family": families}), "job_family")


def _tasks(state: State, facts: Facts) -> View:
    """Return the view of all families, the jobs in a family, the tasks in a job, or search results."""
    states, family, job, search = tuple(state["states"]), state["family"], state["job"], state["search"].strip()
    arguments: dict[str, Any] = {"states": states, "privacy": facts.privacy}
    if job is not None:
        chart = call("plot_job", job, rationales=state["rationales"], **arguments)
        keep = {"job_id": (job,), "validation_state": states}
        return View(chart, Table(None, filters=keep, rationales=state["rationales"]))
    if family is not None:
        chart = call("plot_jobs", family, **arguments)
        measure = call("hours_by_job", states=states)
        return View(chart, Table(measure, facts.privacy, {"job_family": (family,)}), "job_id")
    if search:
        chart = call("plot_find_tasks", search, **arguments)
        visible = facts.visible_families(states)
        families = visible if visible != facts.families else None
        table = Table(call("find_tasks", search, states=states), facts.privacy, {"job_family": families})
        omitted = facts.n_suppressed_jobs(states)
        note = f"The chart counts all jobs. The table omits {plural(omitted, 'suppressed job')}." if omitted else ""
        return View(chart, table, "job_family", note)
    chart = call("plot_impact", weight="tasks", **arguments)
    measure = call("impact", weight="tasks", states=states)
    return View(chart, Table(measure, facts.privacy), "job_family")


def _compare(state: State, facts: Facts) -> View:
    arguments: dict[str, Any] = {"snapshots": ("before", "profiles"), "states": tuple(state["states"])}
    match state["change"]:
        case "moves":
            chart = call("plot_transitions", weight=state["counted"], privacy=facts.privacy, **arguments)
            return View(chart, Table(call("transitions", **arguments), facts.privacy))
        case "families":
            measure = call("compare" if state["value"] == "hours" else "compare_exposure", **arguments)
            chart = call("plot_compare", by="job_family", measure=state["value"], privacy=facts.privacy, **arguments)
            return View(chart, Table(measure, facts.privacy), "job_family")
    chart = call("plot_compare", level=state["level"], privacy=facts.privacy, **arguments)
    keep = {} if facts.compares_families(state["states"]) else {"scope": ("all",)}
    return View(chart, Table(call("compare", level=state["level"], **arguments), facts.privacy, keep))
