"""Charts and tables for explorer states, as public function calls that can be printed as code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tpanalytics.errors import SchemaError
from tpanalytics.formatting import plural
from tpanalytics.measures._core.groups import ALL_JOBS
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
        marks = self.table.marks(source, self.picks) if self.picks else []
        for mark in picked:
            if mark not in marks:
                raise SchemaError(f"`picked` must contain only the {len(marks)} marks of this chart, not {mark!r}.")

    def _of(self, picked: list[str]) -> Table:
        if not picked or self.picks is None:
            return self.table
        return replace(self.table, filters={**self.table.filters, self.picks: tuple(picked)})


def view_of(state: State, facts: Facts) -> View:
    """Return the chart and table for a state."""
    views = {"impact": _impact, "hours": _hours, "skills": _skills, "tasks": _tasks, "compare": _compare}
    return views[state["view"]](state, facts)


def _arguments(state: State, facts: Facts) -> dict[str, Any]:
    """Return the arguments of a chart by group."""
    groups = tuple(state["groups"]) or None
    return {
        "by": facts.grouping.argument,
        "states": _states(state, facts),
        "groups": groups,
        "privacy": facts.privacy,
    }


def _states(state: State, facts: Facts) -> tuple[str, ...] | None:
    """Return the validation states to count, or None for the default of the profiles."""
    return None if state["states"] == facts.default_states else tuple(state["states"])


def _incumbents(facts: Facts) -> dict[str, Any]:
    """Return the weight of a measure whose chart shows one incumbent of each job, unless it is the default."""
    return {"weight": "hours"} if facts.grouping.columns.people else {}


def _by_group(chart: Call, measure: Call, facts: Facts, groups: tuple[str, ...] | None = None) -> View:
    """Return a view with a mark per group."""
    by = facts.grouping.by
    return View(chart, Table(measure, facts.privacy, {"group": groups}, by=by), "group" if by else None)


def _impact(state: State, facts: Facts) -> View:
    arguments = _arguments(state, facts)
    by, states = arguments["by"], arguments["states"]
    if state["show"] == "weights":
        chart = call("plot_weight_sensitivity", level_weights=state["level_weights"], **arguments)
        measure = call("exposure", by=by, level_weights=state["level_weights"], states=states, **_incumbents(facts))
    elif state["show"] == "curve":
        how = {"weight": facts.counted, "level_weights": state["level_weights"]}
        chart = call("plot_exposure_curve", **how, **arguments)
        measure = call("exposure_curve", by=by, states=states, **how)
        return replace(_by_group(chart, measure, facts, arguments["groups"]), picks=None)  # panels can't be clicked
    else:
        chart = call("plot_impact", weight=state["weight"], **arguments)
        measure = call("impact", by=by, weight=state["weight"], states=states)
    return _by_group(chart, measure, facts, arguments["groups"])


def _hours(state: State, facts: Facts) -> View:
    arguments = _arguments(state, facts)
    measure = call("hours", by=arguments["by"], states=arguments["states"], **_incumbents(facts))
    return _by_group(call("plot_hours", **arguments), measure, facts, arguments["groups"])


def _skills(state: State, facts: Facts) -> View:
    """Return the view of the skills in all jobs together, or in the selected groups."""
    arguments = {**_arguments(state, facts), "weight": state["weight"]}
    # If every group is suppressed, the figures of all jobs would reveal them.
    if arguments["groups"] is None and facts.visible_groups(state["states"]):
        arguments["by"] = None
    measure = call("skills", by=arguments["by"], weight=state["weight"], states=arguments["states"])
    by = facts.grouping.by if arguments["by"] is not None else ()
    table = Table(measure, facts.privacy, {"group": arguments["groups"]}, by=by)
    return View(call("plot_skills", **arguments), table)


def _tasks(state: State, facts: Facts) -> View:
    """Return the view of all groups, the jobs in a group, the tasks in a job, or search results."""
    states, group, job, search = _states(state, facts), state["group"], state["job"], state["search"].strip()
    by, columns = facts.grouping.argument, facts.grouping.by
    arguments: dict[str, Any] = {"states": states, "privacy": facts.privacy}
    if job is not None:
        chart = call("plot_job", job, rationales=state["rationales"], **arguments)
        rows = {"job_id": (job,), "validation_state": tuple(state["states"])}
        return View(chart, Table(None, filters=rows, rationales=state["rationales"]))
    if group is not None or not (search or columns):
        chart = call("plot_jobs", group or ALL_JOBS, by=by, **arguments)
        measure = call("hours", by=(*columns, "job_id") if columns else "job_id", states=states, **_incumbents(facts))
        keep = {"group": None if group is None else (group,)}
        return View(chart, Table(measure, facts.privacy, keep, by=columns), "job_id")
    if search:
        chart = call("plot_find_tasks", search, by=by, **arguments)
        visible = facts.visible_groups(state["states"])
        table = Table(
            call("find_tasks", search, by=by, states=states),
            facts.privacy,
            {"group": visible if columns and visible != facts.groups else None},
            by=columns,
        )
        omitted = facts.n_suppressed_jobs(state["states"])
        note = f"The chart counts all jobs. The table omits {plural(omitted, 'suppressed job')}." if omitted else ""
        return View(chart, table, "group" if columns else None, note)
    chart = call("plot_impact", by=by, weight="tasks", **arguments)
    return _by_group(chart, call("impact", by=by, weight="tasks", states=states), facts)


def _compare(state: State, facts: Facts) -> View:
    by = facts.grouping.argument
    arguments: dict[str, Any] = {"snapshots": ("before", "profiles"), "states": _states(state, facts)}
    match state["change"]:
        case "moves":
            chart = call("plot_transitions", weight=state["counted"], privacy=facts.privacy, **arguments)
            return View(chart, Table(call("transitions", **arguments), facts.privacy))
        case "groups":
            measure = call("compare" if state["value"] == "hours" else "compare_exposure", by=by, **arguments)
            chart = call("plot_compare", by=by, measure=state["value"], privacy=facts.privacy, **arguments)
            return _by_group(chart, measure, facts)
    chart = call("plot_compare", level=state["level"], privacy=facts.privacy, **arguments)
    keep = {} if facts.compares_groups(state["states"]) else {"scope": ("all",)}
    return View(chart, Table(call("compare", by=by, level=state["level"], **arguments), facts.privacy, keep))
