"""What an explorer shows in a state: the calls of public functions behind its chart and its table.

A view computes nothing, so that its Python can be printed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tpanalytics.errors import SchemaError
from tpanalytics.share.calls import Call, Source, Table, call

if TYPE_CHECKING:
    import polars as pl

    from tpanalytics.explorers.options import Facts
    from tpanalytics.explorers.state import State

__all__ = ["View", "view_of"]


@dataclass(frozen=True)
class View:
    """What is shown in one state."""

    chart: Call
    table: Table
    #: Column of the chart's data whose marks can be clicked; None if there are none.
    picks: str | None = None
    #: A remark on chart and table.
    note: str = ""

    def selected(self, source: Source, picked: list[str]) -> pl.DataFrame:
        """Return the rows of the picked marks, or all."""
        return self._of(picked).of(source)

    def code(self, picked: list[str]) -> str:
        """Write the Python that reproduces chart and table."""
        inputs = " and ".join(self.chart.takes)
        lines = [f"# {inputs}: as given to tpa.explore"]
        lines += [f"chart = {self.chart}", f"table = {self._of(picked)}"]
        uses_polars = any("pl." in line for line in lines)
        return "\n".join([*["import polars as pl"] * uses_polars, "import tpanalytics as tpa", "", *lines])

    def check_picked(self, source: Source, picked: list[str]) -> None:
        """Raise if a picked mark is not in the chart."""
        if not picked:
            return
        marks = self.table.of(source).get_column(self.picks).unique().to_list() if self.picks else []
        for mark in picked:
            if mark not in marks:
                raise SchemaError(f"state: picked={mark!r} is none of the {len(marks)} marks that can be picked here.")

    def _of(self, picked: list[str]) -> Table:
        if not picked or self.picks is None:
            return self.table
        return replace(self.table, keep={**self.table.keep, self.picks: tuple(picked)})


def view_of(state: State, facts: Facts) -> View:
    """Return the chart and table of a state."""
    return {"impact": _impact, "hours": _hours, "tasks": _tasks, "compare": _compare}[state["view"]](state, facts)


def _families(state: State) -> tuple[str, ...] | None:
    return tuple(state["families"]) or None


def _impact(state: State, facts: Facts) -> View:
    families, states = _families(state), tuple(state["states"])
    how: dict[str, Any] = {"states": states, "families": families, "privacy": facts.privacy}
    if state["show"] == "weights":
        chart = call("plot_weight_sensitivity", level_weights=state["level_weights"], **how)
        measure = call("exposure", level_weights=state["level_weights"], states=states)
    else:
        chart = call("plot_impact", weight=state["weight"], **how)
        measure = call("impact", weight=state["weight"], states=states)
    return View(chart, Table(measure, facts.privacy, {"job_family": families}), "job_family")


def _hours(state: State, facts: Facts) -> View:
    families, states = _families(state), tuple(state["states"])
    chart = call("plot_hours", states=states, families=families, privacy=facts.privacy)
    measure = call("hours", states=states)
    return View(chart, Table(measure, facts.privacy, {"job_family": families}), "job_family")


def _tasks(state: State, facts: Facts) -> View:
    """Return families, the jobs of one family, the tasks of one job, or the hits of a search."""
    states, family, job, search = tuple(state["states"]), state["family"], state["job"], state["search"].strip()
    how: dict[str, Any] = {"states": states, "privacy": facts.privacy}
    if job is not None:
        chart = call("plot_job", job, rationales=state["rationales"], **how)
        keep = {"job_id": (job,), "validation_state": states}
        return View(chart, Table(None, keep=keep, rationales=state["rationales"]))
    if family is not None:
        chart = call("plot_jobs", family, **how)
        measure = call("hours_by_job", states=states)
        return View(chart, Table(measure, facts.privacy, {"job_family": (family,)}), "job_id")
    if search:
        chart = call("plot_find_tasks", search, **how)
        visible = facts.visible_families(states)
        families = visible if visible != facts.families else None
        table = Table(call("find_tasks", search, states=states), facts.privacy, {"job_family": families})
        suppressed, note = facts.n_suppressed_jobs(states), ""
        if suppressed:
            few = f"{suppressed:,} that tell of few people, or of others,"
            note = f"The chart counts all jobs; {few} are not in the table."
        return View(chart, table, "job_family", note)
    chart = call("plot_impact", weight="tasks", **how)
    measure = call("impact", weight="tasks", states=states)
    return View(chart, Table(measure, facts.privacy), "job_family")


def _compare(state: State, facts: Facts) -> View:
    both: dict[str, Any] = {"takes": ("before", "profiles"), "states": tuple(state["states"])}
    match state["change"]:
        case "moves":
            chart = call("plot_transitions", weight=state["counted"], privacy=facts.privacy, **both)
            return View(chart, Table(call("transitions", **both), facts.privacy))
        case "families":
            measure = call("compare" if state["value"] == "hours" else "compare_exposure", **both)
            chart = call("plot_compare", by="job_family", measure=state["value"], privacy=facts.privacy, **both)
            return View(chart, Table(measure, facts.privacy), "job_family")
    chart = call("plot_compare", level=state["level"], privacy=facts.privacy, **both)
    whole = {} if facts.compares_families(state["states"]) else {"scope": ("all",)}
    return View(chart, Table(call("compare", level=state["level"], **both), facts.privacy, whole))
